"""Text to words, by core TensorFlow operations alone."""

import tensorflow as tf


def split_at_spaces(strings: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Splits at the space character, as the published TF1 module google/elmo does.

    Spaces at the ends and runs of spaces count as one; tabs and line breaks are characters like
    any other.

    Args:
        strings: string tensor, `(batch,)`.

    Returns:
        tokens: string tensor, `(batch, tokens)`, padded with "".
        lengths: int32 tensor, `(batch,)`.

    Example:
    >>> split_at_spaces(tf.constant(["the cat", "dogs"]))[0].numpy().tolist()
    [[b'the', b'cat'], [b'dogs', b'']]
    """
    indices, tokens, shape = tf.raw_ops.StringSplit(input=strings, delimiter=" ", skip_empty=True)
    padded = tf.sparse.to_dense(tf.SparseTensor(indices, tokens, shape), default_value="")
    lengths = tf.math.bincount(
        tf.cast(indices[:, 0], tf.int32), minlength=tf.size(strings), dtype=tf.int32
    )
    return padded, lengths


def token_lengths(tokens: tf.Tensor) -> tf.Tensor:
    """Lengths of sentences that are padded with empty strings.

    Args:
        tokens: string tensor, `(batch, tokens)`.

    Returns:
        int32 tensor, `(batch,)`: tokens up to the last one that is not empty.
    """
    number = tf.range(1, tf.shape(tokens)[1] + 1)
    ends = tf.where(tf.not_equal(tokens, ""), number, 0)
    return tf.reduce_max(tf.pad(ends, [[0, 0], [1, 0]]), axis=1)
