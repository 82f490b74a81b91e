"""The command line as a user starts it: a process, with its exit code and its streams."""

import json
import os
import signal
import sys
import time

import pytest

from tests.cli_fixtures import random_text, write_model_folder
from tests.processes import PythonProcess, run_new_interpreter, run_python

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("cli") / "model")


def run_process(*arguments, run=run_python, **variables):
    """Runs a command, its output in a file."""
    return run("-m", "elmo_tf2", *arguments, **variables)


def test_exit_codes_and_errors_reach_the_shell():
    result = run_process("inspect", "nothing")
    assert result.returncode == 1
    assert result.stderr == (
        "Error: There is no file, folder or checkpoint 'nothing', and no preset of that name. "
        "Presets: elmo_mini_en.\n"
    )
    assert result.stdout == ""
    assert run_process("inspect").returncode == 2


def test_a_name_that_is_no_unicode_will_do(tmp_path):
    if sys.platform in ("win32", "darwin"):
        pytest.skip("file names are Unicode here")
    result = run_process("inspect", os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    assert result.returncode == 1
    assert result.stderr.startswith("Error: There is no file")


def test_warnings_go_to_stderr_and_a_terminal_that_knows_ascii_only_will_do(model, tmp_path):
    options = json.loads((model / "options.json").read_text())
    options["unheard_of"] = 1
    (tmp_path / "options.json").write_text(json.dumps(options))
    folder = tmp_path / "na\u00efve_\u732b"
    folder.mkdir()
    result = run_process(
        *("convert", model, folder / "out", "--options", tmp_path / "options.json"),
        run=run_new_interpreter,  # it imports TensorFlow, which has much to say
        **{"PYTHONIOENCODING": "ascii", "LC_ALL": "C", "PYTHONUTF8": "0"},
    )
    assert result.returncode == 0, result.stderr
    (line,) = result.stderr.splitlines()  # and nothing that TensorFlow has to say
    assert line.startswith("Warning: ") and "`unheard_of` is passed over" in line
    assert "Warning" not in result.stdout
    assert result.stdout.isascii()


def _finished_tokens(progress):
    return json.loads(progress.read_text())["finished_tokens"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT")
def test_signals_and_the_same_command_give_what_one_run_gives(model, tmp_path):
    text, out = tmp_path / "text.txt", tmp_path / "out.hdf5"
    text.write_text(random_text(1_000) * 8)
    command = "embed", model, text, out
    progress, finished = tmp_path / "out.hdf5.unfinished" / "progress.json", 0
    for number in (signal.SIGINT, signal.SIGTERM):
        with PythonProcess("-m", "elmo_tf2", *command) as process:
            while not progress.exists() or _finished_tokens(progress) == finished:
                assert process.poll() is None
                time.sleep(0.05)
            process.send_signal(number)
            _, stderr = process.communicate(timeout=60)
            assert process.returncode == 130
        assert stderr == "Interrupted. Give the same command again to go on.\n"
        assert not out.exists()
        finished = _finished_tokens(progress)
    result = run_process(*command, FORCE_COLOR="1")
    assert result.returncode == 0
    assert result.stderr == ""  # no progress bar in a pipe
    assert result.stdout.startswith("Wrote ") and "\x1b" not in result.stdout
    assert run_process("embed", model, text, tmp_path / "whole.hdf5").returncode == 0
    assert out.read_bytes() == (tmp_path / "whole.hdf5").read_bytes()
    assert not (tmp_path / "out.hdf5.unfinished").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_nothing_for_longer_than_to_the_next(number, tmp_path):
    (tmp_path / "text.txt").write_text(random_text(500) * 40)
    command = "prepare", tmp_path / "text.txt", tmp_path / "out", "--tokenized"
    with PythonProcess("-m", "elmo_tf2", *command) as process:
        while not any(tmp_path.glob(".out*/out/*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)  # so that it is there until the second has ended
        second = run_process(*command)
        assert "Another process is making" in second.stderr and second.returncode == 1
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        process.communicate(timeout=60)
    names = [path.name for path in tmp_path.iterdir()]
    if number == signal.SIGTERM:
        assert process.returncode == 130
        assert names == ["text.txt"]
    assert run_process(*command).returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "text.txt"]
