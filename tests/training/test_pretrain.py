"""Pretraining: runs go on as if never stopped, and nothing good is lost."""

import dataclasses
import math
import shutil

import keras
import numpy as np
import pytest

from elmo_tf2.data import Vocabulary
from elmo_tf2.models import MaskedLanguageModel, bilm_arrays
from elmo_tf2.training import RunFolder, perplexity, pretrain
from elmo_tf2.training.checkpoints import Checkpoints
from elmo_tf2.training.model import make_model
from elmo_tf2.weights import detect, read_weights
from tests.training.conftest import CONFIG, MERGED, MERGED_CONFIG, TEXT, WORDS

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("eager_updates")]


class StopAt(keras.callbacks.Callback):
    """Ends a run after a window: by KeyboardInterrupt as Ctrl-C does, or by another error."""

    def __init__(self, window, error):
        super().__init__()
        self.window, self.error = window, error

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.windows_seen) == self.window:
            raise self.error


def run(folder, *callbacks, **kwargs):
    return pretrain(
        folder.path, callbacks=callbacks, **{"report_every": 1, "save_every": 3, **kwargs}
    )


@pytest.fixture(scope="module")
def finished_once(eager_updates, tmp_path_factory):
    """A run after its two updates, and its model."""
    path = tmp_path_factory.mktemp("finished")
    text = path / "text.txt"
    text.write_text("\n".join(TEXT), encoding="utf-8")
    folder = RunFolder(path / "run")
    folder.create(dataclasses.replace(CONFIG, updates=2), WORDS, [text])
    return folder, run(folder)


@pytest.fixture
def finished(finished_once, tmp_path):
    """A copy of the run, for a test alone."""
    path = shutil.copytree(finished_once[0].path, tmp_path / "finished")
    return RunFolder(path)


@pytest.fixture
def model(finished_once):
    """The run's model, whose weights a test may change."""
    model = finished_once[1]
    before = model.get_weights()
    yield model
    model.set_weights(before)


def losses(folder):
    return [float(row["loss"]) for row in folder.read_history()]


def assert_same_weights(first, second):
    for one, other in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("changes", "stop"),
    [
        (
            {
                "optimizer": "adam",
                "warmup_updates": 2,
                "decay": "cosine",
                "gradient_accumulation_steps": 2,
                "lowercase_rate": 0.5,
                "precision": "mixed_bfloat16",
            },
            StopAt(2, KeyboardInterrupt),
        ),
        ({"model": MERGED, "mask_rate": 0.3, "optimizer": "adam"}, StopAt(2, RuntimeError)),
    ],
    ids=["separate", "merged"],
)
def test_a_resumed_run_equals_an_uninterrupted_one(make_run, changes, stop):
    config = dataclasses.replace(CONFIG, updates=3, **changes)
    whole, parts = make_run("whole", config), make_run("parts", config)
    expected = run(whole)
    with pytest.raises(stop.error):
        run(parts, stop, save_every=1)
    assert_same_weights(run(parts), expected)
    assert losses(parts) == losses(whole)
    assert len(losses(whole)) == config.updates


def test_a_run_tells_what_it_did(make_run):
    folder = make_run(config=dataclasses.replace(CONFIG, updates=5), is_measured=True)
    seen = []
    logging = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(dict(logs))
    )
    run(folder, logging, report_every=2, evaluate_every=4)
    assert [logs["update"] for logs in seen] == [2, 4, 5]
    assert all(logs["perplexity"] == math.exp(logs["loss"]) for logs in seen)
    assert ["heldout_perplexity" in logs for logs in seen] == [False, True, True]
    assert [row["update"] for row in folder.read_history()] == ["2", "4", "5"]
    assert list(folder.logs.glob("events.out.tfevents.*"))


def assert_is_a_model(folder, model):
    """The run's folder is read as the model that it trained."""
    assert detect(folder.path) == "pretraining run"
    weights = read_weights(folder.path)
    assert weights.vocabulary == tuple(WORDS)
    np.testing.assert_array_equal(weights.softmax.kernel, model.softmax.kernel.numpy())
    np.testing.assert_array_equal(weights.softmax.bias, model.softmax.bias.numpy())
    for name, array in bilm_arrays(model.bilm).items():
        np.testing.assert_array_equal(weights.arrays[name], array)
    again = make_model(folder.read_config(), Vocabulary(WORDS), weights)
    assert_same_weights(again.bilm, model.bilm)
    assert_same_weights(again.softmax, model.softmax)


def test_a_run_is_a_model_and_stays_as_it_is_when_it_is_finished(finished, model):
    assert_is_a_model(finished, model)
    assert_same_weights(run(finished), model)
    assert_is_a_model(finished, model)


def test_a_merged_run_masks_words_tells_its_held_out_perplexity_and_is_a_model(make_run):
    config = dataclasses.replace(MERGED_CONFIG, updates=1)
    folder = make_run(config=config, is_measured=True)
    model = run(folder)
    assert isinstance(model, MaskedLanguageModel)
    told = [float(row["heldout_perplexity"]) for row in folder.read_history()]
    with open(folder.read_text()[1], encoding="utf-8") as file:
        found = perplexity(model, file, Vocabulary(WORDS))
    np.testing.assert_allclose(told[-1], found.mean, rtol=1e-5)
    assert found.targets == 34
    assert "architecture: merged" in folder.config_file.read_text(encoding="utf-8")
    assert_is_a_model(folder, model)


