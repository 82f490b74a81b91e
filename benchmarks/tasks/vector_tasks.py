"""Tasks that the vectors do alone, without a head: sentence similarity, and word senses."""

import abc
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from quality_data import HOW_TO_GET, read_wsd
from quality_tasks import accuracies, nearest_senses, vectors_of_instances
from quality_vectors import embed
from rich.progress import Progress
from scipy.sparse import issparse
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import normalize
from threadpoolctl import threadpool_limits

from tasks.data import TaskData, read_stsb
from tasks.metrics import measure
from tasks.networks import Networks
from tasks.search import grid
from tasks.training import Learned, Stopwatch

C_GRID = grid(C=(1.0, 10.0, 100.0))
MOST_STEPS = 1000
DEV_OF = 10  # so many instances in a row the last one is dev


class VectorTask(abc.ABC):
    """What both tasks share: vectors by variant, computed once.

    Args:
        networks: the encoders.
        bar: the progress bar.
    """

    def __init__(self, networks: Networks, bar: Progress) -> None:
        self._networks, self._bar = networks, bar
        self._layers: dict[str, np.ndarray] = {}

    @abc.abstractmethod
    def _embed(self, network: str) -> np.ndarray:
        """The vectors of what the task is about, `(layers, instances, dim)`."""

    @abc.abstractmethod
    def _bags(self) -> Any:
        """Bags of words in their place, `(instances, words)`."""

    def _vectors(self, variant: str) -> Any:
        """Rows of length 1, one an instance; the mix is not trained: the mean of all layers."""
        if variant == "none":
            return normalize(self._bags())
        network = "untrained" if variant == "untrained" else "trained"
        if network not in self._layers:
            self._layers[network] = self._embed(network)
        # float32's rounding would tell equal cosines apart.
        layers = self._layers[network].astype(np.float64)
        if variant.startswith("layer"):
            return normalize(layers[self._networks.trained.layers.index(variant)])
        return normalize(layers.mean(axis=0))


class CosineTask(VectorTask):
    """Similarity of sentences as the cosine of the means of their words' vectors, or of their bags.

    Args:
        folder: has STS-B.
        networks: the encoders.
        bar: the progress bar.
    """

    def __init__(self, folder: Path, networks: Networks, bar: Progress) -> None:
        super().__init__(networks, bar)
        self._data = TaskData([], *read_stsb(folder)[1:])
        pairs = [each for part in self._data for each in part]
        self._sentences = [words for pair in pairs for words in pair.sentences]

    def run(self, variant: str, share: float, seed: int, setting: dict[str, Any]) -> Learned:
        """Measures; nothing is trained, and nothing random."""
        watch = Stopwatch()
        vectors = self._vectors(variant)
        first, second = vectors[::2], vectors[1::2]
        cosines = np.ravel((first.multiply(second) if variant == "none" else first * second).sum(1))
        parts = np.split(cosines, [len(self._data.dev)])
        dev, test = (
            measure("score", [each.label for each in gold], answers)
            for gold, answers in zip(self._data[1:], parts, strict=True)
        )
        return Learned(dev, test, 0, *watch.read())

    def _embed(self, network: str) -> np.ndarray:
        encoder = getattr(self._networks, network)
        means = np.empty((len(encoder.layers), len(self._sentences), encoder.dim), np.float32)
        for number, layers in embed(encoder, self._sentences, f"{network}: vectors", self._bar):
            means[:, number] = layers.mean(axis=1)
        return means

    def _bags(self) -> Any:
        return CountVectorizer(analyzer=_lower).fit_transform(self._sentences)


class SenseTask(VectorTask):
    """The sense of an ambiguous noun by its own vector, or by the bag of its sentence's words.

    Args:
        method: "1-NN" by cosine, as quality.py does it; or "logistic", a regression for every
            noun, its C chosen on every tenth instance of train.
        folder: has CoarseWSD-20.
        networks: the encoders.
        bar: the progress bar.
    """

    def __init__(self, method: str, folder: Path, networks: Networks, bar: Progress) -> None:
        super().__init__(networks, bar)
        self._method, self._words = method, read_wsd(folder)
        if all(len(word.train) < DEV_OF for word in self._words):
            raise ValueError(
                f"{folder} must have a word with {DEV_OF} instances in train.data.txt, one of them "
                f"for dev. {HOW_TO_GET}"
            )
        self._instances = [each for word in self._words for each in (*word.train, *word.test)]

    def run(self, variant: str, share: float, seed: int, setting: dict[str, Any]) -> Learned:
        """Measures; nothing is random."""
        watch = Stopwatch()
        vectors = self._vectors(variant)
        dev: dict[str, np.ndarray] = {}
        test: dict[str, np.ndarray] = {}
        first = 0
        for word in self._words:
            middle, end = first + len(word.train), first + len(word.train) + len(word.test)
            train = vectors[first:middle]
            gold = np.array([each.sense for each in word.train])
            is_dev = np.arange(len(gold)) % DEV_OF == DEV_OF - 1
            if is_dev.any():
                known = [
                    sense for sense, held_out in zip(gold, is_dev, strict=True) if not held_out
                ]
                answers = self._answers(train[~is_dev], known, train[is_dev], setting)
                dev[word.name] = answers == np.array(gold)[is_dev]
            answers = self._answers(train, gold, vectors[middle:end], setting)
            test[word.name] = answers == np.array([each.sense for each in word.test])
            first = end
        return Learned(_micro_macro(dev), _micro_macro(test), 0, *watch.read())

    def _answers(
        self, train: Any, senses: np.ndarray, queries: Any, setting: dict[str, Any]
    ) -> np.ndarray:
        if self._method == "1-NN":
            cosines = queries @ train.T
            if issparse(cosines):  # of bags, which would take gigabytes if they were dense
                cosines = cosines.toarray()
            return nearest_senses(cosines, senses)
        if len(set(senses)) == 1:
            return np.full(queries.shape[0], senses[0])
        # Several threads wait for one another actively.
        with threadpool_limits(1):
            classifier = LogisticRegression(C=setting["C"], max_iter=MOST_STEPS)
            return classifier.fit(train, senses).predict(queries)

    def _embed(self, network: str) -> np.ndarray:
        encoder = getattr(self._networks, network)
        return vectors_of_instances(encoder, self._instances, f"{network}: vectors", self._bar)

    def _bags(self) -> Any:
        return CountVectorizer(analyzer=_lower).fit_transform(
            each.words for each in self._instances
        )


def _lower(words: Sequence[str]) -> list[str]:
    return [word.lower() for word in words]


def _micro_macro(hits: dict[str, np.ndarray]) -> dict[str, float]:
    found = accuracies(hits)
    return {"accuracy": found["micro"], "mean over words": found["macro"]}
