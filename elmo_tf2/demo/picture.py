"""A picture of a word's senses. It needs matplotlib, which the package does not install."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from elmo_tf2.demo.figures import layer_title
from elmo_tf2.files import StrPath, atomic_write
from elmo_tf2.plot.picture import draw_panels
from elmo_tf2.plot.quotes import Quote
from elmo_tf2.plot.vectors import plane_of


def draw_senses(
    path: StrPath,
    word: str,
    senses: Mapping[str, Sequence[str]],
    layers: Mapping[str, np.ndarray],
) -> None:
    """Draws a word's vectors in the plane of their two principal components, one panel per layer.

    Args:
        path: the file, whose ending decides the format.
        word: the word.
        senses: its sentences by sense.
        layers: by layer, the word's vectors `(sentences, dimensions)` in the same order.

    Raises:
        ImportError: if there is no matplotlib.
    """
    quotes = [
        Quote(sentence, *match.span(), sense)
        for sense, sentences in senses.items()
        for sentence in sentences
        if (match := re.search(rf"(?<![A-Za-z]){re.escape(word)}(?![A-Za-z])", sentence))
    ]
    with atomic_write(path, overwrite=True) as temporary:
        draw_panels(
            temporary,
            f"“{word}” in {len(quotes)} sentences",
            {layer_title(layer): plane_of(vectors) for layer, vectors in layers.items()},
            [quote.group for quote in quotes],
            [quote.snippet() for quote in quotes],
        )
