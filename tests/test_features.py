"""embed_file: what is in the file, whatever the text, the model and the batches."""

import gzip
import hashlib
import json
import logging
import lzma
import shutil

import h5py
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.data import text_files
from elmo_tf2.features import embed_file, encoder, text
from elmo_tf2.models import BiLM, ElmoEmbeddings
from elmo_tf2.saved_model import export_saved_model
from tests.cli_fixtures import (
    CONFIG,
    MIX,
    assert_same_features,
    expected_vectors,
    export,
    random_text,
    read_features,
    write_model_folder,
)

pytestmark = pytest.mark.usefixtures("cached_encoder")

# float32 against NumPy in float64, over up to some twenty steps of recurrence
TOLERANCE = 1e-5

# A line, and its words.
HOSTILE_LINES = {
    b"the cat is on the mat\n": ["the", "cat", "is", "on", "the", "mat"],
    b"\n": [],
    b"carriage return\r\n": ["carriage", "return"],
    b" \t spaces  and\ttabs\x0b\x0c \n": ["\t", "spaces", "and\ttabs\x0b\x0c"],
    b"\xff\xfe not \xc3 utf-8\n": [b"\xff\xfe", "not", b"\xc3", "utf-8"],
    b"nul\x00inside\n": [b"nul\x00inside"],
    b"<S> </S> <UNK>\n": ["<S>", "</S>", "<UNK>"],
    "no-break\u00a0space ideographic\u3000space\n".encode(): [
        "no-break\u00a0space",
        "ideographic\u3000space",
    ],
    b"w" * 300 + b" " + "\U0001f355".encode() * 30 + b"\n": ["w" * 300, "\U0001f355" * 30],
    b"   \n": [],
    b"no final newline": ["no", "final", "newline"],
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("features") / "model")


@pytest.fixture(scope="module")
def saved_model(model):
    return export(model, model.with_name("saved_model"))


@pytest.fixture
def embed(tmp_path, model):
    """Embeds a text by the model, unless others are given, to a list of arrays."""

    def embed_text(content, **arguments):
        (tmp_path / "text.txt").write_bytes(content)
        arguments = {"model": model, "overwrite": True, **arguments}
        embed_file(text_path=tmp_path / "text.txt", output_path=tmp_path / "out.hdf5", **arguments)
        return read_features(tmp_path / "out.hdf5")

    return embed_text


# What is in the file.


def test_any_bytes_give_the_vectors_of_the_numpy_reference(embed):
    features = embed(b"".join(HOSTILE_LINES))
    assert len(features) == len(HOSTILE_LINES)
    for words, vectors in zip(HOSTILE_LINES.values(), features, strict=True):
        assert vectors.shape == (3, len(words), 16)
        if words:
            np.testing.assert_allclose(vectors, expected_vectors(words), atol=TOLERANCE)


def test_the_datasets_are_as_bilm_tf_writes_them(embed, tmp_path):
    embed(b"a b c\n\nd\n")
    with h5py.File(tmp_path / "out.hdf5") as file:
        assert list(file) == ["0", "1", "2"]
        assert [file[name].shape for name in file] == [(3, 3, 16), (3, 0, 16), (3, 1, 16)]
        for dataset in file.values():
            assert dataset.dtype == np.float32
            assert dataset.chunks is None and dataset.compression is None


def test_the_report_counts_what_was_written(model, tmp_path):
    (tmp_path / "text.txt").write_text("a b c\n\nd\n")
    report = embed_file(model, tmp_path / "text.txt", tmp_path / "new" / "folder" / "out.hdf5")
    assert report == (tmp_path / "new" / "folder" / "out.hdf5", 3, 4, 3, 16)
    assert [path.name for path in report.path.parent.iterdir()] == ["out.hdf5"]


@pytest.mark.parametrize(("content", "number"), [(b"", 0), (b"\n", 1), (b"\n \r\n\n", 3)])
def test_a_text_without_words_gives_datasets_without_tokens(embed, content, number):
    features = embed(content)
    assert [vectors.shape for vectors in features] == [(3, 0, 16)] * number


