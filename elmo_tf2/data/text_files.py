"""Text files of any length, compressed or not, read in constant memory."""

import codecs
import contextlib
import glob
import gzip
import logging
import lzma
import os
import re
import sys
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedIOBase, BufferedReader, FileIO
from pathlib import Path
from typing import Any

from elmo_tf2.files import StrPath, check_file

logger = logging.getLogger(__name__)

STANDARD_INPUT = "-"
# A pipe that is open already, such as the shell makes of <(command). One with a name of its own
# could keep a reader waiting forever.
_OPEN_PIPE = re.compile(r"/dev/(?:stdin|fd/\d+)")

MAX_LINE_BYTES = 2**26
_BLOCK_BYTES = 2**18
# Text has fewer zero bytes than programs, pictures and UTF-16, and fewer wrong bytes than
# compressed files or other encodings. Where the rest is ASCII, several wrong bytes are letters of a
# Latin one.
_BYTES_PER_NUL = 500
_BYTES_PER_FAULT = 10
_BYTES_PER_FAULT_IN_ASCII = 200

OnProgress = Callable[[int, int], None]


def find_texts(texts: Sequence[StrPath]) -> list[str]:
    """Paths of files, of patterns such as "texts/**/*.txt" in order, and "-" for standard input.

    Of pipes only those that are open already are taken, such as "/dev/fd/63".
    """
    if not texts:
        raise ValueError("`texts` must name one text or more. Received: none.")
    found = []
    for text in (os.fspath(text) for text in texts):
        if _is_open_pipe(text):
            found.append(text)
        elif glob.has_magic(text) and not os.path.exists(text):
            pattern = os.path.expanduser(text)
            matches = sorted(filter(os.path.isfile, glob.glob(pattern, recursive=True)))
            if not matches:
                raise FileNotFoundError(f"There is no text file that fits {text!r}.")
            found.extend(matches)
        else:
            found.append(str(check_file(text, "text file")))
    return found


def read_texts(
    paths: Sequence[str], on_progress: OnProgress | None = None
) -> Iterator[list[bytes]]:
    r"""Reads the texts of `find_texts`, one after the other, as lists of lines that are not empty.

    Gzip and xz are known by the name or the first bytes. Lines end with "\n", "\r" or both. One of
    more than 256 KB, such as a text without line breaks, is cut into chunks at a space.
    `on_progress` gets the number of bytes read, as they are in the files, and that of all, 0 if it
    is not known.
    """
    sizes = [0 if _is_open_pipe(path) else Path(path).stat().st_size for path in paths]
    total = 0 if any(map(_is_open_pipe, paths)) else sum(sizes)
    done = 0
    for path, size in zip(paths, sizes, strict=True):
        with _open(path) as file, _warning_of_damage(path) as check:
            for lines in map(check, _chunks(_blocks(path, file))):
                yield list(filter(None, lines))
                if on_progress is not None:
                    on_progress(done + file.tell() if size else done, total)
        done += size


def read_lines(path: StrPath, digest: Any = None, warn: bool = True) -> Iterator[list[bytes]]:
    """Reads all lines of a file, empty ones too, as `read_texts` does, but never cuts one.

    `digest`, of `hashlib`, is updated with the bytes of the file. `warn`: of lines that are not
    UTF-8.
    """
    path = str(check_file(path, "text file"))
    number = 0
    with _open(path, digest) as file, _warning_of_damage(path, warn) as check:
        parts: list[bytes] = []  # of a line that has not ended yet
        for block in _blocks(path, file):
            end = _end_of_lines(block)
            if end:
                lines = check(b"".join([*parts, block[:end]]).splitlines())
                number += len(lines)
                yield lines
                parts = []
            parts.append(block[end:])
            if sum(map(len, parts)) > MAX_LINE_BYTES:
                raise ValueError(
                    f"{path}, line {number + 1}, is too long for a sentence: it has more than "
                    f"{MAX_LINE_BYTES:,} bytes. Put one sentence on a line."
                )
        if any(parts):
            yield check(b"".join(parts).splitlines())


def _is_open_pipe(path: str) -> bool:
    return path == STANDARD_INPUT or _OPEN_PIPE.fullmatch(path) is not None


