"""plot_word: every occurrence of a word in a text, drawn by its vectors."""

import os
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from elmo_tf2.data.text_files import OnProgress, find_texts
from elmo_tf2.feature_files import check_picture
from elmo_tf2.features.encoder import Encoder, Model, encoder_of
from elmo_tf2.features.sample import encoded
from elmo_tf2.features.text import check_choices, readable
from elmo_tf2.files import atomic_write, check_free
from elmo_tf2.plot.occurrences import Occurrence, find_occurrences
from elmo_tf2.plot.page import write_page
from elmo_tf2.plot.picture import draw_panels
from elmo_tf2.plot.quotes import Group, Quote
from elmo_tf2.plot.styles import MAX_GROUPS
from elmo_tf2.plot.vectors import clusters_of, most_typical, plane_of
from elmo_tf2.validation import check_integer


class WordPlot(NamedTuple):
    """What was drawn.

    Attributes:
        path: the picture or page.
        word: the word.
        number: how often the text has it.
        sentences: how many of its sentences do.
        groups: clusters or labels, the largest one first.
        quotes: the occurrences that were drawn, by group.
        planes: by layer, their places, `(quotes, 2)`.
    """

    path: Path
    word: str
    number: int
    sentences: int
    groups: list[Group]
    quotes: list[Quote]
    planes: dict[str, np.ndarray]


def plot_word(
    model: Model,
    word: str,
    text: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    clusters: int = 2,
    layer: int | None = None,
    labels: bool = False,
    ignore_case: bool = False,
    max_points: int = 500,
    tokenizer: str | None = None,
    overwrite: bool = False,
    on_search: OnProgress | None = None,
    on_embed: OnProgress | None = None,
) -> WordPlot:
    r"""Draws the vectors of a word in the sentences of a text, one panel per layer.

    Each panel is the plane of their two principal components. The output's ending decides the
    format: `.png` and `.svg`, pictures by matplotlib; `.html`, a page by itself with the sentences
    beside the panels: a point or a sentence that is pointed at is marked wherever it is.

    Args:
        model: what `embed_file` takes.
        word: the word.
        text: a file of one sentence per line, plain or compressed with gzip or xz; "-" is standard
            input. Memory does not grow with it.
        output_path: the file to make.
        clusters: int > 0. Number of clusters by k-means, with a colour and a mark each. More
            than one need scikit-learn.
        layer: number of the layer whose vectors are clustered. None: the last one.
        labels: bool. Whether a line is a label, a tab and the sentence; points are coloured by
            that, and not clustered.
        ignore_case: bool. Whether capitals count as small letters.
        max_points: int > 1. Of more occurrences, so many are drawn at random.
        tokenizer: "words" or "spaces", as of `embed_file`.
        overwrite: whether an existing file may be replaced.
        on_search: is called with the number of bytes that were read, and that of all, 0 if it is
            not known.
        on_embed: is called with the number of finished words and that of all words.

    Returns:
        A `WordPlot`.

    Raises:
        FileExistsError: if there is something at `output_path` and `overwrite` is False.
        FileNotFoundError: if there is no such text or model.
        ValueError: if an argument is of a wrong kind, the word does not occur twice, there are
            fewer different vectors than clusters, or a library is missing.

    Example:
    >>> _ = Path("text.txt").write_text("I eat an apple.\nAn apple a day!\nNo apple computers?")
    >>> plot = plot_word("model_folder", "apple", "text.txt", "apple.html", tokenizer="words")
    >>> plot.number, len(plot.groups), list(plot.planes)
    (3, 2, ['without context', 'layer 1', 'layer 2'])
    """
    output = Path(output_path)
    check_integer("clusters", clusters, maximum=MAX_GROUPS)
    check_integer("max_points", max_points, minimum=2)
    check_choices(tokenizer)
    check_picture(output, 1 if labels else clusters)
    check_free(output, overwrite, inputs=[model, *find_texts([text])])
    encoder = encoder_of(model)
    by = _layer(layer, len(encoder.layers))
    found = find_occurrences(
        word, text, tokenizer or encoder.tokenizer, ignore_case, labels, max_points, on_search
    )
    vectors = _vectors(encoder, found.drawn, on_embed)
    if labels:
        names = [occurrence.label for occurrence in found.drawn]
    else:
        names = [f"cluster {number}" for number in _by_size(clusters_of(vectors[by], clusters))]
    quotes = [
        Quote(*occurrence.place(), name)
        for occurrence, name in zip(found.drawn, names, strict=True)
    ]
    groups = _groups(quotes, vectors[by])
    rank = {group.name: number for number, group in enumerate(groups)}
    order = sorted(range(len(quotes)), key=lambda row: rank[quotes[row].group])
    planes = {
        f"layer {number}" if number else "without context": plane_of(layer_vectors[order])
        for number, layer_vectors in enumerate(vectors)
    }
    quotes = [quotes[row] for row in order]
    word = readable(os.fsencode(word))
    title = f"“{word}”, {found.number:,} times in {found.sentences:,} sentences"
    if found.number > len(quotes):
        title += f"; {len(quotes):,} drawn"
    with atomic_write(output, overwrite) as new:
        if output.suffix.lower() == ".html":
            write_page(new, title, planes, groups, quotes)
        else:
            named = {group.name: f"{group.name} ({group.size:,})" for group in groups}
            texts = [quote.snippet() for quote in quotes]
            draw_panels(new, title, planes, [named[quote.group] for quote in quotes], texts)
    return WordPlot(output, word, found.number, found.sentences, groups, quotes, planes)


def _layer(layer: int | None, number: int) -> int:
    if layer is None:
        return number - 1
    if type(layer) is not int or not 0 <= layer < number:
        raise ValueError(
            f"`layer` must be the number of a layer, from 0 to {number - 1}. Received: "
            f"layer={layer!r}."
        )
    return layer


def _vectors(
    encoder: Encoder, occurrences: list[Occurrence], on_progress: OnProgress | None
) -> np.ndarray:
    """The vectors of occurrences, `(layers, occurrences, dim)`; those of a line computed once."""
    sentences = {occurrence.sentence.line: occurrence.sentence for occurrence in occurrences}
    rows: dict[bytes, list[int]] = {line: [] for line in sentences}
    for row, occurrence in enumerate(occurrences):
        rows[occurrence.sentence.line].append(row)
    vectors = np.empty((len(encoder.layers), len(occurrences), encoder.dim), np.float32)
    for sentence, layers in encoded(encoder, sentences.values(), on_progress):
        for row in rows[sentence.line]:
            vectors[:, row] = layers[:, occurrences[row].token]
    return vectors


def _by_size(clusters: list[int]) -> list[int]:
    """Clusters numbered from 1, the largest one first."""
    numbers = {cluster: n for n, (cluster, _) in enumerate(Counter(clusters).most_common(), 1)}
    return [numbers[cluster] for cluster in clusters]


def _groups(quotes: list[Quote], vectors: np.ndarray) -> list[Group]:
    """Groups, the largest one first, and the most typical quote of each by its vector."""
    groups = []
    for name, size in Counter(quote.group for quote in quotes).most_common():
        rows = [row for row, quote in enumerate(quotes) if quote.group == name]
        groups.append(Group(name, size, quotes[rows[most_typical(vectors[rows])]]))
    if len(groups) > MAX_GROUPS:
        raise ValueError(
            f"There can be at most {MAX_GROUPS} groups, or they would look alike. Found: "
            f"{len(groups):,}, such as {groups[0].name[:40]!r} and {groups[1].name[:40]!r}."
        )
    return groups
