"""Weights from any published form: find out which it is, and read it."""

import dataclasses
import itertools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import h5py

from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import StrPath, check_file
from elmo_tf2.weights.checkpoint_variables import open_checkpoint
from elmo_tf2.weights.elmo_weights import ElmoWeights
from elmo_tf2.weights.files import (
    OPTIONS_FILE,
    SOFTMAX_FILE,
    WEIGHTS_FILE,
    find_options,
    find_weights,
    has_encoder,
    visible_files,
)
from elmo_tf2.weights.foreign import foreign_file, foreign_folder
from elmo_tf2.weights.hdf5 import root_names
from elmo_tf2.weights.model_folder import read_bilm_hdf5, read_model_folder
from elmo_tf2.weights.pretraining_run import is_pretraining_run, read_pretraining_run
from elmo_tf2.weights.tf1_checkpoint import checkpoint_prefix, read_tf1_checkpoint
from elmo_tf2.weights.tf1_hub import read_tf1_hub

Kind = Literal[
    "model folder",
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
    raise ValueError(
        f"{path} {foreign_file(path) or 'holds no weights that can be read.'} Expected: an HDF5 "
        "file, a checkpoint of bilm-tf, or a model folder or TF1 Hub module."
    )


def _detect_folder(folder: Path) -> Kind:
    kind = _kind_of_folder(folder)
    if kind is not None:
        return kind
    foreign = foreign_folder(folder)
    if foreign:
        raise ValueError(f"{folder} {foreign}")
    names = sorted(path.name for path in folder.iterdir())
    found = ", ".join(names[:_MAX_NAMES]) + (", …" if len(names) > _MAX_NAMES else "")
    inside = next(filter(_is_model, _folders_inside(folder)), None)
    hint = f" The folder {inside} inside of it holds a model: give that." if inside else ""
    raise ValueError(
        f"{folder} holds no weights that can be read. Expected: {OPTIONS_FILE} and {WEIGHTS_FILE}, "
        "a checkpoint of bilm-tf, or a TF1 Hub module with saved_model.pb. "
        f"Found: {found or 'nothing'}.{hint}"
    )


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
        return _kind_of_folder(folder) is not None or foreign_folder(folder) is not None
    except ValueError:  # damaged, or of two kinds, as it tells when it is given
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
    if has_encoder(names):
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


def read_weights(
    path: StrPath,
    options: StrPath | None = None,
    vocab: StrPath | None = None,
    read_softmax: bool = True,
) -> ElmoWeights:
    """Reads the weights of an ELMo model in any published form.

    Args:
        path: a model folder; a weight file of bilm-tf or AllenNLP; a training checkpoint of
            bilm-tf or its folder; the folder of a pretraining run; or that of a TF1 Hub module.
        options: JSON file with the sizes, if it is not the only one beside the weights.
        vocab: text file with the words, if it is not `vocab.txt` in the folder.
        read_softmax: whether to read a language model's output layer, if there is one. To embed
            text it is not needed, and it may be larger than the rest.

    Returns:
        The weights.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if it holds no weights, or a file is damaged or does not fit the others.

    Example:
    >>> read_weights("model_folder").config.units
    16
    """
    path = Path(os.path.expanduser(path))
    kind = detect(path)
    if kind == "model folder":
        return read_model_folder(path, options, vocab, read_softmax)
    if kind == "bilm hdf5":
        return read_bilm_hdf5(options or find_options(path), path, vocab)
    if kind == "pretraining run":
        if options is not None or vocab is not None:
            raise ValueError(
                f"{path} is a pretraining run, which has its own options and words. Received: "
                f"options={options!r}, vocab={vocab!r}."
            )
        return read_pretraining_run(path, read_softmax)
    if kind == "tf1 checkpoint":
        return read_tf1_checkpoint(path, options, vocab, read_softmax)
    if kind == "tf1 hub module":
        if options is not None:
            raise ValueError(
                f"{path} is a TF1 Hub module, whose sizes its own variables tell. "
                f"Received: options={str(options)!r}."
            )
        weights = read_tf1_hub(path)
        if vocab is None:
            return weights
        return dataclasses.replace(weights, vocabulary=read_vocabulary(vocab))
    if kind == "vocabulary embeddings":
        raise ValueError(
            f"{path} holds word vectors of a vocabulary, not a model's weights. Give the model "
            "they were computed with."
        )
    raise ValueError(
        f"{path} is a SavedModel of TensorFlow 2, from which weights are not read. Give the model "
        "folder it was exported from."
    )
