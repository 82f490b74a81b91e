"""The words `<S>` and `</S>` round every sentence of packed real tokens."""

import tensorflow as tf

from elmo_tf2.models.bilm_output import BiLMOutput


def add_boundaries(
    vectors: tf.Tensor, mask: tf.Tensor, begin: tf.Tensor, end: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts `<S>` before a sentence's first place and `</S>` after its last real token.

    Args:
        vectors: `(real_tokens, features)`.
        mask: bool, `(batch, tokens)`.
        begin: `(features,)`; of `<S>`.
        end: `(features,)`; of `</S>`.

    Returns:
        Vectors `(real_tokens + 2 * batch, features)`, and the mask `(batch, tokens + 2)`.
    """
    mask = _with_two_places(mask)
    place = tf.range(tf.shape(mask)[1])
    last = tf.reduce_max(tf.where(mask, place, 0), axis=1, keepdims=True)  # 0 if there is none
    is_begin = tf.broadcast_to(tf.equal(place, 0), tf.shape(mask))
    is_end = tf.equal(place, last + 1)
    mask_inside = mask | is_begin | is_end
    table = tf.concat([vectors, begin[tf.newaxis], end[tf.newaxis]], axis=0)
    number = tf.shape(vectors)[0]
    index = tf.cumsum(tf.cast(tf.boolean_mask(mask, mask_inside), tf.int32), exclusive=True)
    index = tf.where(tf.boolean_mask(is_begin, mask_inside), number, index)
    index = tf.where(tf.boolean_mask(is_end, mask_inside), number + 1, index)
    return tf.gather(table, index), mask_inside


def without_boundaries(output: BiLMOutput, mask: tf.Tensor) -> BiLMOutput:
    """Drops the vectors of `<S>` and `</S>`, which `add_boundaries` added.

    Args:
        output: of real tokens alone, with the boundaries.
        mask: bool, `(batch, tokens)`; of the sentences without them.

    Returns:
        `BiLMOutput` of real tokens alone.
    """
    is_word = tf.boolean_mask(_with_two_places(mask), output.mask)
    kept = output.with_vectors(lambda vectors: tf.boolean_mask(vectors, is_word))
    return kept._replace(mask=mask)


def _with_two_places(mask: tf.Tensor) -> tf.Tensor:
    """A mask `(batch, tokens)` as `(batch, tokens + 2)`, the first and last place not real."""
    return tf.pad(mask, [[0, 0], [1, 1]])
