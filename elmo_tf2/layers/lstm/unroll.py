"""The steps of an LSTM over packed tokens: one loop forwards, and one back for the gradient."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from elmo_tf2.layers.lstm.cell import CellValues, cell, cell_gradient, clip, clip_gradient
from elmo_tf2.layers.lstm.matmul import matmul, matmul_of_steps
from elmo_tf2.layers.lstm.spec import LSTMSpec, Steps, Weights

# Tokens whose product with the kernel is computed at once, unless a single step has more.
_CHUNK = 512
_CHUNK_OF_WORDS = 4096  # of which about a third are distinct


class ForwardArrays(NamedTuple):
    """What the forward loop writes, an element per step."""

    outputs: tf.TensorArray
    last_c: list[tf.TensorArray]  # of the sentences that end there, the last step first; or none
    cells: list[tf.TensorArray]  # the fields of `CellValues`; or none


class ForwardLoop:
    """The steps from the first to the last.

    Args:
        spec: of the LSTM.
        weights: of the LSTM.
        tokens: packed inputs, `(tokens, features)`.
        steps: of the packing.
        stores: whether the cells' values are stored for a gradient.
        has_final_state: whether the last c of each sentence is wanted.
        inputs_repeat: whether many tokens are equal, as words are: their product with the kernel
            is computed once then.
    """

    def __init__(
        self,
        spec: LSTMSpec,
        weights: Weights,
        tokens: tf.Tensor,
        steps: Steps,
        stores: bool,
        has_final_state: bool,
        inputs_repeat: bool,
    ) -> None:
        self._spec = spec
        self._weights = weights
        self._tokens = tokens
        self._steps = steps
        self._rows_left = steps.rows_left
        self._starts = tf.concat([[0], tf.cumsum(steps.batch_sizes)], axis=0)  # first tokens
        self._stores = stores
        self._has_final_state = has_final_state
        self._inputs_repeat = inputs_repeat
        recurrent_kernel = weights.kernel[spec.features :]
        with tf.control_dependencies([tokens]):  # not while a layer below holds a copy of its own
            self._multiply = matmul_of_steps(recurrent_kernel, steps.batch_sizes)

    def run(self, h: tf.Tensor, c: tf.Tensor) -> ForwardArrays:
        """From h and c of the sentences that have a token, or of one row for all."""
        spec, steps = self._spec, self._steps
        arrays = ForwardArrays(
            steps.array(spec.output_dim, spec.dtype),
            [steps.array(spec.units, spec.state_dtype)] * self._has_final_state,
            [steps.array(spec.units, spec.state_dtype) for _ in CellValues._fields * self._stores],
        )
        self._shapes = _shapes(spec, arrays)
        *_, arrays = tf.while_loop(
            lambda t, *_: t < steps.number,
            self._run_chunk,
            (0, tf.cast(h, spec.dtype), c, arrays),
            self._shapes,
            parallel_iterations=1,
        )
        return arrays

    def _run_chunk(self, t: tf.Tensor, *state: Any) -> Any:
        """The steps from t on whose tokens make a product that is large enough to be fast."""
        start = tf.gather(self._starts, t)
        size = _CHUNK_OF_WORDS if self._inputs_repeat else _CHUNK
        end = tf.searchsorted(self._starts, [start + size], side="right")[0] - 1
        end = tf.maximum(end, t + 1)
        sums_of_inputs = self._sums_of_inputs(self._tokens[start : tf.gather(self._starts, end)])
        # One step at a time: those that ran ahead would hold their gates for nothing.
        t, _, *state = tf.while_loop(
            lambda t, *_: t < end,
            functools.partial(self._run_step, sums_of_inputs),
            (t, 0, *state),
            (tf.TensorShape([]), *self._shapes),
            parallel_iterations=1,
        )
        return t, *state

    def _sums_of_inputs(self, tokens: tf.Tensor) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
        """The function of a first and last place to those tokens' share of the gates' sums."""
        if self._inputs_repeat:
            tokens, place = _distinct(tokens)
        kernel = self._weights.kernel[: self._spec.features]
        sums = tf.nn.bias_add(matmul(tokens, kernel), self._weights.bias)
        if self._inputs_repeat:
            return lambda first, last: tf.gather(sums, place[first:last])
        return lambda first, last: sums[first:last]  # which copies nothing

    def _run_step(
        self,
        sums_of_inputs: Callable[[tf.Tensor, tf.Tensor], tf.Tensor],
        t: tf.Tensor,
        first: tf.Tensor,
        h: tf.Tensor,
        c: tf.Tensor,
        arrays: ForwardArrays,
    ) -> Any:
        spec = self._spec
        last = first + tf.gather(self._steps.batch_sizes, t)
        sums = self._multiply(h) + sums_of_inputs(first, last)
        output, c, values = cell(tf.cast(sums, spec.state_dtype), c, spec.cell_clip)
        h = tf.cast(output, spec.dtype)
        if self._weights.projection_kernel is not None:
            h = clip(matmul(h, self._weights.projection_kernel), spec.projection_clip)
        rows = tf.gather(self._rows_left, t)  # the sentences that go on: the first ones
        arrays = ForwardArrays(
            arrays.outputs.write(t, h),
            _write(arrays.last_c, self._steps.number - 1 - t, [c[rows:]]),
            _write(arrays.cells, t, values),
        )
        return t + 1, last, h[:rows], c[:rows], arrays


class BackwardLoop:
    """The steps from the last to the first, for the gradient.

    TensorFlow's own gradient of the forward loop adds up the kernels' gradient step by step: as
    many products of a step's rows, and as many sums of a kernel's size, as there are steps. This
    loop goes back through the states alone, and one product over all tokens follows it.

    Args:
        spec: of the LSTM.
        weights: of the LSTM.
        steps: of the packing.
        stored: what the forward loop stored.
        d_outputs: gradient of the packed outputs, `(tokens, outputs)`.
        d_last_h: gradient of the final h, `(batch, outputs)`.
        d_last_c: gradient of the final c, `(batch, units)`.
    """

    def __init__(
        self,
        spec: LSTMSpec,
        weights: Weights,
        steps: Steps,
        stored: ForwardArrays,
        d_outputs: tf.Tensor,
        d_last_h: tf.Tensor,
        d_last_c: tf.Tensor,
    ) -> None:
        self._spec = spec
        self._steps = steps
        self._rows_left = steps.rows_left
        self._stored = stored
        self._d_output_of_step = steps.array(spec.output_dim, spec.dtype).split(
            d_outputs, steps.batch_sizes
        )
        self._d_last = d_last_h, d_last_c
        # Transposed once: a product that transposes takes up to seven times as long.
        self._back_to_h = tf.transpose(weights.kernel[spec.features :])
        self._back_to_cell = None
        if weights.projection_kernel is not None:
            self._back_to_cell = tf.transpose(weights.projection_kernel)

    def run(self) -> tuple[tf.Tensor, ...]:
        """Goes back through all steps.

        Returns:
            The gradients of each sentence's first h and c; and packed, the gradients of the gates'
            sums and of the projection's product, and the cell's outputs.
        """
        spec, steps = self._spec, self._steps
        sizes = 4 * spec.units, spec.output_dim, spec.units
        arrays = [steps.array(size, spec.dtype) for size in sizes]
        _, d_h, d_c, arrays = tf.while_loop(
            lambda t, *_: t >= 0,
            self._step_back,
            (steps.number - 1, *(d_last[:0] for d_last in self._d_last), arrays),
            _shapes(spec, arrays),
        )
        return d_h, d_c, *(array.concat() for array in arrays)

    def _step_back(
        self, t: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor, arrays: list[tf.TensorArray]
    ) -> Any:
        spec = self._spec
        values = CellValues(*(array.read(t) for array in self._stored.cells))
        d_h, d_c = self._with_last_states(t, d_h, d_c)
        d_output = tf.cast(d_h, spec.dtype) + self._d_output_of_step.read(t)
        d_cell = d_output
        if self._back_to_cell is not None:
            output = self._stored.outputs.read(t)
            d_output = clip_gradient(d_output, output, spec.projection_clip)
            d_cell = tf.matmul(d_output, self._back_to_cell)
        d_cell = tf.cast(d_cell, spec.state_dtype)
        d_sums, d_c = cell_gradient(values, d_cell, d_c, spec.cell_clip)
        d_sums = tf.cast(d_sums, spec.dtype)
        d_h = tf.cast(tf.matmul(d_sums, self._back_to_h), spec.state_dtype)
        cell_output = tf.cast(values.o * values.tanh_c, spec.dtype)
        return t - 1, d_h, d_c, _write(arrays, t, (d_sums, d_output, cell_output))

    def _with_last_states(self, t: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor) -> Any:
        """With the gradients of the final states of the sentences whose last step this is."""
        d_last_h, d_last_c = self._d_last
        ended = slice(self._rows_left[t], self._steps.batch_sizes[t])
        return tf.cond(
            self._rows_left[t] < self._steps.batch_sizes[t],
            lambda: (
                tf.concat([d_h, d_last_h[ended]], axis=0),
                tf.concat([d_c, d_last_c[ended]], axis=0),
            ),
            lambda: (d_h, d_c),
        )


def _distinct(tokens: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """The distinct tokens, and the place of each token's among them."""
    # Not UniqueV2's own values: these have no gradient, which nested tapes ask for.
    distinct, place = tf.raw_ops.UniqueV2(x=tf.stop_gradient(tokens), axis=[0])
    number, number_distinct = tf.shape(tokens)[0], tf.shape(distinct)[0]
    last = tf.math.unsorted_segment_max(tf.range(number), place, number_distinct)
    return tf.gather(tokens, last), place


def _write(arrays: list[tf.TensorArray], t: tf.Tensor, values: Sequence[tf.Tensor]) -> Any:
    """Writes as many of the values as there are arrays: all or none."""
    return [array.write(t, value) for array, value in zip(arrays, values, strict=False)]


def _shapes(spec: LSTMSpec, arrays: Any) -> Any:
    """Of a loop's variables: a step's number, h, c and arrays."""
    h, c = tf.TensorShape([None, spec.output_dim]), tf.TensorShape([None, spec.units])
    variants = tf.nest.map_structure(lambda _: tf.TensorSpec(None, tf.variant), arrays)
    return tf.TensorShape([]), h, c, variants
