"""Pretrains on two devices, or as a worker that is killed; a process of `test_distribution.py`.

python -m tests.training.several_devices mirrored RUN...
python -m tests.training.several_devices killed UPDATE ARGUMENT...

The arguments are those of the command line; at UPDATE the process kills itself.
"""

import sys

import tensorflow as tf

import elmo_tf2.training
from elmo_tf2.cli import main as command_line
from elmo_tf2.training import pretrain
from tests.training.killed import AtUpdate


def mirrored(*runs):
    (cpu,) = tf.config.list_physical_devices("CPU")
    devices = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, devices)
    with tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]).scope():
        for run in runs:
            pretrain(run, report_every=1)


def killed(update, *arguments):
    def pretrain_until_killed(run, callbacks, **kwargs):
        return pretrain(run, callbacks=[*callbacks, AtUpdate(int(update))], **kwargs)

    elmo_tf2.training.pretrain = pretrain_until_killed  # which the command imports
    sys.argv[1:] = arguments
    command_line()


if __name__ == "__main__":
    {"mirrored": mirrored, "killed": killed}[sys.argv[1]](*sys.argv[2:])
