"""A small text, and a run's folder for it."""

import dataclasses
import functools
import json

import pytest

from elmo_tf2.config import ElmoConfig
from elmo_tf2.models import PretrainingModel
from elmo_tf2.training import PretrainingConfig, RunFolder

WORDS = ["<S>", "</S>", "<UNK>", *"the cat sat on a mat dog ran and it was so that of to".split()]
TEXT = [
    "the cat sat on a mat and it was so",
    "a dog ran to the mat",
    "it was the dog of the cat that ran",
    "so it was",
    "the zebra sat on a dog",
] * 12
MODEL = ElmoConfig(filters=((1, 4), (2, 8)), num_highway_layers=1, units=12, projection_dim=6)
CONFIG = PretrainingConfig(
    model=MODEL, batch_size=4, unroll_steps=5, updates=12, num_negatives=6, seed=3
)
MERGED = dataclasses.replace(MODEL, architecture="merged")
MERGED_CONFIG = dataclasses.replace(CONFIG, model=MERGED, mask_rate=0.3, kept_rate=0.1)

# The same for the command line.
SETTINGS = [
    "batch_size=4",
    "unroll_steps=5",
    "num_negatives=6",
    "model.filters=[[1, 4], [2, 8]]",
    "model.units=12",
    "model.projection_dim=6",
    "model.num_highway_layers=1",
]


def write_text(folder):
    """Two files of training text and a held-out one."""
    paths = [folder / name for name in ("a.txt", "b.txt", "heldout.txt")]
    for path, part in zip(paths, (TEXT[:30], TEXT[30:], TEXT[:5]), strict=True):
        path.write_text("\n".join(part), encoding="utf-8")
    return paths


def create_run(path, text, config=CONFIG, words=WORDS, is_measured=False):
    """A run's folder, with nothing done; its held-out perplexity is measured if it is asked for."""
    folder = RunFolder(path)
    folder.create(config, words, text[:2], text[2] if is_measured else None)
    return folder


# To make the graph of an update takes longer than the updates of a test.
COMPILE_EAGERLY = functools.partialmethod(PretrainingModel.compile, run_eagerly=True)


@pytest.fixture(scope="module")
def eager_updates():
    """The updates of a module's runs are no graphs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PretrainingModel, "compile", COMPILE_EAGERLY)
        yield


@pytest.fixture
def text(tmp_path):
    return write_text(tmp_path)


@pytest.fixture
def make_run(tmp_path, text):
    """Makes run folders of a configuration."""

    def make(name="run", *arguments, **kwargs):
        return create_run(tmp_path / name, text, *arguments, **kwargs)

    return make


def write_data(folder):
    """What `prepare` makes, by hand."""
    (folder / "train").mkdir(parents=True)
    (folder / "train" / "shard-00000.txt").write_text("\n".join(TEXT), encoding="utf-8")
    (folder / "heldout.txt").write_text("\n".join(TEXT[:5]), encoding="utf-8")
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    (folder / "prepared.json").write_text(json.dumps({"tokenizer": "words"}))
    return folder


@pytest.fixture
def data(tmp_path):
    return write_data(tmp_path / "data")
