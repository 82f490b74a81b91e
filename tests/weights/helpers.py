"""Weights made up by chance, and the files that other programs make of such."""

import numpy as np
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights import ElmoWeights, Mix, Softmax, expected_shapes

VOCABULARY = ("<S>", "</S>", "<UNK>", "the", "cat", "naïve", "猫")


def random_weights(config: ElmoConfig, rng: np.random.Generator, **kwargs) -> ElmoWeights:
    arrays = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in expected_shapes(config).items()
    }
    return ElmoWeights(config, arrays, **kwargs)


def random_language_model(config: ElmoConfig, rng: np.random.Generator) -> ElmoWeights:
    """With everything that weights may have."""
    kernel = rng.normal(size=(len(VOCABULARY), config.softmax_dim))
    softmax = Softmax(kernel.astype(np.float32), rng.normal(size=len(VOCABULARY)))
    mix = Mix((0.5, -1.25, 2.0)[: config.num_layers + 1], 0.75)
    return random_weights(config, rng, mix=mix, softmax=softmax, vocabulary=VOCABULARY)


def assert_same_arrays(actual: ElmoWeights, expected: ElmoWeights) -> None:
    assert list(actual.arrays) == list(expected.arrays)
    for name, array in expected.arrays.items():
        assert actual.arrays[name].dtype == np.float32
        np.testing.assert_array_equal(actual.arrays[name], array, err_msg=name)


def assert_same_weights(actual: ElmoWeights, expected: ElmoWeights) -> None:
    assert actual.config == expected.config
    assert_same_arrays(actual, expected)
    assert actual.mix == expected.mix
    assert actual.vocabulary == expected.vocabulary
    assert (actual.softmax is None) == (expected.softmax is None)
    if expected.softmax is not None:
        for found, wanted in zip(actual.softmax, expected.softmax, strict=True):
            np.testing.assert_array_equal(found, wanted)


def save_variables(prefix, variables: dict[str, np.ndarray]) -> None:
    """Writes a checkpoint as TensorFlow 1 did: of names and tensors, nothing else."""
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=list(variables),
        shape_and_slices=[""] * len(variables),
        tensors=list(variables.values()),
    )


def hub_variables(weights: ElmoWeights, scope: str = "bilm/") -> dict[str, np.ndarray]:
    """The variables of a TF1 Hub module: other names of the LSTMs', and a row of padding."""
    variables = {}
    for name, array in weights.arrays.items():
        for ours, theirs in (
            ("LSTMCell/W_0", "rnn/lstm_cell/kernel"),
            ("LSTMCell/B", "rnn/lstm_cell/bias"),
            ("LSTMCell/W_P_0", "rnn/lstm_cell/projection/kernel"),
        ):
            name = name.replace(ours, theirs)
        variables[scope + name] = array
    table = variables[f"{scope}char_embed"]
    variables[f"{scope}char_embed"] = np.concatenate([np.zeros_like(table[:1]), table])
    if weights.mix is not None:
        variables["aggregation/weights"] = np.array(weights.mix.weights, np.float32)
        variables["aggregation/scaling"] = np.array(weights.mix.gamma, np.float32)
    return variables


def write_hub_module(folder, variables: dict[str, np.ndarray]):
    (folder / "variables").mkdir(parents=True)
    save_variables(folder / "variables" / "variables", variables)
    (folder / "saved_model.pb").write_bytes(b"a graph that nobody loads")
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return folder
