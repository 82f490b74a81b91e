"""What the command line refuses without TensorFlow, it refuses before TensorFlow is imported."""

import json
import subprocess
import sys

import pytest

from tests import REPOSITORY
from tests.processes import run_new_interpreter

# In a new process, where TensorFlow can't be imported: commands from a file, results to stdout.
PROGRAM = """
import json, sys
for name in ("tensorflow", "keras", "tensorflow_hub"):
    sys.modules[name] = None
from typer.testing import CliRunner
from elmo_tf2.cli import app
for command in json.loads(sys.stdin.read()):
    result = CliRunner().invoke(app, command)
    print(json.dumps([result.exit_code, result.output, repr(result.exception)]))
"""

REFUSALS = {
    # What is not there, or is something else.
    "inspect nothing": "There is no file, folder or checkpoint 'nothing'",
    "inspect a/b": "There is no file, folder or checkpoint 'a/b'",
    "inspect empty": "holds no weights that can be read",
    "inspect text.txt": "holds no weights that can be read",
    "inspect packed.zip": "is no archive, or damaged",
    "inspect http://127.0.0.1:9/z": "could not be downloaded; is this computer offline",
    "inspect broken_model": "options.json is not a JSON file",
    "convert a/b out": "There is no file, folder or checkpoint",
    "export a/b out": "There is no file, folder or checkpoint",
    "embed a/b text.txt out.h5": "There is no file, folder or checkpoint",
    "embed broken_model text.txt out.h5": "options.json is not a JSON file",
    "plot cat text.txt --model a/b": "There is no file, folder or checkpoint",
    "demo out --model a/b": "There is no file, folder or checkpoint",
    "pretrain run --data data --initial a/b": "There is no file, folder or checkpoint",
    "evaluate a/b text.txt": "There is no file, folder or checkpoint",
    "embed saved_model text.txt o.h5 --dtype bfloat16": "computes in the dtype of its export",
    "convert elmo_mini_en out --options nothing": "There is no options file",
    "convert elmo_mini_en out --options text.txt": "text.txt is not a JSON file",
    "convert elmo_mini_en out --options other.json": "other.json has no `char_cnn`",
    "convert elmo_mini_en out --vocab nothing": "There is no vocabulary file",
    "convert elmo_mini_en out --vocab binary": "is not text in UTF-8",
    "export elmo_mini_en out --vocab nothing": "There is no vocabulary file",
    "export elmo_mini_en out --options other.json": "other.json has no `char_cnn`",
    "embed elmo_mini_en nothing out.h5": "There is no text",
    "plot cat nothing": "There is no text file",
    "prepare nothing out": "There is no text file",
    "evaluate elmo_mini_en nothing": "There is no text",
    "evaluate elmo_mini_en text.txt --vocab nothing": "There is no vocabulary file",
    "pretrain run --resume": "There is no configuration",
    "pretrain run --data nothing": "has no train/*.txt",
    "pretrain run --data data --config nothing": "There is no configuration",
    "pretrain run --data data --config text.txt": "must hold names and values",
    "pretrain run --data data2": "prepared.json does not name the tokenizer",
    # What is there already.
    "convert elmo_mini_en there": "exists already",
    "export elmo_mini_en there": "exists already",
    "embed elmo_mini_en text.txt there.h5": "exists already",
    "embed elmo_mini_en text.txt there --projector": "exists already",
    "plot cat text.txt --out there.png": "exists already",
    "demo there": "exists already",
    "prepare text.txt there": "exists already",
    "pretrain there --data data": "exists already",
    "evaluate elmo_mini_en text.txt --scores there.h5": "exists already",
    # Values.
    "convert elmo_mini_en out --dtype int8": "--dtype",
    "export elmo_mini_en out --trainable no": "--trainable",
    "export elmo_mini_en out --trainable all --dtype bfloat16": "--trainable all",
    "export elmo_mini_en out --trainable all --vocab text.txt": "--trainable all",
    "embed elmo_mini_en text.txt out.xyz": "must have an ending",
    "embed elmo_mini_en text.txt out.npy": "can hold sentence vectors only",
    "embed elmo_mini_en text.txt out.h5 --layers 0,0": "different numbers of layers",
    "embed elmo_mini_en text.txt out.h5 --layers=-1": "different numbers of layers",
    f"embed elmo_mini_en text.txt out.h5 --batch-size {'9' * 23}": "--batch-size",
    "embed elmo_mini_en text.txt out.h5 --batch-size 0": "--batch-size",
    "embed elmo_mini_en text.txt out --projector --max-points 0": "--max-points",
    "embed elmo_mini_en text.txt out --projector --dtype float16": "--projector",
    "plot cat text.txt --out out.gif": "must have an ending",
    "plot cat text.txt --clusters 1000000000": "--clusters",
    "plot cat text.txt --layer=-1": "--layer",
    "plot cat text.txt --max-points 1": "--max-points",
    "demo out --word nonsense": "There are sentences for these words",
    "prepare text.txt out --shards 1000000000": "--shards",
    "prepare text.txt out --shards 0": "--shards",
    "prepare text.txt out --seed=-1": "--seed",
    "prepare text.txt out --seed 100000000000000": "--seed",
    "prepare text.txt out --heldout nan": "heldout",
    "prepare text.txt out --heldout 1": "`heldout` must be a number in [0, 1)",
    "prepare text.txt out --vocab-size 3": "--vocab-size",
    f"prepare text.txt out --min-count {'9' * 23}": "--min-count",
    "prepare text.txt out --tokenized --tokenizer words": "--tokenized",
    "pretrain run": "A new run needs --data",
    "pretrain run --resume --data data": "give RUN alone",
    "pretrain run --data data --set lr=1": "unknown name `lr`",
    "pretrain run --data data --set seed=-1": "`seed` must be an integer >= 0",
    "pretrain run --data data --set seed=abc": "`seed` must be an integer >= 0",
    "pretrain run --data data --set model=5": "`model` must be an ElmoConfig, or a mapping",
    "pretrain run --data data --set clip_norm=0": "`clip_norm` must be a number > 0",
    f"pretrain run --data data --set batch_size={'9' * 23}": "`batch_size` must be at most",
    "pretrain run --data data --save-every 0": "--save-every",
    f"pretrain run --data data --evaluate-every {'9' * 23}": "--evaluate-every",
    "evaluate elmo_mini_en text.txt --batch-size 0": "--batch-size",
}


