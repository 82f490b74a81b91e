"""Highway: a gated mixture of a transformed and an unchanged input."""

from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.validation import check_static_last_dim


@keras.saving.register_keras_serializable(package="elmo_tf2")
class Highway(keras.layers.Layer):
    """A highway layer as bilm-tf has it.

        g = sigmoid(x W_carry + b_carry)
        y = g * relu(x W_transform + b_transform) + (1 - g) * x

    The gate that bilm-tf calls *carry* opens the way to the transformed input, not, as in the
    paper, to the unchanged one; it starts nearly shut (bias -2). Both matrices are
    `(features, features)`, both biases `(features,)`.

    Args:
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: float tensor, `(..., features)`.

    Returns:
        float tensor, the shape of `inputs`.

    Raises:
        ValueError: if the size of the last axis is unknown.

    Example:
    >>> Highway()(np.ones((2, 3, 5), "float32")).shape
    TensorShape([2, 3, 5])

    Reference:
     - [Srivastava et al., 2015](https://arxiv.org/abs/1505.00387)
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        features = check_static_last_dim(self.name, input_shape)
        self.transform_kernel = self._add_kernel("transform_kernel", features)
        self.transform_bias = self.add_weight(
            name="transform_bias", shape=(features,), initializer="zeros"
        )
        self.carry_kernel = self._add_kernel("carry_kernel", features)
        self.carry_bias = self.add_weight(
            name="carry_bias", shape=(features,), initializer=keras.initializers.Constant(-2.0)
        )

    def _add_kernel(self, name: str, features: int) -> keras.Variable:
        initializer = keras.initializers.RandomNormal(stddev=features**-0.5)
        return self.add_weight(name=name, shape=(features, features), initializer=initializer)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        gate = tf.sigmoid(tf.matmul(inputs, self.carry_kernel) + self.carry_bias)
        transformed = tf.nn.relu(tf.matmul(inputs, self.transform_kernel) + self.transform_bias)
        return gate * transformed + (1.0 - gate) * inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return tuple(input_shape)
