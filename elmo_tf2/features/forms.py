"""The kinds of files that vectors go into.

The vectors of a text are computed into an HDF5 file; the others are written from that.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf2.features.text import Sentence

# Of one row group, which is held in memory.
_ROWS = 1_024


class Vectors(NamedTuple):
    """The finished vectors of a text.

    Attributes:
        records: sentences and their arrays, in the order of the text.
        sentences: number of them.
        layers: what to call each layer.
        dim: size of a layer's vector.
        dtype: of the arrays.
    """

    records: Iterator[tuple[Sentence, np.ndarray]]
    sentences: int
    layers: list[str]
    dim: int
    dtype: str


def write_tfrecord(path: Path, vectors: Vectors) -> None:
    """Writes a `tf.train.Example` for each sentence.

    Its features are `vectors`, the bytes of the array; `shape` and `dtype` of that; and `tokens`,
    the words, or of sentence vectors `sentence`, the line. To read them without this package:

    >>> _ = Path("text.txt").write_text("the cat is on the mat")
    >>> _ = embed_file("model_folder", "text.txt", "vectors.tfrecord")
    >>> def read(record):
    ...     features = {
    ...         "tokens": tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True),
    ...         "shape": tf.io.FixedLenFeature([3], tf.int64),
    ...         "vectors": tf.io.FixedLenFeature([], tf.string),
    ...     }
    ...     example = tf.io.parse_single_example(record, features)
    ...     vectors = tf.io.decode_raw(example["vectors"], tf.float32)
    ...     return example["tokens"], tf.reshape(vectors, example["shape"])
    >>> for record in tf.data.TFRecordDataset("vectors.tfrecord"):  # or its `map(read)`
    ...     tokens, vectors = read(record)
    >>> tokens.shape, vectors.shape
    (TensorShape([6]), TensorShape([3, 6, 8]))

    Args:
        path: the file.
        vectors: what to write.

    Raises:
        OSError: if the file can't be written.
    """
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for sentence, array in vectors.records:
                writer.write(_example(sentence, array))
    except tf.errors.OpError as error:  # as whoever writes a file expects it
        raise OSError(f"{path}: {error.message}") from error


def _example(sentence: Sentence, array: np.ndarray) -> bytes:
    texts = {"tokens": sentence.words} if array.ndim == 3 else {"sentence": [sentence.line]}
    texts |= {"vectors": [array.tobytes()], "dtype": [array.dtype.name.encode()]}
    features = {
        name: tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        for name, value in texts.items()
    }
    features["shape"] = tf.train.Feature(int64_list=tf.train.Int64List(value=array.shape))
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def write_npy(path: Path, vectors: Vectors) -> None:
    """Writes one array of all sentences, `(sentences, layers, dim)`; of one layer without its axis.

    Args:
        path: the file.
        vectors: what to write.
    """
    layers = (len(vectors.layers),) if len(vectors.layers) > 1 else ()
    descr = np.lib.format.dtype_to_descr(np.dtype(vectors.dtype).newbyteorder("<"))
    shape = (vectors.sentences, *layers, vectors.dim)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    with open(path, "wb") as file:  # plain writes: a full disk kills whoever fills a memory map
        np.lib.format.write_array_header_1_0(file, header)
        for _, array in vectors.records:
            file.write(array.tobytes())


def write_parquet(path: Path, vectors: Vectors) -> None:
    """Writes a table: the sentence, and a column of vectors for each layer.

    Args:
        path: the file.
        vectors: what to write.
    """
    import pyarrow
    from pyarrow import parquet

    column = pyarrow.list_(pyarrow.from_numpy_dtype(np.dtype(vectors.dtype)), vectors.dim)
    columns = [(name, column) for name in vectors.layers]
    schema = pyarrow.schema([("sentence", pyarrow.string()), *columns])
    with (
        open(path, "wb") as file,
        parquet.ParquetWriter(file, schema, use_dictionary=False) as writer,
    ):
        while block := list(itertools.islice(vectors.records, _ROWS)):
            lines = [sentence.line.decode(errors="replace") for sentence, _ in block]
            layers = np.stack([array for _, array in block], axis=1)  # (layers, rows, dim)
            arrays = [
                pyarrow.FixedSizeListArray.from_arrays(pyarrow.array(layer.ravel()), type=column)
                for layer in layers
            ]
            batch = [pyarrow.array(lines, pyarrow.string()), *arrays]
            writer.write_batch(pyarrow.record_batch(batch, schema=schema))


WRITERS = {"tfrecord": write_tfrecord, "npy": write_npy, "parquet": write_parquet}
