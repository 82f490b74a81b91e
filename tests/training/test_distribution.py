"""Several devices and workers: the same batch, the same losses."""

import contextlib
import dataclasses
import json
import signal
import socket

import numpy as np
import pytest

from elmo_tf2.training import RunFolder, pretrain
from elmo_tf2.weights import read_weights
from tests.processes import PythonProcess
from tests.training.conftest import MERGED_CONFIG, SETTINGS, create_run, write_text

pytestmark = pytest.mark.slow


def start(folder, *arguments, **environment):
    module = "tests.training.several_devices"
    return PythonProcess("-m", module, folder.path, *arguments, **environment)


def finish(*processes):
    with contextlib.ExitStack() as stack:
        for process in processes:
            stack.enter_context(process)
        for process in processes:
            output = process.communicate(timeout=240)
            assert process.returncode == 0, output


def losses(folder):
    return [float(row["loss"]) for row in folder.read_history()]


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def worker_environments():
    """TF_CONFIG of two workers on this machine, the chief's first."""
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    return [
        {"TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": task})} for task in tasks
    ]


def start_workers(folder):
    return [start(folder, "workers", **environment) for environment in worker_environments()]


def start_workers_by_command(data, run):
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    command = "-m", "elmo_tf2", "pretrain", run, "--data", data, *settings, "--set", "updates=4"
    return [PythonProcess(*command, **environment) for environment in worker_environments()]


@pytest.fixture(scope="module")
def losses_of_one(tmp_path_factory):
    path = tmp_path_factory.mktemp("one")
    folder = create_run(path / "one", write_text(path))
    pretrain(folder.path, report_every=1)
    return losses(folder)


def test_two_devices_have_the_losses_of_one(make_run, losses_of_one):
    folder = make_run("two")
    finish(start(folder, "mirrored"))
    np.testing.assert_allclose(losses(folder), losses_of_one, atol=2e-5)


def test_masked_words_have_the_losses_of_one_device_on_two(make_run):
    # of few words in a window one device has now and then none: they count by their number
    config = dataclasses.replace(MERGED_CONFIG, mask_rate=0.15)
    one, two = (make_run(name, config) for name in ("one", "two"))
    pretrain(one.path, report_every=1)
    finish(start(two, "mirrored"))
    np.testing.assert_allclose(losses(two), losses(one), atol=2e-5)


def test_two_workers_have_the_losses_of_one_also_when_one_was_killed(make_run, losses_of_one):
    folder = make_run("two")
    of_chief, of_other = worker_environments()
    with start(folder, "workers", **of_chief), start(folder, "workers", "8", **of_other) as other:
        other.communicate(timeout=240)
        assert other.returncode == -signal.SIGKILL
        # TensorFlow ends the chief when it misses the other; a user need not wait for that.
    assert 6 <= len(losses(folder)) <= 8
    finish(*start_workers(folder))
    np.testing.assert_allclose(losses(folder), losses_of_one, atol=2e-5)


def test_two_workers_start_with_the_same_command(data, tmp_path):
    workers = start_workers_by_command(data, tmp_path / "run")
    finish(*workers)
    assert RunFolder(tmp_path / "run").read_history()[-1]["update"] == "4"
    assert read_weights(tmp_path / "run").config.units == 12
