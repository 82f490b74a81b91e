"""What all tests share: quiet logs, fixed seeds, and the path of the golden data."""

import functools
import gc
import os
import random

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is imported

from pathlib import Path

import hypothesis
import numpy as np
import pytest
import tensorflow as tf

from tests import REPOSITORY

# TensorFlow's modules are half a million objects, and every traced graph is many more: a collection
# takes long.
gc.freeze()
gc.set_threshold(50_000, 20, 50)

# Optimising a graph takes longer than running it once. The processes of tests/processes.py run
# optimised graphs, as users' programs do.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

pytest.register_assert_rewrite("tests.layer_checks", "tests.numpy_reference")

# The first example of a property test compiles a graph, which no deadline fits.
hypothesis.settings.register_profile("tests", deadline=None, derandomize=True)
hypothesis.settings.load_profile("tests")

GOLDEN = REPOSITORY.parent / "shared" / "golden"


def pytest_collection_modifyitems(items):
    """Modules with slow tests go first, so that the last ones of a run are short."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def seeds():
    """Makes every test start from the same random state, alone or among others.

    Keras draws its seeds from `random`. `tf.random.set_seed` is left out: it throws away all
    kernels and optimised graphs, which then take half of all tests' time to be made anew.
    """
    random.seed(20180222)
    np.random.seed(20180222)


@pytest.fixture
def rng():
    """A NumPy generator of a fixed seed."""
    return np.random.default_rng(7)


@pytest.fixture
def cached_encoder(monkeypatch):
    """Embedding's graph is made once for each model: for tests of other things."""
    from tests.cli_fixtures import cached_encoder_of  # after its references are registered, above

    for module in ("features.embed", "features.projector", "plot.word"):
        monkeypatch.setattr(f"elmo_tf2.{module}.encoder_of", cached_encoder_of)


@pytest.fixture
def fit_eagerly(monkeypatch):
    """`fit`, `evaluate` and `predict` make no graph: for tests of other things."""
    from tests.processes import RUN_EAGERLY

    monkeypatch.setattr("keras.Model.run_eagerly", RUN_EAGERLY)


@pytest.fixture(scope="session")
def shared_export(tmp_path_factory):
    """By name, SavedModels that are made once in a run, for all of its processes."""
    from tests.saved_models import made_once

    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    return functools.partial(made_once, folder)


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of weights and outputs that other implementations gave; skips without it."""
    if not GOLDEN.is_dir():
        pytest.skip("the golden data, ../shared/golden, is not here")
    return GOLDEN
