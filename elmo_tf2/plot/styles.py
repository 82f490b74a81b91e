"""The colours and marks of groups."""

from typing import NamedTuple

# Of Okabe and Ito: safe for the colour-blind, and each with a mark for print without colour.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# As matplotlib calls them, and in SVG.
_MARKS = (
    ("o", "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0-9 0z"),
    ("s", "M-4-4h8v8h-8z"),
    ("^", "M0-5.4L5 3.8H-5z"),
    ("D", "M0-5.4L5.4 0 0 5.4-5.4 0z"),
    ("v", "M0 5.4L5-3.8H-5z"),
    ("P", "M-1.7-5h3.4v3.3H5v3.4H1.7V5h-3.4V1.7H-5v-3.4h3.3z"),
    ("X", "M-5-2.6L-2.6-5 0-2.4 2.6-5 5-2.6 2.4 0 5 2.6 2.6 5 0 2.4-2.6 5-5 2.6-2.4 0z"),
)
MAX_GROUPS = len(_COLOURS) * len(_MARKS)


class Style(NamedTuple):
    """How the points of a group are drawn: a mark as matplotlib calls it, and its path in SVG."""

    colour: str
    marker: str
    path: str


def style_of(group: int) -> Style:
    """The style of the group of a number, from 0. From `MAX_GROUPS` on styles come again."""
    round_, index = divmod(group, len(_COLOURS))
    return Style(_COLOURS[index], *_MARKS[(index + round_) % len(_MARKS)])
