"""Masking: which words of a text a model is not to see, and to predict."""

import dataclasses
from typing import TYPE_CHECKING

from elmo_tf2.validation import check_rate

if TYPE_CHECKING:
    import tensorflow as tf

    from elmo_tf2.data.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Masking:
    """How words are chosen, and what stands in their places.

    A word is chosen or not as a whole. In its place stands the mask, whose characters no word has;
    or another word of the vocabulary, each equally likely, lest a model trust that a word it sees
    is never wrong; or the word itself. `<S>` and `</S>` are never chosen.

    Args:
        masked_share: float in (0, 1). Share of the words that are chosen.
        random_rate: float in [0, 1). Share of the chosen words with another one in their places.
        kept_rate: float in [0, 1]. Share of the chosen words that stay. The model sees these words
            when it is to predict them, so their losses say nothing.

    Raises:
        ValueError: if a value is out of its range, or both rates together are more than 1.

    Example:
    >>> Masking(masked_share=0.2).random_rate
    0.1

    Reference:
     - [Devlin et al., 2019](https://arxiv.org/abs/1810.04805)
     - [Senay and Salin, 2020](https://arxiv.org/abs/2010.04302)
    """

    masked_share: float = 0.15
    random_rate: float = 0.1
    kept_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("masked_share", "random_rate", "kept_rate"):
            rate = check_rate(name, getattr(self, name), may_be_one=name == "kept_rate")
            object.__setattr__(self, name, rate)
        if not self.masked_share:
            raise ValueError(
                "`masked_share` must be more than 0: nothing is learned without masked words. "
                f"Received: masked_share={self.masked_share!r}."
            )
        if self.random_rate + self.kept_rate > 1:
            raise ValueError(
                "`random_rate` and `kept_rate` must be at most 1 together. Received: "
                f"random_rate={self.random_rate!r}, kept_rate={self.kept_rate!r}."
            )

    def others(self, vocabulary: "Vocabulary") -> "tf.Tensor":
        """The words that may stand in the place of others.

        Args:
            vocabulary: the model's.

        Returns:
            string tensor, `(words,)`: all but the special ones.

        Raises:
            ValueError: if there are none, though some are to stand there.
        """
        import tensorflow as tf

        from elmo_tf2.data.vocabulary import SPECIAL_WORDS

        words = [word for word in vocabulary.words if word not in SPECIAL_WORDS]
        if self.random_rate and not words:
            raise ValueError(
                "The vocabulary has no words but the special ones to put in the place of others. "
                "Take a larger one, or random_rate=0."
            )
        return tf.constant(words, tf.string)

    def mask(
        self,
        words: "tf.Tensor",
        others: "tf.Tensor",
        seed: int,
        position: "tf.Tensor",
        first_row: int = 0,
        batch_size: int | None = None,
    ) -> "tuple[tf.Tensor, tf.Tensor]":
        """Chooses words of a window and masks them.

        Args:
            words: string tensor, `(rows, tokens)`.
            others: string tensor, `(words,)`; those that may stand in the place of others.
            seed: int.
            position: int64 tensor, `(2,)`; the window's. The choice depends on it and on the seed.
            first_row: number of the first row in the whole batch.
            batch_size: rows of the whole batch. None: these are all.

        Returns:
            The words that are to be seen, and which ones were chosen: string and bool tensors,
            `(rows, tokens)`.
        """
        import tensorflow as tf

        from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD, MASK_WORD

        rows, tokens = words.shape
        shape = [rows if batch_size is None else batch_size, tokens]
        window = tf.stack([tf.constant(seed, tf.int64), position[0]])
        window = tf.random.fold_in(window, position[1])

        def drawn(purpose: int, **kwargs: object) -> tf.Tensor:
            # for the whole batch, so that parts of it have what the whole has
            values = tf.random.stateless_uniform(
                shape, tf.random.fold_in(window, purpose), **kwargs
            )
            return values[first_row : first_row + rows]

        is_boundary = tf.equal(words, BEGIN_SENTENCE_WORD) | tf.equal(words, END_SENTENCE_WORD)
        is_chosen = (drawn(0) < self.masked_share) & ~is_boundary
        seen = tf.fill(tf.shape(words), MASK_WORD)
        share = drawn(1)
        if self.random_rate:
            number = drawn(2, maxval=tf.size(others), dtype=tf.int32)
            seen = tf.where(share < self.random_rate, tf.gather(others, number), seen)
        seen = tf.where(share >= 1 - self.kept_rate, words, seen)
        return tf.where(is_chosen, seen, words), is_chosen
