"""What every command does with its output: it replaces no input, and names it on a full disk."""

import os
import re
import shutil

import pytest

from elmo_tf2.training import write_scores
from tests import REPOSITORY
from tests.cli_fixtures import random_text, run, write_model_folder
from tests.processes import run_python


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("outputs") / "model", num_layers=1)


@pytest.fixture
def inputs(model, tmp_path, monkeypatch):
    """A model, a text with links to it, and what `prepare` makes."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(model, "model")
    shutil.copytree(model, "demo/model")
    with open("text.hdf5", "w") as file:
        file.write(random_text(20))
    shutil.copy("text.hdf5", "text.html")
    os.symlink("text.hdf5", "link.hdf5")
    os.link("text.hdf5", "second.hdf5")
    os.makedirs("data/train")
    shutil.copy("text.hdf5", "data/heldout.txt")
    return tmp_path


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "command",
    [
        "embed model text.hdf5 text.hdf5",
        "embed model text.hdf5 link.hdf5",
        "embed model link.hdf5 second.hdf5",
        "embed model text.hdf5 model/weights.hdf5",
        "embed model model/options.json model --projector",
        "plot the text.html --out text.html --model model",
        "prepare data/heldout.txt data --tokenized",
        "prepare data/heldout.txt text.hdf5 data --tokenized",
        "convert model model",
        "convert model/weights.hdf5 model",
        "export model model",
        "demo demo --model demo/model",
        "evaluate model text.hdf5 --scores text.hdf5",
        "evaluate model text.hdf5 --scores link.hdf5",
        "evaluate model text.hdf5 --scores model/weights.hdf5",
    ],
)
def test_no_output_replaces_an_input(command, inputs):
    before = content(inputs)
    said = run(*command.split(), "--overwrite", exit_code=1)
    assert re.search("is the text itself|is the input|can't be overwritten: it holds", said)
    assert content(inputs) == before


def test_scores_do_not_replace_their_text(inputs):
    with pytest.raises(ValueError, match="text.hdf5 is the input text.hdf5 itself"):
        write_scores(None, "text.hdf5", None, "text.hdf5", overwrite=True)


# All in one process, with one graph of the embedding.
_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))
sys.dont_write_bytecode = True
from elmo_tf2.cli import main
from elmo_tf2.features import embed, projector
from tests.cli_fixtures import cached_encoder_of
embed.encoder_of = projector.encoder_of = cached_encoder_of
for command in sys.argv[1:]:
    print(command, file=sys.stderr)
    sys.argv = ["elmo-tf2", *command.split()]
    try:
        main()
    except SystemExit as end:
        print("code", end.code, file=sys.stderr)
"""
_OUT_OF_SPACE = (
    "embed model text.hdf5 OUT.hdf5",
    "embed model text.hdf5 OUT.npy --sentence mean",
    "embed model text.hdf5 OUT --projector",
    "prepare long.txt OUT --tokenized",
    "convert model OUT",
    "export model OUT",
)


@pytest.mark.slow
def test_a_full_disk_is_told_with_the_outputs_name_and_leaves_nothing(inputs):
    pytest.importorskip("resource")
    (inputs / "long.txt").write_text(random_text(1_000))
    before = content(inputs)
    result = run_python("-c", _LIMITED, *_OUT_OF_SPACE, cwd=inputs, PYTHONPATH=str(REPOSITORY))
    said = result.stderr
    assert result.returncode == 0 and "Traceback" not in said, said
    for command in _OUT_OF_SPACE:
        (out,) = (word for word in command.split() if word.startswith("OUT"))
        _, found, said = said.partition(f"{command}\n")
        assert found, command
        lines = said.partition("code")[0].splitlines()
        (line,) = [line for line in lines if line.startswith("Error: ")]
        assert re.match(rf"Error: {inputs}/{out}: File too large \([0-9,]+ bytes are free", line)
        assert said.partition("code ")[2].startswith("1\n"), command
    assert content(inputs) == before