def test_progress_counts_words_up_to_all_of_them(embed):
    calls = []
    embed(random_text(50).encode(), batch_size=8, on_progress=lambda *call: calls.append(call))
    done, total = zip(*calls, strict=True)
    assert set(total) == {done[-1]}
    assert done[0] == 0 and len(done) > 5
    assert list(done) == sorted(done)


# Batches.


@pytest.mark.parametrize("batch_size", [1, 3, 128])
def test_the_batch_changes_no_vector(embed, batch_size):
    lines = random_text(40).splitlines()
    features = embed("\n".join(lines).encode(), batch_size=batch_size)
    for line, vectors in zip(lines, features, strict=True):
        np.testing.assert_allclose(vectors, expected_vectors(line.split()), atol=TOLERANCE)


@pytest.mark.parametrize("room", [1, 4, 1_000])
def test_the_room_for_words_that_were_met_changes_no_vector(monkeypatch, room):
    monkeypatch.setattr(encoder, "_MAX_WORDS", room)
    cache = encoder._WordCache(lambda words: tf.strings.to_number(words)[:, tf.newaxis], 1)
    batches = np.random.default_rng(0).integers(0, 30, size=(20, 9))
    for numbers in batches:
        found = cache.vectors([str(number).encode() for number in numbers])
        np.testing.assert_array_equal(found[:, 0], numbers)


def test_a_word_that_was_met_is_not_computed_again():
    computed = []

    def compute(words):
        computed.extend(words.numpy())
        return tf.cast(tf.strings.length(words), tf.float32)[:, tf.newaxis]

    cache = encoder._WordCache(compute, 1)
    np.testing.assert_array_equal(cache.vectors([b"a", b"the", b"a"])[:, 0], [1, 3, 1])
    np.testing.assert_array_equal(cache.vectors([b"the", b"fog!"])[:, 0], [3, 4])
    assert computed == [b"a", b"the", b"fog!"]


def test_a_sentence_of_1000_words_changes_no_vector_of_its_neighbours(embed):
    short = b"the cat\ndogs are in the fog\n"
    alone = embed(short)
    features = embed(short + b"word " * 1000 + b"\n" + short)
    assert features[2].shape == (3, 1000, 16)
    for found, wanted in zip(features[:2] + features[3:], alone * 2, strict=True):
        np.testing.assert_allclose(found, wanted, atol=TOLERANCE)
    words = ["word"] * 20
    begin = expected_vectors(words)
    # a backward vector knows the words to come; of a forward one, the first 20 words are all
    np.testing.assert_allclose(features[2][:, :20, :8], begin[:, :, :8], atol=TOLERANCE)


def sentences(*lengths):
    return [text.Sentence(number, [b"w"] * length) for number, length in enumerate(lengths)]


def test_batches_hold_sentences_of_like_length_longest_first_and_none_without_words():
    batches = text.batches(sentences(1, 5, 0, 3, 5, 0, 2), batch_size=2)
    assert [[sentence.number for sentence in batch] for batch in batches] == [[1, 4], [3, 6], [0]]


def test_a_batch_is_bounded_in_words_but_holds_one_sentence_at_least(monkeypatch):
    monkeypatch.setattr(text, "_BATCH_TOKENS", 10)
    batches = text.batches(sentences(2, 50, 5, 2, 4, 11), batch_size=128)
    lengths = [[len(sentence.words) for sentence in batch] for batch in batches]
    assert lengths == [[50], [11], [5, 4], [2, 2]]


def test_windows_are_bounded_in_words_and_in_sentences(monkeypatch):
    monkeypatch.setattr(text, "_WINDOW_TOKENS", 10)
    monkeypatch.setattr(text, "_WINDOW_SENTENCES", 3)
    windows = text.windows(sentences(4, 4, 4, 1, 0, 0, 30, 2))
    lengths = [[len(sentence.words) for sentence in window] for window in windows]
    assert lengths == [[4, 4, 4], [1, 0, 0], [30], [2]]


