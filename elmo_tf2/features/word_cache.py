"""Vectors of words, computed once."""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

_MAX_WORDS = 65_536  # 128 MB of the original size's vectors


class WordCache:
    """Vectors of words that were computed before; when it is full, it starts again.

    Args:
        compute: makes vectors `(words, dim)` of words `(words,)`.
        dim: size of a vector.
    """

    def __init__(self, compute: Callable[[tf.Tensor], tf.Tensor], dim: int) -> None:
        self._compute = compute
        self._vectors = np.empty((_MAX_WORDS, dim), np.float32)
        self._places: dict[bytes, int] = {}

    def vectors(self, words: list[bytes]) -> np.ndarray:
        """The vectors of words, `(words, dim)`."""
        distinct = dict.fromkeys(words)
        new = [word for word in distinct if word not in self._places]
        if len(self._places) + len(new) > len(self._vectors):
            self._places.clear()
            new = list(distinct)
            if len(new) > len(self._vectors):
                self._vectors = np.empty((len(new), self._vectors.shape[1]), np.float32)
        if new:
            start = len(self._places)
            self._vectors[start : start + len(new)] = self._compute(tf.constant(new)).numpy()
            self._places.update(zip(new, range(start, start + len(new)), strict=True))
        return self._vectors[[self._places[word] for word in words]]

    def clear(self) -> None:
        """Forgets all words."""
        self._places.clear()
