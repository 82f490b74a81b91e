"""What a file or folder is: which of the published forms, or what of another program."""

import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import h5py

from elmo_tf2.files import StrPath, check_file
from elmo_tf2.weights.checkpoint_variables import open_checkpoint
from elmo_tf2.weights.elmoformanylangs import is_elmoformanylangs
from elmo_tf2.weights.files import (
    OPTIONS_FILE,
    SOFTMAX_FILE,
    WEIGHTS_FILE,
    find_weights,
    visible_files,
)
from elmo_tf2.weights.hdf5 import root_names
from elmo_tf2.weights.other_programs import other_programs_file, other_programs_folder
from elmo_tf2.weights.pretraining_run import is_pretraining_run
from elmo_tf2.weights.schema import is_encoder_group
from elmo_tf2.weights.tf1_checkpoint import checkpoint_prefix

Kind = Literal[
    "model folder",
    "elmoformanylangs",
    "bilm hdf5",
    "vocabulary embeddings",
    "pretraining run",
    "tf1 checkpoint",
    "tf1 hub module",
    "saved model",
]
"""What a file or folder may be."""

KINDS: tuple[Kind, ...] = get_args(Kind)
"""All kinds."""

_MAX_NAMES = 10
_MAX_FOLDERS = 100  # that are searched for a model inside of what is given


def detect(path: StrPath) -> Kind:
    """Finds out what is at a path.

    Args:
        path: a file or folder, or the prefix of a checkpoint.

    Returns:
        One of `KINDS`; "saved model" is one of TensorFlow 2.

    Raises:
        FileNotFoundError: if there is nothing.
        ValueError: if it is none of these, or could be two of them.

    Example:
    >>> detect("model_folder")
    'model folder'
    """
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]+:/", str(path)):
        raise ValueError(f"{path} is an address. Download it, and give the folder or file.")
    path = Path(os.path.expanduser(path))
    if path.is_dir():
        return _detect_folder(path)
    if Path(f"{checkpoint_prefix(path)}.index").is_file():
        return "tf1 checkpoint"
    if not path.exists():
        raise FileNotFoundError(f"There is no file, folder or checkpoint {str(path)!r}.")
    if h5py.is_hdf5(check_file(path, "weight file")):
        return _detect_hdf5(path)
    what = other_programs_file(path) or "holds no weights that can be read."
    raise ValueError(
        f"{path} {what} Expected: an HDF5 file, a checkpoint of bilm-tf, or a model folder or TF1 "
        "Hub module."
    )


def _detect_folder(folder: Path) -> Kind:
    kind = _kind_of_folder(folder)
    if kind is not None:
        return kind
    other = other_programs_folder(folder)
    if other:
        raise ValueError(f"{folder} {other}")
    names = sorted(path.name for path in folder.iterdir())
    found = ", ".join(names[:_MAX_NAMES]) + (", …" if len(names) > _MAX_NAMES else "")
    inside = next(filter(_is_model, _folders_inside(folder)), None)
    hint = f" The folder {inside} inside of it holds a model: give that." if inside else ""
    raise ValueError(
        f"{folder} holds no weights that can be read. Expected: {OPTIONS_FILE} and {WEIGHTS_FILE}, "
        "a checkpoint of bilm-tf, or a TF1 Hub module with saved_model.pb. "
        f"Found: {found or 'nothing'}.{hint}"
    )


def model_inside(path: Path) -> Path:
    """The only model in a folder that is none itself, as archives have it; or else the path."""
    if not path.is_dir() or _is_model(path):
        return path
    found = [folder for folder in _folders_inside(path) if _is_model(folder)]
    if len(found) > 1:
        names = ", ".join(str(folder.relative_to(path)) for folder in found[:_MAX_NAMES])
        raise ValueError(f"{path} holds several models: {names}. Give the folder of one.")
    return found[0] if found else path


def _folders_inside(folder: Path) -> Iterator[Path]:
    """The folders in a folder, and those in these, a hundred at most."""

    def folders(of: Path) -> list[Path]:
        try:
            return [path for path in visible_files(of, "*") if path.is_dir()]
        except OSError:  # another user's
            return []

    outer = folders(folder)
    inner = itertools.chain.from_iterable(map(folders, outer))
    return itertools.islice(itertools.chain(outer, inner), _MAX_FOLDERS)


def _is_model(folder: Path) -> bool:
    try:
        return _kind_of_folder(folder) is not None or other_programs_folder(folder) is not None
    except ValueError:  # damaged, or of two kinds: reading it says which
        return True
    except OSError:
        return False


def _kind_of_folder(folder: Path) -> Kind | None:
    graphs = visible_files(folder, "saved_model.pb*")
    if graphs:
        for file in (*graphs, *visible_files(folder, "variables/*")):
            check_file(file, "file of a SavedModel")
        if (folder / "tfhub_module.pb").exists():
            return "tf1 hub module"
        variables = folder / "variables" / "variables"
        has_variables = Path(f"{variables}.index").exists()
        is_of_tf2 = not has_variables or open_checkpoint(variables).is_of_objects
        return "saved model" if is_of_tf2 else "tf1 hub module"
    if is_pretraining_run(folder):
        return "pretraining run"
    if is_elmoformanylangs(folder):
        return "elmoformanylangs"
    weight_files = find_weights(folder)
    checkpoints = visible_files(folder, "checkpoint") + visible_files(folder, "*.index")
    if weight_files and checkpoints:
        raise ValueError(
            f"{folder} is a model folder and has checkpoints, too: "
            f"{', '.join(path.name for path in (*weight_files, *checkpoints))}. "
            "Name the weight file or the checkpoint that is meant."
        )
    if weight_files:
        return "model folder"
    return "tf1 checkpoint" if checkpoints else None


def _detect_hdf5(path: Path) -> Kind:
    names = root_names(path)
    if any(map(is_encoder_group, names)):
        return "bilm hdf5"
    if "embedding" in names:
        return "vocabulary embeddings"
    if "softmax" in names:
        hint = f"It is the {SOFTMAX_FILE} of a model folder: give the folder."
    elif any(name.isdecimal() for name in names):
        hint = "It seems to hold the embeddings of sentences, which a model computed."
    else:
        hint = f"Found: {', '.join(sorted(names)[:_MAX_NAMES]) or 'nothing'}."
    raise ValueError(f"{path} is an HDF5 file, but not of bilm-tf's weights. {hint}")
