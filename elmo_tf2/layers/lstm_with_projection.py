"""LSTMWithProjection: the recurrent layer of ELMo."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.arguments import check_bool, check_clip, check_integer, check_static_last_dim
from elmo_tf2.layers.lstm_window import activated_gates, clip, lstm_window
from elmo_tf2.layers.packing import packing, padded


@keras.saving.register_keras_serializable(package="elmo_tf2")
class LSTMWithProjection(keras.layers.Layer):
    """An LSTM whose output is a projection of its memory cell, both clipped.

        [i, j, f, o] = [x_t, h_(t-1)] kernel + bias
        c_t = clip(sigmoid(f + 1) * c_(t-1) + sigmoid(i) * tanh(j), cell_clip)
        h_t = clip((sigmoid(o) * tanh(c_t)) projection_kernel, projection_clip)
        y_t = h_t + x_t with a skip connection, else h_t

    The forget gate's 1 is added here and is no part of the bias. Without a projection h_t is
    sigmoid(o) * tanh(c_t), unclipped. A masked token is passed over: its output is 0 and the
    state goes by it unchanged, so padding costs neither accuracy nor time.

    Weights: `kernel` `(features + projection_dim, 4 * units)`, `bias` `(4 * units,)`,
    `projection_kernel` `(units, projection_dim)`; gates in TensorFlow's order.

    Args:
        units: int > 0. Size of the memory cell.
        projection_dim: int > 0, or None for an LSTM without projection.
        cell_clip: float > 0 or None. Bound on |c|.
        projection_clip: float > 0 or None. Bound on |h|; of no effect without projection.
        use_skip_connection: bool. Whether the input, of the output's size, is added to the output.
        go_backwards: bool. Whether a sentence is read from its last token; the outputs stay where
            their tokens are.
        return_state: bool. Whether the final states are returned too.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: float tensor, `(batch, tokens, features)`.
        mask: bool tensor, `(batch, tokens)`; True marks a real token. None: all are.
        initial_state: pair of float tensors h, `(batch, projection_dim or units)`, and c,
            `(batch, units)`. None: zeros.

    Returns:
        float tensor, `(batch, tokens, projection_dim or units)`; 0 where masked. With
        `return_state` a tuple of it and the final h and c, in float32 at least.

    Raises:
        ValueError: if an argument is out of its range, or a skip connection joins different sizes.

    Example:
    >>> LSTMWithProjection(8, projection_dim=4)(np.ones((2, 3, 5), "float32")).shape
    TensorShape([2, 3, 4])

    Reference:
     - [Sak et al., 2014](https://arxiv.org/abs/1402.1128)
    """

    def __init__(
        self,
        units: int,
        projection_dim: int | None = None,
        cell_clip: float | None = None,
        projection_clip: float | None = None,
        use_skip_connection: bool = False,
        go_backwards: bool = False,
        return_state: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        # Keras would round the states to the type of the inputs: `call` casts what is to be cast.
        self.autocast = False
        self.units = check_integer("units", units)
        if projection_dim is not None:
            check_integer("projection_dim", projection_dim)
        self.projection_dim = projection_dim
        self.cell_clip = check_clip("cell_clip", cell_clip)
        self.projection_clip = check_clip("projection_clip", projection_clip)
        self.use_skip_connection = check_bool("use_skip_connection", use_skip_connection)
        self.go_backwards = check_bool("go_backwards", go_backwards)
        self.return_state = check_bool("return_state", return_state)
        self.supports_masking = True
        self.supports_jit = False  # XLA takes no shapes that the data decide

    @property
    def output_dim(self) -> int:
        """Size of an output vector."""
        return self.projection_dim or self.units

    @property
    def state_dtype(self) -> str:
        """Dtype of the states: float32 at least, since a sum over many steps needs it."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        features = check_static_last_dim(self.name, input_shape)
        if self.use_skip_connection and features != self.output_dim:
            raise ValueError(
                "`use_skip_connection` needs inputs of the output's size. Received: "
                f"{features} features, output size {self.output_dim}."
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(features + self.output_dim, 4 * self.units),
            initializer="glorot_uniform",
        )
        self.bias = self.add_weight(name="bias", shape=(4 * self.units,), initializer="zeros")
        self.projection_kernel = None
        if self.projection_dim is not None:
            self.projection_kernel = self.add_weight(
                name="projection_kernel",
                shape=(self.units, self.projection_dim),
                initializer="glorot_uniform",
            )

    def call(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor | None = None,
        initial_state: tuple[tf.Tensor, tf.Tensor] | None = None,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        if mask is None:
            mask = tf.fill(tf.shape(inputs)[:2], True)
        order = packing(mask, self.go_backwards)
        tokens = order.pack(tf.boolean_mask(inputs, mask))  # (real_tokens, features)
        state = self._state_in_order(inputs, initial_state, order.order)
        outputs, state = self.run_packed(tokens, order.active_rows, state)
        outputs = padded(order.unpack(outputs), mask)
        if not self.return_state:
            return outputs
        rank = tf.math.invert_permutation(order.order)
        return (outputs, *[tf.gather(value, rank) for value in state])

    def _state_in_order(
        self, inputs: tf.Tensor, initial_state: Any, order: tf.Tensor
    ) -> list[tf.Tensor]:
        if initial_state is None:
            return self.zero_state(tf.shape(inputs)[0])
        return [tf.gather(value, order) for value in initial_state]

    def zero_state(self, batch_size: int | tf.Tensor) -> list[tf.Tensor]:
        """The state before the first token.

        Args:
            batch_size: rows.

        Returns:
            h `(batch, projection_dim or units)` and c `(batch, units)`.
        """
        return [
            tf.zeros([batch_size, size], self.state_dtype) for size in (self.output_dim, self.units)
        ]

    def run_window(
        self, inputs: tf.Tensor, initial_state: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The layer over a window of running text, all of whose tokens are real.

        Args:
            inputs: float tensor, `(tokens, batch, features)`, in the order of reading: that is
                from the last place in the text to the first, if the layer goes backwards.
            initial_state: h `(batch, projection_dim or units)` and c `(batch, units)`.

        Returns:
            The outputs `(tokens, batch, projection_dim or units)` and the final h and c.
        """
        outputs, *states = lstm_window(
            tf.cast(inputs, self.compute_dtype),
            tuple(tf.cast(value, self.state_dtype) for value in initial_state),
            tf.cast(self.kernel, self.compute_dtype),
            tf.cast(self.bias, self.compute_dtype),
            tf.cast(self.projection_kernel, self.compute_dtype)
            if self.projection_kernel is not None
            else None,
            self.cell_clip,
            self.projection_clip,
        )
        outputs.set_shape([*inputs.shape[:2], self.output_dim])
        if self.use_skip_connection:
            outputs += tf.cast(inputs, self.compute_dtype)
        return outputs, states

    def run_packed(
        self, tokens: tf.Tensor, active_rows: tf.Tensor, initial_state: Sequence[tf.Tensor]
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """The layer over packed tokens.

        Args:
            tokens: float tensor, `(real_tokens, features)`, in the order of a `Packing`.
            active_rows: int32 tensor, `(steps,)`; how many sentences reach a step.
            initial_state: h `(batch, projection_dim or units)` and c `(batch, units)`, in the
                order of the packing too.

        Returns:
            The outputs `(real_tokens, projection_dim or units)` and the final h and c.
        """
        tokens = tf.cast(tokens, self.compute_dtype)
        initial_state = [tf.cast(value, self.state_dtype) for value in initial_state]
        weights = [self.kernel, self.bias]
        if self.projection_kernel is not None:
            weights.append(self.projection_kernel)
        weights = [tf.cast(weight, self.compute_dtype) for weight in weights]
        recurrence = _recurrence(
            tokens.shape[-1],
            self.units,
            self.projection_dim,
            self.cell_clip,
            self.projection_clip,
            self.compute_dtype,
            self.state_dtype,
        )
        outputs, *state = recurrence(tokens, active_rows, *initial_state, *weights)
        if self.use_skip_connection:
            outputs += tokens
        return outputs, state

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return (mask, None, None) if self.return_state else mask

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        outputs = (*input_shape[:-1], self.output_dim)
        if not self.return_state:
            return outputs
        return outputs, (input_shape[0], self.output_dim), (input_shape[0], self.units)

    def compute_output_spec(self, inputs: Any, mask: Any = None, initial_state: Any = None) -> Any:
        shapes = self.compute_output_shape(inputs.shape)
        if not self.return_state:
            return keras.KerasTensor(shapes, dtype=self.compute_dtype)
        dtypes = (self.compute_dtype, self.state_dtype, self.state_dtype)
        return tuple(
            keras.KerasTensor(shape, dtype=dtype)
            for shape, dtype in zip(shapes, dtypes, strict=True)
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "projection_dim": self.projection_dim,
            "cell_clip": self.cell_clip,
            "projection_clip": self.projection_clip,
            "use_skip_connection": self.use_skip_connection,
            "go_backwards": self.go_backwards,
            "return_state": self.return_state,
        }


@functools.cache
def _recurrence(
    features: int,
    units: int,
    projection_dim: int | None,
    cell_clip: float | None,
    projection_clip: float | None,
    dtype: str,
    state_dtype: str,
) -> Callable[..., Any]:
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

    Returns:
        A function of tokens `(real_tokens, features)`, packed; active_rows `(steps,)`; h `(batch,
        outputs)` and c `(batch, units)` in the order of the packing; kernel `(features + outputs,
        4 * units)`; bias `(4 * units,)`; and if there is a projection projection_kernel `(units,
        outputs)`. It returns the packed outputs and the final h and c.
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
    shapes = (
        tf.TensorShape([]),
        tf.TensorShape([None, output_dim]),
        tf.TensorShape([None, units]),
        tf.TensorSpec(None, tf.variant),
        tf.TensorSpec(None, tf.variant),
    )

    def steps(
        tokens: tf.Tensor,
        active_rows: tf.Tensor,
        h: tf.Tensor,
        c: tf.Tensor,
        kernel: tf.Tensor,
        bias: tf.Tensor,
        *projection_kernel: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        num_steps = tf.size(active_rows)
        input_kernel, recurrent_kernel = kernel[:features], kernel[features:]
        gates_of_inputs = tf.matmul(tokens, input_kernel)
        # The bias is added once for all tokens; but in bfloat16 a product of one row is fast only
        # if a bias is fused to it. (In float32 it is slow then.)
        fuses_bias = dtype == "bfloat16"
        if not fuses_bias:
            gates_of_inputs = tf.nn.bias_add(gates_of_inputs, bias)
        inputs = _rows_of_steps(num_steps, 4 * units, dtype)
        inputs = inputs.split(gates_of_inputs, active_rows)

        rows_left = tf.concat([active_rows[1:], [0]], axis=0)

        def step(
            t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: tf.TensorArray, ended: tf.TensorArray
        ) -> Any:
            gates = tf.matmul(h, recurrent_kernel)
            if fuses_bias:
                gates = tf.nn.bias_add(gates, bias)
            gates += inputs.read(t)
            i, j, f, o = activated_gates(tf.cast(gates, state_dtype))
            c = clip(f * c + i * j, cell_clip)
            h = tf.cast(o * tf.tanh(c), dtype)
            for kernel in projection_kernel:
                h = clip(tf.matmul(h, kernel), projection_clip)
            outputs = outputs.write(t, h)
            rows = rows_left[t]  # the sentences that go on: the first ones
            ended = ended.write(num_steps - 1 - t, c[rows:])
            return t + 1, h[:rows], c[:rows], outputs, ended

        outputs = _rows_of_steps(num_steps, output_dim, dtype)
        ended = _rows_of_steps(num_steps, units, state_dtype)
        rows = tf.reduce_sum(active_rows[:1])  # the sentences that have a token
        first = 0, tf.cast(h[:rows], dtype), c[:rows], outputs, ended
        *_, outputs, ended = tf.while_loop(lambda t, *_: t < num_steps, step, first, shapes)
        outputs = outputs.concat()
        last_h = tf.cast(tf.gather(outputs, _last_tokens(active_rows, rows)), state_dtype)
        # The sentences that ended last stand first in the packing, and in the array.
        return (
            outputs,
            tf.concat([last_h, h[rows:]], axis=0),
            tf.concat([ended.concat(), c[rows:]], axis=0),
        )

    return tf.function(steps, input_signature=signature, autograph=False)


def _last_tokens(active_rows: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Where the last token of each sentence that has one stands in the packed order, `(rows,)`."""
    row = tf.range(rows)
    last_step = tf.searchsorted(-active_rows, -row) - 1
    return tf.gather(tf.cumsum(active_rows, exclusive=True), last_step) + row


def _rows_of_steps(num_steps: tf.Tensor, size: int, dtype: str) -> tf.TensorArray:
    """An array with an element `(rows, size)` a step."""
    return tf.TensorArray(dtype, num_steps, infer_shape=False, element_shape=[None, size])
