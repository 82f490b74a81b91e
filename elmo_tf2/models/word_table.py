"""WordTable: word vectors of a vocabulary, looked up instead of computed."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from elmo_tf2.characters import words_to_char_ids
from elmo_tf2.models.bilm import BiLM

_WORDS_AT_ONCE = 4_096


class WordTable(tf.train.Checkpoint):
    """The vectors that a character CNN gives the words of a vocabulary, computed once.

    Args:
        bilm: the encoder, built; its character CNN must stay as it is.
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
            bilm.char_cnn(self._char_ids(bilm, tf.constant(words[start : start + _WORDS_AT_ONCE])))
            for start in range(0, len(words), _WORDS_AT_ONCE)
        ]
        self.vectors = tf.Variable(np.concatenate(parts), trainable=False, name="word_vectors")
        places = tf.lookup.KeyValueTensorInitializer(words, np.arange(len(words), dtype=np.int64))
        self._places = tf.lookup.StaticHashTable(places, default_value=-1)

    @staticmethod
    def _char_ids(bilm: BiLM, words: tf.Tensor) -> tf.Tensor:
        return words_to_char_ids(words, bilm.config.max_characters)

    def word_vectors(self, bilm: BiLM, words: tf.Tensor) -> tf.Tensor:
        """What `bilm.char_cnn` gives for words, computed only for those outside the table."""
        places = self._places.lookup(words)
        vectors = tf.gather(self.vectors, tf.maximum(places, 0))
        outside = tf.where(places < 0)
        computed = bilm.char_cnn(self._char_ids(bilm, tf.gather_nd(words, outside)))
        return tf.tensor_scatter_nd_update(vectors, outside, computed)
