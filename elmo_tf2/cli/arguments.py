"""Arguments that several commands have."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from elmo_tf2.cli.messages import warnings_later
from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import check_file
from elmo_tf2.presets import find_model


class Tokenizer(str, Enum):
    """How text becomes words."""

    words = "words"
    spaces = "spaces"


def model_argument(metavar: str, what: str) -> Any:
    """A model that is named by its path or as a preset: for `elmo_tf2.presets.find_model`."""
    return typer.Argument(
        metavar=metavar,
        help=f"{what} Or the name of a model that comes with the package, elmo_mini_en; a "
        "local path of that name takes precedence.",
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
        help="The words of a language model, one per line, if it is not the vocab.txt beside the "
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


def checked_model(
    model: Path,
    options: Path | None = None,
    vocab: Path | None = None,
    only_weights: bool = False,
) -> Path:
    """Finds a model, and its faults and those of the files beside it, without TensorFlow."""
    from elmo_tf2.weights import detect, read_weights
    from elmo_tf2.weights.files import (
        VOCABULARY_FILE,
        WEIGHTS_FILE,
        find_options,
        find_weights,
        the_only,
    )

    path = find_model(model)
    kind = detect(path)
    if only_weights and kind == "vocabulary embeddings":
        read_weights(path)  # whose error says what to give instead
    if options is None and kind == "model folder":
        options = find_options(the_only(find_weights(path), path, WEIGHTS_FILE))
    if vocab is None and kind == "model folder" and (path / VOCABULARY_FILE).exists():
        vocab = path / VOCABULARY_FILE
    vocabulary = None if vocab is None else read_vocabulary(vocab)
    if options is not None:
        with warnings_later():
            ElmoConfig.from_file(check_file(options, "options file"), vocabulary)
    return path
