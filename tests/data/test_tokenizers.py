"""Tokenizers: what Python's `split(" ")` gives, without the empty strings."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import example, given
from hypothesis import strategies as st

from elmo_tf2.data.tokenizers import split_at_spaces, token_lengths

texts = st.lists(
    st.one_of(st.binary(max_size=20), st.text(" ab\té日\n\0", max_size=20).map(str.encode)),
    max_size=5,
)

SPLIT = tf.function(split_at_spaces, input_signature=[tf.TensorSpec([None], tf.string)])


def split(strings):
    tokens, lengths = SPLIT(tf.constant(strings, tf.string, [len(strings)]))
    return tokens.numpy().tolist(), lengths.numpy().tolist()


@given(texts)
@example([])
@example([b""])
@example([b" ", b"  "])
@example([b"a\xa0b \xff\xfe c"])
def test_any_bytes_are_split_at_spaces_alone(strings):
    expected = [[token for token in text.split(b" ") if token] for text in strings]
    tokens, lengths = split(strings)
    assert lengths == [len(words) for words in expected]
    longest = max(lengths, default=0)
    assert tokens == [words + [b""] * (longest - len(words)) for words in expected]


def test_spaces_at_the_ends_and_runs_of_spaces_count_as_one():
    assert split(["  the  cat ", "dogs"]) == ([[b"the", b"cat"], [b"dogs", b""]], [2, 1])


def test_tabs_line_breaks_and_other_spaces_are_characters():
    text = "a\tb\nc\u00a0d\u3000e"
    assert split([text]) == ([[text.encode()]], [1])


def test_empty_texts_have_no_tokens():
    assert split(["", "   "]) == ([[], []], [0, 0])


def test_no_text_has_no_tokens():
    tokens, lengths = split_at_spaces(tf.constant([], tf.string))
    assert tokens.shape == (0, 0)
    assert lengths.shape == (0,)


def test_lengths_are_int32():
    assert split_at_spaces(tf.constant(["a b"]))[1].dtype == tf.int32
    assert token_lengths(tf.constant([["a", "b"]])).dtype == tf.int32


def test_eager_mode_gives_the_same():
    tokens, lengths = split_at_spaces(tf.constant(["the cat", "dogs"]))
    np.testing.assert_array_equal(tokens, [[b"the", b"cat"], [b"dogs", b""]])
    np.testing.assert_array_equal(lengths, [2, 1])


# --- lengths of padded tokens


@pytest.mark.parametrize(
    ("tokens", "length"),
    [
        (["the", "cat"], 2),
        (["the", ""], 1),
        (["", ""], 0),
        (["", "cat"], 2),  # an empty word, then a word
        (["", "cat", "", ""], 2),
        ([" "], 1),
    ],
)
def test_a_sentence_ends_at_its_last_token_that_is_not_empty(tokens, length):
    np.testing.assert_array_equal(token_lengths(tf.constant([tokens])), [length])


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_an_empty_batch_has_lengths_of_zero(shape):
    np.testing.assert_array_equal(token_lengths(tf.fill(shape, "a")), np.zeros(shape[0]))


@given(texts)
def test_lengths_of_what_was_split_are_those_of_the_split(strings):
    tokens, lengths = SPLIT(tf.constant(strings, tf.string, [len(strings)]))
    np.testing.assert_array_equal(token_lengths(tokens), lengths)