def test_a_text_of_any_making_gives_the_vectors_of_its_words(embed, tmp_path):
    words = [["the", "cat"], [], ["na\u00efve", "dogs"]]
    content = "the cat\r\n\r\nna\u00efve dogs"
    assert_vectors_of(embed(gzip.compress(content.encode("utf-8-sig"))), words)
    for made in (
        content.encode(),
        content.encode("utf-8-sig"),
        content.replace("\r\n", "\r").encode(),
        lzma.compress(content.encode()),
    ):
        (tmp_path / "text").write_bytes(made)
        sentences = text.read_sentences(tmp_path / "text", hashlib.sha256(), "spaces")
        found = [[word.decode() for word in sentence.words] for sentence in sentences]
        assert found == words


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "gbk", "latin-1"])
def test_a_text_in_another_encoding_is_an_error(embed, tmp_path, encoding):
    content = (
        "\u732b\u5750\u5728\u57ab\u5b50\u4e0a\n" if encoding == "gbk" else "d\u00e9j\u00e0 vu\n"
    )
    with pytest.raises(ValueError, match="text.txt is not text in UTF-8.*convert it first"):
        embed(content.encode(encoding))
    assert not list(tmp_path.glob("out*"))


def test_lines_that_are_not_utf8_are_told_once(embed, caplog):
    with caplog.at_level(logging.WARNING):
        embed(b"a long enough line, caf\xe9\nanother\n", tokenizer="words", sentence="mean")
    told = [record.getMessage() for record in caplog.records if "UTF-8" in record.getMessage()]
    assert len(told) == 1 and told[0].startswith("Lines that are not UTF-8: 1.")


# Tokenizers.

SPACES = ["the cat\tis on", "\ta  b ", "x\x0by\x0cz", "no\u3000\u00a0space", "\t", " "]


def test_spaces_has_one_meaning_in_files_and_in_graphs(embed, model, saved_model):
    words = [[word for word in line.split(" ") if word] for line in SPACES]
    features = embed("\n".join(SPACES).encode(), tokenizer="spaces")
    assert_vectors_of(features, words)
    elmo = ElmoEmbeddings.from_folder(model, output="layers")
    loaded = tf.saved_model.load(str(saved_model))
    exported = loaded.default(tf.constant(SPACES))
    layers = [np.asarray(layer) for layer in elmo(SPACES)]
    assert exported["sequence_len"].numpy().tolist() == list(map(len, words))
    for row, (vectors, sentence) in enumerate(zip(features, words, strict=True)):
        tops = exported["lstm_outputs2"][row, : len(sentence)]
        np.testing.assert_allclose(tops, vectors[2], atol=TOLERANCE)
        for layer, ours in zip(layers, vectors, strict=True):
            np.testing.assert_allclose(layer[row, : len(sentence)], ours, atol=TOLERANCE)


RAW = "It's a cat, isn't it?\n\t\n\u00a0caf\u00e9s\u2014\u732b\x0b\ttabs\x0c!\n"
RAW_WORDS = [
    ["It", "'s", "a", "cat", ",", "is", "n't", "it", "?"],
    [],
    ["caf\u00e9s", "\u2014", "\u732b", "tabs", "!"],
]


def assert_vectors_of(features, sentences):
    assert [vectors.shape[1] for vectors in features] == list(map(len, sentences))
    for words, vectors in zip(sentences, features, strict=True):
        if words:
            np.testing.assert_allclose(vectors, expected_vectors(words), atol=TOLERANCE)


@pytest.fixture(scope="module")
def of_words(model):
    """The same model, as if it had been trained on words."""
    return ElmoEmbeddings.from_folder(model, tokenizer="words")


def test_a_line_gives_the_words_of_the_models_own_tokenizer(embed, of_words, tmp_path):
    exported = export_saved_model(of_words, tmp_path / "exported")
    for model in (of_words, of_words.encoder, exported):
        assert_vectors_of(embed(RAW.encode(), model=model), RAW_WORDS)


def test_the_tokenizer_may_be_another_than_the_models_own(embed, of_words):
    assert_vectors_of(embed(RAW.encode(), tokenizer="words"), RAW_WORDS)
    tokenised = b"It's  <unk> @-@ ,\n"
    features = embed(tokenised, model=of_words, tokenizer="spaces")
    assert_vectors_of(features, [["It's", "<unk>", "@-@", ","]])


def test_lines_are_split_in_blocks(embed, monkeypatch):
    whole = embed(RAW.encode() * 5, tokenizer="words")
    monkeypatch.setattr(text_files, "_BLOCK_BYTES", 10)
    assert_same_features(embed(RAW.encode() * 5, tokenizer="words"), whole)


