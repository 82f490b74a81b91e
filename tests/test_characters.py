"""Characters: Python, the graph and the NumPy reference agree on any bytes whatever."""

import json

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_tf2 import characters
from elmo_tf2.characters import sentences_to_char_ids, word_to_char_ids, words_to_char_ids
from tests import numpy_reference as reference

MAX_CHARACTERS = [3, 4, 5, 16, 50, 51, 300]

WORDS = {
    "empty": b"",
    "ASCII": b"cat",
    "one byte": b"x",
    "a space": b" ",
    "a line break": b"a\nb\r",
    "NUL": b"\0",
    "NUL inside": b"a\0b",
    "NUL at the end": b"a\0\0",
    "byte 255": b"\xff" * 3,
    "invalid UTF-8": b"\xc3\x28\xa0\xa1\xe2\x28\xa1\xf0\x28\x8c\xbc",
    "a cut character": "日".encode()[:2],
    "overlong": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "accents": "naïve".encode(),
    "combining marks": "e\u0301\u0323\u0304".encode(),
    "CJK": "自然言語処理".encode(),
    "Hangul": "안녕하세요".encode(),
    "right to left": "שלום مرحبا".encode(),
    "Devanagari": "नमस्ते".encode(),
    "emoji": "👩\u200d👩\u200d👧\u200d👦🇨🇭❤️".encode(),
    "a byte order mark": "\ufeffa".encode(),
    "47 bytes": b"x" * 47,
    "48 bytes": b"x" * 48,
    "49 bytes": b"x" * 49,
    "50 bytes": b"x" * 50,
    "51 bytes": b"x" * 51,
    "a character cut at byte 48": ("a" + "é" * 24).encode(),
    "10,000 bytes": bytes(range(250)) * 40,
    "<S>": b"<S>",
    "</S>": b"</S>",
    "<S> and more": b"<S>a",
    "<s>": b"<s>",
    "<S> and NUL": b"<S>\0",
    "</S> cut": b"</S",
}

any_word = st.one_of(
    st.binary(max_size=60),
    st.binary(min_size=40, max_size=400),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from(list(WORDS.values())),
)


def in_graph(words, max_characters):
    """By a compiled graph of unknown batch."""
    return GRAPH[max_characters](tf.constant(words, tf.string, [len(words)])).numpy()


GRAPH = {
    max_characters: tf.function(
        lambda words, max_characters=max_characters: words_to_char_ids(words, max_characters),
        input_signature=[tf.TensorSpec([None], tf.string)],
    )
    for max_characters in MAX_CHARACTERS
}


# --- one truth


@given(words=st.lists(any_word, max_size=6), max_characters=st.sampled_from(MAX_CHARACTERS))
@example(words=list(WORDS.values()), max_characters=50)
@example(words=[], max_characters=50)
@example(words=[b""], max_characters=3)
def test_the_graph_gives_what_python_gives_for_any_bytes(words, max_characters):
    expected = [word_to_char_ids(word, max_characters) for word in words]
    expected = np.array(expected, np.int32).reshape(len(words), max_characters)
    np.testing.assert_array_equal(in_graph(words, max_characters), expected)


@given(words=st.lists(any_word, max_size=6), max_characters=st.sampled_from(MAX_CHARACTERS))
@example(words=list(WORDS.values()), max_characters=50)
@example(words=list(WORDS.values()), max_characters=3)
def test_python_gives_what_the_reference_gives_for_any_bytes(words, max_characters):
    for word in words:
        np.testing.assert_array_equal(
            word_to_char_ids(word, max_characters), reference.char_ids(word, max_characters)
        )


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_a_str_is_its_utf8_bytes(word):
    np.testing.assert_array_equal(word_to_char_ids(word), word_to_char_ids(word.encode()))


@given(any_word)
def test_ids_are_those_of_a_word(word):
    ids = word_to_char_ids(word)
    assert ids.shape == (50,)
    assert ids.dtype == np.int32
    assert ids[0] == 259
    end = list(ids).index(260)
    assert np.all((ids[1:end] >= 1) & (ids[1:end] <= 258))
    assert np.all(ids[end + 1 :] == 261)


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_eager_mode_gives_what_python_gives(word):
    np.testing.assert_array_equal(words_to_char_ids(tf.constant([word])), [word_to_char_ids(word)])


# --- checked by hand


def padded(ids, length=50):
    return ids + [261] * (length - len(ids))


BY_HAND = {
    "empty": ("", padded([259, 260])),
    "cat": ("cat", padded([259, 100, 98, 117, 260])),
    "bytes": (b"\x00\xff", padded([259, 1, 256, 260])),
    "é": ("é", padded([259, 0xC3 + 1, 0xA9 + 1, 260])),
    "€": ("€", padded([259, 0xE2 + 1, 0x82 + 1, 0xAC + 1, 260])),
    "<S>": ("<S>", padded([259, 257, 260])),
    "</S>": ("</S>", padded([259, 258, 260])),
    "<s>": ("<s>", padded([259, 61, 116, 63, 260])),
    "47 bytes": ("x" * 47, [259] + [121] * 47 + [260, 261]),
    "48 bytes": ("x" * 48, [259] + [121] * 48 + [260]),
    "more than fit": ("x" * 49, [259] + [121] * 48 + [260]),
    "cut inside a character": ("a" + "é" * 24, [259, 98] + [196, 170] * 23 + [196, 260]),
}


