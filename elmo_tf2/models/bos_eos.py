"""`<S>` and `</S>`, the words that begin and end every sentence."""

import tensorflow as tf


def with_bos_eos(vectors: tf.RaggedTensor, bos_eos: tf.Tensor) -> tf.RaggedTensor:
    """Puts the vectors of `<S>` and `</S>`, `(2, features)`, round those of each sentence."""
    one = tf.ones_like(vectors.row_lengths())
    bos, eos = (
        tf.RaggedTensor.from_row_lengths(
            tf.repeat(vector[tf.newaxis], vectors.nrows(), axis=0), one, validate=False
        )
        for vector in tf.unstack(bos_eos, num=2)
    )
    return tf.concat([bos, vectors, eos], axis=1)


def without_bos_eos(vectors: tf.RaggedTensor) -> tf.RaggedTensor:
    """The opposite of `with_bos_eos`."""
    return vectors[:, 1:-1]
