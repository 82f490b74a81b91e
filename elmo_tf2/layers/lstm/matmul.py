"""The matrix product of an LSTM's step, in the form that TensorFlow computes fastest.

A step multiplies few rows with a large kernel, so it is bound by how the kernel is read. The
constants were measured with TensorFlow 2.21 on processors with AVX512 and with AMX; no value of a
product depends on them.
"""

import functools
from collections.abc import Callable

import tensorflow as tf

# A transposed copy pays where the kernel exceeds the processor's cache: measured with the original
# size's 32 MB (16 in bfloat16). One of 8 MB does not gain.
_LARGE_KERNEL = 2**24  # bytes
# The copy costs as much as some twenty products. It pays if at least `steps` steps have at least
# `rows` rows. In float32 more than 48 rows are as fast without.
_COPY_PAYS = {  # dtype: rows, steps, and the most rows of any step
    tf.float32: (8, 16, 48),
    tf.bfloat16: (2, 24, tf.int32.max),
}


def matmul(rows: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The matrix product; in bfloat16 that of one row, and no other, has a bias fused to it.

    With one, TensorFlow takes half as long for one row, and up to twice as long for many. The
    caller's own bias can't be fused, since the result comes from a condition.
    """
    if kernel.dtype != tf.bfloat16:
        return tf.matmul(rows, kernel)
    no_bias = tf.zeros(kernel.shape[-1:], kernel.dtype)
    return tf.cond(
        tf.equal(tf.shape(rows)[0], 1),
        lambda: tf.nn.bias_add(tf.matmul(rows, kernel), no_bias),
        lambda: tf.matmul(rows, kernel),
    )


def matmul_of_steps(kernel: tf.Tensor, batch_sizes: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function of rows h to their product h W, for steps that have so many rows.

    With a large kernel W TensorFlow computes it faster from a transposed copy V: of a few rows in
    float32, as (V hᵀ)ᵀ, up to twice as fast; in bfloat16 as h Vᵀ.
    """
    is_large = kernel.shape.num_elements() * kernel.dtype.size >= _LARGE_KERNEL
    if kernel.dtype not in _COPY_PAYS or not is_large:
        return functools.partial(matmul, kernel=kernel)
    fewest_rows, steps, most_rows = _COPY_PAYS[kernel.dtype]
    pays = tf.math.count_nonzero(batch_sizes >= fewest_rows, dtype=tf.int32) >= steps
    pays &= tf.reduce_all(batch_sizes <= most_rows)
    copy = tf.cond(
        pays,
        lambda: tf.transpose(kernel),
        lambda: tf.zeros([0, kernel.shape[0]], kernel.dtype),
    )
    return lambda rows: tf.cond(
        pays & (tf.shape(rows)[0] >= fewest_rows),
        lambda: _matmul_transposed(rows, copy),
        lambda: matmul(rows, kernel),
    )


def _matmul_transposed(rows: tf.Tensor, transposed: tf.Tensor) -> tf.Tensor:
    if rows.dtype == tf.bfloat16:
        return tf.matmul(rows, transposed, transpose_b=True)
    # As one of a batch, a product of this shape is faster than alone.
    return tf.transpose(tf.matmul(transposed[None], rows[None], transpose_b=True)[0])
