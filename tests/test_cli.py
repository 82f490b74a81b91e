"""The command line: its help, where errors go, and how it speaks."""

import importlib.metadata
import io
import json
import logging
import os
import re
import sys
import time

import pytest
import tensorflow as tf
from typer.testing import CliRunner

from elmo_tf2.cli import app, messages
from tests.cli_fixtures import run, write_model_folder
from tests.processes import run_new_interpreter

COMMANDS = (
    "demo",
    "inspect",
    "convert",
    "export",
    "embed",
    "plot",
    "prepare",
    "pretrain",
    "evaluate",
)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("cli") / "model")


# Help.


@pytest.mark.parametrize("command", COMMANDS)
def test_every_commands_help_has_examples_of_it(command):
    help_text = run(command, "--help")
    assert f"Usage: elmo-tf2 {command} " in help_text.replace("root", "elmo-tf2")
    assert help_text.count(f"\n    elmo-tf2 {command} ") >= 2
    assert run(command, "-h") == help_text


def test_the_help_lists_the_commands():
    help_text = run("--help")
    for command in COMMANDS:
        assert f"\n  {command} " in help_text
    assert "..." not in help_text.partition("Commands:")[2]  # no description is cut


@pytest.mark.parametrize("columns", [20, 40, 200])
def test_the_help_fits_any_terminal(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    for command in COMMANDS:
        run(command, "--help")


def test_the_help_does_not_wait_for_tensorflow():
    code = (
        "import sys\n"
        "from elmo_tf2.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    sys.exit(end.code or 'tensorflow' in sys.modules)\n"
    )
    for arguments in (["--help"], ["embed", "--help"], ["--version"]):
        result = run_new_interpreter("-c", code, *arguments)
        assert result.returncode == 0, result.stderr
        assert not result.stderr


@pytest.mark.parametrize("wanted", [None, "3"])
def test_an_operation_has_half_the_processors_unless_told(wanted, monkeypatch):
    code = (
        "import os, sys\n"
        "from elmo_tf2.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    print(os.environ['TF_NUM_INTRAOP_THREADS'])\n"
    )
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    variables = {} if wanted is None else {"TF_NUM_INTRAOP_THREADS": wanted}
    threads = run_new_interpreter("-c", code, "--version", **variables).stdout.split()[-1]
    half = max(1, len(os.sched_getaffinity(0)) // 2)
    assert threads == (wanted or str(half))


def test_the_version_is_printed():
    assert run("--version").startswith("elmo-tf2")


def test_the_version_of_a_copy_that_is_not_installed_is_not_known(monkeypatch):
    def not_installed(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("elmo_tf2.cli.commands.version", not_installed)
    assert run("--version") == "elmo-tf2, not installed\n"


# Mistakes.


@pytest.mark.parametrize(
    "arguments",
    [
        ["nonsense"],
        ["inspect"],
        ["inspect", "a", "b"],
        ["inspect", "--nonsense", "a"],
        ["convert", "a"],
        ["export", "a", "b", "--trainable", "everything"],
        ["embed", "a", "b", "c", "--batch-size", "0"],
        ["embed", "a", "b", "c", "--batch-size", "many"],
        ["embed", "a", "b", "c", "--layers", "all"],
        ["embed", "a", "b", "c", "--sentence", "sum"],
    ],
)
def test_wrong_usage_ends_with_2_and_says_how_to_get_help(arguments):
    message = run(*arguments, exit_code=2)
    assert "Try '" in message and "Error: " in message


def test_no_arguments_give_the_help():
    assert "Commands:" in CliRunner().invoke(app, []).output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["inspect", "{tmp}/nothing"], "There is no file, folder or checkpoint"),
        (["inspect", "{tmp}"], "holds no weights that can be read"),
        (["convert", "{tmp}/nothing", "{tmp}/out"], "There is no file, folder or checkpoint"),
        (["convert", "{model}", "{model}"], "exists already.*`--overwrite`"),
        (["convert", "{model}", "{tmp}/out", "--options", "{tmp}/x"], "no options file"),
        (["convert", "{model}", "{tmp}/out", "--vocab", "{tmp}/x"], "no vocabulary file"),
        (["export", "{tmp}/nothing", "{tmp}/out"], "There is no file, folder or checkpoint"),
        (["export", "{model}", "{model}"], "exists already"),
        (["embed", "{tmp}/nothing", "{text}", "{tmp}/o.h5"], "There is no file, folder or che"),
        (["embed", "{model}", "{tmp}/nothing", "{tmp}/out"], "There is no text"),
        (["embed", "{model}", "{tmp}", "{tmp}/out"], "is not a file. Expected: a text file"),
        (["embed", "{model}", "{text}", "{tmp}"], "is a folder. Expected: the name of a file"),
        (["embed", "{model}", "{text}", "{text}"], "is the text itself"),
        (["embed", "{model}", "{text}", "{tmp}/out"], "must have an ending .* Found: none"),
        (["embed", "{model}", "{text}", "{text}/out.h5"], "text.txt.*: (Not a dir|File exists)"),
    ],
)
def test_a_users_mistake_is_told_in_a_line_and_ends_with_1(model, tmp_path, arguments, message):
    text = tmp_path / "text.txt"
    text.write_text("the cat\n")
    names = {"tmp": tmp_path, "model": model, "text": text}
    output = run(*[argument.format(**names) for argument in arguments], exit_code=1)
    (line,) = output.splitlines()
    assert line.startswith("Error: ")
    assert re.search(message, line)
    assert [path.name for path in tmp_path.iterdir()] == ["text.txt"]


