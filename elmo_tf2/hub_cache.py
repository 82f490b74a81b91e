"""The cache of tensorflow_hub: what lies there under an address is loaded in its place, offline."""

import hashlib
import shutil
from pathlib import Path

from tensorflow_hub import resolver

from elmo_tf2.files import StrPath, completed


def cached_folder(address: str) -> Path:
    """Where `hub.load(address)` looks before it downloads.

    The folder is named by the address, letter for letter: one that ends in "/" or in
    "?tf-hub-format=compressed" is another.

    Args:
        address: as it stands in a script, such as "https://tfhub.dev/google/elmo/3".

    Returns:
        A folder in `TFHUB_CACHE_DIR`, or in what tensorflow_hub takes if that is not set. It may
        not exist.

    Raises:
        ValueError: if it is no address of the web, or the cache is no local folder.
    """
    if not address.startswith(("http://", "https://")):
        raise ValueError(
            "`address` (on the command line `--as`) must start with https:// or http://, as in "
            f"https://tfhub.dev/google/elmo/3. Received: {address!r}."
        )
    cache = resolver.tfhub_cache_dir(use_temp=True)
    if "://" in cache:
        raise ValueError(f"TFHUB_CACHE_DIR must be a local folder. Found: {cache}.")
    return Path(cache, hashlib.sha1(address.encode()).hexdigest()).absolute()


def descriptor_of(folder: Path) -> Path:
    """The text file that tensorflow_hub writes beside a folder of its cache."""
    return folder.with_name(f"{folder.name}.descriptor.txt")


def copy_to_cache(saved_model: StrPath, address: str, overwrite: bool = False) -> Path:
    """Copies a SavedModel to where `hub.load(address)` looks.

    Args:
        saved_model: its folder.
        address: see `cached_folder`.
        overwrite: whether what is there may be replaced.

    Returns:
        The folder in the cache.

    Raises:
        FileExistsError: if there is something and `overwrite` is False.
        ValueError: see `cached_folder`.
    """
    folder = cached_folder(address)
    with completed(folder, overwrite) as unfinished:
        shutil.copytree(saved_model, unfinished)
    descriptor_of(folder).write_text(
        f"Module: {address}\nCopied from: {Path(saved_model).absolute()}\n", encoding="utf-8"
    )
    return folder
