"""Arguments that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

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
        help="Run a TF1 Hub module to compare its vectors. Its graph is a program: don't run one "
        "that you do not trust.",
    ),
]
