"""FeatureReader: files of other makers, and files that are none."""

import pickle

import h5py
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.features import FeatureReader
from elmo_tf2.features.formats import Vectors, write_npy, write_parquet, write_tfrecord
from elmo_tf2.features.text import Sentence

LENGTHS = (3, 1, 0, 2)


def arrays():
    """The vectors of four sentences, of three layers and four dimensions."""
    rng = np.random.default_rng(0)
    return [rng.normal(size=(3, length, 4)).astype(np.float32) for length in LENGTHS]


def write_hdf5(path, datasets):
    with h5py.File(path, "w") as file:
        for name, value in datasets.items():
            file[name] = value
    return path


def numbered(values):
    return {str(number): value for number, value in enumerate(values)}


def vectors_of(reader):
    return [element["vectors"] for element in reader.dataset().as_numpy_iterator()]


# Files of bilm-tf and AllenNLP.


@pytest.mark.parametrize("extra", [{}, {"sentence_to_index": '{"a b c": "0"}'}])
def test_hdf5_of_bilm_tf_and_allennlp_is_read(tmp_path, extra):
    reader = FeatureReader(write_hdf5(tmp_path / "x.hdf5", {**numbered(arrays()), **extra}))
    assert (len(reader), reader.num_layers, reader.dim) == (4, 3, 4)
    for found, wanted in zip(vectors_of(reader), arrays(), strict=True):
        np.testing.assert_array_equal(found, wanted)
    (batch,) = reader.dataset().padded_batch(4)
    assert batch["vectors"].shape == (4, 3, 3, 4)


@pytest.mark.parametrize("extra", [{}, {"sentence_to_index": '{"a b c": "0"}'}])
@pytest.mark.parametrize("lengths", [LENGTHS, (3, 3, 3), (3,), (0, 2)])
def test_allennlps_top_and_average_are_one_layer(tmp_path, extra, lengths):
    tops = [np.full((length, 4), length, np.float32) for length in lengths]
    reader = FeatureReader(write_hdf5(tmp_path / "x.hdf5", {**numbered(tops), **extra}))
    assert (len(reader), reader.num_layers, reader.dim) == (len(lengths), 1, 4)
    for found, top in zip(vectors_of(reader), tops, strict=True):
        np.testing.assert_array_equal(found, top[np.newaxis])
    (batch,) = reader.dataset().padded_batch(9)
    assert batch["vectors"].shape == (len(lengths), 1, max(lengths), 4)


def test_sentences_come_in_the_order_of_their_numbers(tmp_path):
    values = [np.full((1, 1, 2), number, np.float32) for number in range(12)]
    reader = FeatureReader(write_hdf5(tmp_path / "x.h5", numbered(values)))
    assert [vectors[0, 0, 0] for vectors in vectors_of(reader)] == list(range(12))


def test_a_dataset_may_be_read_again_and_in_parts(tmp_path):
    reader = FeatureReader(write_hdf5(tmp_path / "x.h5", numbered(arrays())))
    dataset = reader.dataset()
    for _ in range(2):
        assert [len(element["vectors"][0]) for element in dataset] == list(LENGTHS)
    assert [len(element["vectors"][0]) for element in dataset.skip(1).take(2)] == [1, 0]


# Files that are none, or others.


def external_link(path):
    write_hdf5(path.with_name("other.h5"), {"0": arrays()[0]})
    write_hdf5(path, {"0": h5py.ExternalLink("other.h5", "0")})


