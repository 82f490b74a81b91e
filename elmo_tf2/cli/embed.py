"""`elmo-tf2 embed`."""

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elmo_tf2.cli.arguments import (
    Prove,
    Tokenizer,
    checked_model,
    local_model,
    may_run,
    model_argument,
)
from elmo_tf2.cli.messages import echo, echo_error, progress_bar, quiet_imports
from elmo_tf2.config import MAX_LAYERS
from elmo_tf2.feature_files import check_features, work_folder
from elmo_tf2.files import check_file, check_free
from elmo_tf2.validation import MAX_INTEGER, shown

if TYPE_CHECKING:
    from elmo_tf2.models import ElmoEmbeddings

HELP = """\
Compute the vectors of a text.

All layers of every word go into a file, whose ending decides the format. TEXT has one sentence per line, in UTF-8, plain or compressed with gzip or xz, as it was written: the model's own tokenizer makes words of it, those that it was trained on (`inspect` tells which; of imported weights it is spaces, for they were trained on tokenised text). If TEXT is tokenised already, say so with --tokenizer spaces: words are what is between spaces; a tab is a character.

\b
.hdf5, .h5  A dataset for every line, named by its number, "0", "1" and so on:
            float32 (layers, tokens, dimensions), the layout of bilm-tf's
            dump_bilm_embeddings.
.tfrecord   A tf.train.Example for every line, for tf.data.
.npy        With --sentence: an array (lines, layers, dimensions), of one
            layer (lines, dimensions).
.parquet    With --sentence: the line, and a column for each layer. It needs
            pyarrow: pip install 'elmo_tf2[parquet]'
--projector A folder for TensorBoard's Embedding Projector: a table for each
            layer, and one of the words and their sentences.

Layer 0 is the word vector, twice side by side; the others are forward and backward vectors side by side. --layers mix takes their weighted sum, with the weights that came with the model; without such, all layers count alike.

A text of any length is taken, in constant memory. An interrupted run goes on when the same command is given again. OUT is there when it is complete, not before; until then the work is in the folder OUT.unfinished.

\b
Examples:
  elmo-tf2 embed elmo_mini_en sentences.txt vectors.hdf5
  elmo-tf2 embed elmo_saved_model sentences.txt vectors.hdf5
  elmo-tf2 embed google_elmo_3 tokenised.txt vectors.hdf5 --tokenizer spaces
  elmo-tf2 embed elmo_mini_en sentences.txt vectors.tfrecord --layers 0,2 --dtype float16
  elmo-tf2 embed elmo_mini_en sentences.txt vectors.parquet --sentence mean --layers mix
  elmo-tf2 embed elmo_mini_en sentences.txt logs --projector
  elmo-tf2 embed google_elmo_3 sentences.txt vectors.hdf5 --dtype bfloat16
\b
To read any of them:
  from elmo_tf2.features import FeatureReader
  dataset = FeatureReader("vectors.tfrecord").dataset()
\b
To read HDF5 without this package:
  import h5py
  vectors = h5py.File("vectors.hdf5")["0"][:]
\b
To read TFRecord without this package:
  import tensorflow as tf
  def read(record):
      features = {
          "tokens": tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True),
          "shape": tf.io.FixedLenFeature([3], tf.int64),
          "vectors": tf.io.FixedLenFeature([], tf.string),
      }
      example = tf.io.parse_single_example(record, features)
      vectors = tf.io.decode_raw(example["vectors"], tf.float32)
      return example["tokens"], tf.reshape(vectors, example["shape"])
  dataset = tf.data.TFRecordDataset("vectors.tfrecord").map(read)
"""  # noqa: E501


class Dtype(str, Enum):
    """Types of the vectors in the file, or of the weights they are computed by."""

    float32 = "float32"
    float16 = "float16"
    bfloat16 = "bfloat16"


class SentenceVectors(str, Enum):
    """What makes one vector of those of a sentence's words."""

    mean = "mean"
    max = "max"


def _layers(value: str) -> tuple[int, ...] | str:
    """The argument of `embed_file`."""
    try:
        layers = tuple(map(int, "" if value == "mix" else value.split(",")))
    except ValueError:
        layers = (-1,)
    if len(set(layers)) < len(layers) or not all(0 <= layer <= MAX_LAYERS for layer in layers):
        raise typer.BadParameter(
            f"{shown(value)} is neither 'mix' nor different numbers of layers with commas between "
            "them, as in 0,2."
        )
    return layers or value


def readable_model(model: Path, prove: bool) -> "Path | ElmoEmbeddings":
    """The model's path; of a TF1 Hub module, which `embed_file` does not take, the model itself."""
    from elmo_tf2.weights import detect

    if detect(model) != "tf1 hub module":
        return model
    with quiet_imports():
        from elmo_tf2.convert import load_weights
        from elmo_tf2.models import ElmoEmbeddings

    return ElmoEmbeddings.from_weights(load_weights(model, prove=prove))


