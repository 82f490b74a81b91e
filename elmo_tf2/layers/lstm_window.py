"""The recurrence of LSTMWithProjection over a window of running text, for training."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

Loop = tuple[Any, ...]


def lstm_window(
    inputs: tf.Tensor,
    state: Sequence[tf.Tensor],
    kernel: tf.Tensor,
    bias: tf.Tensor,
    projection_kernel: tf.Tensor | None,
    cell_clip: float | None,
    projection_clip: float | None,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """What `LSTMWithProjection` computes where no token is masked, with a gradient of its own.

    TensorFlow's gradient of a loop adds up the kernels' gradient step by step: as many products
    of a batch's rows, and as many sums of a kernel's size, as there are tokens. Here the loop
    goes back through the states alone, and one product over all tokens follows it.

    Args:
        inputs: float tensor, `(tokens, batch, features)`.
        state: h `(batch, projection_dim or units)` and c `(batch, units)`, float32 at least.
        kernel: `(features + projection_dim or units, 4 * units)`, of the inputs' dtype.
        bias: `(4 * units,)`.
        projection_kernel: `(units, projection_dim)`, or None.
        cell_clip: bound on |c| or None.
        projection_clip: bound on |h| or None.

    Returns:
        The outputs, `(tokens, batch, projection_dim or units)`, and the final h and c.
    """
    projection = () if projection_kernel is None else (projection_kernel,)
    dtype, state_dtype = inputs.dtype, state[0].dtype
    features = inputs.shape[-1]
    units = kernel.shape[-1] // 4

    def forward(
        inputs: tf.Tensor,
        first_h: tf.Tensor,
        first_c: tf.Tensor,
        kernel: tf.Tensor,
        bias: tf.Tensor,
        *projection: tf.Tensor,
    ) -> tuple[tuple[tf.Tensor, ...], Callable[..., tuple[tf.Tensor, ...]]]:
        steps, rows = tf.unstack(tf.shape(inputs)[:2])
        flat_inputs = tf.reshape(inputs, [-1, features])
        input_kernel, recurrent_kernel = kernel[:features], kernel[features:]
        gates_of_inputs = tf.matmul(flat_inputs, input_kernel) + bias
        gates_of_inputs = _steps_of(tf.reshape(gates_of_inputs, [steps, rows, 4 * units]))

        def step(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, kept: list[tf.TensorArray]) -> Loop:
            gates = gates_of_inputs.read(t) + tf.matmul(tf.cast(h, dtype), recurrent_kernel)
            i, j, f, o = activated_gates(tf.cast(gates, state_dtype))
            c = clip(f * c + i * j, cell_clip)
            output = cell = tf.cast(o * tf.tanh(c), dtype)
            for kernel in projection:
                output = clip(tf.matmul(cell, kernel), projection_clip)
            kept = _write(kept, t, (i, j, f, o, c, cell, output))
            return t + 1, tf.cast(output, state_dtype), c, kept

        kept = [_array(state_dtype, steps) for _ in range(5)]
        kept += [_array(dtype, steps) for _ in range(2)]
        _, h, c, (*gates, cs, cells, outputs) = tf.while_loop(
            lambda t, *_: t < steps, step, (0, first_h, first_c, kept)
        )
        outputs = outputs.stack()

        def backward(d_outputs: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor) -> tuple[tf.Tensor, ...]:
            d_output_of_step, output_of_step = _steps_of(d_outputs), _steps_of(outputs)

            def step_back(
                t: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor, kept: list[tf.TensorArray]
            ) -> Loop:
                i, j, f, o = (gate.read(t) for gate in gates)
                c = cs.read(t)
                c_before = tf.cond(t > 0, lambda: cs.read(t - 1), lambda: first_c)
                d_output = tf.cast(d_h, dtype) + d_output_of_step.read(t)
                d_cell = d_output
                for kernel in projection:
                    d_output = _inside(d_output, output_of_step.read(t), projection_clip)
                    d_cell = tf.matmul(d_output, kernel, transpose_b=True)
                d_cell = tf.cast(d_cell, state_dtype)
                tanh_c = tf.tanh(c)
                d_c = _inside(d_c + tf.raw_ops.TanhGrad(y=tanh_c, dy=d_cell * o), c, cell_clip)
                d_gates = [
                    tf.raw_ops.SigmoidGrad(y=i, dy=d_c * j),
                    tf.raw_ops.TanhGrad(y=j, dy=d_c * i),
                    tf.raw_ops.SigmoidGrad(y=f, dy=d_c * c_before),
                    tf.raw_ops.SigmoidGrad(y=o, dy=d_cell * tanh_c),
                ]
                d_gates = tf.cast(tf.concat(d_gates, axis=1), dtype)
                d_h = tf.cast(tf.matmul(d_gates, recurrent_kernel, transpose_b=True), state_dtype)
                return t - 1, d_h, d_c * f, _write(kept, t, (d_gates, d_output))

            kept = [_array(dtype, steps) for _ in range(2)]
            _, d_h, d_c, (d_gates, d_outputs) = tf.while_loop(
                lambda t, *_: t >= 0, step_back, (steps - 1, d_h, d_c, kept)
            )
            d_gates = tf.reshape(d_gates.stack(), [-1, 4 * units])
            d_inputs = tf.matmul(d_gates, input_kernel, transpose_b=True)
            hs = tf.concat([tf.cast(first_h, dtype)[tf.newaxis], outputs[:-1]], axis=0)
            read = tf.concat([flat_inputs, tf.reshape(hs, [-1, hs.shape[-1]])], axis=1)
            d_weights = [
                tf.matmul(read, d_gates, transpose_a=True),
                tf.reduce_sum(d_gates, axis=0),
            ]
            if projection:
                flat_cells = tf.reshape(cells.stack(), [-1, units])
                d_flat = tf.reshape(d_outputs.stack(), [-1, outputs.shape[-1]])
                d_weights.append(tf.matmul(flat_cells, d_flat, transpose_a=True))
            return tf.reshape(d_inputs, tf.shape(inputs)), d_h, d_c, *d_weights

        return (outputs, h, c), backward

    return tf.custom_gradient(forward)(inputs, *state, kernel, bias, *projection)


def activated_gates(sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The gates i, j, f and o, each `(batch, units)`, from their sums `(batch, 4 * units)`."""
    i, j, f, o = tf.split(sums, 4, axis=1)
    return tf.sigmoid(i), tf.tanh(j), tf.sigmoid(f + 1.0), tf.sigmoid(o)


def clip(value: tf.Tensor, bound: float | None) -> tf.Tensor:
    """The value within [-bound, bound]; as it is without a bound."""
    return value if bound is None else tf.clip_by_value(value, -bound, bound)


def _inside(gradient: tf.Tensor, clipped: tf.Tensor, bound: float | None) -> tf.Tensor:
    """The gradient of `clip`: 0 where the value was clipped."""
    if bound is None:
        return gradient
    return tf.where(tf.abs(clipped) < bound, gradient, tf.zeros([], gradient.dtype))


def _write(arrays: list[tf.TensorArray], t: tf.Tensor, values: Sequence[tf.Tensor]) -> Any:
    return [array.write(t, value) for array, value in zip(arrays, values, strict=True)]


def _steps_of(values: tf.Tensor) -> tf.TensorArray:
    """An array with an element a step, of `(tokens, ...)`."""
    return _array(values.dtype, tf.shape(values)[0]).unstack(values)


def _array(dtype: tf.DType, steps: tf.Tensor) -> tf.TensorArray:
    return tf.TensorArray(dtype, steps, clear_after_read=False)