def never_written(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("0", (3, 2, 4), "f4")


BAD_HDF5 = {
    "text": (lambda path: path.write_text("no HDF5"), "can't be read as an HDF5 file"),
    "nothing": (lambda path: path.write_bytes(b""), "can't be read as an HDF5 file"),
    "no dataset": (lambda path: write_hdf5(path, {}), "holds no sentences"),
    "weights": (
        lambda path: write_hdf5(path, {"char_embed": np.ones((3, 4), "f4")}),
        "from `0` to `0`, and nothing else. Found: no `0` among the 1 names",
    ),
    "gap": (
        lambda path: write_hdf5(path, {"0": arrays()[0], "2": arrays()[1]}),
        "from `0` to `1`.* Found: no `1`",
    ),
    "stranger": (
        lambda path: write_hdf5(path, {"0": arrays()[0], "2": arrays()[1], "x": arrays()[1]}),
        "Found: no `1` among the 3 names",
    ),
    "group": (
        lambda path: write_hdf5(path, {"0/vectors": arrays()[0]}),
        "`0` must be a plain float array. Found: a group",
    ),
    "link": (external_link, "`0` must be a plain float array. Found: a link"),
    "whole numbers": (
        lambda path: write_hdf5(path, {"0": np.ones((3, 2, 4), int)}),
        "`0` must be a plain float array. Found: type int64",
    ),
    "float64": (
        lambda path: write_hdf5(path, {"0": np.ones((3, 2, 4))}),
        r"`0` must hold float32 or float16, an array of 2 or 3 axes. Found: float64, \(3, 2, 4\)",
    ),
    "one axis": (
        lambda path: write_hdf5(path, {"0": np.ones(4, "f4")}),
        r"`0` must hold .* Found: float32, \(4,\)",
    ),
    "other dimensions": (
        lambda path: write_hdf5(path, {"0": arrays()[0], "1": np.ones((3, 2, 5), "f4")}),
        r"`1` must have the layers, .* of `0`, float32 \(3, None, 4\). Found: float32 \(3, 2, 5\)",
    ),
    "another type": (
        lambda path: write_hdf5(path, {"0": arrays()[0], "1": np.ones((3, 2, 4), "f2")}),
        r"`1` must have the layers, dimensions and dtype of `0`.* Found: float16 \(3, 2, 4\)",
    ),
    "never written": (never_written, r"`0` claims the shape \(3, 2, 4\), 96 bytes, but the file"),
}


@pytest.mark.parametrize("case", BAD_HDF5)
def test_what_is_no_hdf5_of_vectors_is_an_error(tmp_path, case):
    make, message = BAD_HDF5[case]
    make(tmp_path / "x.hdf5")
    with pytest.raises(ValueError, match=rf"x\.hdf5.*{message}"):
        FeatureReader(tmp_path / "x.hdf5")


def test_hdf5_that_was_cut_short_is_an_error(tmp_path):
    path = write_hdf5(tmp_path / "x.hdf5", numbered(arrays()))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="x.hdf5 can't be read as an HDF5 file"):
        FeatureReader(path)


def finished(with_words):
    """Records as `embed_file` has them when it is done."""
    records = [
        (Sentence(number, [b"w"] * length, b"w " * length), values if with_words else values[:, 0])
        for number, (length, values) in enumerate(zip(LENGTHS, arrays(), strict=True))
        if with_words or length
    ]
    return Vectors(iter(records), len(records), ["layer0", "layer1", "layer2"], 4, "float32")


BAD_NPY = {
    "text": (b"no array", "can't be read as an array of numbers"),
    "nothing": (b"", "can't be read as an array of numbers"),
    "pickle": (pickle.dumps([1.0]), "can't be read as an array of numbers"),
    "objects": (np.array([{}, {}]), "can't be read as .* Python objects"),
    "archive": (b"PK\x03\x04" + b"\0" * 100, "can't be read as an array of numbers"),
    "no sentences": (np.ones((0, 4), "f4"), "holds no sentences"),
    "no axis": (np.float32(3), "holds no sentences"),
    "one axis": (np.ones(4, "f4"), r"must hold .* 2 or 3 axes. Found: float32, \(4,\)"),
    "no dimensions": (np.ones((4, 0), "f4"), r"Found: float32, \(4, 0\)"),
    "whole numbers": (np.ones((4, 3), int), "must hold float32 or float16.* Found: int64"),
}


@pytest.mark.parametrize("case", BAD_NPY)
def test_what_is_no_array_of_vectors_is_an_error(tmp_path, case):
    content, message = BAD_NPY[case]
    if isinstance(content, bytes):
        (tmp_path / "x.npy").write_bytes(content)
    else:
        np.save(tmp_path / "x.npy", content, allow_pickle=True)
    with pytest.raises(ValueError, match=f"x.npy.*{message}"):
        FeatureReader(tmp_path / "x.npy")


