"""Dictionary: the words or characters that a model has vectors of its own for, each by a number."""

import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, overload

from elmo_tf2.validation import shown


class Dictionary(Sequence[str]):
    """Distinct entries, numbered from 0 on; compared by a hash, since there may be a million.

    Args:
        entries: strings.

    Raises:
        ValueError: if an entry is no string, or is repeated.

    Example:
    >>> Dictionary(["<oov>", "cat"]).index("cat")
    1
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._entries = tuple(entries)
        self._numbers = {entry: number for number, entry in enumerate(self._entries)}
        for entry in self._entries:
            if not isinstance(entry, str):
                raise ValueError(f"A dictionary's entries must be strings. Received: {entry!r}.")
        if len(self._numbers) < len(self._entries):
            again = next(e for n, e in enumerate(self._entries) if self._numbers[e] != n)
            raise ValueError(f"A dictionary must not repeat an entry. Received twice: {again!r}.")

    @functools.cached_property
    def sha256(self) -> str:
        """A hash of the entries and their order."""
        # UTF-8 has no byte 255
        parts = (entry.encode("utf-8", "surrogatepass") for entry in self._entries)
        return hashlib.sha256(b"\xff".join((b"%d" % len(self), *parts))).hexdigest()

    def index(self, entry: Any, *_: Any) -> int:
        """The number of an entry; a `ValueError` if there is no such."""
        if entry not in self:
            raise ValueError(f"The dictionary has no entry {shown(entry)}.")
        return self._numbers[entry]

    def __contains__(self, entry: object) -> bool:
        return entry in self._numbers

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        return self._entries[number]

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dictionary) and self.sha256 == other.sha256

    def __hash__(self) -> int:
        return hash(self.sha256)

    def __repr__(self) -> str:
        return f"Dictionary({len(self)} entries, SHA-256 {self.sha256[:12]}…)"
