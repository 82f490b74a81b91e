"""CharCNN: a word's vector from its characters."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.arguments import check_choice, check_integer
from elmo_tf2.characters import PADDING, checked_char_ids
from elmo_tf2.config import ACTIVATIONS, MAX_LAYERS, MAX_SIZE, NUM_CHARACTERS, check_filters
from elmo_tf2.layers.highway import Highway

# Words are sorted by falling length and computed in groups, each cut to its own longest word:
# where the groups begin and end, as shares of the number of words.
_GROUPS = (0, 1 / 16, 3 / 8, 11 / 16, 1)


@keras.saving.register_keras_serializable(package="elmo_tf2")
class CharCNN(keras.layers.Layer):
    """Word vectors by convolutions over characters, highway layers and a linear projection.

        e_p = embedding[id_p]                                          positions p = 0…chars-1
        v_w = activation(max_p (sum_k e_{p+k} K_w[k]) + b_w)           for every width w
        v   = highway(…(concat_w v_w))
        y   = v W_projection + b_projection      unless the sizes of v and y are the same

    A word's vector depends on the word alone, so the network runs once a distinct word of the
    batch. And of two windows that lie wholly in a word's padding one is enough for the maximum,
    so the words are computed in groups of like length, whose windows end one past the group's
    longest word. Neither changes a value.

    Weights: `embedding` `(262, char_embedding_dim)` with row 0 for "no word" (zeros, never
    trained); kernels `(width, char_embedding_dim, number)` and biases `(number,)`.

    Args:
        filters: pairs (width, number) of the convolutions.
        output_dim: int > 0. Size of a word vector.
        char_embedding_dim: int > 0.
        num_highway_layers: int >= 0.
        activation: "relu" or "tanh".
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: int tensor, `(..., chars)`, as `elmo_tf2.characters` makes them; a row of zeros is
            no word.

    Returns:
        float tensor, `(..., output_dim)`; 0 where there is no word.

    Raises:
        ValueError: if an argument is out of its range, the number of characters is unknown, or a
            filter is wider than a word.
        InvalidArgumentError: if a character id is not from 0 to 261.

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
        self.activation = check_choice("activation", activation, ACTIVATIONS)
        self.supports_jit = False  # XLA takes no shapes that the data decide
        self.highways = [
            Highway(name=f"highway_{index}", dtype=self.dtype_policy)
            for index in range(self.num_highway_layers)
        ]

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        max_characters = input_shape[-1]
        if max_characters is None:
            raise ValueError(
                f"Layer {self.name!r} needs the number of characters a word to be known. "
                f"Received: input shape {tuple(input_shape)}."
            )
        check_filters(self.filters, max_characters)
        self.embedding = self.add_weight(
            name="embedding",
            shape=(NUM_CHARACTERS, self.char_embedding_dim),
            initializer=_CharacterInitializer(),
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
        inputs = checked_char_ids(inputs)
        words = tf.reshape(inputs, [-1, inputs.shape[-1]])
        distinct, index = tf.raw_ops.UniqueV2(x=words, axis=[0])  # (distinct, chars), (words,)
        distinct = tf.ensure_shape(distinct, [None, inputs.shape[-1]])
        lengths = _lengths(distinct)
        order = tf.argsort(lengths, direction="DESCENDING")
        vectors = self._word_vectors(tf.gather(distinct, order), tf.gather(lengths, order))
        vectors = tf.gather(vectors, tf.gather(tf.math.invert_permutation(order), index))
        vectors = tf.reshape(vectors, tf.concat([tf.shape(inputs)[:-1], [self.output_dim]], axis=0))
        vectors.set_shape([*inputs.shape[:-1], self.output_dim])
        return vectors

    def _word_vectors(self, char_ids: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
        """Vectors `(words, output_dim)` of words, the longest first."""
        widest = max(width for width, _ in self.filters)
        kernels = [
            tf.pad(kernel, [[0, widest - kernel.shape[0]], [0, 0], [0, 0]])
            for kernel in self.kernels
        ]
        kernel = tf.reshape(tf.concat(kernels, axis=-1), [widest * self.char_embedding_dim, -1])
        # Through the reshape the table's gradient is dense: of a sparse one, in which a character
        # occurs many times, Keras' optimizers would make other updates.
        table = tf.reshape(self.embedding, [NUM_CHARACTERS, self.char_embedding_dim])
        number = tf.cast(tf.shape(char_ids)[0], tf.float32)
        bounds = tf.cast(tf.math.ceil(tf.constant(_GROUPS) * number), tf.int32)
        sizes = bounds[1:] - bounds[:-1]
        groups = zip(
            tf.split(char_ids, sizes, num=len(_GROUPS) - 1),
            tf.split(lengths, sizes, num=len(_GROUPS) - 1),
            strict=True,
        )
        top_sums = _top_sums(
            self.filters, char_ids.shape[-1], self.char_embedding_dim, kernel.dtype.name
        )
        sums = [top_sums(*group, table, kernel) for group in groups]
        vectors = tf.concat(sums, axis=0)  # (words, filters)
        activation = tf.nn.relu if self.activation == "relu" else tf.tanh
        vectors = activation(vectors + tf.concat([*map(tf.convert_to_tensor, self.biases)], 0))
        for highway in self.highways:
            vectors = highway(vectors)
        if self.projection_kernel is not None:
            vectors = tf.matmul(vectors, self.projection_kernel) + self.projection_bias
        is_word = tf.reduce_any(char_ids > 0, axis=-1, keepdims=True)
        return tf.where(is_word, vectors, tf.zeros([], vectors.dtype))

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
        }


@functools.cache
def _top_sums(
    filters: tuple[tuple[int, int], ...], chars: int, char_embedding_dim: int, dtype: str
) -> Callable[..., tf.Tensor]:
    """Every filter's maximum over a word's windows, of one group of words.

    A window is as wide as the widest filter, and the kernels of the others are filled up with
    zeros: so one matrix product does it all. Measured faster than tf.nn.conv1d, which moreover
    gives wrong shapes for a batch of no words.

    Args:
        filters: as of the layer.
        chars: characters a word.
        char_embedding_dim: size of a character's vector.
        dtype: of the table and the kernel.

    Returns:
        A graph function, which is traced once for all groups and all layers alike: of char_ids
        `(words, chars)`, lengths `(words,)`, table `(262, char_embedding_dim)` and kernel `(widest
        * char_embedding_dim, num_filters)`, to `(words, num_filters)`.
    """
    widths = np.repeat(*np.transpose(filters))
    widest = widths.max()
    size = widest * char_embedding_dim
    signature = [
        tf.TensorSpec([None, chars], tf.int32),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([NUM_CHARACTERS, char_embedding_dim], dtype),
        tf.TensorSpec([size, len(widths)], dtype),
    ]

    @tf.function(input_signature=signature, autograph=False)
    def top_sums(
        char_ids: tf.Tensor, lengths: tf.Tensor, table: tf.Tensor, kernel: tf.Tensor
    ) -> tf.Tensor:
        num_windows = tf.minimum(tf.reduce_max(tf.pad(lengths, [[0, 1]])) + 1, chars)
        char_ids = tf.transpose(tf.pad(char_ids, [[0, 0], [0, widest]]))  # (chars, words)
        places = tf.range(num_windows)[:, tf.newaxis] + np.arange(widest)
        char_ids = tf.transpose(tf.gather(char_ids, places), [0, 2, 1])  # (windows, words, widest)
        windows = tf.gather(table, char_ids)  # (windows, words, widest, char_embedding_dim)
        sums = tf.matmul(tf.reshape(windows, [-1, size]), kernel)
        sums = tf.reshape(sums, [num_windows, -1, len(widths)])  # (windows, words, filters)
        # The last windows of the longest words reach past the place where every word is cut: there
        # only the narrower filters count that do not.
        inside = tf.minimum(num_windows, chars - widest + 1)
        ends = tf.range(num_windows)[:, tf.newaxis] + widths  # (windows, filters)
        counts = (ends <= chars)[:, tf.newaxis]

        @tf.custom_gradient
        def top(sums: tf.Tensor) -> Any:
            """The maxima. TensorFlow's own gradient goes over all sums twice as often."""
            last_sums = tf.where(counts[inside:], sums[inside:], sums.dtype.min)
            maxima = tf.maximum(
                tf.reduce_max(sums[:inside], axis=0), tf.reduce_max(last_sums, axis=0)
            )

            def backward(d_maxima: tf.Tensor) -> tf.Tensor:
                """What is the largest several times has equal parts, as TensorFlow has it."""
                is_largest = tf.cast(tf.equal(sums, maxima) & counts, sums.dtype)
                return is_largest * (d_maxima / tf.reduce_sum(is_largest, axis=0))

            return maxima, backward

        return top(sums)

    return top_sums


def _lengths(char_ids: tf.Tensor) -> tf.Tensor:
    """Characters of each word `(words, chars)` up to its last one, `(words,)`."""
    in_word = (char_ids != PADDING) & (char_ids > 0)
    return tf.reduce_max(tf.where(in_word, tf.range(1, char_ids.shape[-1] + 1), 0), axis=1)


class _CharacterInitializer(keras.initializers.Initializer):
    """Uniform in [-1, 1], but zeros in row 0, which stands for no word."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> tf.Tensor:
        rows = keras.random.uniform((shape[0] - 1, *shape[1:]), -1.0, 1.0, dtype=dtype)
        return tf.concat([tf.zeros((1, *shape[1:]), rows.dtype), rows], axis=0)
