"""The words `<S>` and `</S>` at a sentence's begin and end."""

import numpy as np
import tensorflow as tf

from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD, word_to_char_ids


def boundary_char_ids(max_characters: int) -> np.ndarray:
    """Character ids of `<S>` and `</S>`, int `(2, chars)`."""
    words = BEGIN_SENTENCE_WORD, END_SENTENCE_WORD
    return np.stack([word_to_char_ids(word, max_characters) for word in words])


def add_boundaries(vectors: tf.RaggedTensor, boundaries: tf.Tensor) -> tf.RaggedTensor:
    """Puts the vectors of `<S>` and `</S>`, `(2, features)`, round those of every sentence."""
    one = tf.ones_like(vectors.row_lengths())
    begin, end = (
        tf.RaggedTensor.from_row_lengths(
            tf.repeat(vector[tf.newaxis], vectors.nrows(), axis=0), one, validate=False
        )
        for vector in tf.unstack(boundaries, num=2)
    )
    return tf.concat([begin, vectors, end], axis=1)


def drop_boundaries(vectors: tf.RaggedTensor) -> tf.RaggedTensor:
    """The opposite of `add_boundaries`."""
    return vectors[:, 1:-1]