def test_options_of_another_model_are_told_in_a_line(model, tmp_path):
    options = json.loads((model / "options.json").read_text())
    options["lstm"]["n_layers"] += 1
    path = tmp_path / "options.json"
    path.write_text(json.dumps({**options, "unheard_of": 1}))
    output = run("convert", model, tmp_path / "out", "--options", path, exit_code=1)
    warning, error = output.splitlines()
    assert warning == f"Warning: {path}: unknown key `unheard_of` is passed over."
    assert error.startswith(f"Error: {model}/weights.hdf5 does not fit {path}: `RNN_0/")


def test_a_fault_of_the_program_keeps_its_traceback(model, monkeypatch):
    def faulty(*_, **__):
        return int("not a number")

    monkeypatch.setattr("elmo_tf2.cli.describe.read_weights", faulty)
    result = CliRunner().invoke(app, ["inspect", str(model)])
    # int() raised it, and not a check of this package
    assert isinstance(result.exception, ValueError)
    assert "Error" not in result.output


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (PermissionError(13, "Permission denied", "/root/x"), "/root/x: Permission denied"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (FileNotFoundError("There is no file 'x'."), "There is no file 'x'."),
        (
            OSError("can't write (\nfilename = 'x', fd = 3, errno = 28, …)"),
            "x: No space left on device",
        ),
        (RuntimeError("flush (filename = 'x', fd = 3, errno = 5, …)"), "x: Input/output error"),
        (
            tf.errors.ResourceExhaustedError(None, None, "{{node SaveV2}} No space left"),
            "Not enough memory or disk space. No space left",
        ),
        (MemoryError("64 GB"), "Not enough memory or disk space. 64 GB"),
        (BrokenPipeError(), None),
        (TypeError("what"), None),
        (ValueError("raised nowhere"), None),
    ],
)
def test_errors_of_the_machine_and_the_user_have_a_text(error, text):
    assert messages.error_text(error) == text


@pytest.mark.parametrize("command", ["inspect", "embed"])
def test_ctrl_c_ends_with_130(model, tmp_path, monkeypatch, command):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("elmo_tf2.cli.describe.read_weights", interrupted)
    monkeypatch.setattr("elmo_tf2.features.embed_file", interrupted)
    text = tmp_path / "text.txt"
    text.write_text("the cat\n")
    arguments = [model] if command == "inspect" else [model, text, tmp_path / "out.h5"]
    message = run(command, *arguments, exit_code=130)
    assert "Interrupted." in message and "Error" not in message
    assert ("same command again" in message) == (command == "embed")


# What is said, and where.


def test_the_progress_bar_tells_share_rate_and_time(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with messages.progress_bar("Reading") as update:
        update(7, 0, doing="Searching", unit="bytes")
        for done in (500, 600, 800, 1000):
            update(done, 1000)
            time.sleep(0.1)
    shown = terminal.getvalue()
    assert "Reading" in shown and "Embedding" in shown
    assert "Searching" in shown and "7 bytes" in shown
    assert "50%" in shown and "100%" in shown
    assert " tokens/s" in shown


def test_the_progress_of_a_text_without_words_is_none(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with messages.progress_bar("Reading") as update:
        update(0, 0)


def test_the_librarys_warnings_are_printed_once(capsys):
    for _ in range(2):
        messages.show_warnings()
    logging.getLogger("elmo_tf2.somewhere").warning("mind the %s", "gap")
    assert capsys.readouterr().err == "Warning: mind the gap\n"


@pytest.fixture
def before_tensorflow(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    monkeypatch.delitem(sys.modules, "tensorflow")


@pytest.mark.usefixtures("before_tensorflow")
@pytest.mark.parametrize("level", [None, "2"])
def test_imports_are_quiet(level, capfd, monkeypatch):
    if level:
        monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", level)
    with messages.quiet_imports():
        os.write(2, b"a note on your machine")
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "3"


@pytest.mark.usefixtures("before_tensorflow")
def test_imports_that_fail_are_not_quiet(capfd):
    with pytest.raises(ImportError), messages.quiet_imports():
        os.write(2, b"the reason")
        raise ImportError
    assert capfd.readouterr().err == "the reason"


@pytest.mark.usefixtures("before_tensorflow")
def test_imports_are_as_loud_as_the_environment_wants(capfd, monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    with messages.quiet_imports():
        os.write(2, b"a note")
    assert capfd.readouterr().err == "a note"
