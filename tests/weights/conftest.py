"""Small models of every form, made by the tests themselves."""

import pytest

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights import write_model_folder, write_tf1_checkpoint
from tests.weights import helpers


@pytest.fixture
def config():
    """Every part that a model may have, and no two sizes alike."""
    return ElmoConfig(
        filters=((1, 4), (3, 5)),
        char_embedding_dim=3,
        num_highway_layers=1,
        units=7,
        projection_dim=6,
        num_layers=2,
    )


@pytest.fixture
def weights(config, rng):
    """An encoder alone."""
    return helpers.random_weights(config, rng)


@pytest.fixture
def language_model(config, rng):
    """An encoder with mix, softmax and vocabulary."""
    return helpers.random_language_model(config, rng)


@pytest.fixture
def model_folder(tmp_path, language_model):
    """The language model as a model folder."""
    write_model_folder(language_model, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def checkpoint(tmp_path, language_model):
    """The prefix of the language model's checkpoint."""
    prefix = tmp_path / "training" / "model.ckpt-400"
    write_tf1_checkpoint(language_model, prefix)
    return prefix


@pytest.fixture
def hub_module(tmp_path, language_model):
    """The language model's encoder and mix as a TF1 Hub module."""
    return helpers.write_hub_module(tmp_path / "module", helpers.hub_variables(language_model))
