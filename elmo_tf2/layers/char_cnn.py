"""CharCNN: a word's vector from its characters."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.characters import PADDING, checked_char_ids
from elmo_tf2.config import MAX_LAYERS, MAX_SIZE, NUM_CHARACTERS, check_filters
from elmo_tf2.layers.highway import Highway
from elmo_tf2.layers.max_over_time import max_over_time
from elmo_tf2.validation import check_choice, check_integer

_ACTIVATIONS = {"relu": tf.nn.relu, "tanh": tf.tanh}


@keras.saving.register_keras_serializable(package="elmo_tf2")
class CharCNN(keras.layers.Layer):
    """Word vectors by convolutions over characters, highway layers and a linear projection.

        e_p = embedding[id_p]                                          positions p = 0…chars-1
        v_w = activation(max_p (sum_k e_{p+k} K_w[k]) + b_w)           for every width w
        v   = highway(…(concat_w v_w))
        y   = v W_projection + b_projection      unless the sizes of v and y are the same

    A word's vector depends on the word alone, so the network runs once for each distinct word of
    the batch.

    Weights: `embedding` `(num_characters, char_embedding_dim)` with row 0 for "no word" (zeros,
    never trained); kernels `(width, char_embedding_dim, number)` and biases `(number,)`.

    Args:
        filters: pairs (width, number) of the convolutions.
        output_dim: int > 0. Size of a word vector.
        char_embedding_dim: int > 0.
        num_highway_layers: int >= 0.
        activation: "relu" or "tanh".
        num_characters: int > 0. Number of ids.
        padding: int. Id that fills a word up behind its last character.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: int tensor, `(..., chars)`, as `elmo_tf2.characters` makes them; a row of zeros is
            no word.

    Returns:
        float tensor, `(..., output_dim)`; 0 where there is no word.

    Raises:
        ValueError: if an argument is out of its range, the number of characters is unknown, or a
            filter is wider than a word.
        InvalidArgumentError: if an id is not from 0 to `num_characters - 1`.

    Example:
    >>> ids = words_to_char_ids(tf.constant([["the", "cat"]]))
    >>> CharCNN(filters=((1, 4), (2, 8)), output_dim=6)(ids).shape
    TensorShape([1, 2, 6])

    Reference:
     - [Kim et al., 2016](https://arxiv.org/abs/1508.06615)
     - [Jozefowicz et al., 2016](https://arxiv.org/abs/1602.02410)
    """

    def __init__(
        self,
        filters: Sequence[tuple[int, int]],
        output_dim: int,
        char_embedding_dim: int = 16,
        num_highway_layers: int = 1,
        activation: str = "relu",
        num_characters: int = NUM_CHARACTERS,
        padding: int = PADDING,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.filters = check_filters(filters)
        self.output_dim = check_integer("output_dim", output_dim, 1, MAX_SIZE)
        self.char_embedding_dim = check_integer(
            "char_embedding_dim", char_embedding_dim, 1, MAX_SIZE
        )
        self.num_highway_layers = check_integer(
            "num_highway_layers", num_highway_layers, 0, MAX_LAYERS
        )
        self.activation = check_choice("activation", activation, tuple(_ACTIVATIONS))
        self.num_characters = check_integer("num_characters", num_characters)
        self.padding = check_integer("padding", padding, 0, self.num_characters - 1)
        self.supports_jit = False  # XLA takes no shapes that the data decide
        self.highways = [
            Highway(name=f"highway_{index}", dtype=self.dtype_policy)
            for index in range(self.num_highway_layers)
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        max_characters = input_shape[-1]
        if max_characters is None:
            raise ValueError(
                f"Layer {self.name!r} needs the number of characters per word to be known. "
                f"Received: input shape {tuple(input_shape)}."
            )
        check_filters(self.filters, max_characters)
        self.embedding = self.add_weight(
            name="embedding",
            shape=(self.num_characters, self.char_embedding_dim),
            initializer=RowsInitializer(),
        )
        self.kernels = []
        self.biases = []
        for index, (width, number) in enumerate(self.filters):
            kernel = self.add_weight(
                name=f"kernel_{index}",
                shape=(width, self.char_embedding_dim, number),
                initializer=self._kernel_initializer(width),
            )
            bias = self.add_weight(name=f"bias_{index}", shape=(number,), initializer="zeros")
            self.kernels.append(kernel)
            self.biases.append(bias)
        num_filters = sum(number for _, number in self.filters)
        for highway in self.highways:
            highway.build((None, num_filters))
        self.projection_kernel = self.projection_bias = None
        if num_filters != self.output_dim:
            self.projection_kernel = self.add_weight(
                name="projection_kernel",
                shape=(num_filters, self.output_dim),
                initializer=keras.initializers.RandomNormal(stddev=num_filters**-0.5),
            )
            self.projection_bias = self.add_weight(
                name="projection_bias", shape=(self.output_dim,), initializer="zeros"
            )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        chars = inputs.shape[-1]
        words = tf.reshape(checked_char_ids(inputs, self.num_characters), [-1, chars])
        words, index = tf.raw_ops.UniqueV2(x=words, axis=[0])  # (distinct, chars), (words,)
        words = tf.ensure_shape(words, [None, chars])
        kernels = [tf.convert_to_tensor(kernel) for kernel in self.kernels]
        biases = [tf.convert_to_tensor(bias) for bias in self.biases]
        vectors = max_over_time(words, tf.convert_to_tensor(self.embedding), kernels, self.padding)
        vectors = _ACTIVATIONS[self.activation](vectors + tf.concat(biases, axis=0))
        for highway in self.highways:
            vectors = highway(vectors)
        if self.projection_kernel is not None:
            vectors = tf.matmul(vectors, self.projection_kernel) + self.projection_bias
        is_word = tf.reduce_any(words > 0, axis=-1, keepdims=True)
        vectors = tf.where(is_word, vectors, tf.zeros([], vectors.dtype))
        vectors = tf.gather(vectors, index)  # (words, output_dim)
        vectors = tf.reshape(vectors, tf.concat([tf.shape(inputs)[:-1], [self.output_dim]], axis=0))
        vectors.set_shape([*inputs.shape[:-1], self.output_dim])
        return vectors

    def _kernel_initializer(self, width: int) -> keras.initializers.Initializer:
        if self.activation == "relu":
            return keras.initializers.RandomUniform(-0.05, 0.05)
        return keras.initializers.RandomNormal(stddev=(width * self.char_embedding_dim) ** -0.5)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return keras.ops.any(keras.ops.not_equal(inputs, 0), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.output_dim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": [list(pair) for pair in self.filters],
            "output_dim": self.output_dim,
            "char_embedding_dim": self.char_embedding_dim,
            "num_highway_layers": self.num_highway_layers,
            "activation": self.activation,
            "num_characters": self.num_characters,
            "padding": self.padding,
        }


class RowsInitializer(keras.initializers.Initializer):
    """Uniform in [-1, 1], but zeros in row 0, which stands for no word."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        rows = keras.random.uniform((shape[0] - 1, *shape[1:]), -1.0, 1.0, dtype=dtype)
        return tf.concat([tf.zeros((1, *shape[1:]), rows.dtype), rows], axis=0)
