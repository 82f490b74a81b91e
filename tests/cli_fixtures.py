"""Small models and texts for the tests of `embed_file` and of the command line."""

import dataclasses
import hashlib
import json
import os
from pathlib import Path

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


def write_model_folder(folder, seed=0, with_mix=True, num_layers=2):
    """A model folder of random weights, written without the package's own writer."""
    options = dataclasses.replace(CONFIG, num_layers=num_layers).to_options()
    folder.mkdir(parents=True)
    (folder / "options.json").write_text(json.dumps(options))
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, array in reference.random_arrays(options, seed).items():
            file[name] = array.astype(np.float32)
        if with_mix:
            file["aggregation/weights"] = np.float32(MIX[0][: num_layers + 1])
            file["aggregation/scaling"] = np.float32(MIX[1])
    return folder


def export(model_folder, folder):
    """The SavedModel of a model folder."""
    return export_saved_model(ElmoEmbeddings.from_folder(model_folder), folder)


_encoders = {}


def cached_encoder_of(model, layers=None, dtype=None):
    """`encoder_of`, whose graph is made once: that takes longer than what most tests are about."""
    key = _content(model), tuple(layers) if isinstance(layers, list) else layers, dtype
    if key not in _encoders:
        _encoders[key] = encoder_of(model, layers, dtype)
    return _encoders[key]


def _content(model):
    """What is in a model's files, the same for copies; else the model itself."""
    if not isinstance(model, str | os.PathLike):
        return model
    files = [path for path in (Path(model), *Path(model).rglob("*")) if path.is_file()]
    digest = [hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)]
    return tuple(digest) or str(model)


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
