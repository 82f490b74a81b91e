"""benchmarks/compare.py: what it counts, and one small run of elmo_tf2 alone."""

import contextlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import compare
import comparison
import implementations
import machine_limits
import numpy as np
import pytest
from comparison import Comparison
from implementations import IMPLEMENTATIONS
from random_model import make_options, write_random_model
from report import best_of_peers, least_gflop_per_token, throughput_plot, throughput_table
from rich.console import Console

from elmo_tf2.weights import read_model_folder
from tests.processes import PythonProcess, run_python


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
        "lstm": {"dim": 4, "n_layers": 2, "projection_dim": 2},
    }
    # A word of two bytes has five windows: its own, those of its two marks, and one of padding.
    word = 2 * 2**2 + 2 * 2 + 5 * 3 * 2  # highway, projection, convolution
    gates, projected = 2 * 4 * 4, 4 * 2  # gates of a state or an input
    lower, upper = gates + projected, 2 * gates + projected
    # Both directions step over two tokens; the word is the same twice, and read once by each.
    multiply_adds = 2 * (lower + upper) * 2 + word + 2 * gates
    found = least_gflop_per_token(options, ["ab ab"], batch_size=1)
    assert found == pytest.approx(2 * multiply_adds / 2 / 1e9)


def test_a_random_model_is_a_model_folder(model):
    assert read_model_folder(model).config.units == 6


def result(**rates):
    """What `summarise` returns, of tokens per second by column."""
    batches = {
        column: {"tokens_per_second": rate, "spread": 0.1, "peak_memory_mb": 100 * index}
        for index, (column, rate) in enumerate(rates.items())
    }
    return {"first_vector_seconds": 1.5, "batches": batches}


RESULTS = {
    "bilm-tf": result(**{"1": 90.0, "128": 180.0}),
    "simple_elmo": result(**{"1": 60.0, "128": 200.0}),
    "elmo_tf2": result(**{"1": 135.0, "128": 800.0}),
    "elmo_tf2 embed": result(corpus=1000.0),
    "all-MiniLM-L6-v2": result(**{"1": 500.0, "128": 3000.0}),
}


def test_each_column_has_its_best_peer_and_a_corpus_the_best_of_all_batch_sizes():
    best = best_of_peers(RESULTS, ["1", "128", "corpus"])
    assert best == {"1": 90.0, "128": 200.0, "corpus": 200.0}
    assert best_of_peers({"elmo_tf2": RESULTS["elmo_tf2"]}, ["1"]) == {"1": None}


LIMITS = {dtype: {"1": 1.0, "128": 2.0, "corpus": 3.0} for dtype in ("float32", "bfloat16")}


def test_the_table_has_rates_ratios_and_limits():
    console = Console(width=200, record=True)
    console.print(throughput_table(RESULTS, LIMITS))
    lines = {
        line.split("│")[1].strip(): line
        for line in console.export_text().splitlines()
        if "│" in line
    }
    assert [lines["elmo_tf2"].count(text) for text in ("135 ± 5%", "1.50", "4.00", "1.5 s")] == [
        1
    ] * 4
    assert "5.00" in lines["elmo_tf2 embed"]
    assert "100 MB" in lines["elmo_tf2"]
    assert "arithmetic limit, bfloat16" in lines


def test_the_picture(tmp_path):
    throughput_plot(RESULTS, LIMITS, tmp_path / "rates.png")
    assert (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")


def test_the_least_cosine_of_each_layer_is_found():
    exact = np.array([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 0.0], [0.0, 1.0]]])
    other = np.array([[[1.0, 0.0], [2.0, 2.0]], [[-1.0, 0.0], [0.0, 9.0]]])
    assert compare.least_cosines(other, exact) == pytest.approx([0.5**0.5, -1.0])


def test_a_saved_model_runs_without_its_own_environment_and_a_peer_does_not(tmp_path):
    ours, peer = IMPLEMENTATIONS["elmo_tf2"], IMPLEMENTATIONS["AllenNLP"]
    assert ours.interpreter(tmp_path) == Path(sys.executable)
    assert not peer.interpreter(tmp_path).exists()
    own = tmp_path / ours.environment / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    assert ours.interpreter(tmp_path) == own


def test_a_warm_up_has_the_words_that_are_timed_backwards(tmp_path):
    comparison = Comparison(tmp_path, tmp_path, ["the cat", "sat"])
    assert comparison.warm_up_file(1).read_text() == "eht tac\n"


@pytest.fixture
def quick_processes(monkeypatch):
    """All that the benchmark starts is forked from a process that has imported TensorFlow."""

    processes = contextlib.ExitStack()

    def start(command, env, **_):
        return processes.enter_context(PythonProcess(*command[1:], pipes=True, **env))

    def run(command, cwd, **_):
        return run_python(*command[1:], cwd=cwd)

    monkeypatch.setattr(implementations, "subprocess", SimpleNamespace(Popen=start, PIPE=None))
    monkeypatch.setattr(comparison, "subprocess", SimpleNamespace(run=run))
    with processes:
        yield


@pytest.mark.slow
@pytest.mark.usefixtures("quick_processes")
def test_elmo_tf2_is_measured_when_it_is_alone(model, tmp_path, monkeypatch):
    pytest.importorskip("resource")  # by which memory is measured
    monkeypatch.setattr(machine_limits, "WEIGHTS", (2, 2))
    monkeypatch.setattr(machine_limits, "COPY_BYTES", 2**20)
    monkeypatch.setattr(compare, "machine_limits", machine_limits.measure)
    compare.main(
        model=model,
        implementation=["elmo_tf2", "elmo_tf2 embed, bfloat16"],
        repeats=1,
        max_sentences=4,
        batch_size=[2],
        json_report=tmp_path / "report.json",
    )
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["implementations"]["elmo_tf2"]["batches"]["2"]["tokens_per_second"] > 0
    assert max(report["largest_differences"].values()) < 1e-5  # batch 2 and batch 32
    assert report["implementations"]["elmo_tf2 embed, bfloat16"]["batches"].keys() == {"corpus"}
    assert min(report["least_cosines"]["elmo_tf2 embed, bfloat16"]) > 0.999
