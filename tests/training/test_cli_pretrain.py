"""The commands `pretrain` and `evaluate`: from a text to vectors."""

import signal

import h5py
import numpy as np
import pytest

from elmo_tf2.cli.pretrain_callbacks import stop_on_signal
from elmo_tf2.training import RunFolder
from tests.cli_fixtures import run
from tests.training.conftest import MODEL, SETTINGS, write_data

pytestmark = pytest.mark.slow


def changes(*more):
    return [part for setting in (*SETTINGS, *more) for part in ("--set", setting)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_data(tmp_path_factory.mktemp("data") / "data")


@pytest.fixture(scope="module")
def finished(data):
    """A run after its updates, and what was said."""
    folder = data.with_name("run")
    said = run("pretrain", folder, "--data", data, *changes("updates=12"), "--evaluate-every", 10)
    return folder, said


def test_a_text_becomes_a_model_that_is_evaluated_and_embeds(data, finished, tmp_path):
    folder, said = finished
    assert "batch        4 rows of 5 tokens" in said
    assert "update 10: loss " in said
    assert "Done after 12 updates." in said
    assert RunFolder(folder).read_config().model.tokenizer == "words"

    said = run("evaluate", folder, data / "heldout.txt", "--scores", tmp_path / "scores.tsv")
    assert "words predicted  39 in each direction" in said
    assert "<UNK> of them    1 (2.56%)" in said
    assert len((tmp_path / "scores.tsv").read_text().splitlines()) == 6

    run("embed", folder, data / "heldout.txt", tmp_path / "vectors.hdf5")
    assert "pretraining run" in run("inspect", folder)


def test_a_merged_run_is_evaluated_embeds_and_is_exported(data, tmp_path):
    folder = tmp_path / "run"
    said = run(
        "pretrain", folder, "--data", data, *changes("updates=4", "model.architecture=merged")
    )
    assert "15% of the words: 10% of them replaced, 0% kept, the rest masked" in said

    said = run("evaluate", folder, data / "heldout.txt", "--scores", tmp_path / "scores.tsv")
    assert "masked perplexity" in said
    assert "34, each masked once" in said
    assert (tmp_path / "scores.tsv").read_text().startswith("masked\ttokens\tunknown\n")

    run("convert", folder, tmp_path / "model")
    said = run("inspect", tmp_path / "model")
    assert "merged, with word vectors added to both directions" in said
    assert "skip connections" not in said
    run("export", tmp_path / "model", tmp_path / "exported")
    names = ("run", "exported")
    for name in names:
        run("embed", tmp_path / name, data / "heldout.txt", tmp_path / f"{name}.hdf5")
    of_run, of_export = (h5py.File(tmp_path / f"{name}.hdf5")["0"][:] for name in names)
    np.testing.assert_allclose(of_run, of_export, rtol=0, atol=1e-5)


def test_a_finished_run_stays_and_a_new_one_does_not_replace_it(data, finished, tmp_path):
    folder, _ = finished
    assert "Done after 12 updates." in run("pretrain", folder, "--resume")
    said = run("pretrain", folder, "--data", data, *changes("updates=2"), exit_code=1)
    assert "exists already" in said
    other = tmp_path / "other"
    run("pretrain", other, "--data", data, "--initial", folder, *changes("updates=1"))
    assert RunFolder(other).read_config().model.units == MODEL.units


@pytest.mark.parametrize(
    ("arguments", "message", "exit_code"),
    [
        (["pretrain", "{run}"], "A new run needs --data", 2),
        (["pretrain", "{run}", "--resume"], "There is no configuration", 1),
        (["pretrain", "{run}", "--resume", "--data", "{data}"], "give RUN alone", 2),
        (["pretrain", "{run}", "--data", "{run}"], "has no train/*.txt. Make it with", 1),
        (["pretrain", "{run}", "--data", "{data}", "--set", "lr=1"], "unknown name `lr`", 1),
        (["evaluate", "{run}", "{data}/heldout.txt"], "There is no file, folder or", 1),
        (["evaluate", "{data}", "{data}/none.txt"], "none.txt", 1),
    ],
)
def test_mistakes_are_told(data, tmp_path, arguments, message, exit_code):
    names = {"run": tmp_path / "run", "data": data}
    arguments = [argument.format(**names) for argument in arguments]
    assert message in run(*arguments, exit_code=exit_code)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_an_update_and_a_second_one_ends_at_once(number, capfd):
    before = signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), stop_on_signal() as stop:
        stop.on_train_batch_end(0)
        signal.raise_signal(number)
        assert "Stopping after this update. Again to stop at once." in capfd.readouterr().err
        with pytest.raises(KeyboardInterrupt):
            stop.on_train_batch_end(1)
        signal.raise_signal(number)
    assert signal.getsignal(number) == before
