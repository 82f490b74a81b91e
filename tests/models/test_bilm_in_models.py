"""BiLM in graphs and Keras models: gradients, configuration, weights."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import words_to_char_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.models import BiLM, BiLMOutput, bilm_arrays, set_bilm_arrays
from tests import numpy_reference as reference
from tests.models.bilm_cases import (
    CONFIGS,
    PROMISE,
    SENTENCES,
    SMALL,
    char_ids,
    make_bilm,
    options,
    vectors,
)

# --- in graphs and models


def test_a_graph_of_unknown_batch_and_time_gives_what_eager_mode_gives(bilm):
    graph = tf.function(bilm, input_signature=[tf.TensorSpec([None, None, 50], tf.int32)])
    ids = char_ids(SENTENCES)
    output = graph(ids)
    assert isinstance(output, BiLMOutput)
    np.testing.assert_allclose(vectors(output), vectors(bilm(ids)), **PROMISE)


def test_it_runs_on_strings_in_a_tf_data_pipeline(bilm, alone):
    dataset = tf.data.Dataset.from_tensors([SENTENCES[0]])
    dataset = dataset.map(lambda words: bilm(words_to_char_ids(words)).layers())
    layers = next(dataset.as_numpy_iterator())
    np.testing.assert_allclose(
        layers[2][0], np.concatenate([alone[:, 8:12], alone[:, 16:]], 1), **PROMISE
    )


def test_a_functional_model_gives_what_the_bilm_gives(bilm):
    inputs = keras.Input((None, 50), dtype="int32")
    output = bilm(inputs)
    model = keras.Model(inputs, [output.word_vectors, *output.forward, *output.backward])
    ids = char_ids(SENTENCES)
    np.testing.assert_allclose(np.concatenate(model(ids), axis=-1), vectors(bilm(ids)), **PROMISE)
    predicted = np.concatenate(model.predict(ids, verbose=0), axis=-1)
    np.testing.assert_allclose(predicted, vectors(bilm(ids)), **PROMISE)


def test_a_functional_model_can_be_built_of_the_layers(bilm):
    inputs = keras.Input((None, 50), dtype="int32")
    model = keras.Model(inputs, bilm(inputs).layers())
    ids = char_ids(SENTENCES)
    for layer, expected in zip(model(ids), bilm(ids).layers(), strict=True):
        np.testing.assert_allclose(layer, expected, **PROMISE)


def test_symbolic_outputs_have_the_shapes_and_dtypes_of_real_ones():
    for policy in ("float32", "mixed_bfloat16", "float64"):
        bilm = BiLM(SMALL, dtype=policy)
        symbolic = keras.tree.flatten(bilm(keras.Input((7, 50), dtype="int32")))
        real = keras.tree.flatten(bilm(char_ids(SENTENCES)))
        assert len(symbolic) == len(real) == 5 + 1 + 8
        for promised, given in zip(symbolic, real, strict=True):
            assert promised.shape[1:] == tuple(given.shape[1:])
            assert promised.dtype == keras.backend.standardize_dtype(given.dtype)


def test_a_step_of_fit_lowers_a_loss_and_moves_every_weight():
    bilm, _ = make_bilm(options(cell_clip=5.0, proj_clip=5.0))
    inputs = keras.Input((None, 50), dtype="int32")
    output = bilm(inputs)
    model = keras.Model(inputs, [output.forward[1], output.backward[1]])
    model.compile(keras.optimizers.SGD(0.01), loss=["mse", "mse"])
    ids = char_ids(SENTENCES[:1] * 2)
    rng = np.random.default_rng(0)
    targets = [rng.normal(size=(2, 7, 4)) for _ in range(2)]
    before = [keras.ops.convert_to_numpy(weight) for weight in bilm.trainable_weights]
    first, second = model.fit(ids, targets, epochs=2, verbose=0).history["loss"]
    assert second < first
    for weight, old in zip(bilm.trainable_weights, before, strict=True):
        assert np.any(keras.ops.convert_to_numpy(weight) != old), weight.path


def test_a_frozen_bilm_has_no_trainable_weights():
    bilm, _ = make_bilm(SMALL)
    number = len(bilm.trainable_weights)
    bilm.trainable = False
    assert bilm.trainable_weights == []
    assert len(bilm.non_trainable_weights) == number


# --- gradients


@pytest.mark.parametrize(
    "name", ["small", "no LSTM projection", "no clips", "one layer", "no boundaries"]
)
def test_gradients_reach_every_weight(name):
    bilm, _ = make_bilm(CONFIGS[name])
    with tf.GradientTape() as tape:
        output = bilm(char_ids(SENTENCES, CONFIGS[name]))
        loss = tf.add_n([tf.reduce_sum(layer**2) for layer in output.layers()])
    variables = [weight.value for weight in bilm.trainable_weights]
    assert len(variables) == len(bilm.weights) == len(bilm_arrays(bilm))
    for weight, gradient in zip(
        bilm.trainable_weights, tape.gradient(loss, variables), strict=True
    ):
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert np.all(np.isfinite(gradient)), weight.path
        assert np.any(gradient), weight.path


def test_gradients_equal_finite_differences_of_the_reference():
    small = options(
        filters=[[1, 2], [2, 2]],
        projection_dim=2,
        dim=3,
        embedding={"dim": 2},
        n_layers=2,
        max_characters_per_token=6,
    )
    bilm, arrays = make_bilm(small, dtype="float64")
    sentences = [["ab", "a"], ["b"]]
    rng = np.random.default_rng(1)
    probes = [[rng.normal(size=(len(words), 4)) for _ in range(3)] for words in sentences]
    with tf.GradientTape() as tape:
        layers = bilm(char_ids(sentences, small)).layers()
        loss = tf.add_n(
            [
                tf.reduce_sum(layer[row, : len(words)] * probes[row][j])
                for row, words in enumerate(sentences)
                for j, layer in enumerate(layers)
            ]
        )
    names = named_weights(bilm)
    gradients = tape.gradient(loss, [weight.value for weight in names.values()])

    def reference_loss(_):
        return sum(
            np.sum(layer * probe)
            for words, sentence_probes in zip(sentences, probes, strict=True)
            for layer, probe in zip(
                reference.bilm(words, small, arrays).layers(), sentence_probes, strict=True
            )
        )

    for name, gradient in zip(names, gradients, strict=True):
        gradient = tf.convert_to_tensor(gradient)
        expected = reference.finite_differences(reference_loss, arrays[name])
        np.testing.assert_allclose(
            gradient, np.reshape(expected, gradient.shape), rtol=0, atol=1e-5, err_msg=name
        )


def named_weights(bilm):
    """Some weights of each kind by their names in the files."""
    cnn, first, second = bilm.token_embedder, bilm.forward_layers[0], bilm.backward_layers[1]
    return {
        "CNN/W_cnn_1": cnn.kernels[1],
        "CNN/b_cnn_0": cnn.biases[0],
        "CNN_high_0/W_carry": cnn.highways[0].carry_kernel,
        "CNN_proj/W_proj": cnn.projection_kernel,
        "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0": first.kernel,
        "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0": first.projection_kernel,
        "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/B": second.bias,
        "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0": second.projection_kernel,
    }


def test_padding_has_no_gradient(bilm):
    ids = char_ids(SENTENCES)
    words, mask = tf.Variable(bilm.token_embedder(ids)), np.any(ids != 0, axis=-1)
    with tf.GradientTape() as tape:
        output = bilm(words, mask=mask)
        loss = tf.add_n([tf.reduce_sum(layer**2) for layer in output.layers()])
    gradient = tf.convert_to_tensor(tape.gradient(loss, words)).numpy()
    assert not np.any(gradient[~mask])
    assert np.all(np.any(gradient[mask] != 0, axis=-1))


def test_a_forward_vector_knows_no_later_word_and_a_backward_one_no_earlier(bilm):
    words = tf.Variable(bilm.token_embedder(char_ids(SENTENCES[:1])))
    with tf.GradientTape(persistent=True) as tape:
        output = bilm(words)
        forward = tf.reduce_sum(output.forward[1][0, 3])
        backward = tf.reduce_sum(output.backward[1][0, 3])
    seen_forwards = np.any(tf.convert_to_tensor(tape.gradient(forward, words))[0] != 0, axis=-1)
    seen_backwards = np.any(tf.convert_to_tensor(tape.gradient(backward, words))[0] != 0, axis=-1)
    np.testing.assert_array_equal(seen_forwards, [True] * 4 + [False] * 3)
    np.testing.assert_array_equal(seen_backwards, [False] * 3 + [True] * 4)


# --- configuration and weights


def test_a_config_makes_the_same_bilm_again():
    bilm = BiLM(CONFIGS["no boundaries"], name="encoder", dtype="mixed_bfloat16", trainable=False)
    config = bilm.get_config()
    again = BiLM.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert again.config == bilm.config == ElmoConfig.from_options(CONFIGS["no boundaries"])
    assert again.dtype_policy.name == "mixed_bfloat16"
    assert not again.trainable


def test_keras_serializes_it_without_being_told_of_it():
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(BiLM(SMALL))))
    assert type(keras.saving.deserialize_keras_object(serialized)) is BiLM


def test_a_config_object_and_its_options_make_the_same():
    assert BiLM(ElmoConfig.from_options(SMALL)).config == BiLM(SMALL).config


def test_the_first_call_builds_what_build_builds():
    called, built = BiLM(SMALL), BiLM(SMALL)
    called(char_ids([["a"]]))
    built.build()
    shapes = [[tuple(weight.shape) for weight in bilm.weights] for bilm in (called, built)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("options", CONFIGS.values(), ids=CONFIGS)
def test_weights_leave_as_they_came(options):
    bilm, arrays = make_bilm(options)
    taken = bilm_arrays(bilm)
    assert set(taken) == set(arrays)
    for name, value in taken.items():
        np.testing.assert_array_equal(value, arrays[name], err_msg=name)
        assert value.dtype == np.float32


def test_a_missing_weight_is_a_key_error():
    arrays = reference.random_arrays(SMALL)
    del arrays["CNN_proj/W_proj"]
    bilm = BiLM(SMALL)
    bilm.build()
    with pytest.raises(KeyError, match="CNN_proj/W_proj"):
        set_bilm_arrays(bilm, arrays)


FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))


@pytest.mark.parametrize(
    ("units", "projection_dim", "num_highway_layers", "parameters"),
    [
        pytest.param(1024, 128, 1, 13_593_312, id="small"),
        pytest.param(2048, 256, 1, 28_027_744, id="medium"),
        # 93,600,848 with the 261 rows of characters that the published file has.
        pytest.param(4096, 512, 2, 93_600_864, id="original", marks=pytest.mark.slow),
    ],
)
def test_published_sizes_have_their_published_parameters(
    units, projection_dim, num_highway_layers, parameters
):
    config = ElmoConfig(
        filters=FILTERS,
        units=units,
        projection_dim=projection_dim,
        num_highway_layers=num_highway_layers,
    )
    bilm = BiLM(config)
    bilm.build()
    assert bilm.count_params() == parameters
