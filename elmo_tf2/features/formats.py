"""The formats that are written from the HDF5 file into which a text's vectors are computed."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf2.features.text import Sentence

_ROWS = 1_024  # of one row group, which is held in memory


class Vectors(NamedTuple):
    """The vectors of a text: records in its order, their number, names of layers, size, dtype."""

    records: Iterator[tuple[Sentence, np.ndarray]]
    sentences: int
    layers: list[str]
    dim: int
    dtype: str


def write_tfrecord(path: Path, vectors: Vectors) -> None:
    """Writes a `tf.train.Example` for each sentence."""
    try:
        with tf.io.TFRecordWriter(str(path)) as writer:
            for sentence, array in vectors.records:
                writer.write(_example(sentence, array))
    except tf.errors.OpError as error:  # as any other writer of files raises it
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
    """Writes one array `(sentences, layers, dim)`; of one layer without its axis."""
    layers = (len(vectors.layers),) if len(vectors.layers) > 1 else ()
    descr = np.lib.format.dtype_to_descr(np.dtype(vectors.dtype).newbyteorder("<"))
    shape = (vectors.sentences, *layers, vectors.dim)
    header = {"descr": descr, "fortran_order": False, "shape": shape}
    with open(path, "wb") as file:  # plain writes: on a full disk a memory map ends the process
        np.lib.format.write_array_header_1_0(file, header)
        for _, array in vectors.records:
            file.write(array.tobytes())


def write_parquet(path: Path, vectors: Vectors) -> None:
    """Writes a table: the sentence, and a column of vectors for each layer."""
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
