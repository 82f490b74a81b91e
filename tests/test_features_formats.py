"""embed_file to files of every kind: chosen layers, sentence vectors, float16, interruptions."""

import importlib.util
import json

import h5py
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.cli.embed import HELP
from elmo_tf2.features import FeatureReader, embed_file, formats, text
from elmo_tf2.features.encoder import encoder_of
from elmo_tf2.models import BiLM, ElmoEmbeddings
from tests.cli_fixtures import (
    CONFIG,
    MIX,
    assert_same_features,
    expected_vectors,
    random_text,
    read_features,
    run,
    write_model_folder,
)

pytestmark = pytest.mark.usefixtures("cached_encoder")

# One is empty, and one no UTF-8.
LINES = [b"the cat is on the mat", b"", b"dogs \xff in the fog", b"a"]
# float32 against NumPy in float64; float16 has ten bits after the first, of numbers below 4
TOLERANCES = {"float32": 1e-5, "float16": 2e-3}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("formats") / "model")


@pytest.fixture(scope="module")
def elmo(model):
    return ElmoEmbeddings.from_folder(model)


@pytest.fixture
def embed(elmo, tmp_path):
    """Embeds LINES to a file in the test's folder; its path."""
    (tmp_path / "text.txt").write_bytes(b"\n".join(LINES) + b"\n")

    def embed_to(name, **arguments):
        embed_file(
            **{
                "model": elmo,
                "text_path": tmp_path / "text.txt",
                "output_path": tmp_path / name,
                **arguments,
            }
        )
        return tmp_path / name

    return embed_to


def expected(layers=(0, 1, 2), sentence=None, dtype="float32"):
    """The vectors of LINES in NumPy, float64."""
    arrays = []
    for line in LINES:
        vectors = expected_vectors(line.split()) if line else np.zeros((3, 0, 16))
        if layers == "mix":
            shares = np.exp(MIX[0]) / np.exp(MIX[0]).sum()
            vectors = MIX[1] * np.tensordot(shares, vectors, axes=1)[np.newaxis]
        else:
            vectors = vectors[list(layers)]
        if sentence:
            vectors = getattr(vectors, sentence)(axis=1) if line else np.zeros((len(vectors), 16))
        arrays.append(vectors)
    return arrays


# What is in the files.


@pytest.mark.parametrize(
    ("name", "choice"),
    [
        ("v.hdf5", {}),
        ("v.h5", {"layers": (2, 0), "dtype": "float16"}),
        ("v.hdf5", {"sentence": "mean"}),
        ("v.tfrecord", {}),
        ("v.tfrecord", {"layers": "mix", "dtype": "float16"}),
        ("v.TFRecord", {"layers": [1], "sentence": "max"}),
        ("v.npy", {"sentence": "mean", "layers": (2, 0)}),
        ("v.npy", {"sentence": "max", "layers": "mix", "dtype": "float16"}),
        ("v.parquet", {"sentence": "mean", "layers": (2, 0)}),
        ("v.parquet", {"sentence": "max", "layers": "mix", "dtype": "float16"}),
    ],
)
def test_a_reader_gives_the_vectors_of_the_numpy_reference(embed, monkeypatch, name, choice):
    monkeypatch.setattr(formats, "_ROWS", 3)
    reader = FeatureReader(embed(name, **choice))
    dtype = choice.get("dtype", "float32")
    wanted = expected(**choice)
    if name == "v.npy" and len(wanted[0]) == 1:
        wanted = [vectors[0] for vectors in wanted]
    elements = list(reader.dataset().as_numpy_iterator())
    assert len(elements) == len(LINES) == len(reader) == len(reader.dataset())
    for element, vectors in zip(elements, wanted, strict=True):
        assert element["vectors"].dtype == dtype
        assert element["vectors"].shape == vectors.shape
        np.testing.assert_allclose(element["vectors"], vectors, atol=TOLERANCES[dtype])
    assert (reader.num_layers, reader.dim) == (len(wanted[0]) if wanted[0].ndim > 1 else 1, 16)

    static = list(wanted[0].shape)
    if len(static) == 3:
        static[1] = None
    assert reader.dataset().element_spec["vectors"].shape.as_list() == static
    (batch,) = reader.dataset().padded_batch(4)
    assert batch["vectors"].shape == (4, *np.max([vectors.shape for vectors in wanted], axis=0))
    texts = {name: [element[name] for element in elements] for name in elements[0]}
    if name == "v.tfrecord":
        assert [words.tolist() for words in texts["tokens"]] == [line.split() for line in LINES]
    elif name == "v.parquet":
        assert texts["sentence"][2] == "dogs \ufffd in the fog".encode()
    elif name == "v.TFRecord":
        assert texts["sentence"] == LINES
    else:
        assert list(texts) == ["vectors"]


def test_an_array_is_for_numpy(embed):
    several = np.load(embed("several.npy", sentence="mean", layers=(1, 0)))
    assert several.shape == (4, 2, 16) and several.dtype == np.float32
    one = np.load(embed("one.npy", sentence="mean", layers=(0,), dtype="float16"))
    assert one.shape == (4, 16) and one.dtype == np.float16
    np.testing.assert_array_equal(one, several[:, 1].astype(np.float16))


