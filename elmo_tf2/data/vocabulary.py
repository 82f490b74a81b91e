"""Vocabulary: the words that a language model predicts."""

from collections import Counter
from collections.abc import Sequence

import tensorflow as tf

from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD

UNKNOWN_WORD = "<UNK>"
SPECIAL_WORDS = (BEGIN_SENTENCE_WORD, END_SENTENCE_WORD, UNKNOWN_WORD)
_SHOWN = 5


class Vocabulary:
    """The words that a language model predicts, each with an id from 0 on.

    The sampled softmax needs them in the order of falling count.

    Args:
        words: distinct words, `<S>`, `</S>` and `<UNK>` among them.
        source: what to call them in messages, for example a path.

    Raises:
        ValueError: if one of the three is missing, or a word is repeated.

    Example:
    >>> vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "the", "cat"])
    >>> vocabulary.ids(tf.constant(["cat", "dog"])).numpy().tolist()
    [4, 2]
    """

    def __init__(self, words: Sequence[str], source: str = "the vocabulary") -> None:
        self.words = tuple(words)
        missing = [word for word in SPECIAL_WORDS if word not in set(self.words)]
        if missing:
            raise ValueError(
                f"{source} must have the words {', '.join(SPECIAL_WORDS)}, one per line. "
                f"Missing: {', '.join(missing)}."
            )
        if len(set(self.words)) < len(self.words):
            repeated = [word for word, count in Counter(self.words).items() if count > 1]
            raise ValueError(
                f"{source} must have every word once. Repeated: {', '.join(repeated[:_SHOWN])}"
                f"{', …' if len(repeated) > _SHOWN else ''}."
            )
        self.unknown_id = self.words.index(UNKNOWN_WORD)
        ids = tf.range(len(self.words), dtype=tf.int32)
        with tf.init_scope():
            self._table = tf.lookup.StaticHashTable(
                tf.lookup.KeyValueTensorInitializer(tf.constant(self.words), ids), self.unknown_id
            )

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, words: tf.Tensor) -> tf.Tensor:
        """Ids of words, int32, of the same shape; that of `<UNK>` for words outside."""
        return self._table.lookup(words)
