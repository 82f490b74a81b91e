"""How well the vectors of a word separate its senses, in numbers."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from elmo_tf2.plot.vectors import DECIMALS, unit_vectors

# From the worst to the best.
VERDICTS = ("does not separate", "separates in part", "separates")
"""What is said of a word, from bad to good."""

_TITLES = {"word_emb": "without context", "elmo": "mix of all layers"}


def layer_title(layer: str) -> str:
    """What people call a layer of an exported model.

    Args:
        layer: the name of its output, for example "lstm_outputs1".

    Returns:
        Its title, for example "layer 1".

    Example:
    >>> layer_title("word_emb")
    'without context'
    """
    return _TITLES.get(layer, f"layer {layer.removeprefix('lstm_outputs')}")


class Query(NamedTuple):
    """A sentence, and how near its word is to the word in others.

    Attributes:
        sentence: the first one of its sense.
        sense: its sense.
        cosines: mean cosine to the sentences of every sense, itself left out.
    """

    sentence: str
    sense: str
    cosines: dict[str, float]

    @property
    def nearest(self) -> str:
        """The sense whose sentences are nearest."""
        return max(self.cosines, key=lambda sense: self.cosines[sense])


class WordFigures(NamedTuple):
    """The figures of a word.

    Attributes:
        word: the word.
        queries: one a sense, in the layer that is judged.
        accuracy: by layer, the share of sentences whose nearest other one has the same sense; of
            several equally near ones each counts in part.
        chance: what random vectors would have of it on average.
        layer: the layer that is judged.
    """

    word: str
    queries: tuple[Query, ...]
    accuracy: dict[str, float]
    chance: float
    layer: str

    @property
    def verdict(self) -> str:
        """One of `VERDICTS`: whether the vectors separate the senses.

        They do in part if the accuracy is nearer to 1 than to chance; wholly if, moreover, every
        query is nearest to its own sense.
        """
        if self.accuracy[self.layer] <= (1 + self.chance) / 2:
            return VERDICTS[0]
        is_right = all(query.nearest == query.sense for query in self.queries)
        return VERDICTS[2 if is_right else 1]


def figures_of(
    word: str, senses: Mapping[str, Sequence[str]], layers: Mapping[str, np.ndarray], layer: str
) -> WordFigures:
    """Computes the figures of a word.

    Example:
    >>> layers = {"top": np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1]])}
    >>> figures = figures_of("bank", {"river": ["a", "b"], "money": ["c", "d"]}, layers, "top")
    >>> figures.accuracy, figures.verdict
    ({'top': 1.0}, 'separates')
    """
    labels = np.array([sense for sense, group in senses.items() for _ in group])
    sentences = [sentence for group in senses.values() for sentence in group]
    cosines = {name: _cosines(vectors) for name, vectors in layers.items()}
    same = labels[:, np.newaxis] == labels
    others = ~np.eye(len(labels), dtype=bool)
    queries = []
    for sense in senses:
        row = int(np.argmax(labels == sense))
        means = {
            other: float(cosines[layer][row, (labels == other) & others[row]].mean())
            for other in senses
        }
        queries.append(Query(sentences[row], sense, means))
    return WordFigures(
        word,
        tuple(queries),
        {name: _accuracy(matrix, same, others) for name, matrix in cosines.items()},
        float((same & others).sum() / others.sum()),
        layer,
    )


def _cosines(vectors: np.ndarray) -> np.ndarray:
    unit = unit_vectors(vectors)
    return (unit @ unit.T).round(DECIMALS)


def _accuracy(cosines: np.ndarray, same: np.ndarray, others: np.ndarray) -> float:
    """Leave-one-out accuracy of the nearest neighbour."""
    nearest = np.where(others, cosines, -np.inf)
    is_nearest = nearest == nearest.max(axis=1, keepdims=True)
    return float(((is_nearest & same).sum(axis=1) / is_nearest.sum(axis=1)).mean())
