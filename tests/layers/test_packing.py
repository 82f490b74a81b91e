"""Packing: the order in which the LSTM reads a batch's real tokens, checked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers.packing import packing, padded

#          a b .   . . .   c d e   . f .
MASK = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)
LETTERS = np.arange(1, 7, dtype="float32")[:, np.newaxis]
PADDED = np.array([[1, 2, 0], [0, 0, 0], [3, 4, 5], [0, 6, 0]], "float32")[..., np.newaxis]


def test_longer_sentences_come_first_and_rows_of_like_length_keep_their_order():
    np.testing.assert_array_equal(packing(tf.constant(MASK)).order, [2, 0, 3, 1])


def test_a_step_takes_the_sentences_that_reach_it():
    np.testing.assert_array_equal(packing(tf.constant(MASK)).active_rows, [3, 2, 1])


def test_tokens_are_packed_step_by_step():
    packed = packing(tf.constant(MASK)).pack(tf.constant(LETTERS))
    np.testing.assert_array_equal(packed[:, 0], [3, 1, 6, 4, 2, 5])


def test_backwards_a_sentence_starts_at_its_last_token():
    packed = packing(tf.constant(MASK), go_backwards=True).pack(tf.constant(LETTERS))
    np.testing.assert_array_equal(packed[:, 0], [5, 2, 6, 4, 1, 3])


@pytest.mark.parametrize("go_backwards", [False, True])
def test_unpacking_puts_tokens_row_by_row_again(go_backwards):
    order = packing(tf.constant(MASK), go_backwards)
    np.testing.assert_array_equal(order.unpack(order.pack(LETTERS)), LETTERS)


def test_padding_puts_tokens_into_their_places_and_zeros_between():
    np.testing.assert_array_equal(padded(tf.constant(LETTERS), tf.constant(MASK)), PADDED)


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_an_empty_batch_has_no_steps(shape):
    mask = tf.zeros(shape, tf.bool)
    order = packing(mask)
    assert order.active_rows.shape == (0,)
    assert order.places.shape == (0,)
    assert order.pack(tf.zeros((0, 4))).shape == (0, 4)
    assert padded(tf.zeros((0, 4)), mask).shape == (*shape, 4)
