"""Some of many, drawn at random in constant memory; and their vectors."""

import heapq
import random
from collections.abc import Callable, Collection, Iterator
from typing import Generic, TypeVar

import numpy as np

from elmo_tf2.features.encoder import Encoder
from elmo_tf2.features.text import Sentence, batches

_BATCH_SIZE = 32

T = TypeVar("T")


class Sample(Generic[T]):
    """Items drawn at random from any number, each as likely as another; the same at every run.

    The weights of those that are kept, `kept`, are `size` at most, but for a single item. `added`
    is the sum of the weights of all.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.added = self.kept = 0
        self._rng = random.Random(0)
        self._heap: list[tuple[float, int, int, T]] = []
        self._offered = 0

    def add(self, item: T, weight: int = 1) -> None:
        """Offers an item."""
        heapq.heappush(self._heap, (self._rng.random(), self._offered, weight, item))
        self._offered += 1
        self.added += weight
        self.kept += weight
        while self.kept > self.size and len(self._heap) > 1:
            self.kept -= heapq.heappop(self._heap)[2]

    def items(self) -> list[T]:
        """The items that are kept, in the order in which they were offered."""
        return [item for _, _, _, item in sorted(self._heap, key=lambda entry: entry[1])]


def encoded(
    encoder: Encoder,
    sentences: Collection[Sentence],
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Sentence, np.ndarray]]:
    """Sentences of one word or more and their vectors, the longest first."""
    done, total = 0, sum(len(sentence.words) for sentence in sentences)
    for batch in batches(sentences, _BATCH_SIZE):
        yield from zip(batch, encoder.encode(batch), strict=True)
        done += sum(len(sentence.words) for sentence in batch)
        if on_progress is not None:
            on_progress(done, total)