def test_an_unknown_tokenizer_is_an_error(embed):
    with pytest.raises(ValueError, match=r"`tokenizer` must be one of .*tokenizer='treebank'"):
        embed(b"a\n", tokenizer="treebank")


# Models.


def test_every_form_of_a_model_gives_the_same_vectors(embed, model, saved_model):
    content = b"".join(HOSTILE_LINES)
    elmo = ElmoEmbeddings.from_folder(model)
    of_folder = embed(content)
    assert_same_features(embed(content, model=elmo), of_folder)
    assert_same_features(embed(content, model=elmo.encoder), of_folder)
    assert_same_features(embed(content, model=str(model / "weights.hdf5")), of_folder)
    for found, wanted in zip(embed(content, model=saved_model), of_folder, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)  # the same operations in other graphs


def test_a_model_that_computes_in_bfloat16_gives_float32(embed):
    features = embed(b"the cat\n", model=BiLM(CONFIG, dtype="mixed_bfloat16"))
    assert features[0].dtype == np.float32 and np.isfinite(features[0]).all()


def test_bfloat16_computes_in_it_and_writes_float32(embed, model):
    content = b"the cat is on the mat\ndogs\n"
    found, exact = embed(content, dtype="bfloat16"), embed(content)
    of_layer = embed(content, model=ElmoEmbeddings.from_folder(model), dtype="bfloat16")
    assert_same_features(of_layer, found)
    for some, others in zip(found, exact, strict=True):
        assert some.dtype == np.float32 and not np.array_equal(some, others)
        np.testing.assert_allclose(some, others, rtol=0, atol=0.02)


def test_the_mix_is_what_the_layer_gives(embed, model, saved_model):
    lines = [b"the cat is on the mat", b"dogs"]
    elmo = ElmoEmbeddings.from_folder(model)
    shares = np.exp(MIX[0]) / np.exp(MIX[0]).sum()
    layers = [expected_vectors(line.split()) for line in lines]
    expected = [MIX[1] * np.tensordot(shares, vectors, axes=1) for vectors in layers]
    for source in (elmo, model, saved_model):
        features = embed(b"\n".join(lines), model=source, layers="mix")
        for (found,), wanted in zip(features, expected, strict=True):
            np.testing.assert_allclose(found, wanted, atol=TOLERANCE)
    for found, wanted in zip(elmo([line.decode() for line in lines]), expected, strict=True):
        np.testing.assert_allclose(found[: len(wanted)], wanted, atol=TOLERANCE)


def test_a_saved_model_gives_chosen_layers(embed, saved_model):
    (found,) = embed(b"the cat", model=saved_model, layers=(2, 0), sentence="mean")
    expected = expected_vectors(["the", "cat"])[[2, 0]].mean(axis=1)
    np.testing.assert_allclose(found, expected, atol=TOLERANCE)


def test_a_saved_model_computes_as_it_was_exported(embed, saved_model):
    with pytest.raises(ValueError, match="elmo-tf2 export MODEL OUT --dtype bfloat16"):
        embed(b"the cat\n", model=saved_model, dtype="bfloat16")


def test_the_golden_model_gives_bilm_tfs_vectors(golden, embed, tmp_path):
    expected = np.load(golden / "mini" / "expected_bilm.npz")
    golden_sentences = json.loads(str(expected["sentences_json"]))
    layers = np.split(expected["layers"], np.cumsum(expected["lengths"])[:-1], axis=1)
    # a text can't hold words that are empty
    cases = [
        (" ".join(words).encode(), vectors)
        for words, vectors in zip(golden_sentences, layers, strict=True)
        if "" not in words
    ]
    assert len(cases) == len(golden_sentences) - 2
    content = b"\n".join(line for line, _ in cases) + b"\n"
    exported = export(golden / "mini", tmp_path / "saved_model")
    for model in (golden / "mini", exported):
        features = embed(content, model=model)
        for vectors, (line, wanted) in zip(features, cases, strict=True):
            np.testing.assert_allclose(vectors, wanted, atol=1e-5, err_msg=str(line))


