"""Masking: which words of a text are hidden from a model, which is to predict them."""

import dataclasses
from typing import TYPE_CHECKING

from elmo_tf2.validation import check_rate

if TYPE_CHECKING:
    import tensorflow as tf

    from elmo_tf2.data.vocabulary import Vocabulary


@dataclasses.dataclass(frozen=True)
class Masking:
    """How words are chosen for prediction, and what replaces them.

    Whole words are chosen. Each is replaced by the mask, whose characters no word has, or by a
    random word of the vocabulary, so that a model cannot trust every word it sees; or it is kept.
    `<S>` and `</S>` are never chosen.

    Args:
        mask_rate: float in (0, 1). Share of the words that are chosen.
        random_rate: float in [0, 1). Share of the chosen words that a random word replaces.
        kept_rate: float in [0, 1]. Share of the chosen words that are kept. The model sees these
            words while it predicts them, so their losses say little.

    Raises:
        ValueError: if a value is out of its range, or both rates together are more than 1.

    Example:
    >>> Masking(mask_rate=0.2).random_rate
    0.1

    Reference:
     - [Devlin et al., 2019](https://arxiv.org/abs/1810.04805)
     - [Senay and Salin, 2020](https://arxiv.org/abs/2010.04302)
    """

    mask_rate: float = 0.15
    random_rate: float = 0.1
    kept_rate: float = 0.0

    def __post_init__(self) -> None:
        for name in ("mask_rate", "random_rate", "kept_rate"):
            rate = check_rate(name, getattr(self, name), may_be_one=name == "kept_rate")
            object.__setattr__(self, name, rate)
        if not self.mask_rate:
            raise ValueError(
                "`mask_rate` must be more than 0: nothing is learned without masked words. "
                f"Received: mask_rate={self.mask_rate!r}."
            )
        if self.random_rate + self.kept_rate > 1:
            raise ValueError(
                "`random_rate` and `kept_rate` must be at most 1 together. Received: "
                f"random_rate={self.random_rate!r}, kept_rate={self.kept_rate!r}."
            )

    def replacements(self, vocabulary: "Vocabulary") -> "tf.Tensor":
        """The words that may replace others, `(words,)`: all but the special ones."""
        import tensorflow as tf

        from elmo_tf2.data.vocabulary import SPECIAL_WORDS

        words = [word for word in vocabulary.words if word not in SPECIAL_WORDS]
        if self.random_rate and not words:
            raise ValueError(
                "The vocabulary has no words but the special ones to replace others with. "
                "Take a larger one, or random_rate=0."
            )
        return tf.constant(words, tf.string)

    def mask(
        self,
        words: "tf.Tensor",
        replacements: "tf.Tensor",
        seed: int,
        position: "tf.Tensor",
        first_row: int = 0,
        batch_size: int | None = None,
    ) -> "tuple[tf.Tensor, tf.Tensor]":
        """Masks a window's words `(rows, tokens)`; also gives which were chosen, bool.

        `words` may be rows of a larger batch, from `first_row` of `batch_size`: they get what they
        get there. `position`, `(2,)`, is the window's: it and the seed decide the choice.
        """
        import tensorflow as tf

        from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD, MASK_WORD

        rows, tokens = words.shape
        shape = [rows if batch_size is None else batch_size, tokens]
        key = tf.random.fold_in(tf.stack([tf.constant(seed, tf.int64), position[0]]), position[1])

        def uniform(purpose: int, **kwargs: object) -> tf.Tensor:
            values = tf.random.stateless_uniform(shape, tf.random.fold_in(key, purpose), **kwargs)
            return values[first_row : first_row + rows]

        is_boundary = tf.equal(words, BEGIN_SENTENCE_WORD) | tf.equal(words, END_SENTENCE_WORD)
        is_chosen = (uniform(0) < self.mask_rate) & ~is_boundary
        seen = tf.fill(tf.shape(words), MASK_WORD)
        share = uniform(1)
        if self.random_rate:
            index = uniform(2, maxval=tf.size(replacements), dtype=tf.int32)
            seen = tf.where(share < self.random_rate, tf.gather(replacements, index), seen)
        seen = tf.where(share >= 1 - self.kept_rate, words, seen)
        return tf.where(is_chosen, seen, words), is_chosen
