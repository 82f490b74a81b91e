"""Pretrains until it is killed; a process of `test_kill.py`.

python -m tests.training.killed RUN POINT NUMBER

When it comes to a POINT for the NUMBERth time it sends itself SIGKILL, which nothing can catch.
"""

import os
import signal
import sys
from importlib import import_module

import keras
import tensorflow as tf

from elmo_tf2.models import PretrainingModel
from elmo_tf2.training import pretrain
from tests.training.conftest import COMPILE_EAGERLY

_MANAGEMENT = "tensorflow.python.checkpoint.checkpoint_management"

# Where a checkpoint is being saved: module, class or None, function that it comes to.
SAVING = {
    "parts are written": ("tensorflow.python.ops.gen_io_ops", None, "merge_v2_checkpoints"),
    "written, not named": (_MANAGEMENT, None, "update_checkpoint_state_internal"),
    "named, the oldest still there": (_MANAGEMENT, "CheckpointManager", "_sweep"),
}


EVERY = {"report_every": 1, "save_every": 3, "evaluate_every": 9}


def kill_myself():
    os.kill(os.getpid(), signal.SIGKILL)


class AtUpdate(keras.callbacks.Callback):
    def __init__(self, number):
        super().__init__()
        self.number = number

    def on_train_batch_end(self, batch, logs=None):
        if self.model.num_updates == self.number:
            kill_myself()


def kill_when_called(module, of_class, name, number):
    """Replaces a function by one whose NUMBERth call kills the process."""
    place = import_module(module)
    if of_class is not None:
        place = getattr(place, of_class)
    function, calls = getattr(place, name), []

    def replacement(*args, **kwargs):
        calls.append(name)
        if len(calls) == number:
            kill_myself()
        return function(*args, **kwargs)

    setattr(place, name, replacement)


def main(run, point, number):
    # As in the tests: what is compared to the bit must run the same graphs.
    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    PretrainingModel.compile = COMPILE_EAGERLY
    callbacks = []
    if point == "update":
        callbacks.append(AtUpdate(int(number)))
    else:
        kill_when_called(*SAVING[point], int(number))
    pretrain(run, callbacks=callbacks, **EVERY)


if __name__ == "__main__":
    main(*sys.argv[1:])