def _write_projector(
    source: "Path | ElmoEmbeddings", text: Path, out: Path, max_points: int, options: Any
) -> None:
    with quiet_imports():
        from elmo_tf2.features import write_projector

    with progress_bar("Reading the text") as update:
        written = write_projector(source, text, out, max_points, on_progress=update, **options)
    what = "sentences" if options["sentence"] else "words"
    echo(
        f"Wrote {out}: {written.points:,} {what}, each {', '.join(written.layers)} of "
        f"{written.dim:,} numbers."
    )
    if written.points < written.all_points:
        echo(
            f"The text has {written.all_points:,}; {written.all_points - written.points:,} are "
            "left out, by sentences drawn at random (--max-points)."
        )
    echo(f"To look at them: tensorboard --logdir {out}")


def embed(
    model: Annotated[
        Path,
        model_argument(
            "MODEL",
            "A model folder, a SavedModel made by `export`, or published weights in any form that "
            "`convert` takes.",
        ),
    ],
    text: Annotated[
        Path,
        typer.Argument(metavar="TEXT", help="One sentence per line.", show_default=False),
    ],
    out: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="The file to make, with an ending .hdf5, .h5, .tfrecord, .npy or .parquet; with "
            "--projector, the folder.",
            show_default=False,
        ),
    ],
    batch_size: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_INTEGER,
            metavar="NUMBER",
            help="The most sentences that are computed together. Long ones are fewer; smaller "
            "batches need less memory.",
        ),
    ] = 256,
    tokenizer: Annotated[
        Tokenizer | None,
        typer.Option(
            help="What makes words of a line: words, as `prepare` does (punctuation apart), or "
            "spaces, for tokenised text. [default: the model's own]",
            show_default=False,
        ),
    ] = None,
    layers: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS|mix",
            help="The layers to take, as in 0,2; or mix, their weighted sum. [default: all]",
            show_default=False,
        ),
    ] = None,
    sentence: Annotated[
        SentenceVectors | None,
        typer.Option(
            help="One vector a sentence and layer: the mean or the maximum over its words. An "
            "empty line has zeros. [default: the vectors of words]",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        Dtype,
        typer.Option(
            help="float16 halves the file: the vectors are rounded. bfloat16 computes with weights "
            "and matrix products in bfloat16: half the memory for weights, faster on processors "
            "with instructions for it (AVX512-BF16, AMX), about two digits right; the file has "
            "float32."
        ),
    ] = Dtype.float32,
    projector: Annotated[
        bool,
        typer.Option(
            "--projector",
            help="Make OUT a folder for TensorBoard's Embedding Projector: tensorboard --logdir "
            "OUT.",
        ),
    ] = False,
    max_points: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_INTEGER,
            metavar="NUMBER",
            help="The most words (or sentences, with --sentence) for the projector; of more, "
            "sentences are drawn at random.",
        ),
    ] = 10_000,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace OUT if it is there, and give up an unfinished run with another model, "
            "text or choice.",
        ),
    ] = False,
    prove: Prove = None,
) -> None:
    """Computes the vectors of a text."""
    from elmo_tf2.weights import detect

    chosen = None if layers is None else _layers(layers)
    options: dict[str, Any] = {
        "overwrite": overwrite,
        "tokenizer": None if tokenizer is None else tokenizer.value,
        "layers": chosen,
        "sentence": None if sentence is None else sentence.value,
    }
    if projector and dtype is not Dtype.float32:
        raise typer.BadParameter("--projector writes tables, which have no --dtype.")
    # The library's own checks, seconds earlier: before TensorFlow is imported.
    given, model = model, local_model(model)
    if projector:
        check_file(text, "text")
    else:
        check_features(text, out, options["sentence"])
    if not work_folder(out).exists():  # `embed_file` sees whether that is left from a complete run
        check_free(out, overwrite, inputs=[model, text])
    checked_model(model)
    if dtype is Dtype.bfloat16 and detect(model) == "saved model":
        raise typer.BadParameter(
            f"{model} is a SavedModel, which computes in the dtype of its export. Leave --dtype "
            "away, or export the weights again with it."
        )
    source = readable_model(model, may_run(prove, given, model))
    if projector:
        _write_projector(source, text, out, max_points, options)
        return
    with quiet_imports():
        from elmo_tf2.features import embed_file

    try:
        with progress_bar("Reading the text") as update:
            options |= {"dtype": dtype.value, "on_progress": update}
            written = embed_file(source, text, out, batch_size, **options)
    except KeyboardInterrupt:
        echo_error("Interrupted. Give the same command again to go on.")
        raise typer.Exit(130) from None
    each = "each" if sentence is None else "each sentence"
    vectors = "1 mix" if chosen == "mix" else f"{written.num_layers} layers"
    rounded = {"float32": "", "float16": ", float16", "bfloat16": ", computed in bfloat16"}
    echo(
        f"Wrote {out}: {written.sentences:,} sentences, {written.tokens:,} words, {each} "
        f"{vectors} of {written.dim:,} numbers{rounded[dtype.value]}."
    )
