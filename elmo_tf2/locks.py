"""Folders that are this program's own while it works, and locks that keep other processes out."""

import contextlib
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

# It marks a folder as made by this program.
_LOCK = ".elmo_tf2-lock"


@contextlib.contextmanager
def locked(file: Path, busy: str) -> Iterator[None]:
    """Keeps other processes out; a kill ends that too."""
    descriptor = _acquire(file, busy)
    try:
        yield
    finally:
        _release(descriptor, file)


@contextlib.contextmanager
def own_folder(folder: Path, busy: str) -> Iterator[None]:
    """Makes a folder for the work of one process, or goes on with that of one that has ended.

    It is removed at the end if nothing is in it, unless it was there before, empty.
    """
    lock = folder / _LOCK
    while True:
        with contextlib.suppress(FileNotFoundError):  # its last user removes it just now
            is_ours = _make_own(folder)
            descriptor = _acquire(lock, busy)
            break
    try:
        yield
    finally:
        if os.listdir(folder) == [_LOCK]:
            _release(descriptor, lock)
            if is_ours:
                with contextlib.suppress(OSError):  # another process goes on with it
                    folder.rmdir()
        else:
            os.close(descriptor)


def _make_own(folder: Path) -> bool:
    """Makes a folder, or takes one that is ours or empty; whether it is not the user's own."""
    try:
        folder.mkdir(0o700, parents=True)
        return True
    except FileExistsError:
        found = [os.lstat(folder)]
        if stat.S_ISDIR(found[0].st_mode):
            names = os.listdir(folder)
            found += [os.lstat(folder / name) for name in names]
            if (not names or _LOCK in names) and not any(map(_is_foreign, found)):
                os.chmod(folder, 0o700)
                return bool(names)
        raise FileExistsError(
            f"{folder} is needed for the work, but it is there and not made by this program for "
            "you. Move it away, or choose another output."
        ) from None


def _is_foreign(found: os.stat_result) -> bool:
    return sys.platform != "win32" and found.st_uid != os.getuid()


def _acquire(file: Path, busy: str) -> int:
    """Opens a file and locks it."""
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):  # on Windows the latter
            os.close(descriptor)
            raise ValueError(busy) from None
        except OSError:  # a file system without locks
            return descriptor
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(file)):
                return descriptor
        os.close(descriptor)  # who had the lock before has removed the file


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _release(descriptor: int, file: Path) -> None:
    """Removes a locked file: where that can be, before another process may lock it."""
    with contextlib.suppress(OSError):  # Windows removes no open files
        file.unlink()
    os.close(descriptor)
    if sys.platform == "win32":
        with contextlib.suppress(OSError):  # another process has opened it
            file.unlink()
