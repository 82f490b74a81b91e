"""Arguments that several commands have."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer


class Tokenizer(str, Enum):
    """How text becomes words."""

    words = "words"
    spaces = "spaces"


def model_argument(metavar: str, what: str) -> Any:
    """A model that is named by its path or as a preset: for `elmo_tf2.presets.find_model`.

    Args:
        metavar: what help calls it.
        what: what it may be.

    Returns:
        The argument of a command.
    """
    return typer.Argument(
        metavar=metavar,
        help=f"{what} Or the name of a model that comes with the package, elmo_mini_en; what lies "
        "under that name in the current folder goes before it.",
        show_default=False,
    )


Options = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The model's sizes, an options.json of bilm-tf, if it is not the one beside the "
        "weights.",
    ),
]
Vocab = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The words of a language model, one a line, if it is not the vocab.txt beside the "
        "weights.",
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what is there already under that name.")
]
Prove = Annotated[
    bool,
    typer.Option(
        "--prove/--no-prove",
        help="Run a TF1 Hub module to compare its vectors. Its graph is a program: one with "
        "operations that no ELMo needs, those for files among them, is refused before it is run.",
    ),
]
