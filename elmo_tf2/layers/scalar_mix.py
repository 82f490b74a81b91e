"""ScalarMix: a trainable weighted sum of layers."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.config import MAX_LAYERS
from elmo_tf2.validation import check_bool, check_integer, check_number, check_rate, shown


@keras.saving.register_keras_serializable(package="elmo_tf2")
class ScalarMix(keras.layers.Layer):
    """The weighted sum that makes ELMo of a biLM's layers.

        y = gamma * sum_j s_j h_j,    s = softmax(w)

    `w`, `(num_layers,)`, starts at 0 (so the layers count alike) and `gamma`, a scalar, at 1. With
    `layer_norm` each h_j first becomes (h_j - mean) / sqrt(variance + 1e-12), where mean and
    variance are two numbers over all real tokens of the *batch* and all features, as in bilm-tf:
    a sentence's vectors then depend on what shares its batch.

    Args:
        num_layers: int > 0. Number of layers that are mixed.
        layer_norm: bool.
        l2: float >= 0. Adds `l2 * sum(w ** 2)` to the losses of the model.
        dropout: float in [0, 1). Rate of dropout on the sum.
        initial_weights: floats for `w`, or None for zeros.
        initial_gamma: float for `gamma`.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: list of `num_layers` float tensors, each `(batch, tokens, features)`; without a
            mask they may have another rank, for example `(tokens, features)`.
        mask: bool tensor, `(batch, tokens)`, or a list of equal ones; True marks a real token.
        training: bool. Whether dropout is on.

    Returns:
        float tensor of the shape of an input; 0 where masked.

    Raises:
        ValueError: if an argument is out of its range or the number of inputs is not `num_layers`.

    Example:
    >>> layers = [np.full((1, 2, 4), value, "float32") for value in (1, 2, 3)]
    >>> ScalarMix(3)(layers).numpy()[0, 0]
    array([2., 2., 2., 2.], dtype=float32)

    Reference:
     - [Peters et al., 2018](https://arxiv.org/abs/1802.05365), equation 1
    """

    def __init__(
        self,
        num_layers: int,
        layer_norm: bool = False,
        l2: float = 0.0,
        dropout: float = 0.0,
        initial_weights: Sequence[float] | None = None,
        initial_gamma: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_layers = check_integer("num_layers", num_layers, 1, MAX_LAYERS)
        self.layer_norm = check_bool("layer_norm", layer_norm)
        self.l2 = check_number("l2", l2, minimum=0.0)
        self.dropout = check_rate("dropout", dropout)
        self.initial_weights = _check_weights(initial_weights, num_layers)
        self.initial_gamma = check_number("initial_gamma", initial_gamma)
        self.supports_masking = True
        self._dropout = keras.layers.Dropout(self.dropout, dtype=self.dtype_policy)

    def build(self, input_shape: Any = None) -> None:
        self.w = self.add_weight(
            name="w",
            shape=(self.num_layers,),
            initializer=keras.initializers.Constant(
                self.initial_weights or [0.0] * self.num_layers
            ),
            regularizer=keras.regularizers.L2(self.l2) if self.l2 else None,
        )
        self.gamma = self.add_weight(
            name="gamma", shape=(), initializer=keras.initializers.Constant(self.initial_gamma)
        )

    @property
    def layer_weights(self) -> Any:
        """The layers' shares softmax(w), a float32 array `(num_layers,)` that adds up to 1."""
        return tf.nn.softmax(tf.convert_to_tensor(self.w.value)).numpy()

    def call(
        self, inputs: Sequence[tf.Tensor], mask: Any = None, training: bool | None = None
    ) -> tf.Tensor:
        is_list = isinstance(inputs, (list, tuple))
        if not is_list or len(inputs) != self.num_layers:
            found = f"{len(inputs)} inputs" if is_list else "one tensor, not a list"
            raise ValueError(
                f"Layer {self.name!r} mixes {self.num_layers} layers. Received: {found}."
            )
        if isinstance(mask, (list, tuple)):
            mask = mask[0]
        if mask is not None:
            # What is in the padding, NaN perhaps, reaches neither a sum nor a gradient.
            mask = mask[..., tf.newaxis]
            inputs = [tf.where(mask, layer, tf.zeros([], layer.dtype)) for layer in inputs]
        if self.layer_norm:
            inputs = [_normalize(layer, mask) for layer in inputs]
        shares = tf.unstack(tf.nn.softmax(tf.convert_to_tensor(self.w)))
        mixed = self.gamma * tf.add_n(
            [share * layer for share, layer in zip(shares, inputs, strict=True)]
        )
        if mask is not None:
            mixed = tf.where(mask, mixed, tf.zeros([], mixed.dtype))
        return self._dropout(mixed, training=training)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return mask[0] if isinstance(mask, (list, tuple)) else mask

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        return tuple(input_shape[0])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_layers": self.num_layers,
            "layer_norm": self.layer_norm,
            "l2": self.l2,
            "dropout": self.dropout,
            "initial_weights": self.initial_weights,
            "initial_gamma": self.initial_gamma,
        }


def _check_weights(weights: Any, num_layers: int) -> list[float] | None:
    if weights is None:
        return None
    try:
        checked = [check_number("initial_weights", weight) for weight in weights]
    except (TypeError, ValueError):
        checked = []
    if len(checked) != num_layers:
        raise ValueError(
            f"`initial_weights` must be {num_layers} numbers, one per layer. "
            f"Received: initial_weights={shown(weights)}."
        )
    return checked


def _normalize(layer: tf.Tensor, mask: tf.Tensor | None) -> tf.Tensor:
    """Layer norm with one mean and one variance over all real tokens and features.

    The mask has an axis more than tokens have, of size 1.
    """
    if mask is None:
        mask = tf.ones([*tf.unstack(tf.shape(layer)[:-1]), 1], tf.bool)
    # Sums over a whole batch leave the range of float16 and the precision of bfloat16.
    values = layer if layer.dtype == tf.float64 else tf.cast(layer, tf.float32)
    is_real = tf.cast(mask, values.dtype)
    count = tf.maximum(tf.reduce_sum(is_real), 1.0) * layer.shape[-1]
    mean = tf.reduce_sum(values * is_real) / count
    variance = tf.reduce_sum(tf.square(values - mean) * is_real) / count
    return tf.cast((values - mean) * tf.math.rsqrt(variance + 1e-12), layer.dtype)