def test_the_softmax_bias_begins_as_it_is_told(finished):
    zeros = make_model(CONFIG, Vocabulary(WORDS)).softmax
    np.testing.assert_array_equal(zeros.bias, np.zeros(len(WORDS)))
    log_uniform = dataclasses.replace(CONFIG, initial_bias="log_uniform")
    softmax = make_model(log_uniform, Vocabulary(WORDS)).softmax
    np.testing.assert_array_equal(softmax.bias, softmax.log_uniform())
    weights = read_weights(finished.path)
    again = make_model(log_uniform, Vocabulary(WORDS), weights).softmax
    np.testing.assert_array_equal(again.bias, weights.softmax.bias)


def test_initial_weights_are_where_a_run_begins(make_run, finished):
    weights = read_weights(finished.path)
    kernels = []

    class See(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            kernels.append(self.model.softmax.kernel.numpy())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        pretrain(make_run().path, initial=weights, callbacks=[See()])
    np.testing.assert_array_equal(*kernels, weights.softmax.kernel)


def test_initial_weights_of_other_sizes_or_words_are_told(make_run, finished):
    weights = read_weights(finished.path)
    other = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, units=14))
    with pytest.raises(ValueError, match="other sizes than the run's configuration"):
        pretrain(make_run("sizes", other).path, initial=weights)
    with pytest.raises(ValueError, match="softmax of another vocabulary"):
        pretrain(make_run("words", words=[*WORDS, "new"]).path, initial=weights)


def test_initial_weights_may_be_of_text_tokenized_otherwise(finished):
    weights = read_weights(finished.path)
    model = dataclasses.replace(CONFIG.model, tokenizer="words")
    made = make_model(dataclasses.replace(CONFIG, model=model), Vocabulary(WORDS), weights)
    np.testing.assert_array_equal(made.softmax.kernel.numpy(), weights.softmax.kernel)


@pytest.mark.parametrize("content", ["{", "[]", '{"train": []}'])
def test_a_damaged_list_of_texts_is_told(make_run, content):
    folder = make_run()
    folder.text_file.write_text(content)
    with pytest.raises(ValueError, match="text.json must be JSON that names"):
        run(folder)


def test_a_missing_text_is_told(make_run, text):
    folder = make_run()
    text[1].unlink()
    with pytest.raises(FileNotFoundError, match="no file of training text .named by .*text.json"):
        run(folder)


def test_a_loss_that_is_no_number_ends_the_run_and_keeps_the_last_checkpoint(make_run):
    folder = make_run()
    good = {}

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            bias = self.model.softmax.bias
            good[int(self.model.windows_seen)] = bias.numpy()
            if int(self.model.windows_seen) == 4:
                bias.assign(np.full(bias.shape, np.nan))

    with pytest.raises(FloatingPointError, match="loss became nan by update 5.*update-3.*lower"):
        run(folder, Spoil())
    assert [path.stem for path in folder.checkpoints.glob("*.index")] == ["update-3"]
    kept = read_weights(folder.path)
    assert np.isfinite(kept.softmax.bias).all()
    np.testing.assert_array_equal(kept.softmax.bias, good[3])


def test_weights_that_are_no_numbers_are_not_saved(finished, model):
    checkpoints = Checkpoints(model, finished.checkpoints)
    before = checkpoints.latest
    model.softmax.bias.assign(np.full(model.softmax.bias.shape, np.inf))
    with pytest.raises(FloatingPointError, match="softmax/bias has values that are NaN"):
        checkpoints.save()
    assert checkpoints.latest == before


def test_a_full_disk_is_told_before_a_checkpoint_is_begun(finished, model, monkeypatch):
    before = sorted(finished.checkpoints.iterdir())
    monkeypatch.setattr("elmo_tf2.training.checkpoints.free_bytes", lambda path: 100)
    with pytest.raises(OSError, match="no room for a checkpoint of .* Make room"):
        Checkpoints(model, finished.checkpoints).save()
    assert sorted(finished.checkpoints.iterdir()) == before


def test_a_checkpoint_of_another_shape_or_a_damaged_one_is_told(finished):
    config = finished.config_file.read_text(encoding="utf-8")
    finished.config_file.write_text(config.replace("units: 12", "units: 13"), encoding="utf-8")
    with pytest.raises(ValueError, match="damaged, or of another model"):
        run(finished)
    finished.config_file.write_text(config, encoding="utf-8")
    (data,) = finished.checkpoints.glob("*.data-*")
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(ValueError, match="damaged, or of another model"):
        run(finished)


def test_a_folder_that_is_no_runs_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no configuration"):
        pretrain(tmp_path)


def test_a_run_does_not_replace_another(make_run):
    make_run()
    with pytest.raises(FileExistsError):
        make_run()


def test_a_vocabulary_without_special_words_is_told(make_run):
    folder = make_run(words=WORDS[2:])
    with pytest.raises(ValueError, match="vocab.txt must have the words <S>, </S>, <UNK>"):
        run(folder)
