"""`elmo-tf2 export`."""

import os
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from elmo_tf2.cli.arguments import (
    Options,
    Overwrite,
    Prove,
    Tokenizer,
    checked_model,
    may_run,
    model_argument,
)
from elmo_tf2.cli.messages import echo, quiet_imports
from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import check_free
from elmo_tf2.presets import shown_name
from elmo_tf2.sources import find_file, is_foreign

HELP = """\
Make a TensorFlow 2 SavedModel that hub.load takes.

Whoever uses it needs TensorFlow and tensorflow_hub, nothing else. Signatures, outputs and examples are in the model_card.md that is written with it. What `convert` takes is taken here too.

\b
Examples:
  elmo-tf2 export elmo_mini_en elmo_saved_model
  elmo-tf2 export model_folder elmo_saved_model --tokenizer words
  elmo-tf2 export model_folder elmo_saved_model --vocab frequent_words.txt
  elmo-tf2 export model_folder elmo_saved_model --dtype bfloat16
  elmo-tf2 export google_elmo_3 elmo_saved_model --trainable all --tar
  elmo-tf2 export google_elmo_3 elmo_saved_model --as https://tfhub.dev/google/elmo/3
"""  # noqa: E501

_USE = """\
It is used like this; for many calls take elmo.default(sentences)["elmo"], which is the same and
faster, for it makes no new graph:

import tensorflow_hub as hub

elmo = hub.load({path!r})
elmo(["the cat is on the mat", "dogs are in the fog"], signature="default", as_dict=True)["elmo"]
"""

_CACHED = """\
Scripts with this address, letter for letter, now get a copy of it without a download, as long as
{variable}:

  {address}

To undo it: remove the folder {folder}
and the file beside it, {descriptor}
"""


class Dtype(str, Enum):
    """Types of the weights."""

    float32 = "float32"
    bfloat16 = "bfloat16"


class Trainable(str, Enum):
    """What training may change."""

    mix = "mix"
    all = "all"
    none = "none"


TrainableOption = Annotated[
    Trainable,
    typer.Option(
        help="What training may change: the weights of the layers' sum (mix), the whole encoder "
        "too (all), or nothing (none)."
    ),
]
TokenizerOption = Annotated[
    Tokenizer | None,
    typer.Option(
        help="What makes words of sentences: words, as `prepare` does (punctuation apart), or "
        "spaces. [default: what the model was trained with, if its folder says so, or else "
        "spaces]",
        show_default=False,
    ),
]
StoredWords = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Words, one per line, whose vectors are stored in OUT: faster for them, and larger by "
        "4 bytes (of bfloat16 2) times the size of a word vector for each. All vectors are the "
        "same.",
        show_default=False,
    ),
]
DtypeOption = Annotated[
    Dtype,
    typer.Option(
        help="bfloat16 has weights and matrix products in bfloat16: half as large, faster on "
        "processors with instructions for it (AVX512-BF16, AMX), about two digits right. What it "
        "gives is float32."
    ),
]
Address = Annotated[
    str | None,
    typer.Option(
        "--as",
        metavar="ADDRESS",
        help="Copy OUT to tensorflow_hub's cache too (TFHUB_CACHE_DIR), as what hub.load gives for "
        "ADDRESS: scripts with hub.load(ADDRESS) run as they are, offline.",
        show_default=False,
    ),
]


def export(
    model: Annotated[
        Path,
        model_argument(
            "MODEL", "A model folder, or published weights in any form that `convert` takes."
        ),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder to make.", show_default=False)
    ],
    trainable: TrainableOption = Trainable.mix,
    tar: Annotated[
        bool, typer.Option("--tar", help="Write OUT.tar.gz too, laid out as TF Hub's archives are.")
    ] = False,
    tokenizer: TokenizerOption = None,
    vocab: StoredWords = None,
    dtype: DtypeOption = Dtype.float32,
    address: Address = None,
    options: Options = None,
    prove: Prove = None,
    overwrite: Overwrite = False,
) -> None:
    """Makes a SavedModel."""
    options = find_file(options)
    name, model = model, checked_model(model, options, only_weights=True)
    check_free(out, overwrite, inputs=[model, options, vocab])
    words = () if vocab is None else read_vocabulary(vocab)
    if trainable is Trainable.all and (words or dtype is Dtype.bfloat16):
        raise typer.BadParameter(
            "--trainable all is for neither --vocab, whose stored vectors training would leave "
            "behind, nor --dtype bfloat16, whose steps are too coarse to learn by."
        )
    with quiet_imports():
        from elmo_tf2.convert import load_weights
        from elmo_tf2.hub_cache import cached_folder
        from elmo_tf2.models import ElmoEmbeddings
        from elmo_tf2.saved_model import SAVED_MODEL_PARTS, export_saved_model

    if address is not None:
        check_free(cached_folder(address), overwrite, SAVED_MODEL_PARTS)
    weights = load_weights(model, options=options, prove=may_run(prove, name, model))
    elmo = ElmoEmbeddings.from_weights(
        weights, tokenizer=None if tokenizer is None else tokenizer.value
    )
    folder = export_saved_model(
        elmo,
        out,
        trainable=trainable.value,
        tar=tar,
        overwrite=overwrite,
        source=str(name) if is_foreign(name, model) else shown_name(model),
        words=words,
        dtype=dtype.value,
    )
    written = f"{folder} and {folder}.tar.gz" if tar else f"{folder}"
    echo(f"Exported {name} to {written}.")
    echo(_USE.format(path=str(folder.absolute())))
    if address is not None:
        _copy_to_cache(folder, address, overwrite)


def _copy_to_cache(folder: Path, address: str, overwrite: bool) -> None:
    """Makes `hub.load(address)` give the model."""
    from elmo_tf2.hub_cache import copy_to_cache, descriptor_of

    cached = copy_to_cache(folder, address, overwrite)
    is_set = "TFHUB_CACHE_DIR" in os.environ
    echo(
        _CACHED.format(
            variable=f"TFHUB_CACHE_DIR is {cached.parent}"
            if is_set
            else f"TFHUB_CACHE_DIR is not set, and {cached.parent} is not emptied",
            address=address,
            folder=cached,
            descriptor=descriptor_of(cached).name,
        )
    )
