"""WordTable: word vectors of a vocabulary, looked up instead of computed."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from elmo_tf2.models.bilm import BiLM
from elmo_tf2.word_ids import words_to_ids

_WORDS_AT_ONCE = 4_096


class WordTable(tf.train.Checkpoint):
    """The vectors that a token embedder gives the words of a vocabulary, computed once.

    Args:
        bilm: the encoder, built; its token embedder must stay as it is.
        words: the vocabulary. What is there twice counts once.

    Attributes:
        vectors: variable, `(words, projection_dim)`; not trainable.

    Raises:
        ValueError: if there are no words.

    Example:
    >>> bilm = BiLM(ElmoConfig(filters=((1, 8), (2, 8)), units=16, projection_dim=4))
    >>> table = WordTable(bilm, ["the", "cat"])
    >>> table.word_vectors(bilm, tf.constant(["the", "mat", "cat"])).shape
    TensorShape([3, 4])
    """

    def __init__(self, bilm: BiLM, words: Sequence[str]) -> None:
        super().__init__()
        words = list(dict.fromkeys(words))
        if not words:
            raise ValueError("`words` must not be empty. Received: no words.")
        parts = [
            self._computed(bilm, tf.constant(words[start : start + _WORDS_AT_ONCE]))
            for start in range(0, len(words), _WORDS_AT_ONCE)
        ]
        self.vectors = tf.Variable(np.concatenate(parts), trainable=False, name="word_vectors")
        numbers = tf.lookup.KeyValueTensorInitializer(words, np.arange(len(words), dtype=np.int64))
        self._rows = tf.lookup.StaticHashTable(numbers, default_value=-1)

    @staticmethod
    def _computed(bilm: BiLM, words: tf.Tensor) -> tf.Tensor:
        return bilm.token_embedder(words_to_ids(words, bilm.config))

    def word_vectors(self, bilm: BiLM, words: tf.Tensor) -> tf.Tensor:
        """What `bilm.token_embedder` gives for words, computed only for those outside the table."""
        rows = self._rows.lookup(words)
        vectors = tf.gather(self.vectors, tf.maximum(rows, 0))
        outside = tf.where(rows < 0)
        computed = self._computed(bilm, tf.gather_nd(words, outside))
        return tf.tensor_scatter_nd_update(vectors, outside, computed)