def test_a_table_has_a_column_for_the_line_and_one_for_each_layer(embed):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(embed("table.parquet", sentence="max", layers=(2, 0)))
    assert table.column_names == ["sentence", "layer2", "layer0"]
    assert table["sentence"].to_pylist()[:2] == ["the cat is on the mat", ""]
    assert str(table["layer0"].type).startswith("fixed_size_list<") and len(table) == 4


def test_tfrecord_is_read_by_tensorflow_alone_as_the_help_tells(embed, tmp_path, monkeypatch):
    embed("vectors.tfrecord")
    monkeypatch.chdir(tmp_path)
    told = HELP[HELP.rindex("  import tensorflow") :]
    names = {}
    exec("\n".join(line[2:] for line in told.splitlines()), names)  # noqa: S102
    for (tokens, vectors), line, wanted in zip(names["dataset"], LINES, expected(), strict=True):
        assert tokens.numpy().tolist() == line.split()
        np.testing.assert_allclose(vectors, wanted, atol=1e-5)


def test_the_command_takes_the_choices_and_tells_what_it_wrote(model, tmp_path):
    (tmp_path / "text.txt").write_text("the cat\n\n")
    choice = ["--layers", "2,0", "--sentence", "mean", "--dtype", "float16"]
    said = run("embed", model, tmp_path / "text.txt", tmp_path / "v.npy", *choice)
    assert "2 sentences, 2 words, each sentence 2 layers of 16 numbers, float16." in said
    assert np.load(tmp_path / "v.npy").shape == (2, 2, 16)
    choice = ["--layers", "mix"]
    said = run("embed", model, tmp_path / "text.txt", tmp_path / "v.tfrecord", *choice)
    assert "2 sentences, 2 words, each 1 mix of 16 numbers." in said


# Interruptions.


@pytest.fixture
def long_text(tmp_path, embed, monkeypatch):
    """Several windows of text, with an empty line in it, instead of LINES."""
    monkeypatch.setattr(text, "_WINDOW_TOKENS", 100)
    content = random_text(30) + "\n" + random_text(10)
    (tmp_path / "text.txt").write_text(content)
    return content


def interrupted(done, total):
    if done > total / 2:
        raise KeyboardInterrupt


@pytest.mark.usefixtures("long_text")
def test_an_interrupted_run_of_the_same_choices_goes_on(embed, tmp_path):
    choice = {"sentence": "mean", "layers": (1, 0)}
    with pytest.raises(KeyboardInterrupt):
        embed("v.npy", on_progress=interrupted, **choice)
    for other, message in (
        ({"layers": (0, 1)}, "the choice of layers differs"),
        ({"sentence": "max"}, "the choice of sentence vectors differs"),
        ({"layers": None, "dtype": "float16"}, "the choice of layers differs and the dtype differ"),
    ):
        with pytest.raises(ValueError, match=f"unfinished run, and {message}"):
            embed("v.npy", **{**choice, **other})
    calls = []
    embed("v.npy", on_progress=lambda *call: calls.append(call), **choice)
    assert calls[0][0] > 0
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt", "v.npy"}
    whole = embed("whole.npy", **choice)
    assert_same_features([np.load(tmp_path / "v.npy")], [np.load(whole)])


@pytest.mark.usefixtures("long_text")
def test_after_an_interruption_while_converting_only_that_is_done_again(
    embed, monkeypatch, tmp_path
):
    def interrupt(path, vectors):
        next(vectors.records)
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setitem(formats.WRITERS, "tfrecord", interrupt)
        with pytest.raises(KeyboardInterrupt):
            embed("v.tfrecord")
    assert {path.name for path in tmp_path.iterdir()} == {"text.txt", "v.tfrecord.unfinished"}
    calls = []
    reader = FeatureReader(
        embed("v.tfrecord", on_progress=lambda done, total: calls.append(total - done))
    )
    assert set(calls) == {0}
    assert not (tmp_path / "v.tfrecord.unfinished").exists()
    whole = read_features(embed("whole.hdf5"))
    assert_same_features(
        [element["vectors"] for element in reader.dataset().as_numpy_iterator()], whole
    )


@pytest.mark.usefixtures("long_text")
def test_overwriting_gives_up_a_run_of_other_choices(embed):
    with pytest.raises(KeyboardInterrupt):
        embed("v.hdf5", on_progress=interrupted)
    features = read_features(embed("v.hdf5", overwrite=True, sentence="max", dtype="float16"))
    assert len(features) == 41
    assert {(vectors.shape, vectors.dtype.name) for vectors in features} == {((3, 16), "float16")}


@pytest.mark.parametrize("change", [lambda content: content + "more\n", str.upper])
def test_a_text_that_changes_before_it_is_read_again_is_an_error(
    embed, tmp_path, long_text, change
):
    def at_the_end(done, total):
        if done == total:
            (tmp_path / "text.txt").write_text(change(long_text))

    with pytest.raises(ValueError, match="text.txt was changed while it was read"):
        embed("v.tfrecord", on_progress=at_the_end)
    assert not (tmp_path / "v.tfrecord").exists()


