"""The examples of a task in batches: shares of them, inputs, targets, and answers."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from tasks.corpus import Corpus
from tasks.data import Example, TaskData

SMALL_BATCH, BATCH = 16, 64
FEW_EXAMPLES = 1000  # fewer than these learn in small batches
LEAST_UPDATES = 30  # of an epoch: one of few examples passes over them several times
POOL = 20  # so many batches are sorted by length together
TEST_BATCH = 256


class Numbered(NamedTuple):
    """An example whose sentences are in a `Corpus`.

    Attributes:
        numbers: of its sentences.
        label: as of `Example`.
    """

    numbers: tuple[int, ...]
    label: Any


def number(data: TaskData) -> tuple[Corpus, TaskData]:
    """Puts all sentences into a corpus, train first; the examples become `Numbered`."""
    sentences: list[list[str]] = []
    parts = []
    for part in data:
        parts.append([])
        for example in part:
            first = len(sentences)
            sentences += example.sentences
            parts[-1].append(Numbered(tuple(range(first, len(sentences))), example.label))
    return Corpus(sentences), TaskData(*parts)


def subset(examples: Sequence[Example], share: float, seed: int) -> list[Example]:
    """Draws a share of the examples; of one seed, smaller shares are parts of larger ones."""
    order = np.random.default_rng(seed).permutation(len(examples))
    return [examples[each] for each in order[: max(1, round(share * len(examples)))]]


def labels_of(kind: str, examples: Sequence[Example]) -> list[str]:
    """Returns the tags or classes of examples in alphabetical order; of scores, one name."""
    if kind == "score":
        return ["score"]
    labels = (each.label for each in examples)
    return sorted({tag for tags in labels for tag in tags} if kind != "class" else set(labels))


class Batches:
    """Makes batches of examples.

    Args:
        kind: of the task.
        corpus: with the sentences.
        tables: what is looked up for a word, by name.
        labels: all tags or classes.
    """

    def __init__(
        self,
        kind: str,
        corpus: Corpus,
        tables: Mapping[str, np.ndarray],
        labels: Sequence[str],
    ) -> None:
        self.kind, self.corpus, self.tables, self.labels = kind, corpus, tables, labels
        self._ids = {label: number for number, label in enumerate(labels)}

    def inputs(self, examples: Sequence[Numbered]) -> dict[str, np.ndarray]:
        """Returns the tables' rows for the examples' words."""
        places = self.corpus.places([each for one in examples for each in one.numbers])
        return {name: table[places] for name, table in self.tables.items()}

    def targets(self, examples: Sequence[Numbered]) -> np.ndarray:
        """Returns numbers of labels, -1 where there is no word; or scores."""
        if self.kind == "score":
            return np.array([each.label for each in examples], np.float32)
        if self.kind == "class":
            return np.array([self._ids[each.label] for each in examples], np.int32)
        longest = max(len(each.label) for each in examples)
        targets = np.full((len(examples), longest), -1, np.int32)
        for row, example in zip(targets, examples, strict=True):
            row[: len(example.label)] = [self._ids[tag] for tag in example.label]
        return targets

    @property
    def signature(self) -> tuple[dict[str, tf.TensorSpec], tf.TensorSpec]:
        """What inputs and targets are, of whatever length."""
        inputs = {
            name: tf.TensorSpec(
                [None, None, *table.shape[1:]], tf.string if table.dtype == object else table.dtype
            )
            for name, table in self.tables.items()
        }
        if self.kind == "score":
            return inputs, tf.TensorSpec([None], tf.float32)
        return inputs, tf.TensorSpec([None] if self.kind == "class" else [None, None], tf.int32)

    def epochs(
        self, examples: Sequence[Numbered], seed: int
    ) -> Iterator[Iterator[tuple[dict[str, np.ndarray], np.ndarray]]]:
        """Makes batches without end, in another order every time round.

        Args:
            examples: to learn from.
            seed: of the order.

        Yields:
            The inputs and targets of an epoch's batches, one after another.
        """
        size = SMALL_BATCH if len(examples) < FEW_EXAMPLES else BATCH
        rng = np.random.default_rng(seed)
        rounds = (batch for _ in itertools.count() for batch in self._shuffled(examples, size, rng))
        updates = max(LEAST_UPDATES, -(-len(examples) // size))
        while True:
            some = itertools.islice(rounds, updates)
            yield ((self.inputs(batch), self.targets(batch)) for batch in some)

    def answers(
        self, predict: Callable[[dict[str, np.ndarray]], tf.Tensor], examples: Sequence[Numbered]
    ) -> list[Any]:
        """Returns what a model answers: a list of tags, a class, or a score, for every example."""
        answers: list[Any] = [None] * len(examples)
        order = sorted(range(len(examples)), key=lambda each: self._length(examples[each]))
        for first in range(0, len(order), TEST_BATCH):
            some = order[first : first + TEST_BATCH]
            inputs = self.inputs([examples[each] for each in some])
            outputs = predict(inputs).numpy()
            for each, output in zip(some, outputs, strict=True):
                if self.kind == "score":
                    answers[each] = float(output[0])
                elif self.kind == "class":
                    answers[each] = self.labels[output.argmax()]
                else:
                    best = output[: len(examples[each].label)].argmax(axis=-1)
                    answers[each] = [self.labels[label] for label in best]
        return answers

    def _length(self, example: Numbered) -> int:
        return max(len(self.corpus.sentences[each]) for each in example.numbers)

    def _shuffled(
        self, examples: Sequence[Numbered], size: int, rng: np.random.Generator
    ) -> Iterator[list[Numbered]]:
        """Batches of like length, from pools that are drawn at random."""
        order = rng.permutation(len(examples))
        for first in range(0, len(order), POOL * size):
            pool = [examples[each] for each in order[first : first + POOL * size]]
            pool.sort(key=self._length)
            for start in rng.permutation(range(0, len(pool), size)):
                yield pool[start : start + size]
