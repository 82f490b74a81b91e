"""Checkpoints of a pretraining run: all that it needs to resume."""

import os
import re
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.files import free_bytes, full_disk_told
from elmo_tf2.models import PretrainingModel, named_variables
from elmo_tf2.weights.pretraining_run import ENCODER, latest_checkpoint

# what TensorFlow raises when a checkpoint is damaged or does not fit
_DAMAGE = (tf.errors.OpError, AssertionError, LookupError, RuntimeError, ValueError)


class Checkpoints:
    """The checkpoints of a compiled language model in a folder.

    Each has the weights under the names of bilm-tf's files, the optimizer with the number of
    updates, the LSTM states and the position in the text. No random state is needed: every random
    choice depends on the seed and the number of the window. A checkpoint is removed only once the
    next is complete.
    """

    def __init__(self, model: PretrainingModel, folder: str | os.PathLike[str]) -> None:
        self._model = model
        self._folder = Path(folder)
        latest_checkpoint(self._folder)  # an error where TensorFlow's manager would start afresh
        if not model.optimizer.built:
            model.optimizer.build(model.trainable_variables)
        self._variables: dict[str, Any] = {
            ENCODER: {
                name: variable for name, (variable, _) in named_variables(model.bilm).items()
            },
            "softmax": {"W": model.softmax.kernel, "b": model.softmax.bias},
            "states": list(model.states),
            "windows_seen": model.windows_seen,
            "position": model.position,
            "optimizer": list(model.optimizer.variables),
        }
        tracked = tf.nest.map_structure(lambda variable: variable.value, self._variables)
        checkpoint = tf.train.Checkpoint(**tracked)
        # A variable made on first use: all workers must make it together.
        _ = checkpoint.save_counter
        self._manager = tf.train.CheckpointManager(
            checkpoint, str(self._folder), max_to_keep=2, checkpoint_name="update"
        )

    @property
    def latest(self) -> str | None:
        """The last complete checkpoint, or None."""
        return self._manager.latest_checkpoint

    def save(self) -> str:
        """Writes a checkpoint if all weights are finite and the disk has room; returns its path."""
        for variable in self._model.trainable_variables:
            value = keras.ops.convert_to_tensor(variable)
            if not np.isfinite(float(tf.reduce_sum(value))):
                raise FloatingPointError(
                    f"The weight {variable.path} has values that are NaN or infinite: no "
                    f"checkpoint is written. The last good one is {self.latest}. Resume from it "
                    "with a lower learning rate."
                )
        needed = sum(
            int(np.prod(variable.shape)) * tf.as_dtype(variable.dtype).size
            for variable in tf.nest.flatten(self._variables)
        )
        if free_bytes(self._folder) < needed:
            raise OSError(
                f"The disk of {self._folder} has no room for a checkpoint of {needed:,} bytes. "
                f"The last one is {self.latest}. Make room, and resume from it."
            )
        try:
            with full_disk_told(self._folder):
                return self._manager.save(checkpoint_number=self._model.num_updates)
        except tf.errors.OpError as error:
            raise OSError(
                f"No checkpoint can be written to {self._folder}: {error.message}. The last one is "
                f"{self.latest}."
            ) from error
        finally:
            self.remove_leftovers()

    def remove_leftovers(self) -> None:
        """Removes what a kill or a full disk left of incomplete checkpoints."""
        complete = {Path(path).name for path in self._manager.checkpoints}
        for entry in self._folder.iterdir():
            if re.fullmatch(r"update-\d+_temp", entry.name) and not entry.is_symlink():
                shutil.rmtree(entry)
            elif re.fullmatch(r"update-\d+\..+|checkpoint\.tmp.*", entry.name):
                # While none is complete, one with an index may be all there is.
                has_index = entry.with_suffix(".index").exists()
                if entry.stem not in complete and (complete or not has_index):
                    entry.unlink()

    def restore(self) -> None:
        """Restores the latest checkpoint."""
        if self.latest is None:
            raise FileNotFoundError(f"There is no checkpoint in {self._folder}.")
        try:
            self._manager.checkpoint.restore(self.latest).assert_consumed()
        except _DAMAGE as error:
            raise ValueError(
                f"The checkpoint {self.latest} is damaged, or of another model or optimizer than "
                "the configuration says. Resume with the configuration of its own run, or begin a "
                f"new run in another folder. ({str(error).splitlines()[0]})"
            ) from error
