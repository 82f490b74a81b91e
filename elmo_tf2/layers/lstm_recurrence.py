"""The recurrence of LSTMWithProjection over packed tokens."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal

import tensorflow as tf

Gradient = Literal["kept", "computed again", "none"]

# Tokens whose inputs' gates are computed at once, unless one step has more.
_PIECE = 512
_PIECE_OF_WORDS = 4096  # of which a third or so are distinct

# Where the state's product with its kernel gains by a transposed copy of it, as measured with the
# original size's kernel of 32 MB, 16 in bfloat16; one of 8 MB does not gain.
_LARGE_KERNEL = 2**24  # bytes
_GAINS_BY_COPY = {  # steps of at least so many rows, how many of them, and the most rows of any
    tf.float32: (8, 16, 48),
    tf.bfloat16: (2, 24, tf.int32.max),
}


@functools.cache
def lstm_recurrence(
    features: int,
    units: int,
    projection_dim: int | None,
    cell_clip: float | None,
    projection_clip: float | None,
    dtype: str,
    state_dtype: str,
    gradient: Gradient,
    inputs_repeat: bool,
) -> Callable[..., Sequence[tf.Tensor]]:
    """The steps of all layers of one kind, a graph function that is fast in eager code too.

    Its signature leaves the numbers of sentences, steps and tokens open, so that it is traced
    once.

    Args:
        features: size of an input.
        units: size of the memory cell.
        projection_dim: size of the outputs, or None for no projection.
        cell_clip: bound on |c| or None.
        projection_clip: bound on |h| or None.
        dtype: of the inputs, weights and outputs.
        state_dtype: of the states.
        gradient: "kept": the steps keep what their gradient needs. "computed again": it computes
            the steps again, which spares time and memory where most likely none is wanted.
            "none": there is none, nor a final state; the first one is one row for all sentences.
        inputs_repeat: whether many tokens are likely the same, as words are in a text: then those
            that are have their product with the kernel computed once.

    Returns:
        A function of tokens `(real_tokens, features)`, packed; active_rows `(steps,)`; h `(batch,
        outputs)` and c `(batch, units)` in the order of the packing, or of one row; kernel
        `(features + outputs, 4 * units)`; bias `(4 * units,)`; and if there is a projection
        projection_kernel `(units, outputs)`. It returns the packed outputs and, where there is a
        gradient, the final h and c.
    """
    output_dim = projection_dim or units
    signature = [
        tf.TensorSpec([None, features], dtype),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, output_dim], state_dtype),
        tf.TensorSpec([None, units], state_dtype),
        tf.TensorSpec([features + output_dim, 4 * units], dtype),
        tf.TensorSpec([4 * units], dtype),
    ]
    if projection_dim is not None:
        signature.append(tf.TensorSpec([units, output_dim], dtype))
    has_gradient = gradient != "none"
    scalar = tf.TensorShape([])
    state_shapes = (
        tf.TensorShape([None, output_dim]),
        tf.TensorShape([None, units]),
    )

    def forward(
        keeps: bool,
        tokens: tf.Tensor,
        active_rows: tf.Tensor,
        h: tf.Tensor,
        c: tf.Tensor,
        kernel: tf.Tensor,
        bias: tf.Tensor,
        *projection_kernel: tf.Tensor,
    ) -> tuple[tuple[tf.Tensor, ...], list[tf.TensorArray]]:
        """Outputs and final states; and arrays of the steps' outputs and of what is kept."""
        num_steps = tf.size(active_rows)
        rows_left = _rows_left(active_rows)
        starts = tf.concat([[0], tf.cumsum(active_rows)], axis=0)  # each step's first token
        input_kernel, recurrent_kernel = kernel[:features], kernel[features:]
        with tf.control_dependencies([tokens]):  # not while a layer below holds a copy of its own
            product = _product_with(recurrent_kernel, active_rows)
        rows = tf.reduce_sum(active_rows[:1])  # the sentences that have a token
        size = _PIECE_OF_WORDS if inputs_repeat else _PIECE

        def piece(t: tf.Tensor, *state: Any) -> Any:
            """The steps from t on whose tokens make a product large enough to be fast."""
            start = tf.gather(starts, t)
            end = tf.searchsorted(starts, [start + size], side="right")[0] - 1
            end = tf.maximum(end, t + 1)
            inputs = tokens[start : tf.gather(starts, end)]
            if inputs_repeat:
                # Not UniqueV2's own values: they have no gradient, which tapes of higher order ask for.
                distinct, place = tf.raw_ops.UniqueV2(x=tf.stop_gradient(inputs), axis=[0])
                index = tf.range(tf.shape(inputs)[0])
                first = tf.math.unsorted_segment_min(index, place, tf.shape(distinct)[0])
                inputs = tf.gather(inputs, first)
            gates_of_inputs = tf.nn.bias_add(_product(inputs, input_kernel), bias)

            def step(
                t: tf.Tensor,
                first: tf.Tensor,
                h: tf.Tensor,
                c: tf.Tensor,
                outputs: tf.TensorArray,
                ended: list[tf.TensorArray],
                kept: list[tf.TensorArray],
            ) -> Any:
                gates = product(h)
                last = first + tf.gather(active_rows, t)
                if inputs_repeat:
                    gates += tf.gather(gates_of_inputs, place[first:last])
                else:
                    gates += gates_of_inputs[first:last]  # which copies nothing
                i, j, f, o = _activated_gates(tf.cast(gates, state_dtype))
                c_before, c = c, _clip(f * c + i * j, cell_clip)
                tanh_c = tf.tanh(c)
                h = tf.cast(o * tanh_c, dtype)
                for kernel in projection_kernel:
                    h = _clip(_product(h, kernel), projection_clip)
                outputs = outputs.write(t, h)
                if keeps:
                    kept = _write(kept, t, (i, j, f, o, c_before, tanh_c))
                rows = tf.gather(rows_left, t)  # the sentences that go on: the first ones
                if has_gradient:
                    ended = _write(ended, num_steps - 1 - t, (c[rows:],))
                return t + 1, last, h[:rows], c[:rows], outputs, ended, kept

            # One step at a time, as below: those that ran ahead would hold their gates for nothing.
            t, _, *state = tf.while_loop(
                lambda t, *_: t < end,
                step,
                (t, 0, *state),
                (scalar, *shapes),
                parallel_iterations=1,
            )
            return t, *state

        outputs = _rows_of_steps(num_steps, output_dim, dtype)
        ended = [_rows_of_steps(num_steps, units, state_dtype) for _ in range(has_gradient)]
        kept = [_rows_of_steps(num_steps, units, state_dtype) for _ in range(6 if keeps else 0)]
        first = 0, tf.cast(h[:rows], dtype), c[:rows], outputs, ended, kept
        array = tf.TensorSpec(None, tf.variant)
        shapes = (scalar, *state_shapes, array, [array] * len(ended), [array] * len(kept))
        *_, outputs, ended, kept = tf.while_loop(
            lambda t, *_: t < num_steps, piece, first, shapes, parallel_iterations=1
        )
        packed_outputs = outputs.concat()
        if not has_gradient:
            return (packed_outputs,), [outputs]
        last_h = tf.gather(packed_outputs, _last_tokens(active_rows, rows))
        # The sentences that ended last stand first in the packing, and in the array.
        results = (
            packed_outputs,
            tf.concat([tf.cast(last_h, state_dtype), h[rows:]], axis=0),
            tf.concat([ended[0].concat(), c[rows:]], axis=0),
        )
        return results, [outputs, *kept]

    def forward_and_backward(
        tokens: tf.Tensor, active_rows: tf.Tensor, *others: tf.Tensor
    ) -> tuple[tf.Tensor, ...]:
        """The outputs and final states, with a gradient of its own.

        TensorFlow's gradient of a loop adds up the kernels' gradient step by step: as many
        products of a step's rows, and as many sums of a kernel's size, as there are steps. Here
        the loop goes back through the states alone, and one product over all tokens follows it.
        """

        def run(
            tokens: tf.Tensor,
            h: tf.Tensor,
            c: tf.Tensor,
            kernel: tf.Tensor,
            bias: tf.Tensor,
            *projection_kernel: tf.Tensor,
        ) -> Any:
            inputs = tokens, active_rows, h, c, kernel, bias, *projection_kernel
            is_kept = gradient == "kept"
            results, arrays = forward(is_kept, *inputs)

            def backward(*d_results: tf.Tensor) -> tuple[tf.Tensor, ...]:
                arrays_kept = arrays if is_kept else forward(True, *inputs)[1]
                return gradients(
                    tokens, active_rows, h, c, kernel, projection_kernel, arrays_kept, d_results
                )

            return results, backward

        return tf.custom_gradient(run)(tokens, *others)

    def gradients(
        tokens: tf.Tensor,
        active_rows: tf.Tensor,
        first_h: tf.Tensor,
        first_c: tf.Tensor,
        kernel: tf.Tensor,
        projection_kernel: Sequence[tf.Tensor],
        arrays: Sequence[tf.TensorArray],
        d_results: Sequence[tf.Tensor],
    ) -> tuple[tf.Tensor, ...]:
        """Of tokens, h, c, kernel, bias and projection kernel."""
        outputs, *kept = arrays
        d_outputs, d_last_h, d_last_c = d_results
        num_steps = tf.size(active_rows)
        rows_left = _rows_left(active_rows)
        input_kernel, recurrent_kernel = kernel[:features], kernel[features:]
        # Transposed once: a product that transposes takes up to seven times as long.
        back_to_h = tf.transpose(recurrent_kernel)
        back_to_cell = [tf.transpose(kernel) for kernel in projection_kernel]
        d_output_of_step = _rows_of_steps(num_steps, output_dim, dtype)
        d_output_of_step = d_output_of_step.split(d_outputs, active_rows)

        def step_back(
            t: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor, written: list[tf.TensorArray]
        ) -> Any:
            i, j, f, o, c_before, tanh_c = (array.read(t) for array in kept)
            ended = slice(rows_left[t], active_rows[t])  # the sentences whose last step this is
            d_h, d_c = tf.cond(
                rows_left[t] < active_rows[t],
                lambda: (
                    tf.concat([d_h, d_last_h[ended]], axis=0),
                    tf.concat([d_c, d_last_c[ended]], axis=0),
                ),
                lambda: (d_h, d_c),
            )
            d_output = tf.cast(d_h, dtype) + d_output_of_step.read(t)
            d_cell = d_output
            for kernel in back_to_cell:
                d_output = _inside(d_output, outputs.read(t), projection_clip)
                d_cell = tf.matmul(d_output, kernel)
            d_cell = tf.cast(d_cell, state_dtype)
            d_c += tf.raw_ops.TanhGrad(y=tanh_c, dy=d_cell * o)
            d_c = _inside(d_c, f * c_before + i * j, cell_clip)
            d_gates = [
                tf.raw_ops.SigmoidGrad(y=i, dy=d_c * j),
                tf.raw_ops.TanhGrad(y=j, dy=d_c * i),
                tf.raw_ops.SigmoidGrad(y=f, dy=d_c * c_before),
                tf.raw_ops.SigmoidGrad(y=o, dy=d_cell * tanh_c),
            ]
            d_gates = tf.cast(tf.concat(d_gates, axis=1), dtype)
            d_h = tf.cast(tf.matmul(d_gates, back_to_h), state_dtype)
            cell = tf.cast(o * tanh_c, dtype)
            return t - 1, d_h, d_c * f, _write(written, t, (d_gates, d_output, cell))

        sizes = 4 * units, output_dim, units
        written = [_rows_of_steps(num_steps, size, dtype) for size in sizes]
        arrays = [tf.TensorSpec(None, tf.variant)] * len(written)
        _, d_h, d_c, written = tf.while_loop(
            lambda t, *_: t >= 0,
            step_back,
            (num_steps - 1, d_last_h[:0], d_last_c[:0], written),
            (scalar, *state_shapes, arrays),
        )
        d_gates, d_outputs, cells = (array.concat() for array in written)
        rows = tf.reduce_sum(active_rows[:1])
        h_of_steps = tf.concat(
            [
                tf.cast(first_h[:rows], dtype),
                tf.gather(outputs.concat(), _tokens_before(active_rows, rows)),
            ],
            axis=0,
        )
        # The bias is the weight of an input that is always 1.
        ones = tf.ones([tf.shape(tokens)[0], 1], dtype)
        read = tf.concat([tokens, h_of_steps, ones], axis=1)
        d_kernel_and_bias = tf.matmul(read, d_gates, transpose_a=True)
        d_projection = [tf.matmul(cells, d_outputs, transpose_a=True)] * len(projection_kernel)
        return (
            tf.matmul(d_gates, input_kernel, transpose_b=True),
            tf.concat([d_h, d_last_h[rows:]], axis=0),
            tf.concat([d_c, d_last_c[rows:]], axis=0),
            d_kernel_and_bias[:-1],
            d_kernel_and_bias[-1],
            *d_projection,
        )

    def forward_alone(*inputs: tf.Tensor) -> list[tf.Tensor]:
        return [tf.stop_gradient(result) for result in forward(False, *inputs)[0]]

    run = forward_and_backward if has_gradient else forward_alone
    return tf.function(run, input_signature=signature, autograph=False)


