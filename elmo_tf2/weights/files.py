"""What the readers of weight files share."""

from pathlib import Path

from elmo_tf2.files import StrPath


def visible_files(folder: StrPath, pattern: str) -> list[Path]:
    """The files of a folder whose names match, in order; without hidden ones such as `._x`."""
    return sorted(path for path in Path(folder).glob(pattern) if not path.name.startswith("."))
