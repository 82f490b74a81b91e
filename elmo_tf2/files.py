"""Files and folders that appear under their name only when they are complete."""

import contextlib
import errno
import os
import shutil
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from elmo_tf2.locks import own_folder

StrPath = str | os.PathLike[str]

_MODEL_ENDINGS = (".hdf5", ".h5", ".json", ".yaml", ".txt", ".pb")
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def atomic_write(
    path: StrPath, overwrite: bool = False, parts: Collection[str] = ()
) -> Iterator[Path]:
    """Gives a place beside `path` to write to; on success that becomes `path`.

    After an error or an interruption nothing stands under `path` that did not stand there before;
    what stood there is removed only once its successor is complete. What a kill leaves is put in
    order by the next `atomic_write` or `check_free` of the same path.

    Args:
        path: the file or folder to make. Its parent folders are made if need be.
        overwrite: whether an existing file, or a folder that is not empty, may be replaced.
        parts: as of `check_free`.

    Yields:
        A path that does not exist yet, in a new folder beside `path`.

    Raises:
        FileExistsError: if there is something, or appears meanwhile, and it may not be replaced.
        OSError: if the disk is full or can't be written.
        ValueError: if another process makes the same.

    Example:
    >>> target = Path(tempfile.mkdtemp()) / "vocab.txt"
    >>> with atomic_write(target) as temporary:
    ...     _ = temporary.write_text("cat")
    >>> target.read_text()
    'cat'
    """
    path = _real(path)
    temporary, replaced = _places(path)
    with full_disk_told(path), own_folder(temporary.parent, _busy(path)):
        _put_in_order(path)
        _check_free(path, overwrite, parts)
        try:
            yield temporary
            os.lstat(temporary)  # it has been made
            if overwrite and temporary.is_file() and not path.is_dir():
                temporary.replace(path)
                return
            if overwrite and os.path.lexists(path):
                path.rename(replaced)
                _check_strangers(path, replaced, parts)
            rename_to_free(temporary, path)
        finally:
            _put_in_order(path)


def check_free(
    path: StrPath,
    overwrite: bool = False,
    parts: Collection[str] = (),
    inputs: Collection[object] = (),
) -> None:
    """Checks that a file or folder may be written, before the work that makes it begins.

    Args:
        path: the file or folder.
        overwrite: whether an existing one may be replaced.
        parts: for a folder, the names that it will hold. One that holds others is not replaced,
            for they would be lost.
        inputs: what it is made of: files and folders that it may not be, nor hold, nor be a part
            of a model's folder. What is no path is passed over.

    Raises:
        FileExistsError: if there is a file, or a folder that is not empty, and it may not.
        ValueError: if it is one of the inputs, or holds one; or another process is making it.
    """
    path = _real(path)
    temporary, _ = _places(path)
    if path.name and os.path.lexists(temporary.parent):
        with own_folder(temporary.parent, _busy(path)):
            _put_in_order(path)
    _check_free(path, overwrite, parts)
    for source in inputs:
        if isinstance(source, (str, os.PathLike)) and _is_read_from(path, Path(source)):
            raise ValueError(
                f"{path} is the input {source} itself, holds it, or is a part of it: that would be "
                "lost. Choose another name for the output."
            )


def rename_to_free(source: Path, path: Path) -> None:
    """Renames a file or folder, unless something has the new name at that moment.

    Args:
        source: the file or folder.
        path: its new name, in which an empty folder may be.

    Raises:
        FileExistsError: if there is something else.
    """
    with contextlib.suppress(OSError):
        path.rmdir()  # which leaves all but an empty folder
    try:
        if source.is_dir() or sys.platform == "win32":
            source.rename(path)  # of a folder: not over a file or what a folder holds
        else:
            _rename_file(source, path)
    except OSError as error:
        if os.path.lexists(path):
            raise _exists(path) from error
        raise


def _rename_file(source: Path, path: Path) -> None:
    try:
        os.link(source, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if os.path.lexists(path):
            raise
        source.rename(path)
    else:
        source.unlink()


@contextlib.contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Names the output in errors of a full disk, which libraries report in many ways.

    Args:
        path: the output.

    Yields:
        Nothing.

    Raises:
        OSError: if the disk was full.
    """
    try:
        yield
    except Exception as error:
        for number in _FULL_DISK:
            if getattr(error, "errno", None) == number or os.strerror(number) in str(error):
                raise OSError(
                    number,
                    f"{os.strerror(number)} ({free_bytes(path):,} bytes are free there). Make room "
                    "there or raise the limit, or choose another place.",
                    str(path),
                ) from error
        raise


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
        what: its name in messages, for example "vocabulary file".

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


def _real(path: StrPath) -> Path:
    """The path itself; of a link to a folder that folder."""
    path = Path(path).absolute()
    return path.resolve() if path.is_dir() else path


def _places(path: Path) -> tuple[Path, Path]:
    """Where the successor is made, and where what it replaces is meanwhile."""
    folder = path.parent / f".{path.name}.elmo_tf2"
    return folder / path.name, folder / f"{path.name}.replaced"


def _put_in_order(path: Path) -> None:
    """Puts back what was to be replaced and is not; removes the rest."""
    temporary, replaced = _places(path)
    if os.path.lexists(temporary) and os.path.lexists(replaced):
        if os.path.lexists(path):
            raise FileExistsError(
                f"{path} appeared while it was replaced. What was there before is in {replaced}, "
                f"what was made in {temporary}. Move one of the three away."
            )
        replaced.rename(path)
    for place in (temporary, replaced):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)


def _check_free(path: Path, overwrite: bool, parts: Collection[str]) -> None:
    if not os.path.lexists(path) or (path.is_dir() and not any(path.iterdir())):
        return
    if not overwrite:
        raise _exists(path)
    _check_strangers(path, path, parts)


def _check_strangers(path: Path, place: Path, parts: Collection[str]) -> None:
    """Checks that what is to be replaced has no parts that its successor has not."""
    if not parts:
        return
    if not place.is_dir():
        raise FileExistsError(f"{path} is a file. Expected: the name of a folder to write.")
    strangers = sorted({entry.name for entry in place.iterdir()} - set(parts))
    if strangers:
        raise FileExistsError(
            f"{path} can't be overwritten: it holds what is no part of its successor and would be "
            f"lost: {', '.join(strangers[:10])}. Move that, or choose another name."
        )


def _exists(path: Path) -> FileExistsError:
    return FileExistsError(
        f"{path} exists already. Choose another name, remove it, or allow overwriting "
        "(`overwrite=True`, on the command line `--overwrite`)."
    )


def _busy(path: Path) -> str:
    return f"Another process is making {path}. Wait until it has ended, or choose another name."


def _is_read_from(path: Path, source: Path) -> bool:
    """Whether an output is an input, by whatever name, holds it, or is a file of a model's."""
    if not path.exists() or not source.exists():
        return False
    places = [source, *source.resolve().parents]
    if source.is_dir():
        places += [place for place in source.iterdir() if place.suffix in _MODEL_ENDINGS]
    return any(place.exists() and path.samefile(place) for place in places)
