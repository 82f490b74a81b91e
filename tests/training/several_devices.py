"""Pretrains on several devices; a process of `test_distribution.py`.

python -m tests.training.several_devices RUN mirrored|workers [UPDATE]

At UPDATE, if there is one, it kills itself.
"""

import sys

import tensorflow as tf

from elmo_tf2.training import pretrain
from tests.training.killed import AtUpdate

STRATEGIES = {
    "mirrored": lambda: tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]),
    "workers": tf.distribute.MultiWorkerMirroredStrategy,
}


def main(run, strategy, update=None):
    if strategy == "mirrored":
        (cpu,) = tf.config.list_physical_devices("CPU")
        devices = [tf.config.LogicalDeviceConfiguration()] * 2
        tf.config.set_logical_device_configuration(cpu, devices)
    with STRATEGIES[strategy]().scope():
        callbacks = [] if update is None else [AtUpdate(int(update))]
        pretrain(run, callbacks=callbacks, report_every=1, save_every=3, evaluate_every=6)


if __name__ == "__main__":
    main(*sys.argv[1:])
