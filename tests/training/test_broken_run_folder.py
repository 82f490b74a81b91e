"""A run's folder whose files are broken: one line that names the file, and nothing is lost."""

import dataclasses
import json

import pytest

from elmo_tf2.training import RunFolder, pretrain
from elmo_tf2.training.run_folder import HISTORY_COLUMNS
from elmo_tf2.weights import read_weights
from elmo_tf2.weights.pretraining_run import latest_checkpoint
from tests.cli_fixtures import run
from tests.training.conftest import CONFIG, SETTINGS, write_data

HEADER = ",".join(HISTORY_COLUMNS)
ROW = "1,2.5,12.2,0.2,100.0,"


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        "{}",
        '{"train": 5, "heldout": null}',
        '{"train": "a.txt", "heldout": null}',
        '{"train": [], "heldout": null}',
        '{"train": [3], "heldout": null}',
        '{"train": null, "heldout": null}',
        '{"train": {"a": 1}, "heldout": null}',
        '{"train": ["a.txt"], "heldout": 3}',
        '{"train": ["a.txt"]}',
        "[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_broken_text_json_is_told_in_a_line(make_run, content):
    folder = make_run()
    folder.text_file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="text.json must be JSON that names the files") as error:
        folder.read_text()
    assert "\n" not in str(error.value)


def test_a_text_that_is_gone_is_told_with_the_file_that_names_it(make_run, text):
    folder = make_run()
    text[0].unlink()
    with pytest.raises(FileNotFoundError, match="a.txt.*|text.json"):
        folder.read_text()


@pytest.mark.parametrize(
    "content",
    [
        "update,loss\n1,2\n",
        f"{HEADER}\nabc,2.5,12.2,0.2,100.0,\n",
        f"{HEADER}\n{ROW}\n2,3\n",
        f"{HEADER}\n{ROW},more,and more\n",
        f"{HEADER}\n1,2.5,12.2,0.2,100.0,abc\n",
        f"{ROW}\n{ROW}\n",
        "\x00\x01\x02\n",
        f"{HEADER}\n{ROW}\x00\n",
        b"\xff\xfe\n",
        f"{HEADER}\n{'9' * 200_000},2.5,12.2,0.2,100.0,\n",
    ],
)
def test_a_broken_history_is_told_in_a_line(make_run, content):
    folder = make_run()
    folder.history_file.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="history.csv must be a table with the col") as error:
        folder.cut_history(3)
    assert "\n" not in str(error.value) and len(str(error.value)) < 600


def test_a_history_is_read_as_it_was_recorded(make_run):
    folder = make_run()
    assert folder.read_history() == []
    folder.history_file.write_text("")
    assert folder.read_history() == []
    folder.cut_history(0)
    folder.record({"update": 1, "loss": 2.5})
    folder.record({"update": 2, "loss": 1.5, "heldout_perplexity": 7.0})
    assert [row["loss"] for row in folder.read_history()] == ["2.5", "1.5"]
    folder.cut_history(1)
    assert [row["update"] for row in folder.read_history()] == ["1"]


def checkpoints_of(folder, content):
    """Two checkpoints, and what the file `checkpoint` has."""
    for number in (9, 12):
        for ending in ("index", "data-00000-of-00001"):
            (folder.checkpoints / f"update-{number}.{ending}").write_bytes(b"")
    (folder.checkpoints / "checkpoint").write_bytes(content)


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff\xfe", b"garbage {", b'model_checkpoint_path: "update-500"', b'{"a": 1}'],
)
def test_a_broken_checkpoint_file_never_begins_a_run_anew(make_run, content):
    folder = make_run()
    checkpoints_of(folder, content)
    folder.history_file.write_text(f"{HEADER}\n{ROW}\n")
    message = r"checkpoint does not name the last checkpoint.*update-9.*update-12"
    for call in (
        lambda: latest_checkpoint(folder.checkpoints),
        lambda: read_weights(folder.path),
        lambda: pretrain(folder.path),
    ):
        with pytest.raises(ValueError, match=message) as error:
            call()
        assert "\n" not in str(error.value)
    assert len(folder.read_history()) == 1
    assert len(list(folder.checkpoints.glob("*.index"))) == 2


def test_the_checkpoint_that_is_named_is_the_latest(make_run):
    folder = make_run()
    assert latest_checkpoint(folder.checkpoints) is None
    checkpoints_of(folder, b'model_checkpoint_path: "update-9"')
    assert latest_checkpoint(folder.checkpoints) == str(folder.checkpoints / "update-9")


@pytest.mark.parametrize("name", ["batch_size", "unroll_steps"])
def test_a_batch_that_no_text_fills_takes_no_memory(make_run, name):
    folder = make_run("run", dataclasses.replace(CONFIG, **{name: 2**31 - 1}))
    with pytest.raises(ValueError, match="The training text is too short for windows of "):
        pretrain(folder.path)


@pytest.mark.parametrize("content", ["", "[", "5", "[]", "{}", '{"tokenizer": 5}', "[" * 100_000])
def test_a_broken_prepared_json_is_told_in_a_line(tmp_path, content):
    data = write_data(tmp_path / "data")
    (data / "prepared.json").write_text(content)
    changes = [part for setting in SETTINGS for part in ("--set", setting)]
    told = run("pretrain", tmp_path / "run", "--data", data, *changes, exit_code=1)
    (line,) = told.splitlines()
    assert "prepared.json does not name the tokenizer" in line
    assert not (tmp_path / "run").exists()


def test_a_run_whose_configuration_has_another_type_of_value_is_told(make_run):
    folder = make_run()
    config = folder.config_file.read_text()
    folder.config_file.write_text(config.replace("seed: 3", "seed: abc"))
    with pytest.raises(ValueError, match="config.yaml: `seed` must be an integer >= 0"):
        RunFolder(folder.path).read_config()
    assert json.loads(folder.text_file.read_text())["train"]
