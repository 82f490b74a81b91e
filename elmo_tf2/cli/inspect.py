"""`elmo-tf2 inspect`."""

from pathlib import Path
from typing import Annotated

from elmo_tf2.cli.arguments import checked_model, model_argument
from elmo_tf2.cli.messages import echo, echo_table, quiet_imports

HELP = """\
Tell what a file or folder is.

Its kind, sizes, number of parameters and, of a SavedModel, the signatures.
Weights are checked while they are read, as `convert` does.

\b
Examples:
  elmo-tf2 inspect google_elmo_3
  elmo-tf2 inspect elmo_2x4096_512_2048cnn_2xhighway_weights.hdf5
  elmo-tf2 inspect checkpoints/model.ckpt-935588
"""


def inspect(
    path: Annotated[
        Path,
        model_argument(
            "PATH",
            "A model folder, a weight file of bilm-tf (HDF5), a training checkpoint of bilm-tf, a "
            "pretraining run's folder, a TF1 Hub module's folder, or a SavedModel.",
        ),
    ],
) -> None:
    """Tells what a file or folder is."""
    from elmo_tf2.weights import detect

    path = checked_model(path)
    with quiet_imports():
        from elmo_tf2.cli import describe

    kind = detect(path)
    echo(f"{path}: {kind}")
    if kind == "saved model":
        rows = describe.saved_model_rows(path)
    elif kind == "vocabulary embeddings":
        rows = describe.vocabulary_embedding_rows(path)
    else:
        rows = describe.weight_rows(path, kind)
    echo_table([*describe.file_rows(path, kind), *rows])
    if kind in ("saved model", "tf1 hub module"):
        echo("signatures:")
        echo_table(describe.signature_rows(path))
