"""The command `prepare`."""

import io
import json
import sys
import time

import pytest
from typer.testing import CliRunner

from elmo_tf2.cli import app, messages
from tests.cli_fixtures import run

TEXT = "The cat sat. The cat ran.\nThe dog sat. The dog ran!\n"


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT)
    return path


def test_it_tells_what_it_made_in_a_table(text, tmp_path):
    pytest.importorskip("tensorflow_text", reason="sentence breaking needs tensorflow_text")
    said = run("prepare", text, tmp_path / "out", "--min-count", 1, "--shards", 2)
    assert f"Wrote {tmp_path / 'out'}:" in said
    assert "sentences       3 to train on, 1 held out" in said
    assert "words           12 to train on, 4 held out" in said
    assert "<UNK>           0.00% of the words to train on, " in said
    assert "shards          2" in said
    assert "seconds         " in said
    made = json.loads((tmp_path / "out" / "prepared.json").read_text())
    assert f"distinct words  {made['distinct_words']} to train on" in said
    assert f"vocabulary      {made['vocabulary']} words" in said


def test_it_reads_several_texts_and_standard_input(text, tmp_path):
    out = tmp_path / "out"
    arguments = ["prepare", "-", str(text), str(out), "--tokenized", "--min-count", "1"]
    result = CliRunner().invoke(app, arguments, input="from standard input\n")
    assert result.exit_code == 0, result.output
    made = json.loads((out / "prepared.json").read_text())
    assert made["tokenizer"] == "spaces"
    assert sum(made["sentences"].values()) == 3


def test_the_progress_of_unknown_length_is_told_too(monkeypatch):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    with messages.progress_bar("Reading the text", "Preparing", "KB") as update:
        for done in (500, 1500, 2500):
            update(done, 0)
            time.sleep(0.1)
    shown = terminal.getvalue()
    assert "Reading the text" in shown and "Preparing" in shown
    assert "2,500 KB" in shown and " KB/s" in shown and "%" not in shown


def test_every_option_reaches_the_library(text, tmp_path, monkeypatch):
    received = {}
    (tmp_path / "more.gz").write_bytes(b"")
    monkeypatch.chdir(tmp_path)

    def prepare(texts, out, **kwargs):
        received.update(kwargs, texts=texts, out=out)
        raise ValueError

    monkeypatch.setattr("elmo_tf2.data.prepare.prepare", prepare)
    options = "--tokenizer spaces --tokenized --one-sentence-per-line --normalize nfkc --overwrite"
    options += " --heldout 0.2 --shards 3 --min-count 2 --vocab-size 9 --seed 5"
    CliRunner().invoke(app, ["prepare", str(text), "*.gz", str(tmp_path), *options.split()])
    del received["on_progress"]
    assert received == {
        "texts": [str(text), "*.gz"],
        "out": tmp_path,
        "tokenizer": "spaces",
        "tokenized": True,
        "one_sentence_per_line": True,
        "normalize": "nfkc",
        "heldout": 0.2,
        "shards": 3,
        "min_count": 2,
        "vocab_size": 9,
        "seed": 5,
        "overwrite": True,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{tmp}/nothing", "{tmp}/out"], "There is no text file '{tmp}/nothing'."),
        (["{tmp}/*.gz", "{tmp}/out"], "There is no text file that fits '{tmp}/*.gz'."),
        (["{tmp}", "{tmp}/out"], "{tmp} is a folder. Expected: a text file."),
        (["{text}", "{tmp}"], "{tmp} exists already."),
        (["{text}", "{tmp}", "--overwrite"], "{tmp} can't be overwritten"),
        (["{text}", "{tmp}/out", "--tokenizer", "words", "--tokenized"], "must be 'spaces'"),
        (["{text}", "{tmp}/out", "--one-sentence-per-line"], "The vocabulary would be empty"),
    ],
)
def test_a_mistake_is_told_in_a_line(text, tmp_path, arguments, message):
    names = {"tmp": tmp_path, "text": text}
    output = run("prepare", *[name.format(**names) for name in arguments], exit_code=1)
    (line,) = output.splitlines()
    assert line.startswith("Error: ")
    assert message.format(**names) in line
    assert list(tmp_path.iterdir()) == [text]


@pytest.mark.parametrize(
    "arguments",
    [
        ["a"],
        ["a", "b", "--tokenizer", "bert"],
        ["a", "b", "--vocab-size", "3"],
        ["a", "b", "--seed=-1"],
    ],
)
def test_wrong_usage_ends_with_2(arguments):
    assert "Error: " in run("prepare", *arguments, exit_code=2)
