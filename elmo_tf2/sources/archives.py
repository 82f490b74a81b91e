"""Archives, unpacked into the cache: files and folders only, and never outside of it."""

import contextlib
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from elmo_tf2.files import atomic_write
from elmo_tf2.sources.downloads import cache_folder

MAX_BYTES = 32 * 2**30  # of all files
MAX_RATIO = 200  # of their bytes to the archive's; weights are about 1.1
MIN_BYTES = 100 * 2**20  # which any archive may unpack to
MAX_FILES = 10_000
_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")
_CHUNK = 2**20


def is_archive(path: Path, by_content: bool = False) -> bool:
    """Whether a file is named as an archive, or begins as one."""
    if path.name.lower().endswith(_ENDINGS):
        return True
    if not by_content:
        return False
    with open(path, "rb") as file:
        start = file.read(262)
    return start.startswith((b"PK\x03\x04", b"\x1f\x8b")) or start[257:] == b"ustar"


def unpack(archive: Path) -> Path:
    """The folder with an archive's files, which is in the cache, under the archive's SHA-256."""
    import pooch  # late, as in downloads.py

    folder = cache_folder() / "unpacked" / pooch.file_hash(str(archive))
    if folder.is_dir():
        return folder
    with atomic_write(folder) as temporary:
        temporary.mkdir()
        try:
            _unpack_into(temporary, archive)
        except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise ValueError(f"{archive} is no archive, or damaged: {error}") from error
        except (RuntimeError, NotImplementedError) as error:  # a password, another compression
            raise ValueError(f"{archive} can't be unpacked: {error}") from error
        _name_files_of_allennlp(temporary)
    return folder


def _unpack_into(folder: Path, archive: Path) -> None:
    bound = min(MAX_BYTES, max(MIN_BYTES, MAX_RATIO * archive.stat().st_size))
    total = 0
    for number, (name, source) in enumerate(_members(archive)):
        target = _inside(folder, name, archive)
        if number >= MAX_FILES:
            raise ValueError(f"{archive} is refused: it holds more than {MAX_FILES:,} files.")
        if source is None:
            target.mkdir(parents=True, exist_ok=True)
            continue
        if target.exists():
            raise ValueError(f"{archive} is refused: it holds {name!r} twice.")
        target.parent.mkdir(parents=True, exist_ok=True)
        with source, open(target, "xb") as file:
            while chunk := source.read(_CHUNK):
                total += len(chunk)
                if total > bound:
                    raise ValueError(
                        f"{archive} is refused: it unpacks to more than {bound:,} bytes, far more "
                        "than a model of its size would."
                    )
                file.write(chunk)


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes] | None]]:
    """The names in an archive, with their contents; None for that of a folder."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                is_plain = kind in (0, stat.S_IFREG, stat.S_IFDIR)
                _check_plain(is_plain, info.filename, archive)
                yield info.filename, None if info.is_dir() else zipped.open(info)
        return
    with contextlib.closing(tarfile.open(archive, "r|*")) as tarred:
        for member in tarred:
            is_plain = member.isreg() and not member.issparse()
            _check_plain(is_plain or member.isdir(), member.name, archive)
            yield member.name, tarred.extractfile(member) if is_plain else None


def _check_plain(is_plain: bool, name: str, archive: Path) -> None:
    if not is_plain:
        raise ValueError(f"{archive} is refused: {name!r} in it is neither a file nor a folder.")


def _inside(folder: Path, name: str, archive: Path) -> Path:
    """The place of a member, below the folder."""
    parts = re.split(r"[/\\]", name)
    if name.startswith(("/", "\\")) or ".." in parts or ":" in name or "\0" in name:
        raise ValueError(f"{archive} is refused: {name!r} in it leads out of its folder.")
    return folder.joinpath(*parts)


def _name_files_of_allennlp(folder: Path) -> None:
    """AllenNLP's archives name an ELMo's files by the keys of its configuration."""
    for weights in list(folder.glob("fta/*weight_file")):
        options = weights.with_name(weights.name.replace("weight_file", "options_file"))
        if options.is_file():
            weights.rename(f"{weights}_weights.hdf5")
            options.rename(f"{weights}_options.json")
