"""benchmarks/compare.py: what it counts, and one small run of elmo_tf2 alone."""

import json

import compare
import machine_limits
import pytest
from random_model import make_options, write_random_model
from report import least_gflop_per_token

from elmo_tf2.weights import read_model_folder


@pytest.fixture
def model(tmp_path):
    """A random model of a size that takes no time."""
    options = make_options(lstm_units=6, projection_dim=4, num_highway=1)
    options["char_cnn"]["filters"] = [[1, 3], [2, 5]]
    (tmp_path / "model").mkdir()
    write_random_model(tmp_path / "model", options)
    return tmp_path / "model"


def test_the_arithmetic_of_a_token_checked_by_hand():
    options = {
        "char_cnn": {
            "embedding": {"dim": 3},
            "filters": [[1, 2]],
            "max_characters_per_token": 50,
            "n_highway": 1,
        },
        "lstm": {"dim": 4, "n_layers": 1, "projection_dim": 2},
    }
    # A word of two bytes has five windows: its own, those of its two marks, and one of padding.
    word = 2 * 2**2 + 2 * 2 + 5 * 3 * 2  # highway, projection, convolution
    step = (2 + 2) * 4 * 4 + 4 * 2  # gates, projection
    # Both directions step over two tokens and a boundary; the word is the same twice.
    multiply_adds = 2 * step * 3 + word
    found = least_gflop_per_token(options, ["ab ab"], batch_size=1)
    assert found == pytest.approx(2 * multiply_adds / 2 / 1e9)


def test_a_random_model_is_a_model_folder(model):
    assert read_model_folder(model).config.units == 6


@pytest.mark.slow
def test_elmo_tf2_is_measured_when_it_is_alone(model, tmp_path, monkeypatch):
    pytest.importorskip("resource")  # by which memory is measured
    monkeypatch.setattr(machine_limits, "WEIGHTS", (2, 2))
    monkeypatch.setattr(machine_limits, "COPY_BYTES", 2**20)
    monkeypatch.setattr(compare, "machine_limits", machine_limits.measure)
    compare.main(
        model=model,
        implementation=["elmo_tf2"],
        repeats=1,
        max_sentences=4,
        batch_size=[2],
        json_report=tmp_path / "report.json",
    )
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["implementations"]["elmo_tf2"]["batches"]["2"]["tokens_per_second"] > 0
    assert max(report["largest_differences"].values()) < 1e-5  # batch 2 and batch 32
