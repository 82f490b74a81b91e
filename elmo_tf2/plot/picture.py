"""Vectors as points, one panel per layer. It needs matplotlib, which an extra installs."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from elmo_tf2.files import StrPath
from elmo_tf2.plot.styles import Style, style_of

_LEGEND_COLUMNS = 6
_MAX_NAME = 30
# Of more points, a few have their text.
_MAX_TEXTS = 40
_FEW_TEXTS = 12
# Those of them that are there draw what matplotlib's own has no letters for.
_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "PingFang SC",
    "Hiragino Sans GB",
    "Microsoft YaHei",
    "SimHei",
)

_logger = logging.getLogger(__name__)


def draw_panels(
    path: StrPath,
    title: str,
    planes: Mapping[str, np.ndarray],
    groups: Sequence[str],
    texts: Sequence[str],
) -> None:
    """Draws panels, by title the points `(number, 2)`, with the group and the text of each point.

    The file's ending decides the format; the points of a group come together.
    """
    import matplotlib
    from matplotlib import font_manager
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(groups))
    styles = {name: style_of(number) for number, name in enumerate(names)}
    rows = -(-len(names) // _LEGEND_COLUMNS)
    height = 5.95 + 0.45 * rows
    widths = [5.8 if points.any() else 2.6 for points in planes.values()]
    there = set(font_manager.get_font_names())
    # Text is text: of "$5 and $6" no formula is made, and that of an SVG can be found and read.
    settings: Any = {
        "font.family": ["DejaVu Sans", *(font for font in _FONTS if font in there)],
        "text.parse_math": False,
        "svg.fonttype": "none",
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("always", "Glyph .* missing")
        figure = Figure(figsize=(sum(widths), height), dpi=110, facecolor="white")
        FigureCanvasAgg(figure)  # no window, whatever the environment
        panels = figure.subplots(1, len(planes), squeeze=False, width_ratios=widths)[0]
        figure.subplots_adjust(
            left=0.01, right=0.99, top=1 - 1.02 / height, bottom=(0.13 + 0.45 * rows) / height,
            wspace=0.03,
        )  # fmt: skip
        for panel, (name, points) in zip(panels, planes.items(), strict=True):
            marks = _draw_panel(panel, name, points, groups, texts, styles)
        figure.legend(
            marks,
            [name if len(name) <= _MAX_NAME else f"{name[:_MAX_NAME]}…" for name in names],
            loc="lower center", ncols=min(len(names), _LEGEND_COLUMNS), frameon=False, fontsize=13,
        )  # fmt: skip
        figure.suptitle(title, fontsize=18, y=1 - 0.19 / height)
        figure.savefig(path)
    if caught and Path(path).suffix.lower() != ".svg":
        _logger.warning(
            "No font that was found has all letters of the text: some are boxes in %s. A page "
            "(.html) or an .svg uses the fonts of the reader's machine.",
            Path(path).name,
        )


def _draw_panel(
    panel: Any,
    title: str,
    points: np.ndarray,
    groups: Sequence[str],
    texts: Sequence[str],
    styles: Mapping[str, Style],
) -> list[Any]:
    """Draws a panel; what it has drawn of each group."""
    panel.set_title(title, fontsize=14, pad=8)
    panel.set_xticks([])
    panel.set_yticks([])
    for side in panel.spines.values():
        side.set_color("#cccccc")
    of_group = np.array(groups)
    marks = [
        panel.scatter(
            *points[of_group == name].T,
            s=58 if len(points) <= _MAX_TEXTS else 26,
            c=style.colour,
            marker=style.marker,
            linewidths=0,
            zorder=3,
        )
        for name, style in styles.items()
    ]
    if not points.any():
        panel.set_xlim(-1, 1)
        panel.set_ylim(-1, 1)
        panel.scatter(0, 0, s=120, c="#444444", linewidths=0, zorder=4)
        panel.text(
            0, -0.12, "one vector,\nwhatever the sentence", ha="center", va="top", fontsize=12,
            color="#444444",
        )  # fmt: skip
        return marks
    panel.margins(0.24, 0.1)
    step = 1 if len(points) <= _MAX_TEXTS else len(points) // _FEW_TEXTS
    _label(
        panel,
        points,
        {row: (texts[row], styles[groups[row]].colour) for row in range(0, len(points), step)},
    )
    return marks


def _label(panel: Any, points: np.ndarray, texts: Mapping[int, tuple[str, str]]) -> None:
    """Puts texts in their colours beside their points, where they cover the least of others."""
    figure = panel.figure
    renderer = figure.canvas.get_renderer()
    figure.draw_without_rendering()
    frame = panel.get_window_extent(renderer)
    to_points = panel.transData.inverted().transform
    pixels = panel.transData.transform(points)
    taken = np.hstack([pixels - 8, pixels + 8])  # boxes: left, low, right, high
    # Those at the edges first, which have the fewest ways to go.
    from_centre = np.linalg.norm(pixels - pixels.mean(axis=0), axis=1)
    for index in sorted(texts, key=lambda row: -from_centre[row]):
        shown, colour = texts[index]
        text = panel.text(0, 0, shown, fontsize=9.5, color=colour, zorder=4)
        size = text.get_window_extent(renderer).size
        boxes = _boxes(*pixels[index], *size)
        box = boxes[np.argmin(_covered(boxes, taken, frame) + 25 * _STEPS)]
        taken = np.vstack([taken, box])
        text.set_position(to_points(box[:2]))
        nearest = np.clip(pixels[index], box[:2], box[2:])
        if np.linalg.norm(nearest - pixels[index]) > 16:
            line = to_points([pixels[index], nearest])
            panel.plot(*line.T, color=colour, linewidth=0.6, alpha=0.6, zorder=2)


# Where a text may be: steps away from its point; 0, half or all of it to the left; below to above.
_STEPS, _ACROSS, _UP = np.array(
    [place for place in product(range(9), (0, 0.5, 1), (-1, 0, 1)) if place[1:] != (0.5, 0)]
).T


def _boxes(x: float, y: float, width: float, height: float) -> np.ndarray:
    """Boxes of a size round a point, `(boxes, 4)`."""
    gap = np.where(_UP == 0, 11 + 3 * _STEPS, 4)
    left = x - _ACROSS * width + (1 - 2 * _ACROSS) * gap
    low = y - height / 2 + _UP * (height / 2 + 10 + _STEPS * height * 0.6)
    return np.stack([left, low, left + width, low + height], axis=1)


def _covered(boxes: np.ndarray, taken: np.ndarray, frame: Any) -> np.ndarray:
    """How much each box covers of those that are taken; being outside the frame counts too."""
    low = np.maximum(boxes[:, np.newaxis, :2], taken[:, :2])
    high = np.minimum(boxes[:, np.newaxis, 2:], taken[:, 2:])
    covered = np.maximum(high - low, 0).prod(axis=-1).sum(axis=-1)
    below = np.maximum((frame.x0 + 4, frame.y0 + 4) - boxes[:, :2], 0).sum(axis=1)
    above = np.maximum(boxes[:, 2:] - (frame.x1 - 4, frame.y1 - 4), 0).sum(axis=1)
    return covered + 100 * (below + above)
