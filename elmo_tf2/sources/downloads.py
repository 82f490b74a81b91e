"""Downloads, kept in a cache: complete files only, and the same content ever after."""

import gzip
import hashlib
import os
import re
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

# pooch and requests are imported where something is downloaded: most commands need neither.

OnProgress = Callable[[int, int], None]

TRIES = 3
WAIT = 1.0  # seconds before the second try, and twice as long before the third
_TIMEOUT = 30
_CHUNK = 2**20
_WEIGHTS = re.compile(r"weights(?=\.(hdf5|h5)$)")


def cache_folder() -> Path:
    """Where downloads and unpacked archives are: `ELMO_TF2_CACHE`, or the system's place."""
    import pooch

    return Path(os.environ.get("ELMO_TF2_CACHE") or pooch.os_cache("elmo_tf2")).absolute()


def download_model(
    addresses: tuple[str, ...],
    with_options: bool = True,
    sha256: str | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """The local file of an archive or weight file; the options of the latter are put beside it."""
    path = urlsplit(addresses[0]).path
    beside = addresses[1:]
    if not beside and _WEIGHTS.search(path):
        options = re.sub(r"\.h(df)?5$", ".json", _WEIGHTS.sub("options", path))
        beside = (urlsplit(addresses[0])._replace(path=options).geturl(),)
    folder = _folder_of(addresses[0])
    for address in beside if with_options else ():  # first, for they are small
        download(address, folder=folder)
    return download(addresses[0], sha256, folder, on_progress)


def download(
    address: str,
    sha256: str | None = None,
    folder: Path | None = None,
    on_progress: OnProgress | None = None,
) -> Path:
    """The local file of an address; one that is there already needs no network.

    Its SHA-256, where none is known, is written down at first and has to remain.
    """
    import pooch

    path = (folder or _folder_of(address)) / _name_of(address)
    noted = path.with_name(f"{path.name}.sha256")
    known = sha256 or (noted.read_text("ascii").strip() if noted.exists() else None)
    if path.exists() and known and pooch.file_hash(str(path)) == known:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")

    def fetch(url: str, file: str | IO[bytes], _pooch: Any) -> None:
        _fetch_with_retries(url, Path(str(file)), known, on_progress)

    pooch.retrieve(address, known, path.name, path.parent, downloader=fetch)
    if not noted.exists():
        noted.write_text(pooch.file_hash(str(path)) + "\n", "ascii")
    return path


def _fetch_with_retries(
    url: str, file: Path, known: str | None, on_progress: OnProgress | None
) -> None:
    import pooch
    import requests

    for left in reversed(range(TRIES)):
        try:
            _fetch(url, file, on_progress)
            break
        except requests.HTTPError as error:
            answer = error.response
            if not left or answer is None or answer.status_code < 500:
                status = "an error" if answer is None else f"{answer.status_code} {answer.reason}"
                raise FileNotFoundError(f"{url} can't be had: the server says {status}.") from error
        except requests.RequestException as error:
            if not left:
                raise OSError(
                    f"{url} could not be downloaded; is this computer offline? ({error})"
                ) from error
        time.sleep(WAIT * 2 ** (TRIES - 1 - left))
    found = pooch.file_hash(str(file))
    if known and found != known:
        raise ValueError(
            f"{url} has another content than expected: its SHA-256 is {found}, not {known}. Was it "
            f"replaced? If that is right, remove {file.parent}."
        )


def _fetch(url: str, file: Path, on_progress: OnProgress | None) -> None:
    """Downloads a file as it is stored, whole."""
    import requests

    headers = {"Accept-Encoding": "identity"}
    with requests.get(url, stream=True, timeout=_TIMEOUT, headers=headers) as response:
        response.raise_for_status()
        kind = response.headers.get("Content-Type", "")
        length = int(response.headers.get("Content-Length", 0))
        done = 0
        with open(file, "wb") as out:
            for chunk in response.iter_content(_CHUNK):
                start = chunk[:512].lstrip().lower() if not done else b""
                if "text/html" in kind or start.startswith((b"<!doctype html", b"<html")):
                    raise ValueError(f"{url} is a web page and no model.")
                out.write(chunk)
                done += len(chunk)
                if on_progress is not None:
                    on_progress(done, length)
    if length and done != length:
        raise requests.ConnectionError(f"{done:,} of {length:,} bytes came")
    if not length and not _is_whole(file):
        raise requests.ConnectionError(f"the file ends too early, after {done:,} bytes")


def _is_whole(file: Path) -> bool:
    """Whether an HDF5 file or archive has its end, of which a server did not say where it is."""
    import h5py

    with open(file, "rb") as content:
        start = content.read(4)
    try:
        if start == b"\x89HDF":
            h5py.File(file).close()
        elif start == b"PK\x03\x04":
            return zipfile.is_zipfile(file)
        elif start.startswith(b"\x1f\x8b"):
            with gzip.open(file) as content:
                while content.read(_CHUNK):
                    pass
    except (OSError, EOFError, zlib.error):
        return False
    return True


def _folder_of(address: str) -> Path:
    return cache_folder() / "downloads" / hashlib.sha256(address.encode()).hexdigest()[:32]


def _name_of(address: str) -> str:
    """The file's name in an address, of letters that every system takes."""
    name = unquote(urlsplit(address).path).rstrip("/").rpartition("/")[2]
    return re.sub(r"[^\w.-]", "_", name).lstrip(".") or "file"
