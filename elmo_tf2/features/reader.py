"""FeatureReader: the vectors of a file, as a `tf.data.Dataset`."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import tensorflow as tf

from elmo_tf2.feature_files import form_of
from elmo_tf2.files import check_file, check_utf8
from elmo_tf2.weights.hdf5 import DTYPES, check_stored, damage_explained, own_dataset

# What AllenNLP's command `elmo` writes beside the vectors.
_NO_SENTENCE = "sentence_to_index"
_ROWS = 1_024
_DAMAGED = "It is none, or was cut short or damaged; make it again."


class _Source(NamedTuple):
    """A file that was found to be sound.

    Attributes:
        sentences: number of them.
        spec: of the elements.
        dataset: makes one that gives them.
    """

    sentences: int
    spec: dict[str, tf.TensorSpec]
    dataset: Callable[[], tf.data.Dataset]


class FeatureReader:
    r"""The vectors that `embed_file` wrote, or bilm-tf or AllenNLP into HDF5.

    What AllenNLP's `elmo --top` or `--average` wrote has one layer.

    The file is checked when the reader is made, and read as the dataset goes on, in constant
    memory. TFRecord is the fastest, for TensorFlow itself reads it.

    Args:
        path: a file `.hdf5`, `.h5`, `.tfrecord`, `.npy` or `.parquet`.

    Attributes:
        path: the file.
        num_layers: number of vectors of a word or a sentence, one a layer.
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
        self._source = _SOURCES[form_of(self.path)](self.path)
        shape = self._source.spec["vectors"].shape
        self.num_layers: int = shape[0] if shape.rank > 1 else 1
        self.dim: int = shape[-1]

    def __len__(self) -> int:
        return self._source.sentences

    def dataset(self) -> tf.data.Dataset:
        """The sentences, in the order of the text.

        Returns:
            A dataset of dictionaries: `vectors`, float32 or float16 as the file has them, of words
            `(layers, tokens, dim)`, of sentences `(layers, dim)`, from a `.npy` without an axis of
            layers `(dim,)`; and where the file has them, `tokens`, the words `(tokens,)`, or
            `sentence`, the line.
        """
        dataset = self._source.dataset()
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(len(self)))
        return dataset.prefetch(tf.data.AUTOTUNE)


def _check_sentences(path: Path, sentences: int) -> int:
    if not sentences:
        raise ValueError(f"{path} holds no sentences. Expected: one or more.")
    return sentences


def _check_vectors(path: Path, found: str, shape: Any, dtype: Any, ranks: tuple[int, ...]) -> None:
    """Checks the type and the number of axes, before a reader relies on them."""
    is_valid = len(shape) in ranks and all(size > 0 for size in (shape[0], shape[-1]))
    if not is_valid or str(dtype) not in DTYPES:
        raise ValueError(
            f"{path}: {found} must hold float32 or float16, an array of "
            f"{' or '.join(map(str, ranks))} axes. Found: {dtype}, {tuple(shape)}."
        )


def _of_vectors(shape: tuple[int, ...], dtype: Any) -> tf.TensorSpec:
    """Of words or of a sentence; the number of words is another in each sentence."""
    if len(shape) == 3:
        return tf.TensorSpec([shape[0], None, shape[2]], dtype)
    return tf.TensorSpec(shape, dtype)


def _generated(
    generator: Callable[[], Iterator[dict[str, Any]]], spec: dict[str, tf.TensorSpec]
) -> Callable[[], tf.data.Dataset]:
    return lambda: tf.data.Dataset.from_generator(generator, output_signature=spec)


def _of_hdf5(path: Path) -> _Source:
    with damage_explained(path):
        file = h5py.File(path, "r")
    with file:
        with damage_explained(path):
            sentences = len(file) - (_NO_SENTENCE in file)
        spec: dict[str, tf.TensorSpec] = {}
        for number in range(_check_sentences(path, sentences)):
            with damage_explained(path):
                is_there = str(number) in file
            if not is_there:
                raise ValueError(
                    f"{path} must hold a dataset for each sentence, from `0` to `{sentences - 1}`, "
                    f"and nothing else. Found: no `{number}` among the {sentences} names."
                )
            dataset = own_dataset(file, str(number), path)
            check_stored(dataset, path)
            name = f"`{number}`"
            shape = _shape(dataset)
            _check_vectors(path, name, shape, dataset.dtype, ranks=(2, 3))
            found = _of_vectors(shape, dataset.dtype)
            if found != spec.setdefault("vectors", found):
                raise ValueError(
                    f"{path}: {name} must have the layers, dimensions and dtype of `0`, "
                    f"{spec['vectors'].dtype.name} {spec['vectors'].shape}. Found: "
                    f"{dataset.dtype} {dataset.shape}."
                )

    def generator() -> Iterator[dict[str, Any]]:
        with h5py.File(path, "r") as file:
            for number in range(sentences):
                dataset = file[str(number)]
                yield {"vectors": dataset[()].reshape(_shape(dataset))}

    return _Source(sentences, spec, _generated(generator, spec))


