"""The file of results: a line of JSON each, written at once, so that a run may stop at any time."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# What must be the same of all lines that are compared.
IDENTITY = ("model", "fingerprint", "quick", "versions")


def read_results(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Reads results.

    Args:
        path: the file.

    Returns:
        The lines, and how many bytes they are. What follows is the damaged last line of a run that
        was interrupted.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line before the last one is damaged.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {str(path)!r}. run.py writes it, see its --out.")
    lines: list[dict[str, Any]] = []
    size = 0
    rows = path.read_bytes().splitlines(keepends=True)
    for number, row in enumerate(rows, 1):
        try:
            line = json.loads(row)
            complete = row.endswith(b"\n") and {*IDENTITY, "task", "kind"} <= line.keys()
        except (ValueError, AttributeError):
            complete = False
        if not complete and number < len(rows):
            raise ValueError(
                f"{path}, line {number} is no result of run.py. Remove the line; what it held is "
                "measured again."
            )
        if complete:
            lines.append(line)
            size += len(row)
    return lines, size


def check_identity(lines: Sequence[dict[str, Any]], remedy: str) -> None:
    """Checks that all lines may be compared.

    Args:
        lines: the results.
        remedy: what to do about it.

    Raises:
        ValueError: if they are of different models or versions, or some of a quick look.
    """
    for name in IDENTITY:
        values = list(dict.fromkeys(json.dumps(line[name], sort_keys=True) for line in lines))
        if len(values) > 1:
            raise ValueError(
                f"These results can't be compared, for they differ in {name!r}: {values[0]} and "
                f"{values[1]}. {remedy}"
            )


class Results:
    """The results so far, and the file they go to.

    Args:
        path: the file; it is made, or continued.
        identity: the `IDENTITY` of what is added.

    Attributes:
        dropped: number of bytes of a damaged last line that was dropped.

    Raises:
        ValueError: if the file is damaged, or is of another model or other versions.
    """

    def __init__(self, path: Path, identity: dict[str, Any]) -> None:
        self._path, self._identity = path, identity
        self._lines: list[dict[str, Any]] = []
        self.dropped = 0
        if path.exists():
            self._lines, size = read_results(path)
            check_identity([*self._lines, identity], f"Give another file than {path} as --out.")
            self.dropped = path.stat().st_size - size
            if self.dropped:
                os.truncate(path, size)

    def add(self, line: dict[str, Any]) -> None:
        """Writes a result."""
        line = {**line, **self._identity}
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._lines.append(line)

    def find(self, **values: Any) -> list[dict[str, Any]]:
        """Returns the lines that have these values."""
        wanted = values.items()
        return [line for line in self._lines if all(line[name] == each for name, each in wanted)]
