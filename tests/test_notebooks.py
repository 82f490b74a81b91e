"""Every notebook runs from top to bottom, and is kept without outputs."""

import re

import pytest

from tests import REPOSITORY
from tests.processes import run_python

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))


def read(path):
    nbformat = pytest.importorskip("nbformat", reason="needs the extra `notebooks`")
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    code = [cell for cell in read(path).cells if cell.cell_type == "code"]
    assert not any(cell.outputs or cell.execution_count for cell in code)


# What would take long, and what stands in its place here.
SHORTER = {
    r"\bepochs=\d+": "epochs=1",
    r"\[len\(sentences\) // 10, len\(sentences\)\]": "[len(sentences)]",
    r"read_conllu\(TRAIN, \d+\)": "read_conllu(TRAIN, 20)",
    r"read_conllu\(TEST, \d+\)": "read_conllu(TEST, 20)",
    r"read_conllu\(TEST\)": "read_conllu(TEST, 60)",
    r"for block in blocks:": "for block in blocks[:40]:",
    r"max_iter=\d+": "max_iter=20",
    r"updates: 100\b": "updates: 4",
    r"--evaluate-every 25": "--evaluate-every 2",
}
# Their `fit` makes no graph: tests/test_examples.py has one that does.
EAGERLY = ("elmo_in_a_keras_model",)

# What a kernel does with the cells, but that the command line runs in the same process: there is no
# further import of TensorFlow.
RUN_CELLS = f"""
import json, re, shlex, sys
from IPython.core.interactiveshell import InteractiveShell
from elmo_tf2.cli import app

shell = InteractiveShell.instance()
shell_system = shell.system


def system(command):
    python, *arguments = shlex.split(shell.var_expand(command, depth=1))
    if arguments[:2] == ["-m", "elmo_tf2"]:
        app(arguments[2:], standalone_mode=False)
    else:
        shell_system(command)


shell.system = system
with open(sys.argv[1], encoding="utf-8") as file:
    cells = json.load(file)["cells"]
for cell in cells:
    if cell["cell_type"] == "code":
        source = "".join(cell["source"])
        for pattern, shorter in {SHORTER}.items():
            source = re.sub(pattern, shorter, source)
        shell.run_cell(source).raise_error()
"""


@pytest.mark.parametrize("pattern", SHORTER)
def test_what_is_made_shorter_is_there(pattern):
    assert any(re.search(pattern, path.read_text(encoding="utf-8")) for path in NOTEBOOKS)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path):
    pytest.importorskip("IPython", reason="needs the extra `notebooks`")
    settings = {"MPLBACKEND": "agg", "PYTHONPATH": str(REPOSITORY)}
    eagerly = path.stem in EAGERLY
    result = run_python("-c", RUN_CELLS, path, cwd=path.parent, eagerly=eagerly, **settings)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-3000:]
