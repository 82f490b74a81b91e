"""A page of points and their sentences, in one file that needs nothing else."""

import importlib.resources
import string
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

import numpy as np

from elmo_tf2.plot.quotes import Group, Quote
from elmo_tf2.plot.styles import style_of

_WIDTH, _HEIGHT, _MARGIN = 320, 280, 16
_FLAT = 40  # both sides of a panel whose points are one
_MAX_TEXT = 300
_MAX_NAME = 80


def write_page(
    path: Path,
    title: str,
    planes: Mapping[str, np.ndarray],
    groups: Sequence[Group],
    quotes: Sequence[Quote],
) -> None:
    """Writes a page of panels, by title the points `(quotes, 2)`, and of the quotes by group."""
    template = importlib.resources.files(__package__) / "page.html"
    number_of = {group.name: number for number, group in enumerate(groups)}
    sentences: list[list[str]] = [[] for _ in groups]
    for index, quote in enumerate(quotes):
        sentences[number_of[quote.group]].append(_sentence(index, quote))
    page = string.Template(template.read_text(encoding="utf-8")).substitute(
        title=escape(title),
        styles="\n".join(_style(number) for number in range(len(groups))),
        panels="\n".join(_panel(name, planes[name], quotes, number_of) for name in planes),
        groups="\n".join(map(_group, range(len(groups)), groups, sentences)),
    )
    path.write_text(page, encoding="utf-8", newline="\n")


def _style(number: int) -> str:
    colour = style_of(number).colour
    return f".s{number} {{ fill: {colour}; --colour: {colour} }}"


def _panel(
    name: str, points: np.ndarray, quotes: Sequence[Quote], number_of: Mapping[str, int]
) -> str:
    is_flat = not points.any()
    size = np.array([_FLAT, _FLAT] if is_flat else [_WIDTH, _HEIGHT])
    low, spread = points.min(axis=0), np.ptp(points, axis=0)
    share = np.divide(points - low, spread, out=np.full(points.shape, 0.5), where=spread > 0)
    share[:, 1] = 1 - share[:, 1]  # SVG counts from the top
    places = _MARGIN + share * (size - 2 * _MARGIN)
    marks = []
    for index, ((x, y), quote) in enumerate(zip(places, quotes, strict=True)):
        group = number_of[quote.group]
        # Of several in one place the last one would hide the others.
        path = style_of(0 if is_flat else group).path
        marks.append(
            f'<g class="p s{group}" data-i="{index}" transform="translate({x:.1f} {y:.1f})" '
            f'tabindex="0" role="img" aria-label="{escape(quote.snippet())}">'
            f'<path d="{path}"/></g>'
        )
    note = " <span>one vector, whatever the sentence</span>" if is_flat else ""
    return (
        f"<figure{' class=flat' if is_flat else ''}><figcaption>{escape(name)}{note}</figcaption>\n"
        f'<svg viewBox="0 0 {size[0]} {size[1]}">\n'
        + "\n".join(marks)
        + '\n<circle class="ring" r="9"/></svg></figure>'
    )


def _group(number: int, group: Group, sentences: Sequence[str]) -> str:
    mark = f'<svg viewBox="-6 -6 12 12" class="s{number}"><path d="{style_of(number).path}"/></svg>'
    name = group.name if len(group.name) <= _MAX_NAME else f"{group.name[:_MAX_NAME]}…"
    return (
        f"<h2>{mark}<bdi>{escape(name)}</bdi><span>{group.size:,}</span></h2>\n"
        f'<ul class="s{number}">\n' + "\n".join(sentences) + "\n</ul>"
    )


def _sentence(index: int, quote: Quote) -> str:
    text, start, end, _ = quote.clipped(_MAX_TEXT)
    before, word, after = map(escape, (text[:start], text[start:end], text[end:]))
    return f'<li data-i="{index}" dir="auto" tabindex="0">{before}<b>{word}</b>{after}</li>'
