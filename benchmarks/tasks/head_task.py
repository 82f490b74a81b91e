"""A task that a head is trained for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from tasks.batches import Batches, labels_of, number, subset
from tasks.data import TaskData
from tasks.models import Setting
from tasks.networks import Networks
from tasks.search import grid
from tasks.training import Learned, learn

# Of the examples of dev, at most: it is measured after every epoch.
DEV_EXAMPLES = 500
GRID = grid(learning_rate=(1e-3, 3e-3), units=(64, 128), dropout=(0.2, 0.5))
# The whole encoder wants smaller steps than a head, and costs many times as much.
FINE_TUNING_GRID = grid(learning_rate=(3e-4, 1e-3), units=(64,), dropout=(0.2,))
QUICK = grid(learning_rate=(1e-3,), units=(64,), dropout=(0.2,))


class HeadTask:
    """Learns from a share of the labels, with words of any variant.

    Args:
        kind: as of `measure`.
        read: reads the data.
        folder: has the data.
        networks: the encoders.
        bar: the progress bar.
    """

    def __init__(
        self,
        kind: str,
        read: Callable[[Path], TaskData],
        folder: Path,
        networks: Networks,
        bar: Progress,
    ) -> None:
        self._kind, self._networks, self._bar = kind, networks, bar
        self._corpus, self._data = number(read(folder))
        self._data = self._data._replace(dev=subset(self._data.dev, 1, 0)[:DEV_EXAMPLES])
        self._labels = labels_of(kind, self._data.train)
        self._made: dict[str, dict[str, np.ndarray]] = {}

    def run(self, variant: str, share: float, seed: int, setting: dict[str, Any]) -> Learned:
        """Trains and measures.

        Args:
            variant: what the words are given as.
            share: of the labels of train.
            seed: of the choice of them, and of all else that is random.
            setting: of the grid.

        Returns:
            How it went.
        """
        data = self._data._replace(train=subset(self._data.train, share, seed))
        learned_from = [each for example in data.train for each in example.numbers]
        tables = {"word": self._corpus.word_ids(learned_from), **self._tables(variant)}
        batches = Batches(self._kind, self._corpus, tables, self._labels)
        elmo = self._networks.trainable() if variant == "fine-tuned" else None
        return learn(batches, data, Setting(**setting), seed, elmo)

    def _tables(self, variant: str) -> dict[str, np.ndarray]:
        """What is given beside the word's number."""
        if variant == "fine-tuned":
            return {"text": self._corpus.words}
        source = variant if variant in ("none", "untrained") else "trained"
        if source not in self._made:
            self._made[source] = self._make(source)
        made = self._made[source]
        return {variant: made[variant]} if variant in made else made

    def _make(self, source: str) -> dict[str, np.ndarray]:
        """Characters, or the vectors of a network."""
        if source == "none":
            return {"chars": self._corpus.char_ids()}
        num_train = sum(len(each.numbers) for each in self._data.train)
        encoder = getattr(self._networks, source)
        return self._corpus.vectors(encoder, num_train, f"{source}: vectors", self._bar)
