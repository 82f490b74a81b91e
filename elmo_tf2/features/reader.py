"""FeatureReader: the vectors of a file, as a `tf.data.Dataset`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import tensorflow as tf

from elmo_tf2.feature_files import file_format
from elmo_tf2.files import check_file, check_utf8
from elmo_tf2.weights.hdf5 import DTYPES, check_stored, damage_explained, own_dataset

# What AllenNLP's command `elmo` writes beside the vectors.
_NO_SENTENCE = "sentence_to_index"
_ROWS = 1_024
_DAMAGED = "It is none, or was cut short or damaged; make it again."


class FeatureReader:
    r"""The vectors that `embed_file` wrote, or bilm-tf or AllenNLP into HDF5.

    What AllenNLP's `elmo --top` or `--average` wrote has one layer.

    The file is checked when the reader is made, and read as the dataset goes on, in constant
    memory. TFRecord is the fastest, for TensorFlow itself reads it.

    Args:
        path: a file `.hdf5`, `.h5`, `.tfrecord`, `.npy` or `.parquet`.

    Attributes:
        path: the file.
        num_layers: number of vectors of a word or a sentence, one per layer.
        dim: size of each.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is no file of its kind, is damaged, or holds no sentences or something
            else than their vectors.

    Example:
    >>> _ = Path("text.txt").write_text("the cat is on the mat\ndogs are in the fog")
    >>> _ = embed_file("model_folder", "text.txt", "vectors.tfrecord")
    >>> for batch in FeatureReader("vectors.tfrecord").dataset().padded_batch(2):
    ...     print(batch["tokens"].shape, batch["vectors"].shape)
    (2, 6) (2, 3, 6, 8)
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = check_file(path, "feature file")
        self._sentences, self._dataset = _READERS[file_format(self.path)](self.path)
        shape = self._dataset.element_spec["vectors"].shape
        self.num_layers: int = shape[0] if shape.rank > 1 else 1
        self.dim: int = shape[-1]

    def __len__(self) -> int:
        return self._sentences

    def dataset(self) -> tf.data.Dataset:
        """The sentences, in the order of the text.

        Returns:
            A dataset of dictionaries: `vectors`, float32 or float16 as the file has them, of words
            `(layers, tokens, dim)`, of sentences `(layers, dim)`, from a `.npy` without an axis of
            layers `(dim,)`; and where the file has them, `tokens`, the words `(tokens,)`, or
            `sentence`, the line.
        """
        dataset = self._dataset.apply(tf.data.experimental.assert_cardinality(len(self)))
        return dataset.prefetch(tf.data.AUTOTUNE)


def _check_sentences(path: Path, sentences: int) -> int:
    if not sentences:
        raise ValueError(f"{path} holds no sentences. Expected: one or more.")
    return sentences


def _check_vectors(path: Path, what: str, shape: Any, dtype: Any) -> None:
    """Checks the type and the number of axes, before a reader relies on them."""
    is_valid = len(shape) in (2, 3) and shape[0] > 0 and shape[-1] > 0
    if not is_valid or str(dtype) not in DTYPES:
        raise ValueError(
            f"{path}: {what} must hold float32 or float16, an array of 2 or 3 axes. Found: "
            f"{dtype}, {tuple(shape)}."
        )


def _of_vectors(shape: tuple[int, ...], dtype: Any) -> tf.TensorSpec:
    """Of words or of a sentence; the number of words is another in each sentence."""
    if len(shape) == 3:
        return tf.TensorSpec([shape[0], None, shape[2]], dtype)
    return tf.TensorSpec(shape, dtype)


def _generated(
    generator: Callable[[], Iterator[dict[str, Any]]], **spec: tf.TensorSpec
) -> tf.data.Dataset:
    return tf.data.Dataset.from_generator(generator, output_signature=spec)


def _of_hdf5(path: Path) -> tuple[int, tf.data.Dataset]:
    with damage_explained(path):
        file = h5py.File(path, "r")
    with file:
        with damage_explained(path):
            sentences = len(file) - (_NO_SENTENCE in file)
        spec = None
        for number in range(_check_sentences(path, sentences)):
            with damage_explained(path):
                is_missing = str(number) not in file
            if is_missing:
                raise ValueError(
                    f"{path} must hold a dataset for each sentence, from `0` to `{sentences - 1}`, "
                    f"and nothing else. Found: no `{number}` among the {sentences} names."
                )
            dataset = own_dataset(file, str(number), path)
            check_stored(dataset, path)
            shape = _shape(dataset)
            _check_vectors(path, f"`{number}`", shape, dataset.dtype)
            found = _of_vectors(shape, dataset.dtype)
            spec = spec or found
            if found != spec:
                raise ValueError(
                    f"{path}: `{number}` must have the layers, dimensions and dtype of `0`, "
                    f"{spec.dtype.name} {spec.shape}. Found: {dataset.dtype} {dataset.shape}."
                )

    def generator() -> Iterator[dict[str, Any]]:
        with h5py.File(path, "r") as file:
            for number in range(sentences):
                dataset = file[str(number)]
                yield {"vectors": dataset[()].reshape(_shape(dataset))}

    return sentences, _generated(generator, vectors=spec)


