"""The real tokens of a padded batch, one after another, step by step."""

from typing import NamedTuple

import tensorflow as tf


class Packing(NamedTuple):
    """Time-major order of a batch's real tokens, longest sentence first, without any padding.

    Step 0 of every sentence comes first, then step 1 of those that have one, and so on. Since the
    sentences are sorted by falling length, the rows that are active at a step are always the
    first ones.

    Attributes:
        positions: int64 tensor, `(real_tokens,)`; where each stands in the padded batch, counted
            through `(batch * tokens)`.
        active_rows: int32 tensor, `(steps,)`; number of sentences that reach a step.
        order: int32 tensor, `(batch,)`; the batch's rows by falling length.
        mask: bool tensor, `(batch, tokens)`; what it was made of.
    """

    positions: tf.Tensor
    active_rows: tf.Tensor
    order: tf.Tensor
    mask: tf.Tensor

    def pack(self, padded: tf.Tensor) -> tf.Tensor:
        """`(batch, tokens, features)` to `(real_tokens, features)`."""
        flat = tf.reshape(padded, [-1, padded.shape[-1]])
        return tf.gather(flat, self.positions)

    def unpack(self, packed: tf.Tensor) -> tf.Tensor:
        """`(real_tokens, features)` to `(batch, tokens, features)`, with 0 at the padding."""
        batch, tokens = tf.unstack(tf.shape(self.mask, tf.int64))
        features = packed.shape[-1]
        flat = tf.scatter_nd(
            self.positions[:, tf.newaxis], packed, tf.stack([batch * tokens, features])
        )
        padded = tf.reshape(flat, tf.stack([batch, tokens, features]))
        padded.set_shape([*self.mask.shape, features])
        return padded


def packing(mask: tf.Tensor, go_backwards: bool = False) -> Packing:
    """Finds the packed order of a padded batch.

    Args:
        mask: bool tensor, `(batch, tokens)`; True marks a real token, anywhere in its row.
        go_backwards: whether a sentence's last token comes first.

    Returns:
        A `Packing`.
    """
    lengths = tf.reduce_sum(tf.cast(mask, tf.int32), axis=1)  # (batch,)
    order = tf.argsort(lengths, direction="DESCENDING", stable=True)
    lengths_in_order = tf.gather(lengths, order)
    steps = tf.range(tf.reduce_max(tf.concat([lengths, [0]], axis=0)))
    active = steps[:, tf.newaxis] < lengths_in_order  # (steps, batch)
    step, rank = tf.unstack(tf.cast(tf.where(active), tf.int32), axis=1)
    token = tf.gather(lengths_in_order, rank) - 1 - step if go_backwards else step
    real = tf.where(tf.reshape(mask, [-1]))[:, 0]  # positions of real tokens, row by row
    first = tf.gather(tf.cumsum(lengths, exclusive=True), order)
    return Packing(
        positions=tf.gather(real, tf.gather(first, rank) + token),
        active_rows=tf.reduce_sum(tf.cast(active, tf.int32), axis=1),
        order=order,
        mask=mask,
    )
