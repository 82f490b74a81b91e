"""The LSTM's cell: its equations, and their gradient."""

from typing import NamedTuple

import tensorflow as tf


class CellValues(NamedTuple):
    """What a step's gradient needs, each `(rows, units)`."""

    i: tf.Tensor
    j: tf.Tensor
    f: tf.Tensor
    o: tf.Tensor
    c_before: tf.Tensor
    tanh_c: tf.Tensor


def cell(sums: tf.Tensor, c_before: tf.Tensor, cell_clip: float | None) -> tuple[tf.Tensor, ...]:
    """A step of the cell.

        c_t = clip(sigmoid(f + 1) * c_(t-1) + sigmoid(i) * tanh(j), cell_clip)
        output = sigmoid(o) * tanh(c_t)

    Args:
        sums: i, j, f and o before their activation, `(rows, 4 * units)`.
        c_before: c_(t-1), `(rows, units)`.
        cell_clip: bound on |c_t|, or None.

    Returns:
        The output and c_t, each `(rows, units)`, and `CellValues`.
    """
    i, j, f, o = tf.split(sums, 4, axis=1)
    i, j, f, o = tf.sigmoid(i), tf.tanh(j), tf.sigmoid(f + 1.0), tf.sigmoid(o)
    c = clip(f * c_before + i * j, cell_clip)
    tanh_c = tf.tanh(c)
    return o * tanh_c, c, CellValues(i, j, f, o, c_before, tanh_c)


def cell_gradient(
    values: CellValues, d_output: tf.Tensor, d_c: tf.Tensor, cell_clip: float | None
) -> tuple[tf.Tensor, tf.Tensor]:
    """The gradient of a step: of its sums `(rows, 4 * units)` and of c_(t-1) `(rows, units)`."""
    i, j, f, o, c_before, tanh_c = values
    d_c += tf.raw_ops.TanhGrad(y=tanh_c, dy=d_output * o)
    d_c = clip_gradient(d_c, f * c_before + i * j, cell_clip)
    d_sums = [
        tf.raw_ops.SigmoidGrad(y=i, dy=d_c * j),
        tf.raw_ops.TanhGrad(y=j, dy=d_c * i),
        tf.raw_ops.SigmoidGrad(y=f, dy=d_c * c_before),
        tf.raw_ops.SigmoidGrad(y=o, dy=d_output * tanh_c),
    ]
    return tf.concat(d_sums, axis=1), d_c * f


def clip(value: tf.Tensor, bound: float | None) -> tf.Tensor:
    """The value within [-bound, bound]; as it is without a bound."""
    return value if bound is None else tf.clip_by_value(value, -bound, bound)


def clip_gradient(gradient: tf.Tensor, value: tf.Tensor, bound: float | None) -> tf.Tensor:
    """The gradient of `clip`: 0 where the value, clipped or not, is not within the bound."""
    if bound is None:
        return gradient
    return tf.where(tf.abs(value) < bound, gradient, tf.zeros([], gradient.dtype))
