"""Ragged batches: packed for the LSTM, padded, averaged; checked by hand."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers.ragged import from_padded, mean_of_rows, pack, to_padded

#          a b .   . . .   c d e   . f .
MASK = np.array([[1, 1, 0], [0, 0, 0], [1, 1, 1], [0, 1, 0]], bool)
LETTERS = np.arange(1, 7, dtype="float32")[:, np.newaxis]
PADDED = np.array([[1, 2, 0], [0, 0, 0], [3, 4, 5], [0, 6, 0]], "float32")[..., np.newaxis]


@pytest.fixture
def batch():
    return from_padded(tf.constant(PADDED), tf.constant(MASK))


def test_the_tokens_under_the_mask_make_a_ragged_batch(batch):
    assert batch[..., 0].to_list() == [[1, 2], [], [3, 4, 5], [6]]


def test_longer_sentences_come_first_and_rows_of_equal_length_keep_their_order(batch):
    np.testing.assert_array_equal(pack(batch).order, [2, 0, 3, 1])


def test_a_step_takes_the_sentences_that_reach_it(batch):
    np.testing.assert_array_equal(pack(batch).batch_sizes, [3, 2, 1])


def test_tokens_are_packed_step_by_step(batch):
    np.testing.assert_array_equal(pack(batch).data[:, 0], [3, 1, 6, 4, 2, 5])


def test_backwards_a_sentence_starts_at_its_last_token(batch):
    packed = pack(batch, go_backwards=True)
    np.testing.assert_array_equal(packed.data[:, 0], [5, 2, 6, 4, 1, 3])


@pytest.mark.parametrize("go_backwards", [False, True])
def test_the_values_are_row_by_row_again(go_backwards, batch):
    packed = pack(batch, go_backwards)
    np.testing.assert_array_equal(packed.values(), LETTERS)
    np.testing.assert_array_equal(packed.with_values(10 * LETTERS).data, 10 * packed.data)


def test_states_are_sorted_and_unsorted(batch):
    packed, states = pack(batch), tf.constant([[0], [1], [2], [3]])
    np.testing.assert_array_equal(packed.sort(states)[:, 0], [2, 0, 3, 1])
    np.testing.assert_array_equal(packed.unsort(packed.sort(states)), states)


def test_padding_puts_tokens_into_their_places_and_zeros_between():
    np.testing.assert_array_equal(to_padded(tf.constant(LETTERS), tf.constant(MASK)), PADDED)


def test_the_mean_is_of_each_sentences_tokens(batch):
    np.testing.assert_array_equal(mean_of_rows(batch)[:, 0], [1.5, 0, 4, 6])


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_an_empty_batch_has_no_steps(shape):
    mask = tf.zeros(shape, tf.bool)
    packed = pack(from_padded(tf.zeros((*shape, 4)), mask))
    assert packed.batch_sizes.shape == (0,)
    assert packed.indices.shape == (0,)
    assert packed.data.shape == (0, 4)
    assert to_padded(packed.values(), mask).shape == (*shape, 4)
