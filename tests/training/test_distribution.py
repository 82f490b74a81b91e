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
from tests.training.conftest import CONFIG, MERGED_CONFIG, SETTINGS, WORDS, write_data

pytestmark = pytest.mark.slow


CONFIGS = {
    "separate": dataclasses.replace(CONFIG, updates=14),
    # of few words in a window one device has now and then none: they count by their number
    "merged": dataclasses.replace(MERGED_CONFIG, mask_rate=0.15),
}


def finish(*processes):
    with contextlib.ExitStack() as stack:
        for process in processes:
            stack.enter_context(process)
        for process in processes:
            output = process.communicate()
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


def start_worker(*command, **environment):
    return PythonProcess("-m", *command, **environment)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data")


def create_run(path, data, config, heldout=None):
    folder = RunFolder(path)
    folder.create(config, WORDS, [data / "train" / "shard-00000.txt"], heldout)
    return folder


@pytest.fixture(scope="module")
def losses_of_one(data, eager_updates, tmp_path_factory):
    """The losses of every update on one device."""
    found = {}
    for name, config in CONFIGS.items():
        folder = create_run(tmp_path_factory.mktemp("one") / name, data, config)
        pretrain(folder.path, report_every=1)
        found[name] = losses(folder)
    return found


def test_two_devices_have_the_losses_of_one(data, losses_of_one, tmp_path):
    heldout = {"separate": data / "heldout.txt"}
    folders = {
        name: create_run(tmp_path / name, data, config, heldout.get(name))
        for name, config in CONFIGS.items()
    }
    paths = [folder.path for folder in folders.values()]
    finish(PythonProcess("-m", "tests.training.several_devices", "mirrored", *paths))
    for name, folder in folders.items():
        np.testing.assert_allclose(losses(folder), losses_of_one[name], atol=2e-5, err_msg=name)
    assert folders["separate"].read_history()[-1]["heldout_perplexity"]


def test_two_workers_of_a_command_have_the_losses_of_one_also_when_one_was_killed(
    data, losses_of_one, tmp_path
):
    folder = RunFolder(tmp_path / "run")
    settings = [part for name in (*SETTINGS, "seed=3", "updates=14") for part in ("--set", name)]
    new = "pretrain", folder.path, "--data", data, *settings, "--save-every", 10
    of_chief, of_other = worker_environments()
    killed = "tests.training.several_devices", "killed", 12
    with (
        start_worker("elmo_tf2", *new, **of_chief),
        start_worker(*killed, *new, **of_other) as other,
    ):
        said = other.communicate()
        assert other.returncode == -signal.SIGKILL, said
        # TensorFlow ends the chief when it misses the other; a user need not wait for that.
    (before,) = folder.read_history()
    resume = "elmo_tf2", "pretrain", folder.path, "--resume"
    finish(*[start_worker(*resume, **environment) for environment in worker_environments()])
    history = folder.read_history()
    assert [row["update"] for row in history] == ["10", "14"]
    assert history[0] == before  # so it went on, and did not begin anew
    one = losses_of_one["separate"]
    np.testing.assert_allclose(losses(folder), [np.mean(one[:10]), np.mean(one[10:])], atol=2e-5)
    assert read_weights(folder.path).config.units == 12
