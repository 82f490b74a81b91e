"""Files and folders that appear under their name only when they are complete."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Collection, Iterator
from pathlib import Path

StrPath = str | os.PathLike[str]


@contextlib.contextmanager
def completed(path: StrPath, overwrite: bool = False) -> Iterator[Path]:
    """Gives a place beside `path` to write to; on success that becomes `path`.

    After an error or an interruption nothing stands under `path` that did not stand there before;
    what stood there is removed only once its successor is complete.

    Args:
        path: the file or folder to make. Its parent folders are made if need be.
        overwrite: whether an existing file, or a folder that is not empty, may be replaced.

    Yields:
        A path that does not exist yet, in a new folder beside `path`.

    Raises:
        FileExistsError: if there is something and it may not be replaced.

    Example:
    >>> target = Path(tempfile.mkdtemp()) / "vocab.txt"
    >>> with completed(target) as unfinished:
    ...     _ = unfinished.write_text("cat")
    >>> target.read_text()
    'cat'
    """
    path = Path(path).absolute()
    check_free(path, overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as beside:
        unfinished = Path(beside) / path.name
        yield unfinished
        if unfinished.is_file() and not path.is_dir():
            unfinished.replace(path)
            return
        replaced = Path(beside) / "replaced"
        if os.path.lexists(path):
            path.rename(replaced)
        try:
            unfinished.rename(path)
        except BaseException:
            if os.path.lexists(replaced):
                replaced.rename(path)
            raise


def check_free(path: StrPath, overwrite: bool = False, parts: Collection[str] = ()) -> None:
    """Checks that a file or folder may be written, before the work that makes it begins.

    Args:
        path: the file or folder.
        overwrite: whether an existing one may be replaced.
        parts: for a folder, the names that it will hold. One that holds others is not replaced,
            for they would be lost.

    Raises:
        FileExistsError: if there is a file, or a folder that is not empty, and it may not.
    """
    path = Path(path)
    found = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if not os.path.lexists(path) or (path.is_dir() and not found):
        return
    if not overwrite:
        raise FileExistsError(
            f"{path} exists already. Choose another name, remove it, or allow overwriting "
            "(`overwrite=True`, on the command line `--overwrite`)."
        )
    if parts and not path.is_dir():
        raise FileExistsError(f"{path} is a file. Expected: the name of a folder to write.")
    strangers = sorted(found - set(parts)) if parts else []
    if strangers:
        raise FileExistsError(
            f"{path} can't be overwritten: it holds what is no part of its successor and would be "
            f"lost: {', '.join(strangers[:10])}. Move that, or choose another name."
        )


def free_bytes(path: StrPath) -> int:
    """Bytes free on the disk that holds `path` or will hold it."""
    folder = Path(path).absolute()
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def check_file(path: StrPath, what: str) -> Path:
    """Returns `path` if it is a file that can be read.

    Args:
        path: the file; "~" at its beginning is the user's own folder.
        what: what to call it in messages, "vocabulary file" say.

    Returns:
        The path.

    Raises:
        FileNotFoundError: if there is nothing there.
        PermissionError: if it may not be read.
        ValueError: if it is a folder, or no file: a pipe or a device, which may never end.
    """
    path = Path(os.path.expanduser(path))
    expected = f"Expected: {'an' if what[0] in 'aeiou' else 'a'} {what}."
    if path.is_dir():
        raise ValueError(f"{path} is a folder. {expected}")
    if not path.exists():
        raise FileNotFoundError(f"There is no {what} {str(path)!r}.")
    if not path.is_file():
        raise ValueError(f"{path} is not a file. {expected}")
    with open(path, "rb"):
        return path


def check_utf8(path: StrPath) -> None:
    """Checks that TensorFlow can open a path.

    Args:
        path: of a file that TensorFlow is to read or write.

    Raises:
        ValueError: if it is not UTF-8.
    """
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"{path}: TensorFlow takes no path that is not UTF-8. Rename the file or folder."
        ) from None
