"""TokenEmbedder: a word's vector from a table of words and from its characters."""

from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.characters import checked_char_ids
from elmo_tf2.layers.char_cnn import CharCNN, RowsInitializer
from elmo_tf2.validation import check_integer


@keras.saving.register_keras_serializable(package="elmo_tf2")
class TokenEmbedder(keras.layers.Layer):
    """Word vectors of models that have dictionaries: bilm-tf's by words, and ELMoForManyLangs.

        y = [e; u] W_projection + b_projection      e = word_embedding[id], u = CharCNN(characters)
        y = e                                       without a projection

    Args:
        num_words: int > 0. Rows of the table of words, row 0 for "no word" included.
        word_dim: int >= 0. Size of a row; 0: there is no table.
        char_cnn: a `CharCNN` for the other ids of a word, or None.
        output_dim: int > 0, size of the projected vector; None: there is no projection.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: int tensor, `(..., ids)`, as `elmo_tf2.word_ids` makes them: the characters', and
            that of the word; a row of zeros is no word.

    Returns:
        float tensor, `(..., output_dim)`; 0 where there is no word.

    Example:
    >>> TokenEmbedder(num_words=5, word_dim=3)(tf.constant([[[4], [0]]])).shape
    TensorShape([1, 2, 3])

    Reference:
     - [ELMoForManyLangs](https://github.com/HIT-SCIR/ELMoForManyLangs)
    """

    def __init__(
        self,
        num_words: int,
        word_dim: int,
        char_cnn: CharCNN | None = None,
        output_dim: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_words = check_integer("num_words", num_words)
        self.word_dim = check_integer("word_dim", word_dim, 0)
        self.char_cnn = char_cnn
        self.output_dim = output_dim
        self.supports_jit = False  # XLA takes no shapes that the data decide

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        if self.word_dim:
            self.word_embedding = self.add_weight(
                name="word_embedding",
                shape=(self.num_words, self.word_dim),
                initializer=RowsInitializer(),
            )
        ids = input_shape[-1]
        features = self.word_dim
        if self.char_cnn is not None:
            if not self.char_cnn.built:
                self.char_cnn.build((None, ids - 1 if ids and self.word_dim else ids))
            features += self.char_cnn.output_dim
        self.projection_kernel = self.projection_bias = None
        if self.output_dim is not None:
            self.projection_kernel = self.add_weight(
                name="projection_kernel",
                shape=(features, self.output_dim),
                initializer=keras.initializers.RandomNormal(stddev=features**-0.5),
            )
            self.projection_bias = self.add_weight(
                name="projection_bias", shape=(self.output_dim,), initializer="zeros"
            )

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        size = inputs.shape[-1]
        ids = tf.reshape(inputs, [-1, size])
        ids, index = tf.raw_ops.UniqueV2(x=ids, axis=[0])  # (distinct, ids), (words,)
        ids = tf.ensure_shape(ids, [None, size])
        parts = []
        if self.word_dim:
            # Many words may share a row: of distinct ones the sparse gradient has each once, as
            # Keras' optimizers need it.
            rows, row = tf.unique(checked_char_ids(ids[:, -1], self.num_words))
            table = tf.convert_to_tensor(self.word_embedding)
            parts.append(tf.gather(tf.gather(table, rows), row))
        if self.char_cnn is not None:
            parts.append(self.char_cnn(ids[:, :-1] if self.word_dim else ids))
        vectors = tf.concat(parts, axis=1)
        if self.projection_kernel is not None:
            vectors = tf.matmul(vectors, self.projection_kernel) + self.projection_bias
        is_word = tf.reduce_any(ids > 0, axis=-1, keepdims=True)
        vectors = tf.where(is_word, vectors, tf.zeros([], vectors.dtype))
        vectors = tf.gather(vectors, index)
        return tf.reshape(
            vectors, tf.concat([tf.shape(inputs)[:-1], tf.shape(vectors)[1:]], axis=0)
        )

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return keras.ops.any(keras.ops.not_equal(inputs, 0), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        features = self.word_dim + (0 if self.char_cnn is None else self.char_cnn.output_dim)
        return (*input_shape[:-1], self.output_dim or features)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_words": self.num_words,
            "word_dim": self.word_dim,
            "char_cnn": keras.saving.serialize_keras_object(self.char_cnn),
            "output_dim": self.output_dim,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "TokenEmbedder":
        char_cnn = keras.saving.deserialize_keras_object(config["char_cnn"])
        return cls(**{**config, "char_cnn": char_cnn})
