"""The folder of a pretraining run of this package: its latest checkpoint's weights.

Its checkpoints are of TensorFlow 2's objects. The encoder's variables are under the names of
bilm-tf's weight files, in the shapes of this package's layers.
"""

import os
from pathlib import Path

import numpy as np

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import StrPath, check_file
from elmo_tf2.weights.checkpoint_variables import open_checkpoint
from elmo_tf2.weights.elmo_weights import (
    SOFTMAX_BIAS,
    SOFTMAX_KERNEL,
    ElmoWeights,
    Softmax,
    check_shapes,
    check_softmax_shapes,
    expected_shapes,
)
from elmo_tf2.weights.model_folder import OPTIONS_FILE, VOCABULARY_FILE

CHECKPOINTS_FOLDER = "checkpoints"
CONFIG_FILE = "config.yaml"
ENCODER = "encoder"
_VALUE = ".ATTRIBUTES/VARIABLE_VALUE"


def is_pretraining_run(folder: Path) -> bool:
    """Whether a folder is that of a pretraining run."""
    return (folder / CONFIG_FILE).is_file() and (folder / CHECKPOINTS_FOLDER).is_dir()


def is_untrained_run(folder: Path) -> bool:
    """Whether a folder is that of a run that was begun and came to no checkpoint."""
    has_checkpoint = any((folder / CHECKPOINTS_FOLDER).glob("*.index"))
    return (folder / CONFIG_FILE).is_file() and not has_checkpoint


def check_free_for_run(folder: Path, overwrite: bool = False) -> None:
    """Checks that a folder may become that of a new run.

    Args:
        folder: the folder.
        overwrite: whether what is there may be replaced.

    Raises:
        FileExistsError: if there is something, and it may not.
    """
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if not overwrite and os.path.lexists(folder) and not is_empty:
        raise FileExistsError(
            f"{folder} exists already. Choose another name or remove it; or, if it is a run that "
            "was stopped, go on with it (on the command line `--resume`)."
        )


def read_pretraining_run(folder: StrPath, read_softmax: bool = True) -> ElmoWeights:
    """Reads the latest checkpoint of a pretraining run.

    Args:
        folder: the run's folder.
        read_softmax: whether to read the language model's output layer.

    Returns:
        The weights.

    Raises:
        FileNotFoundError: if there is no checkpoint yet, or a file is missing.
        ValueError: if a file is damaged or does not fit the others.
    """
    folder = Path(folder)
    config = ElmoConfig.from_file(folder / OPTIONS_FILE)
    vocabulary = read_vocabulary(folder / VOCABULARY_FILE)
    state = folder / CHECKPOINTS_FOLDER / "checkpoint"
    if state.exists():
        check_file(state, "checkpoint file")
    latest = latest_checkpoint(folder / CHECKPOINTS_FOLDER)
    if latest is None:
        raise FileNotFoundError(
            f"{folder} has no checkpoint yet. Train until the first is saved, or go on with a run "
            "that was stopped before."
        )
    checkpoint = open_checkpoint(latest)
    prefix = f"{ENCODER}/"
    variables = {
        key[len(prefix) : -len(_VALUE) - 1].replace(".S", "/"): key
        for key in checkpoint.shapes
        if key.startswith(prefix) and key.endswith(_VALUE)
    }
    softmax = {name: f"{name}/{_VALUE}" for name in (SOFTMAX_KERNEL, SOFTMAX_BIAS)}
    expected = expected_shapes(config)
    shapes = {
        name: _shape_in_files(name, checkpoint.shapes[key]) for name, key in variables.items()
    }
    check_shapes(config, shapes, latest, options=str(folder / OPTIONS_FILE))
    softmax_shapes = {name: checkpoint.shapes.get(key, ()) for name, key in softmax.items()}
    check_softmax_shapes(config, softmax_shapes, vocabulary, latest)
    checkpoint.check_stored([*variables.values(), *softmax.values()])

    def array(name: str) -> np.ndarray:
        value = checkpoint.read(variables[name])
        # the row of "no word" is not in bilm-tf's files
        return value[1:] if name == "char_embed" else np.reshape(value, expected[name])

    return ElmoWeights(
        config=config,
        arrays={name: array(name) for name in expected},
        softmax=Softmax(*map(checkpoint.read, softmax.values())) if read_softmax else None,
        vocabulary=vocabulary,
        source=latest,
    )


def latest_checkpoint(folder: Path) -> str | None:
    """The last complete checkpoint of a folder, or None of a run that has not saved yet.

    Args:
        folder: where the checkpoints are.

    Returns:
        Its prefix.

    Raises:
        ValueError: if there are checkpoints, but TensorFlow's file `checkpoint` does not name one.
    """
    import tensorflow as tf

    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except ValueError:
        state = None
    latest = state.model_checkpoint_path if state else ""
    if latest and Path(f"{latest}.index").exists():
        return latest
    found = [path.stem for path in folder.glob("*.index")]
    found.sort(key=lambda name: (len(name), name))  # update-9 before update-12
    if not found:
        return None
    raise ValueError(
        f"{folder / 'checkpoint'} does not name the last checkpoint, or that is not there. Found: "
        f"{', '.join(found)}. Write into it the name of one that is sound, as in "
        f'model_checkpoint_path: "{found[-1]}"'
    )


def _shape_in_files(name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape that a variable has in bilm-tf's files."""
    if name == "char_embed" and shape:
        return (shape[0] - 1, *shape[1:])
    return (1, *shape) if name.startswith("CNN/W_cnn_") else shape
