"""benchmarks/plot_run.py: a run becomes a picture."""

import dataclasses

import pytest

pytest.importorskip("matplotlib")

from plot_run import main  # noqa: E402

from elmo_tf2.config import ElmoConfig  # noqa: E402
from elmo_tf2.training import PretrainingConfig, RunFolder  # noqa: E402


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "text.txt").write_text("the cat\n")
    config = PretrainingConfig(model=dataclasses.replace(ElmoConfig(), units=8, projection_dim=4))
    made = RunFolder(tmp_path / "run")
    made.create(config, ["<S>", "</S>", "<UNK>", "the"], [tmp_path / "text.txt"], None)
    return made


def test_a_run_becomes_a_picture(folder, tmp_path):
    folder.cut_history(0)  # which makes an empty one
    for update in (10, 20, 30):
        row = {"update": update, "loss": 4.0, "perplexity": 54.6, "learning_rate": 0.2}
        folder.record({**row, "tokens_per_second": 1.0, "heldout_perplexity": 60 - update})
    main([str(folder.path), str(tmp_path / "curve.svg")])
    drawn = (tmp_path / "curve.svg").read_text(encoding="utf-8")
    assert drawn.count("<!-- 30.0 -->") == 1  # the last held-out perplexity


def test_a_run_without_a_history_is_told(folder, tmp_path):
    with pytest.raises(SystemExit, match="has no history yet"):
        main([str(folder.path), str(tmp_path / "curve.png")])
    assert not (tmp_path / "curve.png").exists()