class _HashedFile(FileIO):
    """A file that updates a digest, if there is one, with what is read."""

    def __init__(self, path: str, digest: Any) -> None:
        super().__init__(path)
        self._digest = digest

    def readinto(self, buffer: Any) -> int:
        number = super().readinto(buffer)
        if self._digest is not None:
            self._digest.update(memoryview(buffer)[:number])
        return number


@contextlib.contextmanager
def _open(path: str, digest: Any = None) -> Iterator[BufferedReader]:
    is_stdin = path == STANDARD_INPUT
    raw: Any = sys.stdin.buffer if is_stdin else _HashedFile(path, digest)
    file = BufferedReader(raw)
    try:
        yield file
    finally:
        (file.detach if is_stdin else file.close)()  # standard input stays open


def _decompressed(path: str, file: BufferedReader) -> BufferedIOBase:
    start = file.peek(6)
    if path.endswith(".gz") or start.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)
    if path.endswith(".xz") or start.startswith(b"\xfd7zXZ\0"):
        return lzma.LZMAFile(file)
    return file


def _chunks(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    """Lines, long ones cut into chunks."""
    rest = b""
    for block in blocks:
        rest += block
        end = _end_of_lines(rest)
        if not end and len(rest) >= _BLOCK_BYTES:
            end = rest.rfind(b" ") + 1 or _last_character(rest)
        yield rest[:end].splitlines()
        rest = rest[end:]
    yield rest.splitlines()


def _end_of_lines(text: bytes) -> int:
    r"""Where the last whole line ends. A last "\r" may be the first half of an end."""
    return max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1


def _last_character(text: bytes) -> int:
    """Where the last character begins: UTF-8 must not be cut inside one."""
    return len(text) - next((n for n in range(1, 4) if text[-n] & 0xC0 != 0x80), 4)


@contextlib.contextmanager
def _warning_of_damage(
    path: str, warn: bool = True
) -> Iterator[Callable[[list[bytes]], list[bytes]]]:
    """Gives a function that returns lines as they are; warns in the end of those not UTF-8."""
    damaged = 0

    def check(lines: list[bytes]) -> list[bytes]:
        nonlocal damaged
        if not _is_utf8(b"\n".join(lines)):
            damaged += sum(not _is_utf8(line) for line in lines)
        return lines

    yield check
    if damaged and warn:
        logger.warning(
            "Lines that are not UTF-8: %s. They are in %s; if it has another encoding, convert it "
            "first.",
            f"{damaged:,}",
            path,
        )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _check_encoding(path: str, block: bytes) -> None:
    """Raises an error if the beginning of a text shows that it is not UTF-8."""
    text = block.decode("utf-8", "replace")
    nuls, damaged = block.count(0), text.count("\ufffd") - block.count("\ufffd".encode())
    is_latin = damaged > 1 and text.replace("\ufffd", "").isascii()
    bytes_per_fault = _BYTES_PER_FAULT_IN_ASCII if is_latin else _BYTES_PER_FAULT
    if nuls * _BYTES_PER_NUL > len(block) or damaged * bytes_per_fault > len(block):
        raise ValueError(
            f"{path} is not text in UTF-8: of its first {len(block):,} bytes {nuls:,} are 0 and "
            f"{damaged:,} are wrong. Expected: text, plain or compressed with gzip or xz. If it "
            "has another encoding, convert it first: iconv -f ENCODING -t UTF-8."
        )


def _blocks(path: str, file: BufferedReader) -> Iterator[bytes]:
    try:
        text = _decompressed(path, file)
        block = text.read(_BLOCK_BYTES)
        _check_encoding(path, block)
        yield block.removeprefix(codecs.BOM_UTF8)
        while len(block) == _BLOCK_BYTES:  # and so not the last
            block = text.read(_BLOCK_BYTES)
            yield block
    except (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
        raise ValueError(
            f"{path} can't be decompressed: {error}. It was cut short or damaged; copy or download "
            "it again."
        ) from error


def words_between_spaces(line: bytes) -> list[bytes]:
    """The words of a text, as the tokenizer `spaces` splits it."""
    return [word for word in line.split(b" ") if word]
