"""Arguments that several commands have."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from elmo_tf2.cli.messages import progress_bar, quiet_imports, warnings_later
from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import check_file
from elmo_tf2.options import are_word_based, read_options
from elmo_tf2.sources import find_model, is_foreign


class Tokenizer(str, Enum):
    """How text becomes words."""

    words = "words"
    spaces = "spaces"


def model_argument(metavar: str, what: str) -> Any:
    """A model, named in any way that `elmo_tf2.sources.find_model` takes."""
    return typer.Argument(
        metavar=metavar,
        help=f"{what} Or an archive of one (zip, tar), an address of that or of a weight file, a "
        "handle (google/elmo/3, hf://owner/name), or a name that `presets` or `models` lists. A "
        "local path of that name takes precedence.",
        show_default=False,
    )


Options = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The model's sizes, an options.json of bilm-tf or its address, if it is not the one "
        "beside the weights.",
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
    bool | None,
    typer.Option(
        "--prove/--no-prove",
        help="Run a TF1 Hub module to compare its vectors. Its graph is a program: one with "
        "operations that no ELMo needs, those for files among them, is refused before it is run. "
        "[default: --prove for a local folder, --no-prove for what was downloaded or unpacked]",
        show_default=False,
    ),
]


def local_model(model: Path, with_options: bool = True) -> Path:
    """The model's local path; a download shows its progress."""
    if model.exists():
        return find_model(model)
    with quiet_imports(), progress_bar("Looking for the model", "Downloading", "bytes") as update:
        return find_model(model, with_options, update)


def may_run(prove: bool | None, model: Path, found: Path) -> bool:
    """Whether a TF1 Hub module is run: if so asked, or if it is a local folder."""
    return not is_foreign(model, found) if prove is None else prove


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

    path = local_model(model, with_options=options is None)
    kind = detect(path)
    if only_weights and kind == "vocabulary embeddings":
        read_weights(path)  # whose error says what to give instead
    if options is None and kind == "model folder":
        options = find_options(the_only(find_weights(path), path, WEIGHTS_FILE))
    # Only a word-based model's sizes depend on its words, of which there may be a million.
    beside = path / VOCABULARY_FILE
    if vocab is None and options is not None and beside.exists():
        vocab = beside if are_word_based(read_options(options)) else None
    vocabulary = None if vocab is None else read_vocabulary(vocab)
    if options is not None:
        with warnings_later():
            ElmoConfig.from_file(check_file(options, "options file"), vocabulary)
    return path