def _shape(dataset: h5py.Dataset) -> tuple[int, ...]:
    """The shape of a sentence's vectors.

    Two axes are `(layers, dim)` if `embed_file` wrote them: it allocates its datasets before
    it has their values. AllenNLP's `elmo --top` and `--average` write `(tokens, dim)`.
    """
    properties = dataset.id.get_create_plist()
    is_own = properties.get_alloc_time() == h5py.h5d.ALLOC_TIME_EARLY
    return dataset.shape if dataset.ndim != 2 or is_own else (1, *dataset.shape)


def _of_npy(path: Path) -> tuple[int, tf.data.Dataset]:
    try:
        # Not np.load, which also opens pickles and archives; and this takes no Python objects.
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(
            f"{path} can't be read as an array of numbers: {error}. {_DAMAGED}"
        ) from error
    _check_sentences(path, len(array) if array.shape else 0)
    _check_vectors(path, "it", array.shape, array.dtype)
    spec = tf.TensorSpec(array.shape[1:], array.dtype)
    return len(array), _generated(lambda: ({"vectors": row} for row in array), vectors=spec)


def _of_parquet(path: Path) -> tuple[int, tf.data.Dataset]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            sentences = _check_sentences(path, file.metadata.num_rows)
            schema = file.schema_arrow
    except (OSError, pyarrow.ArrowException) as error:
        raise ValueError(f"{path} can't be read as a Parquet file: {error}. {_DAMAGED}") from error
    columns = [number for number, name in enumerate(schema.names) if name != "sentence"]
    types = {schema.field(number).type for number in columns}
    column: Any = types.pop() if len(types) == 1 else pyarrow.null()
    if (
        not pyarrow.types.is_fixed_size_list(column)
        or column.value_type not in (pyarrow.float32(), pyarrow.float16())
        or len(columns) != len(schema) - 1
        or not pyarrow.types.is_string(schema.field("sentence").type)
    ):
        raise ValueError(
            f"{path} must have a column `sentence` of strings, and others that are float32 or "
            "float16 lists of one fixed size. Found: "
            f"{', '.join(f'{field.name} ({field.type})' for field in schema) or 'no columns'}."
        )

    def generator() -> Iterator[dict[str, Any]]:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS):
                if any(values.null_count for values in batch.columns):
                    raise ValueError(f"{path} must have a value in every row. Found: null.")
                layers = [
                    batch.column(number).flatten().to_numpy().reshape(-1, column.list_size)
                    for number in columns
                ]
                for row, line in enumerate(batch["sentence"].to_pylist()):
                    vectors = np.stack([layer[row] for layer in layers])
                    yield {"vectors": vectors, "sentence": line}

    dtype = column.value_type.to_pandas_dtype()
    vectors = tf.TensorSpec([len(columns), column.list_size], dtype)
    return sentences, _generated(generator, vectors=vectors, sentence=tf.TensorSpec([], tf.string))


def _of_tfrecord(path: Path) -> tuple[int, tf.data.Dataset]:
    check_utf8(path)
    sentences = _check_sentences(path, _count_records(path))
    features = {
        "tokens": tf.io.FixedLenSequenceFeature([], tf.string, allow_missing=True),
        "sentence": tf.io.FixedLenFeature([], tf.string, default_value=""),
        "shape": tf.io.FixedLenSequenceFeature([], tf.int64, allow_missing=True),
        "vectors": tf.io.FixedLenFeature([], tf.string),
        "dtype": tf.io.FixedLenFeature([], tf.string),
    }
    records = tf.data.TFRecordDataset(str(path))
    try:
        first = tf.io.parse_single_example(next(iter(records)), features)
    except (tf.errors.OpError, UnicodeDecodeError) as error:  # the latter of the former's message
        raise ValueError(
            f"{path} must hold a tf.train.Example with `vectors`, `shape` and `dtype` for each "
            f"sentence. Found: {error}"
        ) from error
    shape, dtype = first["shape"].numpy().tolist(), first["dtype"].numpy().decode(errors="replace")
    _check_vectors(path, "its first record", shape or (0,), dtype)
    vectors = _of_vectors(tuple(shape), dtype)
    text = "tokens" if len(shape) == 3 else "sentence"

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert
    def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
        example = tf.io.parse_single_example(record, features)
        array = tf.reshape(tf.io.decode_raw(example["vectors"], dtype), example["shape"])
        return {"vectors": tf.ensure_shape(array, vectors.shape), text: example[text]}

    return sentences, records.map(parse, num_parallel_calls=tf.data.AUTOTUNE)


def _count_records(path: Path) -> int:
    """The number of records, from their lengths alone.

    A record is its length (8 bytes, little-endian), a checksum of that (4), the bytes themselves
    and a checksum of them (4).
    """
    size, place, number = path.stat().st_size, 0, 0
    with open(path, "rb") as file:
        while place < size:
            file.seek(place)
            place += 16 + int.from_bytes(file.read(8), "little")
            number += 1
    if place > size:
        raise ValueError(
            f"{path} can't be read as TFRecord: by its lengths, record {number} ends after "
            f"{place:,} bytes. Found: {size:,} bytes. {_DAMAGED}"
        )
    return number


_READERS = {"hdf5": _of_hdf5, "npy": _of_npy, "parquet": _of_parquet, "tfrecord": _of_tfrecord}