@pytest.mark.parametrize(("word", "ids"), BY_HAND.values(), ids=BY_HAND)
def test_ids_checked_by_hand(word, ids):
    np.testing.assert_array_equal(word_to_char_ids(word), ids)
    np.testing.assert_array_equal(words_to_char_ids(tf.constant([word])), [ids])


def test_a_shorter_word_length_checked_by_hand():
    ids = [[259, 100, 98, 260], [259, 98, 260, 261], [259, 257, 260, 261]]
    np.testing.assert_array_equal(words_to_char_ids(tf.constant(["cat", "a", "<S>"]), 4), ids)


def test_the_names_of_the_marks_are_bilms_ids_plus_one():
    assert (characters.BEGIN_SENTENCE, characters.END_SENTENCE) == (256 + 1, 257 + 1)
    assert (characters.BEGIN_WORD, characters.END_WORD) == (258 + 1, 259 + 1)
    assert characters.PADDING == 260 + 1
    assert characters.NUM_CHARACTERS == 262


def test_what_utf8_cannot_encode_is_left_out():
    np.testing.assert_array_equal(word_to_char_ids("a\ud800b"), word_to_char_ids("ab"))


# --- shapes


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (2, 1, 3), (0,), (0, 3), (2, 0)])
def test_characters_are_a_new_last_axis(shape):
    ids = words_to_char_ids(tf.fill(shape, "cat"), max_characters=6)
    assert ids.shape == (*shape, 6)
    assert ids.dtype == tf.int32
    np.testing.assert_array_equal(ids, np.broadcast_to([259, 100, 98, 117, 260, 261], ids.shape))


def test_the_number_of_characters_is_known_in_a_graph():
    graph = tf.function(words_to_char_ids, input_signature=[tf.TensorSpec([None, None], tf.string)])
    assert graph.get_concrete_function().structured_outputs.shape.as_list() == [None, None, 50]


def test_it_runs_in_a_tf_data_pipeline():
    dataset = tf.data.Dataset.from_tensor_slices(["cat", "<S>"]).map(words_to_char_ids)
    np.testing.assert_array_equal(
        list(dataset.as_numpy_iterator()), [word_to_char_ids("cat"), word_to_char_ids("<S>")]
    )


def test_lists_and_arrays_of_strings_are_taken():
    expected = [word_to_char_ids("cat"), word_to_char_ids("é")]
    np.testing.assert_array_equal(words_to_char_ids(["cat", "é"]), expected)
    np.testing.assert_array_equal(words_to_char_ids(np.array(["cat", "é"])), expected)


# --- sentences


def test_past_the_end_of_a_sentence_there_is_no_word():
    tokens = tf.constant([["the", "cat"], ["a", "junk"], ["", ""]])
    ids = sentences_to_char_ids(tokens, tf.constant([2, 1, 0]), max_characters=6)
    no_word = np.zeros(6, int)
    expected = [
        [word_to_char_ids("the", 6), word_to_char_ids("cat", 6)],
        [word_to_char_ids("a", 6), no_word],
        [no_word, no_word],
    ]
    np.testing.assert_array_equal(ids, expected)
    assert ids.dtype == tf.int32


def test_an_empty_token_before_the_end_is_a_word():
    ids = sentences_to_char_ids(tf.constant([["", "cat"]]), tf.constant([2]), max_characters=6)
    np.testing.assert_array_equal(ids, [[word_to_char_ids("", 6), word_to_char_ids("cat", 6)]])


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_an_empty_batch_has_no_ids(shape):
    ids = sentences_to_char_ids(tf.fill(shape, "a"), tf.zeros(shape[0], tf.int32))
    assert ids.shape == (*shape, 50)


# --- bilm-tf's own


def test_ids_are_those_that_bilm_tf_gave(golden):
    expected = np.load(golden / "mini" / "expected_bilm.npz")
    sentences = json.loads(str(expected["sentences_json"]))
    words = [word for words in sentences for word in ["<S>", *words, "</S>"]]
    ids = expected["char_ids"]
    np.testing.assert_array_equal([word_to_char_ids(word) for word in words], ids)
    np.testing.assert_array_equal(words_to_char_ids(tf.constant(words)), ids)
    np.testing.assert_array_equal(reference.sentence_char_ids(words), ids)


# --- lengths that do not fit


@pytest.mark.parametrize("in_graph", [False, True])
@pytest.mark.parametrize(
    "lengths", [[1], [1, 2, 0], [], [1, 3], [-1, 2], [1, 2**32 + 1], [2**31, 1], [1, 2**63 - 1]]
)
def test_lengths_must_be_one_a_sentence_and_within_it(lengths, in_graph):
    def call(tokens, lengths):
        return sentences_to_char_ids(tokens, lengths, 6)

    if in_graph:
        signature = [tf.TensorSpec([None, None], tf.string), tf.TensorSpec([None], tf.int64)]
        call = tf.function(call, input_signature=signature, autograph=False)
    tokens = tf.constant([["a", "b"], ["c", ""]])
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="`lengths` must be a number from 0 to max_length for every",
    ):
        call(tokens, tf.constant(lengths, tf.int64))
    ids = call(tokens, tf.constant([2, 1], tf.int64))
    np.testing.assert_array_equal(ids[..., 0] > 0, [[True, True], [True, False]])
