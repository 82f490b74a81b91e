"""Small models and texts for the tests of `embed_file` and of the command line."""

import functools
import json

import h5py
import numpy as np
from typer.testing import CliRunner

from elmo_tf2.cli import app
from elmo_tf2.config import ElmoConfig
from elmo_tf2.features.encoder import encoder_of
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.saved_model import export_saved_model
from tests import numpy_reference as reference

CONFIG = ElmoConfig(
    filters=((1, 4), (2, 8)),
    char_embedding_dim=4,
    num_highway_layers=1,
    units=12,
    projection_dim=8,
    cell_clip=1.5,  # low, so that it bites
    projection_clip=0.7,
)
OPTIONS = CONFIG.to_options()
MIX = ([0.2, -0.1, 0.4], 1.3)


def write_model_folder(folder, seed=0, with_mix=True):
    """A model folder of random weights, written without the package's own writer."""
    folder.mkdir(parents=True)
    (folder / "options.json").write_text(json.dumps(OPTIONS))
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, array in reference.random_arrays(OPTIONS, seed).items():
            file[name] = array.astype(np.float32)
        if with_mix:
            file["aggregation/weights"] = np.float32(MIX[0])
            file["aggregation/scaling"] = np.float32(MIX[1])
    return folder


def export(model_folder, folder):
    """The SavedModel of a model folder."""
    return export_saved_model(ElmoEmbeddings.from_folder(model_folder), folder)


def cached_encoder_of(model, layers=None, dtype=None):
    """`encoder_of`, whose graph is made once: that takes longer than what most tests are about."""
    layers = tuple(layers) if isinstance(layers, list) else layers
    return _cached_encoder_of(model, layers, dtype)


_cached_encoder_of = functools.cache(encoder_of)


def expected_vectors(words, seed=0):
    """A sentence's vectors in NumPy, `(layers, tokens, 2 * projection_dim)`."""
    arrays = reference.random_arrays(OPTIONS, seed)
    return np.stack(reference.bilm(words, OPTIONS, arrays).layers())


def read_features(path):
    """All datasets of a feature file, in the order of their numbers."""
    with h5py.File(path) as file:
        return [file[str(number)][()] for number in range(len(file))]


def assert_same_features(actual, expected, atol=0):
    """Equal, to the bit unless `atol` is given."""
    for found, wanted in zip(actual, expected, strict=True):
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, rtol=0, atol=atol)


def random_text(num_sentences, seed=0):
    """Lines of one to nineteen words."""
    rng = np.random.default_rng(seed)
    words = [f"word{number}" for number in range(200)]
    return "".join(
        " ".join(rng.choice(words, rng.integers(1, 20))) + "\n" for _ in range(num_sentences)
    )


def run(*arguments, exit_code=0):
    """Runs a command in this process; what it printed, to either stream."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result.output