@pytest.mark.parametrize("name", ["bilm_published", "allennlp_published"])
def test_published_models_give_the_published_vectors(golden, embed, name):
    # The states were carried on from batch to batch there, so the first batch alone compares: the
    # first sentence of each of the three lists.
    (sentences_file,) = (golden / name).glob("*sentences.json")
    lists = json.loads(sentences_file.read_text())
    features = embed("\n".join(sentences[0] for sentences in lists).encode(), model=golden / name)
    for number, vectors in enumerate(features):
        with h5py.File(golden / name / f"lm_embeddings_{number}.hdf5") as file:
            forward, backward = file["0"][()]
        np.testing.assert_allclose(
            vectors[-1], np.concatenate([forward, backward], axis=1), atol=1e-5
        )


# Mistakes.


def test_a_model_of_another_kind_is_an_error(embed):
    with pytest.raises(ValueError, match="`model` must be a BiLM.* Received: int"):
        embed(b"a\n", model=3)


def test_a_tf1_hub_module_must_be_converted_first(golden, embed):
    with pytest.raises(ValueError, match="is a TF1 Hub module.* Convert it"):
        embed(b"a\n", model=golden / "tf1_hub")


def test_a_saved_model_that_is_no_elmo_is_an_error(embed, tmp_path):
    module = tf.Module()
    module.double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec([])])
    tf.saved_model.save(module, str(tmp_path / "other"), signatures=module.double)
    with pytest.raises(ValueError, match="must have a signature `tokens`.*'serving_default'"):
        embed(b"a\n", model=tmp_path / "other")


@pytest.mark.parametrize("size", [100, None])
@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_a_damaged_saved_model_is_an_error(embed, saved_model, tmp_path, name, size):
    damaged = tmp_path / "damaged"
    shutil.copytree(saved_model, damaged)
    content = (damaged / name).read_bytes()
    (damaged / name).unlink()
    if size:
        (damaged / name).write_bytes(content[:size])
    with pytest.raises(ValueError, match="damaged.* (can't be loaded|holds no weights)"):
        embed(b"a\n", model=damaged)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, "8"])
def test_a_batch_size_must_be_a_positive_integer(embed, batch_size):
    with pytest.raises(ValueError, match="`batch_size` must be a positive integer"):
        embed(b"a\n", batch_size=batch_size)


def test_a_missing_text_is_an_error(model, tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no text '.*nothing.txt'"):
        embed_file(model, tmp_path / "nothing.txt", tmp_path / "out.hdf5")


def test_a_folder_is_no_text(model, tmp_path):
    with pytest.raises(ValueError, match="is not a file. Expected: a text file"):
        embed_file(model, tmp_path, tmp_path / "out.hdf5")


def test_the_output_must_not_be_a_folder(embed, tmp_path):
    (tmp_path / "out.hdf5").mkdir()
    with pytest.raises(ValueError, match="out.hdf5 is a folder. Expected: the name of a file"):
        embed(b"a\n")


def test_the_text_is_never_overwritten(model, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("a b\n")
    with pytest.raises(ValueError, match="is the text itself"):
        embed_file(model, path, path, overwrite=True)
    assert path.read_text() == "a b\n"


def test_an_existing_output_is_replaced_on_demand_only(embed, tmp_path):
    (tmp_path / "out.hdf5").write_text("precious")
    with pytest.raises(FileExistsError, match="out.hdf5 exists already"):
        embed(b"a b\n", overwrite=False)
    assert (tmp_path / "out.hdf5").read_text() == "precious"
    assert not (tmp_path / "out.hdf5.unfinished").exists()
    assert len(embed(b"a b\n", overwrite=True)) == 1


@pytest.mark.parametrize(("words", "size"), [(5, 1000), (1000, 60)])
def test_a_line_that_is_no_sentence_is_an_error(embed, monkeypatch, tmp_path, words, size):
    monkeypatch.setattr(text, "MAX_TOKENS", words)
    monkeypatch.setattr(text_files, "_BLOCK_BYTES", 8)
    monkeypatch.setattr(text_files, "MAX_LINE_BYTES", size)
    assert len(embed(b"a b c d e\n")) == 1
    with pytest.raises(ValueError, match="line 2, is too long for a sentence"):
        embed(b"a\n" + b"word " * 100 + b"\n")
    assert not (tmp_path / "out.hdf5.unfinished").exists()
