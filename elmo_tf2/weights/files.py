"""What the readers of weight files share."""

import os
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
