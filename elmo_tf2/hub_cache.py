"""The cache of tensorflow_hub: what lies there under an address is loaded in its place, offline."""

import hashlib
import shutil
from pathlib import Path

from tensorflow_hub import resolver

from elmo_tf2.files import StrPath, atomic_write


def cached_folder(address: str) -> Path:
    """The folder where `hub.load(address)` looks before it downloads; it may not exist.

    It is named by the address, letter for letter: one that ends in "/" or in
    "?tf-hub-format=compressed" is another.
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
    """Copies a SavedModel to where `hub.load(address)` looks, and returns that folder."""
    folder = cached_folder(address)
    with atomic_write(folder, overwrite) as temporary:
        shutil.copytree(saved_model, temporary)
    descriptor_of(folder).write_text(
        f"Module: {address}\nCopied from: {Path(saved_model).absolute()}\n", encoding="utf-8"
    )
    return folder
