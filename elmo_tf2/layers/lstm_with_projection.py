"""LSTMWithProjection: the recurrent layer of ELMo."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.config import MAX_SIZE
from elmo_tf2.layers.lstm import Gradient, LSTMSpec, lstm_recurrence
from elmo_tf2.layers.ragged import PackedSequence, from_padded, pack, to_padded
from elmo_tf2.validation import check_bool, check_integer, check_positive, check_static_last_dim

State = Sequence[tf.Tensor]  # h and c


@keras.saving.register_keras_serializable(package="elmo_tf2")
class LSTMWithProjection(keras.layers.Layer):
    """An LSTM whose output is a projection of its memory cell, both clipped.

        [i, j, f, o] = [x_t, h_(t-1)] kernel + bias
        c_t = clip(sigmoid(f + 1) * c_(t-1) + sigmoid(i) * tanh(j), cell_clip)
        h_t = clip((sigmoid(o) * tanh(c_t)) projection_kernel, projection_clip)
        y_t = h_t + x_t with a skip connection, else h_t

    The forget gate's 1 is added here and is no part of the bias. Without a projection h_t is
    sigmoid(o) * tanh(c_t), unclipped. A masked token is skipped: its output is 0 and the
    state passes it unchanged, so padding costs neither accuracy nor time.

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
        training: bool. With True the steps store what their gradient needs, which otherwise
            recomputes them; no value depends on it.

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
        self.units = check_integer("units", units, 1, MAX_SIZE)
        if projection_dim is not None:
            check_integer("projection_dim", projection_dim, 1, MAX_SIZE)
        self.projection_dim = projection_dim
        self.cell_clip = check_positive("cell_clip", cell_clip)
        self.projection_clip = check_positive("projection_clip", projection_clip)
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
        initial_state: State | None = None,
        training: bool | None = None,
    ) -> tf.Tensor | tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        if mask is None:
            mask = tf.fill(tf.shape(inputs)[:2], True)
        packed = pack(from_padded(inputs, mask), self.go_backwards)
        if initial_state is None:
            initial_state = self.zero_state(tf.shape(inputs)[0])
        packed, state = self.run(packed, initial_state, "store" if training else "recompute")
        outputs = to_padded(packed.values(), mask)
        return (outputs, *state) if self.return_state else outputs

    def zero_state(self, batch_size: int | tf.Tensor) -> list[tf.Tensor]:
        """The state before the first token: h `(batch, outputs)` and c `(batch, units)`."""
        sizes = self.output_dim, self.units
        return [tf.zeros([batch_size, size], self.state_dtype) for size in sizes]

    def run(
        self,
        packed: PackedSequence,
        initial_state: State,
        gradient: Gradient,
        inputs_repeat: bool = False,
    ) -> tuple[PackedSequence, State]:
        """The layer over a packed sequence, see `lstm_recurrence`.

        For inference the initial state is one row for all sentences, and there is no final state.
        """
        tokens = tf.cast(packed.data, self.compute_dtype)
        state = [tf.cast(value, self.state_dtype) for value in initial_state]
        if gradient != "inference":
            state = [packed.sort(value) for value in state]
        weights = [self.kernel, self.bias]
        if self.projection_kernel is not None:
            weights.append(self.projection_kernel)
        spec = LSTMSpec(
            tokens.shape[-1],
            self.units,
            self.projection_dim,
            self.cell_clip,
            self.projection_clip,
            self.compute_dtype,
            self.state_dtype,
        )
        recurrence = lstm_recurrence(spec, gradient, inputs_repeat)
        weights = [tf.cast(weight, self.compute_dtype) for weight in weights]
        outputs, *state = recurrence(tokens, packed.batch_sizes, *state, *weights)
        if self.use_skip_connection:
            outputs += tokens
        return packed._replace(data=outputs), [packed.unsort(value) for value in state]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return (mask, None, None) if self.return_state else mask

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> Any:
        outputs = (*input_shape[:-1], self.output_dim)
        if not self.return_state:
            return outputs
        return outputs, (input_shape[0], self.output_dim), (input_shape[0], self.units)

    def compute_output_spec(
        self,
        inputs: Any,
        mask: Any = None,
        initial_state: Any = None,
        training: bool | None = None,
    ) -> Any:
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
