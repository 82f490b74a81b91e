"""Models of the published sizes with random weights, in bilm-tf's file layout.

Speed does not depend on what the weights are, and the published files are large and not always at
hand. The scales are such that activations neither die out nor all reach the clips.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np

NUM_CHARACTERS = 261  # without the padding row, which no file holds


def make_options(lstm_units: int, projection_dim: int, num_highway: int) -> dict:
    """Returns the `options.json` of a published model."""
    filters = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]
    return {
        "lstm": {
            "use_skip_connections": True,
            "projection_dim": projection_dim,
            "cell_clip": 3,
            "proj_clip": 3,
            "dim": lstm_units,
            "n_layers": 2,
        },
        "char_cnn": {
            "activation": "relu",
            "filters": filters,
            "n_highway": num_highway,
            "embedding": {"dim": 16},
            "n_characters": NUM_CHARACTERS + 1,
            "max_characters_per_token": 50,
        },
    }


SIZES = {
    "small": make_options(lstm_units=1024, projection_dim=128, num_highway=1),
    "medium": make_options(lstm_units=2048, projection_dim=256, num_highway=1),
    "original": make_options(lstm_units=4096, projection_dim=512, num_highway=2),
}


def make_weights(options: dict, seed: int = 0) -> Iterator[tuple[str, np.ndarray]]:
    """Yields every weight of a model under its name in bilm-tf's files.

    Args:
        options: contents of `options.json`.
        seed: int. The same seed gives the same weights.

    Yields:
        pairs of a name and a float32 array.
    """
    rng = np.random.default_rng(seed)

    def normal(rows: int, columns: int) -> np.ndarray:
        return rng.standard_normal((rows, columns), dtype=np.float32) / np.float32(rows**0.5)

    char_cnn, lstm = options["char_cnn"], options["lstm"]
    char_dim, units, projection = char_cnn["embedding"]["dim"], lstm["dim"], lstm["projection_dim"]
    num_filters = sum(number for _, number in char_cnn["filters"])
    yield "char_embed", rng.uniform(-1, 1, (NUM_CHARACTERS, char_dim))
    for i, (width, number) in enumerate(char_cnn["filters"]):
        yield f"CNN/W_cnn_{i}", rng.uniform(-0.05, 0.05, (1, width, char_dim, number))
        yield f"CNN/b_cnn_{i}", np.zeros(number)
    for i in range(char_cnn["n_highway"]):
        for gate, bias in (("carry", -2), ("transform", 0)):  # bilm-tf starts training so
            yield f"CNN_high_{i}/W_{gate}", normal(num_filters, num_filters)
            yield f"CNN_high_{i}/b_{gate}", np.full(num_filters, bias)
    yield "CNN_proj/W_proj", normal(num_filters, projection)
    yield "CNN_proj/b_proj", np.zeros(projection)
    for direction in range(2):
        for layer in range(lstm["n_layers"]):
            cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            yield f"{cell}/W_0", normal(2 * projection, 4 * units)
            yield f"{cell}/B", np.zeros(4 * units)
            yield f"{cell}/W_P_0", normal(units, projection)


def write_random_model(folder: Path, options: dict, seed: int = 0) -> None:
    """Writes `options.json` and `weights.hdf5` of a model with random weights.

    Args:
        folder: an existing folder.
        options: contents of `options.json`, for example one of `SIZES`.
        seed: int. The same seed gives the same weights.
    """
    (folder / "options.json").write_text(json.dumps(options, indent=2), encoding="utf-8")
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, value in make_weights(options, seed):
            file.create_dataset(name, data=value, dtype="float32")
