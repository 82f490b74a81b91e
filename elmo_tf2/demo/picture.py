"""A picture of a word's senses. It needs matplotlib, which the package does not install."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

from elmo_tf2.demo.figures import layer_title, plane_of
from elmo_tf2.files import StrPath

# Of Okabe and Ito: told apart by the colour-blind, and by their marks without colour.
_STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"))
_MAX_SNIPPET = 26


def draw_senses(
    path: StrPath,
    word: str,
    senses: Mapping[str, Sequence[str]],
    layers: Mapping[str, np.ndarray],
) -> None:
    """Draws a word's vectors in the plane of their two principal components, a panel a layer.

    Args:
        path: the file, whose ending tells the format.
        word: the word.
        senses: its sentences by sense.
        layers: by layer, the word's vectors `(sentences, dimensions)` in the same order.

    Raises:
        ImportError: if there is no matplotlib.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    planes = {layer: plane_of(vectors) for layer, vectors in layers.items()}
    widths = [5.8 if points.any() else 2.6 for points in planes.values()]
    figure = Figure(figsize=(sum(widths), 6.4), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)  # no window, whatever the environment
    panels = figure.subplots(1, len(layers), squeeze=False, width_ratios=widths)[0]
    figure.subplots_adjust(left=0.01, right=0.99, top=0.84, bottom=0.09, wspace=0.03)
    for panel, (layer, points) in zip(panels, planes.items(), strict=True):
        _draw_panel(panel, word, senses, points, layer_title(layer))
    handles, names = panels[-1].get_legend_handles_labels()
    figure.legend(handles, names, loc="lower center", ncols=len(names), frameon=False, fontsize=13)
    figure.suptitle(f"“{word}” in {sum(map(len, senses.values()))} sentences", fontsize=18, y=0.97)
    figure.savefig(path)


def _draw_panel(
    panel: Any, word: str, senses: Mapping[str, Sequence[str]], points: np.ndarray, title: str
) -> None:
    panel.set_title(title, fontsize=14, pad=8)
    panel.set_xticks([])
    panel.set_yticks([])
    for side in panel.spines.values():
        side.set_color("#cccccc")
    start = 0
    colours, snippets = [], []
    for (sense, sentences), (colour, mark) in zip(senses.items(), _cycle(len(senses)), strict=True):
        x, y = points[start : start + len(sentences)].T
        panel.scatter(x, y, s=58, c=colour, marker=mark, label=sense, linewidths=0, zorder=3)
        colours += [colour] * len(sentences)
        snippets += [snippet(sentence, word) for sentence in sentences]
        start += len(sentences)
    if not points.any():
        panel.set_xlim(-1, 1)
        panel.set_ylim(-1, 1)
        panel.scatter(0, 0, s=120, c="#444444", linewidths=0, zorder=4)
        panel.text(
            0, -0.12, "one vector,\nwhatever the sentence", ha="center", va="top", fontsize=12,
            color="#444444",
        )  # fmt: skip
        return
    panel.margins(0.24, 0.1)
    _label(panel, points, snippets, colours)


def _cycle(number: int) -> list[tuple[str, str]]:
    return [_STYLES[index % len(_STYLES)] for index in range(number)]


def snippet(sentence: str, word: str, length: int = _MAX_SNIPPET) -> str:
    """A few words of a sentence round a word.

    Args:
        sentence: the sentence.
        word: a word of it.
        length: the most characters, marks of what is left out not counted.

    Returns:
        The words, with "…" where some are left out.

    Example:
    >>> snippet("The new phone from apple costs more than the old one.", "apple")
    '…new phone from apple costs…'
    """
    words = sentence.split()
    place = next(index for index, part in enumerate(words) if part.strip(",.?!") == word)
    first, last = place, place + 1
    is_left_next = True
    while True:
        steps = [(first - 1, last), (first, last + 1)]
        for low, high in steps if is_left_next else steps[::-1]:
            fits = low >= 0 and high <= len(words) and len(" ".join(words[low:high])) <= length
            if fits:
                is_left_next = high > last
                first, last = low, high
                break
        else:
            break
    text = " ".join(words[first:last])
    return f"{'…' if first else ''}{text}{'…' if last < len(words) else ''}"


def _label(panel: Any, points: np.ndarray, snippets: list[str], colours: list[str]) -> None:
    """Puts every snippet beside its point, where it covers the least of others."""
    figure = panel.figure
    renderer = figure.canvas.get_renderer()
    figure.draw_without_rendering()
    frame = panel.get_window_extent(renderer)
    places = panel.transData.transform(points)  # in pixels
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    # Those at the edges first, which have the fewest ways to go.
    centre = places.mean(axis=0)
    for index in np.argsort(-np.linalg.norm(places - centre, axis=1)):
        x, y = places[index]
        text = panel.text(0, 0, snippets[index], fontsize=9.5, color=colours[index], zorder=4)
        box = text.get_window_extent(renderer)
        best = min(
            _candidates(x, y, box.width, box.height),
            key=lambda place: _cost(place[1], taken, frame, place[0]),
        )[1]
        taken.append(best)
        text.set_position(panel.transData.inverted().transform((best[0], best[1])))
        nearest = (np.clip(x, best[0], best[2]), np.clip(y, best[1], best[3]))
        if np.hypot(nearest[0] - x, nearest[1] - y) > 16:
            line = panel.transData.inverted().transform([(x, y), nearest])
            panel.plot(*line.T, color=colours[index], linewidth=0.6, alpha=0.6, zorder=2)


_Box = tuple[float, float, float, float]


def _candidates(x: float, y: float, width: float, height: float) -> list[tuple[float, _Box]]:
    """Boxes of a size round a point, with their distance in steps."""
    boxes = []
    for step, (across, up) in product(range(9), product((0.0, 0.5, 1.0), (-1, 0, 1))):
        if up == 0 and across == 0.5:
            continue
        left = x - across * width + (0.5 - across) * 2 * (11 + 3 * step if up == 0 else 4)
        low = y - height / 2 + up * (height / 2 + 10 + step * height * 0.6)
        boxes.append((float(step), (left, low, left + width, low + height)))
    return boxes


def _cost(box: _Box, taken: list[_Box], frame: Any, distance: float) -> float:
    covered = sum(
        max(0.0, min(box[2], other[2]) - max(box[0], other[0]))
        * max(0.0, min(box[3], other[3]) - max(box[1], other[1]))
        for other in taken
    )
    outside = max(0.0, frame.x0 + 4 - box[0]) + max(0.0, box[2] - frame.x1 + 4)
    outside += max(0.0, frame.y0 + 4 - box[1]) + max(0.0, box[3] - frame.y1 + 4)
    return covered + 100 * outside + 25 * distance
