"""PretrainingConfig: its file, and what it refuses."""

import dataclasses
import json

import pytest

from elmo_tf2.data import Masking
from elmo_tf2.training import PretrainingConfig
from elmo_tf2.training.optimizers import make_optimizer
from tests.training.conftest import CONFIG, MERGED_CONFIG


@pytest.mark.parametrize("config", [PretrainingConfig(), CONFIG, MERGED_CONFIG])
def test_its_yaml_gives_it_again(tmp_path, config):
    path = tmp_path / "config.yaml"
    path.write_text(config.to_yaml(), encoding="utf-8")
    assert PretrainingConfig.from_file(path) == config


def test_a_json_file_is_taken_and_what_is_missing_has_its_default(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"batch_size": 7, "model": {"units": 600}}), encoding="utf-8")
    config = PretrainingConfig.from_file(path)
    assert (config.batch_size, config.model.units, config.unroll_steps) == (7, 600, 20)


def test_the_names_of_earlier_versions_are_read(tmp_path):
    path = tmp_path / "config.yaml"
    text = CONFIG.to_yaml()
    for name, old, value in (
        ("gradient_accumulation_steps: 1", "accumulate", 3),
        ("initial_accumulator_value: 1.0", "initial_accumulator", 0.5),
        ("mask_rate: 0.15", "masked_share", 0.2),
    ):
        assert name in text
        text = text.replace(name, f"{old}: {value}")
    path.write_text(text, encoding="utf-8")
    config = PretrainingConfig.from_file(path)
    assert (config.gradient_accumulation_steps, config.initial_accumulator_value) == (3, 0.5)
    assert config.mask_rate == 0.2
    assert config.changed(["accumulate=4"]).gradient_accumulation_steps == 4


def test_single_values_can_be_changed():
    config = CONFIG.changed(["learning_rate=0.5", "model.units=20", "num_negatives=null"])
    assert (config.learning_rate, config.model.units, config.num_negatives) == (0.5, 20, None)
    assert config.batch_size == CONFIG.batch_size


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (["optimizer=adagrad"], 0.2),  # as published
        (["optimizer=adam"], 0.001),
        (["optimizer=adam", "learning_rate=0.01"], 0.01),
    ],
)
def test_each_optimizer_has_a_learning_rate_of_its_own(changes, expected):
    config = dataclasses.replace(CONFIG, learning_rate=None).changed(changes)
    assert config.peak_learning_rate == expected
    assert float(make_optimizer(config).learning_rate) == pytest.approx(expected)


def test_words_are_masked_for_a_merged_model_alone():
    assert CONFIG.masking is None
    merged = CONFIG.changed(["model.architecture=merged", "random_rate=0.2"])
    assert merged.masking == Masking(0.15, 0.2, 0.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("batch_size", "must be NAME=VALUE"),
        ("batchsize=3", "unknown name `batchsize`; is `batch_size` meant"),
        ("model.unit=3", "unknown name `model.unit`; is `model.units` meant"),
        ("lstm.units=3", "unknown name `lstm.units`"),
        ("batch_size=[", "the value is not YAML"),
        ("batch_size=0", "`batch_size` must be a positive integer"),
        ("initial_bias=log", "`initial_bias` must be one of"),
        ("optimizer=sgd", "`optimizer` must be one of"),
        ("dropout=1", "`dropout` must be"),
        ("mask_rate=0", "`mask_rate` must be more than 0"),
        ("model.architecture=merge", "`architecture` must be one of"),
        ("model.units=1", "`projection_dim` must be at most `units`"),
    ],
)
def test_wrong_changes_are_told(change, message):
    with pytest.raises(ValueError, match=message):
        CONFIG.changed([change])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "neither YAML nor JSON"),
        ("[1]", "must hold names and values"),
        ("learning_rates: 3", "is `learning_rate` meant"),
    ],
)
def test_wrong_files_are_told(tmp_path, text, message):
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        PretrainingConfig.from_file(path)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no configuration"):
        PretrainingConfig.from_file(tmp_path / "config.yaml")
