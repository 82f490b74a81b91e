"""What the readers and writers of weight files share."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

StrPath = str | os.PathLike[str]


def check_file(path: StrPath, what: str) -> Path:
    """Returns `path` if it is a file.

    Args:
        path: the file.
        what: what to call it in messages, "vocabulary file" say.

    Returns:
        The path.

    Raises:
        FileNotFoundError: if there is nothing there.
        ValueError: if it is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder. Expected: a {what}.")
    if not path.exists():
        raise FileNotFoundError(f"There is no {what} {str(path)!r}.")
    return path


def visible_files(folder: StrPath, pattern: str) -> list[Path]:
    """The files of a folder whose names match, in order; without hidden ones such as `._x`."""
    return sorted(path for path in Path(folder).glob(pattern) if not path.name.startswith("."))


def unused_name_beside(path: Path) -> Path:
    """A hidden name in the folder of `path` that nothing has yet."""
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")


@contextmanager
def replacing_file(path: StrPath) -> Iterator[Path]:
    """Gives a path to write to; what was written takes the place of `path` if all went well.

    Args:
        path: the file that is to be there in the end.

    Yields:
        A path in the same folder.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unused_name_beside(path)
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
