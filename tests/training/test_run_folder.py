"""The folder of a run: one process trains it, what was not trained is begun anew."""

import dataclasses
import errno

import keras
import pytest
import tensorflow as tf

from elmo_tf2.data import Vocabulary
from elmo_tf2.training import RunFolder, pretrain
from elmo_tf2.training.checkpoints import Checkpoints
from elmo_tf2.training.model import make_model
from tests.cli_fixtures import run
from tests.training.conftest import CONFIG, SETTINGS, WORDS

pytestmark = pytest.mark.usefixtures("eager_updates")

SET = [part for setting in (*SETTINGS, "updates=2") for part in ("--set", setting)]


def test_a_second_process_is_refused_and_the_first_is_not_spoiled(make_run):
    folder = make_run(config=dataclasses.replace(CONFIG, updates=2))
    seen = []

    class StartAnother(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            with pytest.raises(ValueError, match="Another process trains the run .*run. Wait"):
                pretrain(folder.path)
            with pytest.raises(ValueError, match="Another process trains the run"):
                folder.create(CONFIG, WORDS, [], overwrite_untrained=True)
            seen.append("refused")

    pretrain(folder.path, callbacks=[StartAnother()])
    assert seen == ["refused"]
    assert folder.read_history()[-1]["update"] == "2"
    assert {path.name for path in folder.path.iterdir()} == {
        *("config.yaml", "text.json", "options.json", "vocab.txt", "checkpoints", "history.csv"),
        "logs",
    }


def test_a_run_that_failed_before_its_first_checkpoint_is_simply_started_again(data, tmp_path):
    folder = tmp_path / "run"
    (data / "heldout.txt").unlink()
    (data / "train" / "shard-00000.txt").rename(data / "train" / "later.txt")
    (data / "train" / "shard-00000.txt").write_text("\n\n")
    (data / "train" / "later.txt").rename(data / "later")
    run("pretrain", folder, "--data", data, *SET, exit_code=1)
    assert RunFolder(folder).config_file.exists()
    (data / "later").rename(data / "train" / "shard-00000.txt")
    assert "Done after 2 updates." in run("pretrain", folder, "--data", data, *SET)
    said = run("pretrain", folder, "--data", data, *SET, exit_code=1)
    assert "exists already" in said and "--resume" in said and "--overwrite" not in said


def test_a_folder_that_holds_more_than_an_untrained_run_stays(data, tmp_path, make_run):
    folder = make_run()
    (folder.path / "thesis.txt").write_text("mine")
    said = run("pretrain", folder.path, "--data", data, *SET, exit_code=1)
    assert "would be lost: thesis.txt" in said
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    said = run("pretrain", tmp_path / "other", "--data", data, *SET, exit_code=1)
    assert "exists already. Choose another name or remove it" in said


def test_a_heldout_text_without_words_fails_before_the_training(data, tmp_path, make_run, text):
    (data / "heldout.txt").write_text(" \n\n")
    said = run("pretrain", tmp_path / "run", "--data", data, *SET, exit_code=1)
    assert "heldout.txt has no words" in said
    assert not (tmp_path / "run").exists()
    folder = make_run("other", is_measured=True)
    text[2].write_text("")
    with pytest.raises(ValueError, match="heldout.txt has no words"):
        pretrain(folder.path)
    assert not folder.history_file.exists()


@pytest.fixture
def checkpoints(make_run):
    folder = make_run()
    model = make_model(CONFIG, Vocabulary(WORDS, "words"))
    return Checkpoints(model, folder.checkpoints), folder.checkpoints


def test_leftovers_go_and_complete_checkpoints_stay(checkpoints):
    checkpoints, folder = checkpoints
    for name in ("update-3.index", "update-3.data-00000-of-00001", "update-6.data-00000-of-00001"):
        (folder / name).write_text("")
    (folder / "update-9_temp").mkdir()
    (folder / "update-9_temp" / "part-00000").write_text("")
    (folder / "notes.txt").write_text("mine")
    checkpoints.remove_leftovers()  # none counts: update-3 may be all there is
    kept = {"update-3.index", "update-3.data-00000-of-00001", "notes.txt"}
    assert {path.name for path in folder.iterdir()} == kept
    checkpoints.save()
    assert {path.name for path in folder.iterdir()} == {
        *("checkpoint", "update-0.index", "update-0.data-00000-of-00001", "notes.txt"),
    }


def test_a_full_disk_is_told_and_leaves_no_half_checkpoint(checkpoints, monkeypatch):
    checkpoints, folder = checkpoints
    checkpoints.save()
    before = {path.name for path in folder.iterdir()}

    def write_half(*_, **__):
        (folder / "update-0_temp").mkdir()
        raise tf.errors.ResourceExhaustedError(None, None, "part-00000; No space left on device")

    monkeypatch.setattr(checkpoints._manager, "save", write_half)
    with pytest.raises(OSError, match="No space left on device .* bytes are free") as told:
        checkpoints.save()
    assert told.value.errno == errno.ENOSPC
    assert told.value.filename == str(folder)
    assert {path.name for path in folder.iterdir()} == before


def test_another_fault_of_the_disk_is_told_in_a_sentence(checkpoints, monkeypatch):
    checkpoints, _ = checkpoints

    def refuse(*_, **__):
        raise tf.errors.PermissionDeniedError(None, None, "update-0_temp; Permission denied")

    monkeypatch.setattr(checkpoints._manager, "save", refuse)
    with pytest.raises(OSError, match="No checkpoint can be written to .*Permission denied"):
        checkpoints.save()
