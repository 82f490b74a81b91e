"""A run that is killed goes on as if it never had been: SIGKILL anywhere, SIGTERM, Ctrl-C."""

import signal
import time

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.training import RunFolder, pretrain
from elmo_tf2.weights import read_weights
from tests.processes import PythonProcess, run_python
from tests.training.conftest import SETTINGS
from tests.training.killed import EVERY

pytestmark = pytest.mark.slow


def history(folder):
    """All that was recorded but the speed."""
    return [
        {name: value for name, value in row.items() if name != "tokens_per_second"}
        for row in folder.read_history()
    ]


def names(folder):
    """The names of all files but TensorBoard's, which tell the time."""
    files = (path.relative_to(folder.path) for path in folder.path.rglob("*"))
    return sorted(str(path) for path in files if path.parts[0] != "logs")


def run_until_killed(folder, point, number):
    process = run_python("-m", "tests.training.killed", folder.path, point, number)
    assert process.returncode == -signal.SIGKILL, process.stderr


# Where the run is killed, at which time there, and the update of its last good checkpoint then.
KILLS = [
    ("update", 2, None),
    ("parts are written", 2, 3),
    ("written, not named", 1, 3),
    ("named, the oldest still there", 2, 9),
]


@pytest.mark.usefixtures("eager_updates")
def test_a_killed_run_goes_on_as_if_it_never_had_been(make_run):
    whole = make_run("whole", is_measured=True)
    pretrain(whole.path, **EVERY)

    folder = make_run("killed", is_measured=True)
    for point, number, saved in KILLS:
        run_until_killed(folder, point, number)
        latest = tf.train.latest_checkpoint(folder.checkpoints)
        assert latest == (None if saved is None else f"{folder.checkpoints}/update-{saved}")
        assert any(folder.checkpoints.glob("update-*_temp")) == (point == "parts are written")
    pretrain(folder.path, **EVERY)

    assert history(folder) == history(whole)
    assert names(folder) == names(whole)  # nothing is left of what was killed
    weights, expected = read_weights(folder.path), read_weights(whole.path)
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(weights.arrays[name], array)
    np.testing.assert_array_equal(weights.softmax.kernel, expected.softmax.kernel)


def wait_for_updates(process, folder, number):
    """Waits until a process has reported that many updates."""
    end = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < end:
        if folder.read_history() and int(folder.read_history()[-1]["update"]) >= number:
            return
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


def test_a_command_that_is_asked_to_end_saves_and_says_how_to_go_on(data, tmp_path):
    folder = RunFolder(tmp_path / "run")
    settings = [part for setting in SETTINGS for part in ("--set", setting)]
    command = "-m", "elmo_tf2", "pretrain", folder.path, "--data", data, *settings
    with PythonProcess(*command, "--set", "updates=100000") as process:
        wait_for_updates(process, folder, 10)
        process.send_signal(signal.SIGINT)
        said, warned = process.communicate(timeout=120)
        assert process.returncode == 130
    assert "Stopping after this update." in warned
    assert f"Stopped and saved. To resume: elmo-tf2 pretrain {folder.path} --resume" in said
    saved = int(folder.read_history()[-1]["update"])
    assert [path.stem for path in folder.checkpoints.glob("*.index")] == [f"update-{saved}"]
    assert not (folder.path / "lock").exists()
