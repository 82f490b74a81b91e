"""A task that a head is trained for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import Progress

from tasks.batches import Batches, labels_of, number, subset
from tasks.data import TaskData
from tasks.models import FineTuning, Setting
from tasks.networks import Networks
from tasks.search import grid
from tasks.training import Learned, learn

# Of the examples of dev, at most: it is measured after every epoch.
DEV_EXAMPLES = 500
GRID = grid(learning_rate=(1e-3, 3e-3), units=(64, 128), dropout=(0.2, 0.5))
QUICK = grid(learning_rate=(1e-3,), units=(64,), dropout=(0.2,))
# All else is as of the frozen encoder's model, from which fine-tuning goes on.
FINE_TUNING_GRID = grid(fine_tuning_rate=(1e-4, 5e-4))


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
        self._made: dict[str, tuple[dict[str, np.ndarray], np.ndarray | None]] = {}

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
        word = {"word": self._corpus.word_ids(learned_from)}
        tables, deviations = self._tables("mix" if variant == "fine-tuned" else variant)
        batches = self._batches(word | tables)
        fine_tuning = None
        if variant == "fine-tuned":
            text = self._batches(word | {"text": self._corpus.words})
            fine_tuning = FineTuning(text, self._networks, deviations)
        return learn(batches, data, Setting(**setting), seed, fine_tuning)

    def _batches(self, tables: dict[str, np.ndarray]) -> Batches:
        return Batches(self._kind, self._corpus, tables, self._labels)

    def _tables(self, variant: str) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """What is given beside the word's number, and what the layers of it were divided by."""
        source = variant if variant in ("none", "untrained") else "trained"
        if source not in self._made:
            self._made[source] = self._make(source)
        made, deviations = self._made[source]
        return ({variant: made[variant]} if variant in made else made), deviations

    def _make(self, source: str) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
        """Characters, or the vectors of a network."""
        if source == "none":
            return {"chars": self._corpus.char_ids()}, None
        num_train = sum(len(each.numbers) for each in self._data.train)
        encoder = getattr(self._networks, source)
        return self._corpus.vectors(encoder, num_train, f"{source}: vectors", self._bar)
