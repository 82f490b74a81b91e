"""Convolutions over the characters of words, and their maxima over the positions."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

# Words are sorted by falling length and computed in groups, each cut to its own longest word:
# the groups' bounds, as shares of the number of words.
_GROUP_BOUNDS = (0, 1 / 16, 3 / 8, 11 / 16, 1)


def max_over_time(
    char_ids: tf.Tensor, embedding: tf.Tensor, kernels: Sequence[tf.Tensor], padding: int
) -> tf.Tensor:
    """max_p sum_k e_{p+k} K[k] for every filter, e_p the embedding of the character at p.

    Of windows that lie wholly in a word's padding one is enough for the maximum. So words are
    computed in groups of similar length, whose windows end one past the group's longest word.

    Args:
        char_ids: int32 tensor, `(words, chars)`.
        embedding: `(characters, char_embedding_dim)`.
        kernels: `(width, char_embedding_dim, number)` for every width.
        padding: id of what comes after a word's last character.

    Returns:
        `(words, filters)`, in the order of the kernels.
    """
    lengths = _lengths(char_ids, padding)
    order = tf.argsort(lengths, direction="DESCENDING")
    number = tf.cast(tf.size(lengths), tf.float32)
    bounds = tf.cast(tf.math.ceil(tf.constant(_GROUP_BOUNDS) * number), tf.int32)
    sizes = bounds[1:] - bounds[:-1]
    # The embedding's gradient is dense through the reshape: from a sparse one, in which a character
    # occurs many times, Keras' optimizers would make other updates.
    embedding = tf.reshape(embedding, embedding.shape)
    widths = tuple(kernel.shape[0] for kernel in kernels for _ in range(kernel.shape[2]))
    maxima = _maxima_of_group(
        widths, char_ids.shape[-1], embedding.shape[0], embedding.shape[1], embedding.dtype.name
    )
    kernel = _one_kernel(kernels)
    groups = [
        maxima(ids, longest, embedding, kernel)
        for ids, longest in zip(
            tf.split(tf.gather(char_ids, order), sizes, num=len(_GROUP_BOUNDS) - 1),
            tf.split(tf.gather(lengths, order), sizes, num=len(_GROUP_BOUNDS) - 1),
            strict=True,
        )
    ]
    return tf.gather(tf.concat(groups, axis=0), tf.math.invert_permutation(order))


def _one_kernel(kernels: Sequence[tf.Tensor]) -> tf.Tensor:
    """The kernels side by side, `(widest * char_embedding_dim, filters)`, padded with zeros."""
    widest = max(kernel.shape[0] for kernel in kernels)
    padded = [tf.pad(kernel, [[0, widest - kernel.shape[0]], [0, 0], [0, 0]]) for kernel in kernels]
    return tf.reshape(tf.concat(padded, axis=-1), [widest * kernels[0].shape[1], -1])


@functools.cache
def _maxima_of_group(
    widths: tuple[int, ...], chars: int, num_characters: int, char_embedding_dim: int, dtype: str
) -> Callable[..., tf.Tensor]:
    """The graph function of a group of words; traced once for all groups and layers of one size.

    One matrix product computes all filters. Measured faster than `tf.nn.conv1d`, which also gives
    wrong shapes for a batch without words.
    """
    widest = max(widths)
    size = widest * char_embedding_dim
    signature = [
        tf.TensorSpec([None, chars], tf.int32),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([num_characters, char_embedding_dim], dtype),
        tf.TensorSpec([size, len(widths)], dtype),
    ]

    def maxima(
        char_ids: tf.Tensor, lengths: tf.Tensor, embedding: tf.Tensor, kernel: tf.Tensor
    ) -> tf.Tensor:
        num_windows = tf.minimum(tf.reduce_max(tf.pad(lengths, [[0, 1]])) + 1, chars)
        char_ids = tf.transpose(tf.pad(char_ids, [[0, 0], [0, widest]]))  # (chars, words)
        positions = tf.range(num_windows)[:, tf.newaxis] + np.arange(widest)
        char_ids = tf.transpose(
            tf.gather(char_ids, positions), [0, 2, 1]
        )  # (windows, words, widest)
        windows = tf.gather(embedding, char_ids)  # (windows, words, widest, char_embedding_dim)
        sums = tf.matmul(tf.reshape(windows, [-1, size]), kernel)
        sums = tf.reshape(sums, [num_windows, -1, len(widths)])  # (windows, words, filters)
        # The last windows of the longest words reach past the place where every word is cut: only
        # the narrower filters that do not count there.
        inside = tf.minimum(num_windows, chars - widest + 1)
        ends = tf.range(num_windows)[:, tf.newaxis] + np.array(widths)
        is_valid = (ends <= chars)[:, tf.newaxis]  # (windows, 1, filters)
        return tf.custom_gradient(lambda sums: _masked_max(inside, is_valid, sums))(sums)

    return tf.function(maxima, input_signature=signature, autograph=False)


def _masked_max(inside: tf.Tensor, is_valid: tf.Tensor, sums: tf.Tensor) -> Any:
    """The maxima over the first axis of what is valid, as all is inside; and their gradient.

    TensorFlow's own gradient goes over all sums twice as often.
    """
    last_sums = tf.where(is_valid[inside:], sums[inside:], sums.dtype.min)
    maxima = tf.maximum(tf.reduce_max(sums[:inside], axis=0), tf.reduce_max(last_sums, axis=0))

    def backward(d_maxima: tf.Tensor) -> tf.Tensor:
        """Equal parts to all that are the largest, as TensorFlow gives."""
        is_largest = tf.cast(tf.equal(sums, maxima) & is_valid, sums.dtype)
        return is_largest * (d_maxima / tf.reduce_sum(is_largest, axis=0))

    return maxima, backward


def _lengths(char_ids: tf.Tensor, padding: int) -> tf.Tensor:
    """Characters of each word `(words, chars)` up to its last one, `(words,)`."""
    in_word = (char_ids != padding) & (char_ids > 0)
    return tf.reduce_max(tf.where(in_word, tf.range(1, char_ids.shape[-1] + 1), 0), axis=1)
