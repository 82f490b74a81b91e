"""The folder of a pretraining run of this package: its latest checkpoint's weights.

Its checkpoints are of TensorFlow 2's objects; the encoder's variables are those of a `BiLM`.
"""

import os
from pathlib import Path

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import StrPath, check_file
from elmo_tf2.weights.assemble import StoredWeights, assemble
from elmo_tf2.weights.check import check_softmax_shapes
from elmo_tf2.weights.checkpoint_variables import named_as_latest, open_checkpoint
from elmo_tf2.weights.elmo_weights import ElmoWeights
from elmo_tf2.weights.model_folder import OPTIONS_FILE, VOCABULARY_FILE
from elmo_tf2.weights.schema import (
    ENCODER,
    RUN,
    RUN_VALUE,
    SOFTMAX,
    encoder_weights,
    weight_names,
)

CHECKPOINTS_FOLDER = "checkpoints"
CONFIG_FILE = "config.yaml"


def is_pretraining_run(folder: Path) -> bool:
    """Whether a folder is that of a pretraining run."""
    return (folder / CONFIG_FILE).is_file() and (folder / CHECKPOINTS_FOLDER).is_dir()


def is_untrained_run(folder: Path) -> bool:
    """Whether a folder is that of a run that was begun and came to no checkpoint."""
    has_checkpoint = any((folder / CHECKPOINTS_FOLDER).glob("*.index"))
    return (folder / CONFIG_FILE).is_file() and not has_checkpoint


def check_free_for_run(folder: Path, overwrite: bool = False) -> None:
    """Checks that a folder may become that of a new run."""
    is_empty = folder.is_dir() and not any(folder.iterdir())
    if not overwrite and os.path.lexists(folder) and not is_empty:
        raise FileExistsError(
            f"{folder} exists already. Choose another name or remove it; or, if it is a run that "
            "was stopped, go on with it (on the command line `--resume`)."
        )


def read_pretraining_run(folder: StrPath, read_softmax: bool = True) -> ElmoWeights:
    """Reads the latest checkpoint of a pretraining run."""
    folder = Path(folder)
    options_file = folder / OPTIONS_FILE
    config = ElmoConfig.from_file(options_file)
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
    keys = [  # others are of the optimizer and the text
        key
        for key in checkpoint.shapes
        if key.startswith((f"{ENCODER}/", *(weight.run for weight in SOFTMAX)))
        and key.endswith(RUN_VALUE)
    ]
    layout = {weight.name: weight.index for weight in encoder_weights(config)}
    encoder = StoredWeights(checkpoint, weight_names(keys, RUN, latest), latest, layout)
    softmax = encoder.take(SOFTMAX)
    check_softmax_shapes(config, softmax.shapes, vocabulary, latest)
    return assemble(
        config,
        str(options_file),
        encoder,
        softmax=softmax if read_softmax else None,
        vocabulary=vocabulary,
    )


def latest_checkpoint(folder: Path) -> str | None:
    """The prefix of the last complete checkpoint of a folder, or None if it has none yet.

    If there are some, but TensorFlow's file `checkpoint` does not name one, that is a ValueError.
    """
    latest = named_as_latest(folder)
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