def test_a_full_disk_is_told_as_such(embed, monkeypatch, tmp_path):
    class Full:
        def __init__(self, path):
            raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr(tf.io, "TFRecordWriter", Full)
        with pytest.raises(OSError, match="No space left on device. What is finished stays in"):
            embed("v.tfrecord")
    progress = json.loads((tmp_path / "v.tfrecord.unfinished" / "progress.json").read_text())
    assert progress["finished_sentences"] == 4


def test_the_room_for_both_copies_is_counted(embed, monkeypatch):
    one_copy = sum(vectors.size * 4 for vectors in expected())
    monkeypatch.setattr("elmo_tf2.features.embed.free_bytes", lambda _: one_copy)
    embed("v.hdf5")
    with pytest.raises(OSError, match="GB are needed"):
        embed("v.tfrecord")


# Mistakes.


@pytest.mark.parametrize("layers", [(), (3,), (-1,), (0, 0), (True,), (0.5,), "all", ["0"]])
def test_layers_must_be_of_the_model(elmo, layers):
    with pytest.raises(ValueError, match=r'`layers` must be different numbers from 0 to 2, or "mi'):
        encoder_of(elmo, layers)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: BiLM(CONFIG), "one weighted sum .* Received: BiLM with 0 of them"),
        (lambda: ElmoEmbeddings(CONFIG, output="layers"), "Received: ElmoEmbeddings with 0 of"),
        (lambda: ElmoEmbeddings(CONFIG, num_mixes=2), "Received: ElmoEmbeddings with 2 of them"),
        (lambda: ElmoEmbeddings(CONFIG, layer_norm=True), "has layer_norm, which makes"),
    ],
)
def test_a_mix_must_be_one_and_the_same_in_every_batch(model, message):
    with pytest.raises(ValueError, match=message):
        encoder_of(model(), "mix")


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "Received: .*other, whose signature `tokens` gives no"),
        # As layer_norm does, it takes the mean of the batch away.
        ({"elmo": lambda x: x - tf.reduce_mean(x)}, "weighted sum of .*other has layer_norm"),
    ],
)
def test_a_saved_model_without_elmo_or_with_layer_norm_has_no_mix(tmp_path, outputs, message):
    module = tf.Module()
    strings = tf.TensorSpec([None, None], tf.string, name="tokens")
    lengths = tf.TensorSpec([None], tf.int32, name="sequence_len")

    @tf.function(input_signature=[strings, lengths], autograph=False)
    def tokens(tokens, sequence_len):
        numbers = tf.cast(tf.strings.length(tokens), tf.float32)
        vectors = numbers[..., tf.newaxis] + tf.range(4.0)
        mixes = {name: function(vectors) for name, function in outputs.items()}
        return {"word_emb": vectors[..., :2], "lstm_outputs1": vectors, **mixes}

    tf.saved_model.save(module, str(tmp_path / "other"), signatures={"tokens": tokens})
    with pytest.raises(ValueError, match=message):
        encoder_of(tmp_path / "other", "mix")


def test_values_past_float16_are_an_error(embed, model):
    loud = ElmoEmbeddings.from_folder(model, initial_gamma=1e7)
    arguments = {"model": loud, "layers": "mix"}
    with pytest.raises(ValueError, match="do not fit float16, .* up to 65,504.*--dtype float32"):
        embed("v.hdf5", **arguments, dtype="float16")
    assert np.isfinite(read_features(embed("v.hdf5", **arguments, overwrite=True))[0]).all()


@pytest.mark.parametrize(
    ("name", "choice", "message"),
    [
        ("v.npy", {}, "v.npy can hold sentence vectors only. Ask for them .*`--sentence`"),
        ("v.parquet", {}, "v.parquet can hold sentence vectors only"),
        ("v.csv", {}, "must have an ending .* .hdf5, .h5, .tfrecord, .npy, .parquet. Found: .csv"),
        ("v", {}, "must have an ending .* Found: none"),
        ("v.hdf5", {"sentence": "sum"}, r"`sentence` must be one of \['mean', 'max'\]"),
        (
            "v.hdf5",
            {"dtype": "float64"},
            r"`dtype` must be one of \['float32', 'float16', 'bfloat16'\]",
        ),
    ],
)
def test_what_no_file_can_hold_is_an_error_before_the_work(embed, tmp_path, name, choice, message):
    with pytest.raises(ValueError, match=message):
        embed(name, model=tmp_path / "is not looked at", **choice)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_without_pyarrow_the_way_to_it_is_told_before_the_work(embed, monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"needs pyarrow: pip install 'elmo_tf2\[parquet\]'"):
        embed("v.parquet", sentence="mean", model=tmp_path / "is not looked at")


def test_the_datasets_have_the_chosen_type(embed):
    with h5py.File(embed("v.hdf5", dtype="float16", layers=(1,))) as file:
        assert [dataset.shape for dataset in file.values()] == [
            (1, len(line.split()), 16) for line in LINES
        ]
        assert {dataset.dtype for dataset in file.values()} == {np.dtype("<f2")}
