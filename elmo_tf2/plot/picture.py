"""Vectors as points, a panel a layer. It needs matplotlib, which the package does not install."""

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
    """Draws points with their texts.

    Args:
        path: the file, whose ending tells the format.
        title: what is drawn.
        planes: by the panel's title, the points, `(number, 2)`.
        groups: the group of each point; those of a group come together.
        texts: the text of each.

    Raises:
        ImportError: if there is no matplotlib.
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
            "(.html) or an .svg leaves them to the fonts of whoever opens it.",
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
    places = panel.transData.transform(points)  # in pixels
    taken = [(x - 8, y - 8, x + 8, y + 8) for x, y in places]
    # Those at the edges first, which have the fewest ways to go.
    centre = places.mean(axis=0)
    for index in sorted(texts, key=lambda row: -np.linalg.norm(places[row] - centre)):
        x, y = places[index]
        shown, colour = texts[index]
        text = panel.text(0, 0, shown, fontsize=9.5, color=colour, zorder=4)
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
            panel.plot(*line.T, color=colour, linewidth=0.6, alpha=0.6, zorder=2)


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
