"""Ragged batches: packed step by step for an LSTM, padded for Keras, averaged."""

from typing import NamedTuple

import tensorflow as tf


class PackedSequence(NamedTuple):
    """The tokens of a ragged batch in the order in which an LSTM takes them.

    Step 0 of every sentence comes first, then step 1 of those that have one, and so on. Since the
    sentences are sorted by falling length, those that reach a step are always the first ones: no
    step computes padding. (The idea and the names are PyTorch's.)

    Attributes:
        data: `(tokens, features)`.
        batch_sizes: int32 tensor, `(steps,)`; the number of sentences that reach each step.
        indices: int32 tensor, `(tokens,)`; the place of each in the ragged batch's values.
        order: int32 tensor, `(batch,)`; the batch's rows by falling length.
    """

    data: tf.Tensor
    batch_sizes: tf.Tensor
    indices: tf.Tensor
    order: tf.Tensor

    def with_values(self, values: tf.Tensor) -> "PackedSequence":
        """Other tokens of the same batch, given row by row, in the same order."""
        return self._replace(data=tf.gather(values, self.indices))

    def values(self) -> tf.Tensor:
        """The tokens row by row, as in the ragged batch."""
        return tf.gather(self.data, tf.math.invert_permutation(self.indices))

    def sort(self, state: tf.Tensor) -> tf.Tensor:
        """One row per sentence, in the order of the steps' rows."""
        return tf.gather(state, self.order)

    def unsort(self, state: tf.Tensor) -> tf.Tensor:
        """One row per sentence, in the order of the batch again."""
        return tf.gather(state, tf.math.invert_permutation(self.order))


def pack(batch: tf.RaggedTensor, go_backwards: bool = False) -> PackedSequence:
    """Packs a ragged batch `(batch, (tokens), features)`, from the last tokens if backwards."""
    lengths = tf.cast(batch.row_lengths(), tf.int32)
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    sorted_lengths = tf.gather(lengths, order)
    steps = tf.range(tf.reduce_max(tf.concat([lengths, [0]], axis=0)))
    active = steps[:, tf.newaxis] < sorted_lengths  # (steps, batch)
    step, row = tf.unstack(tf.cast(tf.where(active), tf.int32), axis=1)
    token = tf.gather(sorted_lengths, row) - 1 - step if go_backwards else step
    first_token = tf.gather(tf.cumsum(lengths, exclusive=True), order)
    indices = tf.gather(first_token, row) + token
    batch_sizes = tf.reduce_sum(tf.cast(active, tf.int32), axis=1)
    return PackedSequence(tf.gather(batch.values, indices), batch_sizes, indices, order)


def one_step(rows: tf.Tensor) -> PackedSequence:
    """A batch of sentences of one token each, `(batch, features)`."""
    number = tf.shape(rows)[0]
    return PackedSequence(rows, number[tf.newaxis], tf.range(number), tf.range(number))


def ragged(values: tf.Tensor, mask: tf.Tensor) -> tf.RaggedTensor:
    """The rows of a padded tensor where a mask `(batch, tokens)` is True."""
    lengths = tf.math.count_nonzero(mask, axis=1, dtype=tf.int32)
    return tf.RaggedTensor.from_row_lengths(values, lengths, validate=False)


def from_padded(inputs: tf.Tensor, mask: tf.Tensor) -> tf.RaggedTensor:
    """The tokens of a padded batch `(batch, tokens, …)` that a mask `(batch, tokens)` marks."""
    return ragged(tf.boolean_mask(inputs, mask), mask)


def to_padded(values: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The opposite of `from_padded`: `(tokens, features)` where the mask is True, 0 elsewhere."""
    features = values.shape[-1]
    shape = tf.concat([tf.shape(mask, tf.int64), [features]], axis=0)
    result = tf.scatter_nd(tf.where(mask), values, shape)
    result.set_shape([*mask.shape, features])
    return result


def mean_of_rows(batch: tf.RaggedTensor) -> tf.Tensor:
    """The mean of each sentence's tokens, `(batch, features)`; 0 where it has none."""
    # Sums of many leave the range of float16 and the precision of bfloat16.
    dtype = batch.dtype if batch.dtype == tf.float64 else tf.float32
    sums = tf.math.unsorted_segment_sum(
        tf.cast(batch.values, dtype), batch.value_rowids(), batch.nrows()
    )
    lengths = tf.cast(batch.row_lengths(), dtype)[:, tf.newaxis]
    return tf.cast(sums / tf.maximum(lengths, 1), batch.dtype)