def _shape(dataset: h5py.Dataset) -> tuple[int, ...]:
    """The shape of a sentence's vectors.

    Two axes are `(layers, dim)` if `embed_file` wrote them: it gives its datasets their places
    before their values. AllenNLP's `elmo --top` and `--average` write `(tokens, dim)`.
    """
    properties = dataset.id.get_create_plist()
    is_own = properties.get_alloc_time() == h5py.h5d.ALLOC_TIME_EARLY
    return dataset.shape if dataset.ndim != 2 or is_own else (1, *dataset.shape)


def _of_npy(path: Path) -> _Source:
    try:
        # Not np.load, which also opens pickles and archives; and this takes no Python objects.
        array = np.lib.format.open_memmap(path, mode="r")
    except (OSError, EOFError, ValueError) as error:
        raise ValueError(
            f"{path} can't be read as an array of numbers: {error}. {_DAMAGED}"
        ) from error
    _check_sentences(path, len(array) if array.shape else 0)
    _check_vectors(path, "it", array.shape, array.dtype, ranks=(2, 3))
    spec = {"vectors": tf.TensorSpec(array.shape[1:], array.dtype)}
    return _Source(len(array), spec, _generated(lambda: ({"vectors": row} for row in array), spec))


def _of_parquet(path: Path) -> _Source:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            sentences = _check_sentences(path, file.metadata.num_rows)
            schema = file.schema_arrow
    except (OSError, pyarrow.ArrowException) as error:
        raise ValueError(f"{path} can't be read as a Parquet file: {error}. {_DAMAGED}") from error
    places = [place for place, name in enumerate(schema.names) if name != "sentence"]
    types = {schema.field(place).type for place in places}
    column: Any = types.pop() if len(types) == 1 else pyarrow.null()
    if (
        not pyarrow.types.is_fixed_size_list(column)
        or column.value_type not in (pyarrow.float32(), pyarrow.float16())
        or len(places) != len(schema) - 1
        or not pyarrow.types.is_string(schema.field("sentence").type)
    ):
        raise ValueError(
            f"{path} must have a column `sentence` of strings, and others that are float32 or "
            "float16 lists of one fixed size. Found: "
            f"{', '.join(f'{field.name} ({field.type})' for field in schema) or 'no columns'}."
        )
    spec = {
        "vectors": tf.TensorSpec(
            [len(places), column.list_size], column.value_type.to_pandas_dtype()
        ),
        "sentence": tf.TensorSpec([], tf.string),
    }

    def generator() -> Iterator[dict[str, Any]]:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS):
                if any(values.null_count for values in batch.columns):
                    raise ValueError(f"{path} must have a value in every row. Found: null.")
                layers = [
                    batch.column(place).flatten().to_numpy().reshape(-1, column.list_size)
                    for place in places
                ]
                for number, line in enumerate(batch["sentence"].to_pylist()):
                    vectors = np.stack([layer[number] for layer in layers])
                    yield {"vectors": vectors, "sentence": line}

    return _Source(sentences, spec, _generated(generator, spec))


def _of_tfrecord(path: Path) -> _Source:
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
    _check_vectors(path, "its first record", shape or (0,), dtype, ranks=(2, 3))
    vectors = _of_vectors(tuple(shape), dtype)
    text = "tokens" if len(shape) == 3 else "sentence"
    spec = {"vectors": vectors, text: tf.TensorSpec([None] if text == "tokens" else [], tf.string)}

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert
    def parse(record: tf.Tensor) -> dict[str, tf.Tensor]:
        example = tf.io.parse_single_example(record, features)
        array = tf.reshape(tf.io.decode_raw(example["vectors"], dtype), example["shape"])
        return {"vectors": tf.ensure_shape(array, vectors.shape), text: example[text]}

    return _Source(sentences, spec, lambda: records.map(parse, num_parallel_calls=tf.data.AUTOTUNE))


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


_SOURCES = {"hdf5": _of_hdf5, "npy": _of_npy, "parquet": _of_parquet, "tfrecord": _of_tfrecord}
