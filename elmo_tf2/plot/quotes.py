"""A word in its sentence, as it is shown."""

import re
from typing import NamedTuple

_MAX_SNIPPET = 26


class Quote(NamedTuple):
    """A sentence with a word in it.

    Attributes:
        text: the sentence.
        start: where the word begins.
        end: where it ends.
        group: name of its cluster, or its label.
    """

    text: str
    start: int
    end: int
    group: str

    def clipped(self, length: int) -> "Quote":
        """The part of so many characters round the word, with "…" where something is left out."""
        text, start, end, group = self
        # What has no spaces, such as Chinese, is cut anywhere.
        spans = [match.span() for match in re.finditer(rf"\S{{1,{length}}}", text)]
        first = next(index for index, span in enumerate(spans) if span[1] > start)
        last = first + 1
        is_left_next = True
        while True:
            steps = [(first - 1, last), (first, last + 1)]
            for low, high in steps if is_left_next else steps[::-1]:
                if low >= 0 and high <= len(spans) and spans[high - 1][1] - spans[low][0] <= length:
                    is_left_next = high > last
                    first, last = low, high
                    break
            else:
                break
        low, high = spans[first][0], max(spans[last - 1][1], end)
        before, after = "…" if first else "", "…" if text[high:].strip() else ""
        shift = len(before) - low
        return Quote(f"{before}{text[low:high]}{after}", start + shift, end + shift, group)

    def snippet(self) -> str:
        """A few words round the word.

        Example:
        >>> Quote("The new phone from apple costs more than the old one.", 19, 24, "").snippet()
        '…new phone from apple costs…'
        """
        return " ".join(self.clipped(_MAX_SNIPPET).text.split())


class Group(NamedTuple):
    """A cluster, or the sentences of a label.

    Attributes:
        name: of the group.
        size: number of its quotes.
        example: its most typical quote.
    """

    name: str
    size: int
    example: Quote
