"""All words of a task in one row, and what is looked up for each: ids, characters, vectors."""

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from quality_vectors import embed
from rich.progress import Progress

from elmo_tf2.features.encoder import Encoder

LEAST_COUNT = 2  # of a word that gets a vector of its own; the others share one, which so learns
CHARS = 20
FIRST_CHARS = 12  # of longer words; the rest are the last ones, as endings tell most
WORD_BEGINS, WORD_ENDS = 256, 257
NUM_CHARS = 259  # bytes, both marks, and padding


class Corpus:
    """The words of sentences one after another; the first place is padding.

    A table has a row for every place, so that a batch of it is `table[places]`.

    Args:
        sentences: lists of words.

    Attributes:
        sentences: the same.
        words: object array of bytes, the table of the words.
    """

    def __init__(self, sentences: Sequence[list[str]]) -> None:
        self.sentences = sentences
        self._starts = 1 + np.cumsum([0, *map(len, sentences)])
        self.words = np.array(
            [b"", *(word.encode() for words in sentences for word in words)], object
        )
        self._lower = np.array([word.lower() for word in self.words], object)

    def places(self, numbers: Sequence[int]) -> np.ndarray:
        """Returns where the words of these sentences are, `(sentences, tokens)`; 0 is padding."""
        starts = self._starts[numbers][:, np.newaxis]
        lengths = self._starts[np.add(numbers, 1)][:, np.newaxis] - starts
        steps = np.arange(lengths.max())
        return np.where(steps < lengths, starts + steps, 0)

    def word_ids(self, numbers: Iterable[int]) -> np.ndarray:
        """Numbers the words, upper case as lower: 0 padding, 1 words that are rare or new.

        Args:
            numbers: of the sentences to learn from.

        Returns:
            int32 array, a table.
        """
        places = self.places(list(numbers))
        counts = Counter(self._lower[places[places > 0]])
        known = [word for word, count in counts.most_common() if count >= LEAST_COUNT]
        ids = {b"": 0} | {word: 2 + number for number, word in enumerate(known)}
        return np.array([ids.get(word, 1) for word in self._lower], np.int32)

    def char_ids(self) -> np.ndarray:
        """Returns the bytes of the words between two marks, an int32 table `(places, CHARS)`."""
        distinct, numbers = np.unique(self.words, return_inverse=True)
        table = np.zeros((len(distinct), CHARS), np.int32)
        for row, word in zip(table, distinct, strict=True):
            if word:
                ids = [WORD_BEGINS, *word, WORD_ENDS]
                if len(ids) > CHARS:
                    ids = ids[:FIRST_CHARS] + ids[FIRST_CHARS - CHARS :]
                row[: len(ids)] = np.add(ids, 1)
        return table[numbers]

    def vectors(
        self, encoder: Encoder, num_train: int, description: str, bar: Progress
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Computes the vectors of all words.

        Every layer is divided by the standard deviation of all its numbers in train: those of an
        untrained network are ten times as small, and a small head would learn from them slowly.

        Args:
            encoder: the network.
            num_train: so many sentences at the beginning are those to learn from.
            description: what the progress bar says.
            bar: the progress bar.

        Returns:
            dict of float16 tables `(places, dim)`, by layer; and what each layer was divided by.
        """
        shape = (len(encoder.layers), len(self.words), encoder.dim)
        layers = np.zeros(shape, np.float16)
        for number, vectors in embed(encoder, self.sentences, description, bar):
            start, end = self._starts[number : number + 2]
            layers[:, start:end] = vectors
        deviations = layers[:, 1 : self._starts[num_train]].std(axis=(1, 2), dtype=np.float64)
        for layer, deviation in zip(layers, deviations, strict=True):
            layer /= deviation
        return dict(zip(encoder.layers, layers, strict=True)), deviations