def gradient_in(training: bool | None) -> Gradient:
    """What becomes of the gradient in a call with this `training`."""
    return "kept" if training else "computed again"


def _product_with(kernel: tf.Tensor, active_rows: tf.Tensor) -> Callable[[tf.Tensor], tf.Tensor]:
    """The function of rows `(rows, features)` to their matrix product with the kernel.

    With a kernel W beyond the processor's cache TensorFlow computes the rows' product h W faster
    from a transposed copy V of it: in float32, of a few rows, as (V hᵀ)ᵀ, up to twice as fast; in
    bfloat16 as h Vᵀ. The copy pays where enough steps have that many rows.
    """
    is_large = kernel.shape.num_elements() * kernel.dtype.size >= _LARGE_KERNEL
    if kernel.dtype not in _GAINS_BY_COPY or not is_large:
        return functools.partial(_product, kernel=kernel)

    fewest, steps, most = _GAINS_BY_COPY[kernel.dtype]
    gains = tf.math.count_nonzero(active_rows >= fewest, dtype=tf.int32) >= steps
    gains &= tf.reduce_all(active_rows <= most)
    copy = tf.cond(
        gains,
        lambda: tf.transpose(kernel),
        lambda: tf.zeros([0, kernel.shape[0]], kernel.dtype),
    )

    def product_with_copy(rows: tf.Tensor) -> tf.Tensor:
        if kernel.dtype == tf.bfloat16:
            return tf.matmul(rows, copy, transpose_b=True)
        # As one of a batch, a product of this shape is faster than alone.
        return tf.transpose(tf.matmul(copy[None], rows[None], transpose_b=True)[0])

    return lambda rows: tf.cond(
        gains & (tf.shape(rows)[0] >= fewest),
        lambda: product_with_copy(rows),
        lambda: _product(rows, kernel),
    )


