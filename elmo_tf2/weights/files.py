"""The files of a model folder, and how they are found whatever their names."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import h5py

from elmo_tf2.config import read_options
from elmo_tf2.files import StrPath
from elmo_tf2.weights.hdf5 import root_names

OPTIONS_FILE = "options.json"
WEIGHTS_FILE = "weights.hdf5"
VOCABULARY_FILE = "vocab.txt"
SOFTMAX_FILE = "softmax.hdf5"
_HDF5_SUFFIXES = (".hdf5", ".h5")


def visible_files(folder: StrPath, pattern: str) -> list[Path]:
    """The files of a folder whose names match, in order; without hidden ones such as `._x`."""
    return sorted(path for path in Path(folder).glob(pattern) if not path.name.startswith("."))


def find_weights(folder: StrPath) -> list[Path]:
    """Finds the weight files of a folder: `weights.hdf5`, or else what is one by its content.

    Args:
        folder: where to look.

    Returns:
        The files, also those named `.hdf5` or `.h5` that can't be read and so may be anything.
    """
    usual = Path(folder, WEIGHTS_FILE)
    if usual.exists():
        return [usual]
    return list(filter(_may_hold_encoder, visible_files(folder, "*")))


def _may_hold_encoder(path: Path) -> bool:
    if not path.is_file() or path.name == SOFTMAX_FILE:
        return False
    is_named_so = path.suffix.lower() in _HDF5_SUFFIXES
    if not is_named_so and not (path.stat().st_size and h5py.is_hdf5(path)):
        return False
    try:
        return has_encoder(root_names(path))
    except ValueError:
        return True


def has_encoder(names: Iterable[str]) -> bool:
    """Whether these names at the top of an HDF5 file are of bilm-tf's weights.

    Args:
        names: of `root_names`.

    Returns:
        True if so.
    """
    return any(re.match("char_embed$|CNN|RNN", name) for name in names)


def find_options(weights_file: StrPath) -> Path:
    """Finds the options that belong to a weight file, beside it.

    Args:
        weights_file: the weight file.

    Returns:
        A file of its own name, as in `elmo_weights.hdf5` and `elmo_options.json`; or else
        `options.json`, the only one with such a name, or the only one that is such by its content.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if several could be meant.
    """
    weights_file = Path(weights_file)
    folder, stem = weights_file.parent, weights_file.stem
    for name in (f"{stem.replace('weights', 'options')}.json", OPTIONS_FILE):
        if (folder / name).exists():
            return folder / name
    files = [path for path in visible_files(folder, "*") if path.suffix.lower() == ".json"]
    named_so = [path for path in files if "options" in path.name.lower()]
    return the_only(named_so or list(filter(_are_options, files)), folder, OPTIONS_FILE)


def _are_options(path: Path) -> bool:
    try:
        return {"char_cnn", "lstm"} <= set(read_options(path))
    except (OSError, ValueError):
        return False


def the_only(candidates: Sequence[Path], folder: StrPath, name: str) -> Path:
    """The only one of the files that may be meant.

    Args:
        candidates: the files.
        folder: where they are.
        name: how such a file is usually called.

    Returns:
        The file.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if there are several.
    """
    if not candidates:
        raise FileNotFoundError(f"{folder} has no {name} and no other file like it.")
    if len(candidates) > 1:
        raise ValueError(
            f"{folder} has no {name}, and several files that may be meant: "
            f"{', '.join(candidate.name for candidate in candidates)}. Name the one."
        )
    return candidates[0]
