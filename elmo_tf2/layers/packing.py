"""The real tokens of a padded batch: alone, row by row, and packed step by step."""

from typing import NamedTuple

import tensorflow as tf


class Packing(NamedTuple):
    """Time-major order of a batch's real tokens, longest sentence first, without any padding.

    Step 0 of every sentence comes first, then step 1 of those that have one, and so on. Since the
    sentences are sorted by falling length, the rows that are active at a step are always the
    first ones.

    Attributes:
        places: int32 tensor, `(real_tokens,)`; where each stands among the real tokens row by row.
        active_rows: int32 tensor, `(steps,)`; number of sentences that reach a step.
        order: int32 tensor, `(batch,)`; the batch's rows by falling length.
    """

    places: tf.Tensor
    active_rows: tf.Tensor
    order: tf.Tensor

    def pack(self, tokens: tf.Tensor) -> tf.Tensor:
        """Real tokens `(real_tokens, features)`, row by row, in the packed order."""
        return tf.gather(tokens, self.places)

    def unpack(self, packed: tf.Tensor) -> tf.Tensor:
        """Packed tokens `(real_tokens, features)` row by row again."""
        return tf.gather(packed, tf.math.invert_permutation(self.places))


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
    first = tf.gather(tf.cumsum(lengths, exclusive=True), order)
    return Packing(
        places=tf.gather(first, rank) + token,
        active_rows=tf.reduce_sum(tf.cast(active, tf.int32), axis=1),
        order=order,
    )


def padded(tokens: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Puts real tokens into the places of a padded batch; `tf.boolean_mask` takes them out.

    Args:
        tokens: `(real_tokens, features)`, row by row.
        mask: bool tensor, `(batch, tokens)`; True marks a real token, anywhere in its row.

    Returns:
        `(batch, tokens, features)`, 0 where there is no real token.
    """
    features = tokens.shape[-1]
    shape = tf.concat([tf.shape(mask, tf.int64), [features]], axis=0)
    result = tf.scatter_nd(tf.where(mask), tokens, shape)
    result.set_shape([*mask.shape, features])
    return result


def mean_of_rows(tokens: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """The mean of each row's real tokens.

    Args:
        tokens: `(real_tokens, features)`, row by row.
        mask: bool tensor, `(batch, tokens)`; True marks a real token, anywhere in its row.

    Returns:
        `(batch, features)`, 0 where a row has no real token.
    """
    # Sums of many leave the range of float16 and the precision of bfloat16.
    values = tokens if tokens.dtype == tf.float64 else tf.cast(tokens, tf.float32)
    sums = tf.math.unsorted_segment_sum(values, tf.where(mask)[:, 0], tf.shape(mask)[0])
    lengths = tf.math.count_nonzero(mask, axis=1, keepdims=True, dtype=values.dtype)
    return tf.cast(sums / tf.maximum(lengths, 1), tokens.dtype)