def test_an_array_that_was_cut_short_is_an_error(tmp_path):
    write_npy(tmp_path / "x.npy", finished(with_words=False))
    content = (tmp_path / "x.npy").read_bytes()
    assert len(FeatureReader(tmp_path / "x.npy")) == 3
    for size in (50, len(content) - 1):
        (tmp_path / "x.npy").write_bytes(content[:size])
        with pytest.raises(ValueError, match="x.npy can't be read as an array of numbers"):
            FeatureReader(tmp_path / "x.npy")


def example(**features):
    def feature(values):
        if isinstance(values[0], bytes):
            return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
        return tf.train.Feature(int64_list=tf.train.Int64List(value=values))

    features = {name: feature(values) for name, values in features.items()}
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


BAD_RECORDS = {
    "no example": (b"\xff\xff", "must hold a tf.train.Example"),
    "other features": (example(label=[3]), "must hold a tf.train.Example with `vectors`"),
    "no shape": (example(vectors=[b"1234"], dtype=[b"float32"]), r"Found: float32, \(0,\)"),
    "another type": (
        example(vectors=[b"1234"], dtype=[b"resource"], shape=[1, 1]),
        "its first record must hold float32 or float16.* Found: resource",
    ),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_what_is_no_tfrecord_of_vectors_is_an_error(tmp_path, case):
    record, message = BAD_RECORDS[case]
    with tf.io.TFRecordWriter(str(tmp_path / "x.tfrecord")) as writer:
        writer.write(record)
    with pytest.raises(ValueError, match=f"x.tfrecord.*{message}"):
        FeatureReader(tmp_path / "x.tfrecord")


def test_tfrecord_that_was_cut_short_or_damaged_is_an_error(tmp_path):
    path = tmp_path / "x.tfrecord"
    write_tfrecord(path, finished(with_words=True))
    content = path.read_bytes()
    assert len(FeatureReader(path)) == 4
    for size in (3, 10, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(ValueError, match="x.tfrecord can't be read as TFRecord: .* cut short"):
            FeatureReader(path)
    path.write_bytes(content[:20] + b"?" + content[21:])
    with pytest.raises(ValueError, match="x.tfrecord must hold .* Found: .*corrupted"):
        FeatureReader(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="x.tfrecord holds no sentences"):
        FeatureReader(path)


def test_what_is_no_parquet_of_vectors_is_an_error(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "x.parquet"
    write_parquet(path, finished(with_words=False))
    assert len(FeatureReader(path)) == 3
    content = path.read_bytes()
    for damaged in (b"", b"no table", content[:-9], content[:50]):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="x.parquet can't be read as a Parquet file"):
            FeatureReader(path)
    lines, vectors = pyarrow.array(["a", "b"]), pyarrow.array([[1.0, 2.0], None])
    floats = pyarrow.list_(pyarrow.float32(), 2)
    for columns, found in (
        ({"sentence": lines}, r"Found: sentence .string.\.$"),
        ({"x": vectors.cast(floats)}, "Found: x .fixed_size_list<"),
        ({"sentence": lines, "x": vectors}, "Found: sentence .string., x .list<"),
        ({"sentence": vectors.cast(floats), "x": vectors.cast(floats)}, "Found: sentence .fixed"),
        ({"sentence": lines, "x": vectors.cast(pyarrow.list_(pyarrow.float64(), 2))}, "<.*double"),
    ):
        parquet.write_table(pyarrow.table(columns), path)
        with pytest.raises(ValueError, match=f"x.parquet must have a column `sentence`.*{found}"):
            FeatureReader(path)
    parquet.write_table(pyarrow.table({"sentence": lines[:0]}), path)
    with pytest.raises(ValueError, match="x.parquet holds no sentences"):
        FeatureReader(path)
    parquet.write_table(pyarrow.table({"sentence": lines, "x": vectors.cast(floats)}), path)
    with pytest.raises(tf.errors.InvalidArgumentError, match="x.parquet must have a value in ever"):
        vectors_of(FeatureReader(path))


def test_a_reader_needs_a_file_of_a_known_kind(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no feature file '.*x.hdf5'"):
        FeatureReader(tmp_path / "x.hdf5")
    with pytest.raises(ValueError, match="is a folder. Expected: a feature file"):
        FeatureReader(tmp_path)
    (tmp_path / "x.csv").write_text("1,2")
    with pytest.raises(ValueError, match="must have an ending that names its format.* Found: .csv"):
        FeatureReader(tmp_path / "x.csv")