def _product(rows: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """The matrix product; in bfloat16 that of one row, and no other, has a bias fused to it.

    With one, TensorFlow takes half as long for one row, and up to twice as long for many. What a
    caller adds to the result is not fused, since the result comes of a condition.
    """
    if kernel.dtype != tf.bfloat16:
        return tf.matmul(rows, kernel)
    no_bias = tf.zeros(kernel.shape[-1:], kernel.dtype)
    return tf.cond(
        tf.equal(tf.shape(rows)[0], 1),
        lambda: tf.nn.bias_add(tf.matmul(rows, kernel), no_bias),
        lambda: tf.matmul(rows, kernel),
    )


def _activated_gates(sums: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """The gates i, j, f and o, each `(rows, units)`, from their sums `(rows, 4 * units)`."""
    i, j, f, o = tf.split(sums, 4, axis=1)
    return tf.sigmoid(i), tf.tanh(j), tf.sigmoid(f + 1.0), tf.sigmoid(o)


def _clip(value: tf.Tensor, bound: float | None) -> tf.Tensor:
    """The value within [-bound, bound]; as it is without a bound."""
    return value if bound is None else tf.clip_by_value(value, -bound, bound)


def _inside(gradient: tf.Tensor, value: tf.Tensor, bound: float | None) -> tf.Tensor:
    """The gradient of `_clip`: 0 where the value, clipped or not, is not within the bound."""
    if bound is None:
        return gradient
    return tf.where(tf.abs(value) < bound, gradient, tf.zeros([], gradient.dtype))


def _rows_left(active_rows: tf.Tensor) -> tf.Tensor:
    """How many sentences go on after each step, `(steps,)`."""
    return tf.concat([active_rows[1:], [0]], axis=0)


def _last_tokens(active_rows: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Where the last token of each sentence that has one stands in the packed order, `(rows,)`."""
    row = tf.range(rows)
    last_step = tf.searchsorted(-active_rows, -row) - 1
    return tf.gather(tf.cumsum(active_rows, exclusive=True), last_step) + row


def _tokens_before(active_rows: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Where the token before each one, but those of step 0, stands: `(real_tokens - rows,)`."""
    return tf.range(rows, tf.reduce_sum(active_rows)) - tf.repeat(active_rows[:-1], active_rows[1:])


def _write(arrays: list[tf.TensorArray], t: tf.Tensor, values: Sequence[tf.Tensor]) -> Any:
    return [array.write(t, value) for array, value in zip(arrays, values, strict=True)]


def _rows_of_steps(num_steps: tf.Tensor, size: int, dtype: str) -> tf.TensorArray:
    """An array with an element `(rows, size)` a step."""
    return tf.TensorArray(
        dtype, num_steps, clear_after_read=False, infer_shape=False, element_shape=[None, size]
    )
