"""`elmo-tf2 convert`."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from elmo_tf2.cli.arguments import (
    Options,
    Overwrite,
    Prove,
    Vocab,
    checked_model,
    may_run,
    model_argument,
)
from elmo_tf2.cli.messages import echo, echo_table, quiet_imports
from elmo_tf2.files import check_free
from elmo_tf2.sources import find_file

HELP = """\
Turn published ELMo weights in any form into a model folder.

A model folder has the layout of bilm-tf: options.json, weights.hdf5 and, for a language model, vocab.txt and softmax.hdf5. bilm-tf and AllenNLP read it too, unless it is a merged model, which they do not know. Weights are checked while they are read: all there, none too many, of the right shapes, finite. A TF1 Hub module is moreover run on a few sentences, and its vectors are compared with those computed from the weights.

\b
Examples:
  elmo-tf2 convert google_elmo_3 elmo
  elmo-tf2 convert elmo_2x4096_512_2048cnn_2xhighway_weights.hdf5 elmo
  elmo-tf2 convert checkpoints/model.ckpt-935588 elmo --vocab vocab.txt
  elmo-tf2 convert run elmo --dtype float16
  elmo-tf2 convert saved_model elmo
"""  # noqa: E501


class Dtype(str, Enum):
    """Types of the numbers in a model folder."""

    float32 = "float32"
    float16 = "float16"


def convert(
    source: Annotated[
        Path,
        model_argument(
            "SOURCE",
            "A weight file of bilm-tf or AllenNLP (HDF5, with its options beside it), a "
            "training checkpoint of bilm-tf or its folder, a TF1 Hub module's folder (such as "
            "google/elmo/3), the folder of a pretraining run, a SavedModel of `export`, trained or "
            "not, or a model folder.",
        ),
    ],
    dest: Annotated[
        Path, typer.Argument(metavar="DEST", help="The folder to make.", show_default=False)
    ],
    options: Options = None,
    vocab: Vocab = None,
    prove: Prove = None,
    dtype: Annotated[
        Dtype,
        typer.Option(
            help="float16 halves the size: matrices are rounded, and the change of the vectors is "
            "printed. This package reads them as any other; other readers may not."
        ),
    ] = Dtype.float32,
    overwrite: Overwrite = False,
) -> None:
    """Turns weights into a model folder."""
    from elmo_tf2.weights.model_folder import MODEL_FOLDER_PARTS

    given, options = source, find_file(options)
    source = checked_model(source, options, vocab, only_weights=True)
    check_free(dest, overwrite, MODEL_FOLDER_PARTS)
    with quiet_imports():
        from elmo_tf2 import convert as library
        from elmo_tf2.cli.describe import config_rows

    report = library.convert(
        source,
        dest,
        options=options,
        vocab=vocab,
        prove=may_run(prove, given, source),
        overwrite=overwrite,
        dtype=dtype.value,
    )
    echo(f"Converted {report.kind} {source} to the model folder {dest}.")
    echo_table(config_rows(report.config, report.parameters))
    if report.max_difference is not None:
        inside = "inside" if report.config.sentence_boundaries else "not at all"
        echo(
            "The module's own vectors and those of the folder differ by "
            f"{report.max_difference:.1e} at most, on a few sentences; sentence boundaries are "
            f"added {inside}."
        )
    elif report.kind == "tf1 hub module":
        echo(
            "The module was not run: activation, clips, skip connections and boundaries are taken "
            "to be those of google/elmo/3."
        )
    if report.rounding is not None:
        size = sum(file.stat().st_size for file in dest.iterdir())
        echo(
            f"Rounded to float16: {size / 1e6:,.1f} MB. The vectors of a few sentences change by "
            f"{report.rounding:.1e} at most."
        )
