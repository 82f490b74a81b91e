"""The files of a model folder, and how they are found under any name."""

from collections.abc import Sequence
from pathlib import Path

import h5py

from elmo_tf2.files import StrPath
from elmo_tf2.options import are_word_based, read_options
from elmo_tf2.weights.hdf5 import root_names
from elmo_tf2.weights.schema import is_encoder_group

OPTIONS_FILE = "options.json"
WEIGHTS_FILE = "weights.hdf5"
VOCABULARY_FILE = "vocab.txt"
SOFTMAX_FILE = "softmax.hdf5"
_HDF5_SUFFIXES = (".hdf5", ".h5")


def visible_files(folder: StrPath, pattern: str) -> list[Path]:
    """The files of a folder whose names match, in order; without hidden ones such as `._x`."""
    return sorted(path for path in Path(folder).glob(pattern) if not path.name.startswith("."))


def find_weights(folder: StrPath) -> list[Path]:
    """The weight files of a folder: `weights.hdf5`, or else what is one by its content.

    Files named `.hdf5` or `.h5` that can't be read, and so may be anything, are among them.
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
        return any(map(is_encoder_group, root_names(path)))
    except ValueError:
        return True


def find_options(weights_file: StrPath) -> Path:
    """The options beside a weight file.

    A file of its own name, as in `elmo_weights.hdf5` and `elmo_options.json`; or else
    `options.json`, the only one with such a name, or the only one that is such by its content.
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
        options = read_options(path)
    except (OSError, ValueError):
        return False
    return {"char_cnn", "lstm"} <= set(options) or are_word_based(options)


def the_only(candidates: Sequence[Path], folder: StrPath, name: str) -> Path:
    """The only one of the files in a folder that may be meant; usually it is called `name`."""
    if not candidates:
        raise FileNotFoundError(f"{folder} has no {name} and no other file like it.")
    if len(candidates) > 1:
        raise ValueError(
            f"{folder} has no {name}, and several files that may be meant: "
            f"{', '.join(candidate.name for candidate in candidates)}. Name the one."
        )
    return candidates[0]
