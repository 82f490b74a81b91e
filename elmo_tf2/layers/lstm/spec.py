"""What the loops of an LSTM are given: its sizes, its weights, the steps."""

from typing import NamedTuple

import tensorflow as tf


class LSTMSpec(NamedTuple):
    """Everything about an LSTM but its weights.

    Attributes:
        features: size of an input.
        units: size of the memory cell.
        projection_dim: size of an output, or None for no projection.
        cell_clip: bound on |c|, or None.
        projection_clip: bound on |h|, or None.
        dtype: of inputs, weights and outputs.
        state_dtype: of h and c.
    """

    features: int
    units: int
    projection_dim: int | None
    cell_clip: float | None
    projection_clip: float | None
    dtype: str
    state_dtype: str

    @property
    def output_dim(self) -> int:
        """Size of an output and of h."""
        return self.projection_dim or self.units


class Weights(NamedTuple):
    """Those of `LSTMWithProjection`; `projection_kernel` is None without a projection."""

    kernel: tf.Tensor
    bias: tf.Tensor
    projection_kernel: tf.Tensor | None = None


class Steps(NamedTuple):
    """The numbers of rows of a packed sequence's steps."""

    batch_sizes: tf.Tensor  # (steps,)

    @property
    def number(self) -> tf.Tensor:
        """How many steps there are."""
        return tf.size(self.batch_sizes)

    @property
    def sentences(self) -> tf.Tensor:
        """How many sentences have a token."""
        return tf.reduce_sum(self.batch_sizes[:1])

    @property
    def rows_left(self) -> tf.Tensor:
        """How many sentences go on after each step, `(steps,)`."""
        return tf.concat([self.batch_sizes[1:], [0]], axis=0)

    def array(self, size: int, dtype: str) -> tf.TensorArray:
        """An array with one element `(rows, size)` per step."""
        return tf.TensorArray(
            dtype,
            self.number,
            clear_after_read=False,
            infer_shape=False,
            element_shape=[None, size],
        )
