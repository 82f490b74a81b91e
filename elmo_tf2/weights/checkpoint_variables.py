"""The variables of a TensorFlow checkpoint, read without any graph."""

import glob
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from elmo_tf2.files import StrPath, check_file, check_utf8
from elmo_tf2.validation import one_line
from elmo_tf2.weights.elmo_weights import as_finite_float32

if TYPE_CHECKING:
    import tensorflow as tf

OBJECT_GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"


def _damage() -> tuple[type[Exception], ...]:
    """What TensorFlow's reader raises on a damaged file."""
    import tensorflow as tf

    return tf.errors.OpError, RuntimeError, ValueError, LookupError


class CheckpointVariables(NamedTuple):
    """An open checkpoint: its path without `.index`, and its variables by their names."""

    path: str
    shapes: dict[str, tuple[int, ...]]
    types: "dict[str, tf.DType]"
    reader: Any

    @property
    def is_of_objects(self) -> bool:
        """Whether `tf.train.Checkpoint` or `tf.saved_model.save` of TensorFlow 2 wrote it."""
        return OBJECT_GRAPH in self.shapes

    def check_stored(self, names: Iterable[str]) -> None:
        """Checks that these variables are float arrays no larger than the checkpoint's data."""
        claimed = 0
        for name in names:
            if not self.types[name].is_floating:
                raise ValueError(
                    f"{self.path}: `{name}` must be a float array. "
                    f"Found: type {self.types[name].name}."
                )
            claimed += math.prod(self.shapes[name]) * self.types[name].size
        stored = sum(os.path.getsize(file) for file in _data_files(self.path))
        if claimed > stored:
            raise ValueError(
                f"{self.path}: the checkpoint is cut short or damaged: its weights take "
                f"{claimed} bytes, its data files have {stored}. Copy or download it again."
            )

    def read(self, name: str) -> np.ndarray:
        """Reads a variable that passed `check_stored`, as finite float32 numbers."""
        try:
            values = self.reader.get_tensor(name)
        except _damage() as error:
            raise ValueError(f"{self.path}: `{name}` can't be read: {one_line(error)}.") from error
        return as_finite_float32(values, self.path, name)


def check_checkpoint_path(path: StrPath) -> None:
    """Checks that TensorFlow finds a checkpoint with this prefix, or in this folder."""
    check_utf8(path)
    for mark in "[" if os.sep == "\\" else "[\\":
        if mark in os.fspath(path):
            raise ValueError(
                f"{path}: TensorFlow finds no checkpoint whose path has a `{mark}`, which it takes "
                "for a pattern. Rename the folder or file."
            )


def _data_files(prefix: str) -> list[str]:
    return glob.glob(glob.escape(prefix) + ".data-?????-of-?????")


def open_checkpoint(prefix: StrPath) -> CheckpointVariables:
    """Opens a checkpoint, given its path without `.index`; no variable is read yet."""
    import tensorflow as tf

    prefix = os.fspath(prefix)
    check_file(f"{prefix}.index", "checkpoint index")
    for file in _data_files(prefix):
        check_file(file, "checkpoint's data file")
    check_checkpoint_path(prefix)
    try:
        reader = tf.train.load_checkpoint(prefix)
        shapes = reader.get_variable_to_shape_map()
        types = reader.get_variable_to_dtype_map()
    except _damage() as error:
        raise ValueError(
            f"{prefix} can't be read as a TensorFlow checkpoint: {one_line(error)}. It is none, or "
            "was cut short or damaged, or its data file is missing."
        ) from error
    return CheckpointVariables(
        prefix, {name: tuple(shape) for name, shape in shapes.items()}, types, reader
    )


def named_as_latest(folder: Path) -> str:
    """The checkpoint that TensorFlow's file `checkpoint` names in a folder, or ""."""
    import tensorflow as tf

    try:
        state = tf.train.get_checkpoint_state(str(folder))
    except ValueError:
        state = None
    return state.model_checkpoint_path if state else ""
