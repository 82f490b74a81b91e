"""Text files of any length, compressed or not, read in constant memory."""

import codecs
import contextlib
import glob
import gzip
import lzma
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedIOBase, BufferedReader
from pathlib import Path

from elmo_tf2.files import StrPath, check_file

STANDARD_INPUT = "-"

_BLOCK_BYTES = 2**18
# Text has fewer zero bytes than programs, pictures and UTF-16, and fewer faults than what is
# compressed or in another script's encoding.
_BYTES_A_NUL = 500
_BYTES_A_FAULT = 10

OnProgress = Callable[[int, int], None]


def find_texts(texts: Sequence[StrPath]) -> list[str]:
    """Finds the files that are meant.

    Args:
        texts: paths of files, patterns such as "texts/**/*.txt", and "-" for standard input.

    Returns:
        Paths, those of a pattern in order, and "-".

    Raises:
        FileNotFoundError: if there is no such file, or none that fits a pattern.
        ValueError: if nothing is given, or a folder.
    """
    if not texts:
        raise ValueError("`texts` must name one text or more. Received: none.")
    found = []
    for text in (os.fspath(text) for text in texts):
        if text == STANDARD_INPUT:
            found.append(text)
        elif glob.has_magic(text) and not os.path.exists(text):
            matches = sorted(filter(os.path.isfile, glob.glob(text, recursive=True)))
            if not matches:
                raise FileNotFoundError(f"There is no text file that fits {text!r}.")
            found.extend(matches)
        else:
            found.append(str(check_file(text, "text file")))
    return found


def read_texts(
    paths: Sequence[str], on_progress: OnProgress | None = None
) -> Iterator[list[bytes]]:
    r"""Reads texts, one after the other.

    What is compressed with gzip or xz is known by its name or its first bytes. A line ends with
    "\n", "\r" or both. One of more than 256 KB, a text without line breaks say, comes in pieces,
    cut at a space.

    Args:
        paths: of `find_texts`.
        on_progress: is called with the number of bytes that were read, as they are in the files,
            and that of all, 0 if it is not known.

    Yields:
        Lists of lines that are not empty, without their ends.

    Raises:
        ValueError: if a file is damaged, or no text.
    """
    sizes = [0 if path == STANDARD_INPUT else Path(path).stat().st_size for path in paths]
    total = 0 if STANDARD_INPUT in paths else sum(sizes)
    done = 0
    for path, size in zip(paths, sizes, strict=True):
        with _open(path) as file:
            for lines in _lines(path, _decompressed(path, file)):
                yield lines
                if on_progress is not None:
                    on_progress(done + file.tell() if size else done, total)
        done += size


@contextlib.contextmanager
def _open(path: str) -> Iterator[BufferedReader]:
    if path != STANDARD_INPUT:
        with open(path, "rb") as file:
            yield file
        return
    file = BufferedReader(sys.stdin.buffer)  # type: ignore[arg-type]
    try:
        yield file
    finally:
        file.detach()  # lest it be closed


def _decompressed(path: str, file: BufferedReader) -> BufferedIOBase:
    start = file.peek(6)
    if path.endswith(".gz") or start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if path.endswith(".xz") or start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    return file


def _lines(path: str, text: BufferedIOBase) -> Iterator[list[bytes]]:
    rest = b""
    for block in _blocks(path, text):
        rest += block
        end = max(rest.rfind(b"\n"), rest.rfind(b"\r")) + 1
        if not end and len(rest) >= _BLOCK_BYTES:
            end = rest.rfind(b" ") + 1 or _last_character(rest)
        yield list(filter(None, rest[:end].splitlines()))
        rest = rest[end:]
    yield list(filter(None, rest.splitlines()))


def _last_character(text: bytes) -> int:
    """Where the last character begins, for UTF-8 must not be cut inside one."""
    return len(text) - next((n for n in range(1, 4) if text[-n] & 0xC0 != 0x80), 4)


def _blocks(path: str, text: BufferedIOBase) -> Iterator[bytes]:
    try:
        block = text.read(_BLOCK_BYTES)
        nuls, damaged = block.count(0), block.decode("utf-8", "replace").count("\ufffd")
        if nuls * _BYTES_A_NUL > len(block) or damaged * _BYTES_A_FAULT > len(block):
            raise ValueError(
                f"{path} is not text in UTF-8: of its first {len(block):,} bytes {nuls:,} are 0 "
                f"and {damaged:,} are wrong. Expected: text, plain or compressed with gzip or xz."
            )
        block = block.removeprefix(codecs.BOM_UTF8)
        while block:
            yield block
            block = text.read(_BLOCK_BYTES)
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(
            f"{path} can't be decompressed: {error}. It was cut short or damaged; copy or download "
            "it again."
        ) from error
