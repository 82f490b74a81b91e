"""Raw sentences give the words that `prepare` makes of them: in the layer, exported, embedded."""

import hashlib
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from elmo_tf2.data.prepare import prepare
from elmo_tf2.features import embed_file
from elmo_tf2.features.text import read_sentences
from elmo_tf2.models import ElmoEmbeddings
from tests.cli_fixtures import read_features, write_model_folder
from tests.small_elmo import random_elmo

# The same operations in other graphs.
BOUND = {"rtol": 0, "atol": 1e-6}

# Whatever may come in a line; line breaks end it, and texts with many zero bytes are no texts.
characters = st.one_of(
    st.sampled_from(
        "abSTnts.,'’-_/:01!?<>@$=`日ー…—“\u00a0\u00ad\u200b\u0301👍🏽️\t\x0b\x0c\x1c\u3000"
    ),
    st.characters(blacklist_characters="\0\n\r"),
)
pieces = st.sampled_from(["n't", "'s", "Mr.", "U.S.", "J. ", "</S>", "www.", "a@b.co", "3.14"])
line = st.lists(st.one_of(characters, pieces), max_size=15).map("".join)
lines = st.lists(
    st.one_of(
        line.map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.binary(max_size=15).filter(lambda text: not {0, 10, 13} & set(text)),
    ),
    min_size=2,
    max_size=8,
)
HOSTILE = [
    "Don't “quote” me—it's 3.5% of the U.S.'s…".encode(),
    b"\xff\xfe not \xc3 utf-8\t\xa0",
    "日本語、naïve\u00adly 👩‍👩‍👧 </S> <S>".encode(),
    b"   ",
    b"",
]


@pytest.fixture(scope="module")
def elmo(tmp_path_factory):
    folder = write_model_folder(tmp_path_factory.mktemp("raw") / "model")
    return ElmoEmbeddings.from_folder(folder, tokenizer="words")


@pytest.fixture(scope="module")
def exported(shared_export):
    """The same, exported."""
    return shared_export("words")


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(str(exported))


def prepared(folder, text):
    """The sentences that `prepare` writes of the lines of a text, in any order."""
    prepare([text], folder / "out", one_sentence_per_line=True)
    files = [*(folder / "out" / "train").iterdir(), folder / "out" / "heldout.txt"]
    return Counter(line for file in files for line in file.read_bytes().splitlines())


@settings(max_examples=40, phases=[Phase.explicit, Phase.generate])  # to shrink takes minutes
@given(lines)
@example(HOSTILE)
def test_any_raw_text_gives_the_words_of_prepare(tmp_path_factory, elmo, loaded, lines):
    folder = tmp_path_factory.mktemp("text")
    # `prepare` wants some text that is no rubbish; and breaks lines where `bytes` does.
    some = [b"word " * 100 + str(number).encode() for number in range(9)]
    lines = some + [line for line in lines if len(line.splitlines()) < 2]
    (folder / "text.txt").write_bytes(b"\n".join(lines) + b"\n")
    expected = prepared(folder, folder / "text.txt")
    strings = tf.constant(lines)
    exported = loaded.tokenize(strings)
    rows = zip(exported["tokens"].numpy().tolist(), exported["sequence_len"].numpy(), strict=True)
    words = [row[:length] for row, length in rows]
    assert Counter(b" ".join(row) for row in words if row) == expected
    mask = elmo.compute_mask(strings).numpy()
    assert mask.sum(axis=1).tolist() == list(map(len, words))
    embedded = read_sentences(folder / "text.txt", hashlib.sha256(), "words")
    assert [sentence.words for sentence in embedded] == words


def test_the_vectors_of_raw_text_are_those_of_its_words(tmp_path, elmo, exported, loaded):
    strings = tf.constant(HOSTILE)
    words = loaded.tokenize(strings)
    lengths = words["sequence_len"].numpy().tolist()
    assert lengths[0] == 16 and lengths[-2:] == [0, 0]
    vectors = elmo(words["tokens"]).numpy()
    np.testing.assert_allclose(elmo(strings), vectors, **BOUND)
    np.testing.assert_allclose(loaded.elmo(strings)["elmo"], vectors, **BOUND)
    top = loaded.embed_tokens(words)["lstm_outputs2"].numpy()
    (tmp_path / "text.txt").write_bytes(b"\n".join(HOSTILE) + b"\n")
    for model in (elmo, exported):
        embed_file(model, tmp_path / "text.txt", tmp_path / "out.hdf5", overwrite=True)
        for row, length, array in zip(
            top, lengths, read_features(tmp_path / "out.hdf5"), strict=True
        ):
            np.testing.assert_allclose(array[2], row[:length], **BOUND)


def test_the_tokenizer_of_the_layer_goes_before_that_of_its_config():
    text = ["It's a cat."]
    split = [["It", "'s", "a", "cat", "."]]
    words, spaces = random_elmo(tokenizer="words"), random_elmo()
    assert words.config.tokenizer == words.encoder.config.tokenizer == "words"
    assert spaces.config.tokenizer == "spaces"
    np.testing.assert_array_equal(words(text), spaces(split))
    assert spaces(text).shape[1] == 3
    again = random_elmo(words.config, tokenizer="spaces")
    assert again.config.tokenizer == "spaces" and again(text).shape[1] == 3


def test_the_tokenizer_of_the_layer_is_kept_in_its_config(elmo):
    copy = type(elmo).from_config(elmo.get_config())
    assert copy.config == elmo.config
    assert elmo.get_config()["tokenizer"] == "words"


def test_an_unknown_tokenizer_is_an_error():
    with pytest.raises(ValueError, match=r"`tokenizer` must be one of .*tokenizer='treebank'"):
        random_elmo(tokenizer="treebank")


def test_an_exported_model_names_its_tokenizer(loaded):
    assert loaded.tokenizer().numpy() == b"words"


def test_the_words_of_a_sentence_are_what_embed_tokens_takes(loaded):
    strings = tf.constant(["Don't!", ""])
    words = loaded.tokenize(strings)
    assert words["tokens"].numpy().tolist() == [[b"Do", b"n't", b"!"], [b"", b"", b""]]
    for name, output in loaded.embed_tokens(words).items():
        np.testing.assert_array_equal(output, loaded.default(strings)[name])