def write_files(folder):
    """What the commands name."""
    (folder / "text.txt").write_text("the cat\n")
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "other.json").write_text('{"lstm": 3}')
    (folder / "packed.zip").write_bytes(b"PK\x03\x04")
    (folder / "empty").mkdir()
    for name in ("there.h5", "there.png"):
        (folder / name).write_text("")
    (folder / "there").mkdir()
    (folder / "there" / "file").write_text("")
    (folder / "broken_model").mkdir()
    (folder / "broken_model" / "options.json").write_text("{")
    (folder / "broken_model" / "weights.hdf5").write_text("")
    (folder / "saved_model").mkdir()
    (folder / "saved_model" / "saved_model.pb").write_text("")
    for name in ("data", "data2"):
        (folder / name / "train").mkdir(parents=True)
        (folder / name / "train" / "shard-00000.txt").write_text("the cat\n")
        (folder / name / "vocab.txt").write_text("<S>\n</S>\n<UNK>\nthe\n")
    (folder / "data2" / "prepared.json").write_text('{"tokenizer": 5}')


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("refusals")
    write_files(folder)
    before = sorted(path.name for path in folder.rglob("*"))
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([command.split() for command in REFUSALS]),
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert sorted(path.name for path in folder.rglob("*")) == before
    lines = result.stdout.splitlines()
    assert len(lines) == len(REFUSALS), result.stderr
    return dict(zip(REFUSALS, map(json.loads, lines), strict=True))


@pytest.mark.parametrize("command", REFUSALS)
def test_a_refusal_needs_no_tensorflow_and_is_one_line(command, results):
    exit_code, output, exception = results[command]
    assert exit_code in (1, 2), (output, exception)
    errors = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1 and REFUSALS[command] in errors[0], (output, exception)
    assert exit_code == 2 or output.splitlines() == errors


# Standard streams that are closed or full.

STREAMS = [
    ("--version > /dev/full", 1),
    ("--help > /dev/full", 1),
    ("--version >&-", 0),
    ("--version <&- >&- 2>&-", 0),
    ("inspect nothing >&- 2>&-", 1),
    ("--version | true", 0),
    ("--help | head -n 1 > /dev/null", 0),
]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no sh")
@pytest.mark.parametrize(("arguments", "exit_code"), STREAMS)
def test_a_stream_that_takes_nothing_gives_no_traceback(arguments, exit_code):
    command, pipe, reader = arguments.partition("|")
    command = f"{sys.executable} -m elmo_tf2 {command}"
    if pipe:  # its own exit code, not that of the reader
        command = f"{{ {command}; echo code $? >&2; }} | {reader}"
    result = subprocess.run(
        ["sh", "-c", command], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    errors = result.stderr.splitlines()
    if pipe:
        assert errors in (["code 0"], ["code 1"])  # 1 of the help, by its library
    else:
        assert result.returncode == exit_code
        assert errors == ["Error: standard output: No space left on device"][: "full" in command]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no sh")
def test_a_command_goes_on_when_nobody_reads_what_it_prints(tmp_path):
    code = (
        "import os, sys\n"
        "from elmo_tf2.cli.messages import echo\n"
        "read, write = os.pipe()\n"
        "os.dup2(write, 1)\n"
        "os.close(write)\n"
        "os.close(read)\n"
        "for _ in range(3):\n"
        "    echo('nobody hears this')\n"
        "print('the end', file=sys.stderr)\n"
    )
    result = run_new_interpreter("-c", code)
    assert (result.returncode, result.stderr) == (0, "the end\n")
