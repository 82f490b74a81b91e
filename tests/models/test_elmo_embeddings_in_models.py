"""ElmoEmbeddings in Keras models: training, configuration, saving, model folders."""

import dataclasses
import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.weights import ElmoWeights, Mix, write_model_folder
from tests import REPOSITORY
from tests import numpy_reference as reference
from tests.layer_checks import to_float64
from tests.models.bilm_cases import PROMISE
from tests.models.elmo_cases import (
    ARRAYS,
    PADDED,
    SENTENCES,
    TARGETS,
    TEXT,
    WORDS,
    make,
    model_of,
    padded,
)
from tests.processes import run_python
from tests.small_elmo import CONFIG, GAMMA, W

pytestmark = pytest.mark.slow

# --- training


def moved_by_fit(elmo, form="functional", run_eagerly=True):
    """The names of the layer's weights that `fit` changes."""
    model = model_of(elmo, form)
    before = [to_float64(weight) for weight in elmo.weights]
    model.compile(keras.optimizers.SGD(0.01), loss="mse", run_eagerly=run_eagerly)
    history = model.fit(SENTENCES, TARGETS, batch_size=5, epochs=2, verbose=0).history["loss"]
    assert history[-1] < history[0]
    pairs = zip(elmo.weights, before, strict=True)
    return {weight.path for weight, old in pairs if np.any(to_float64(weight) != old)}


def test_only_the_weighted_sum_is_trainable(elmo):
    assert [weight.path.split("/", 1)[1] for weight in elmo.trainable_weights] == [
        "mix_0/w",
        "mix_0/gamma",
    ]
    assert sum(np.size(weight) for weight in elmo.trainable_weights) == 4


@pytest.mark.parametrize(
    ("form", "run_eagerly"), [("functional", False), ("sequential", True), ("subclassed", True)]
)
def test_fit_moves_the_weighted_sum_alone(form, run_eagerly):
    elmo = make()
    moved = moved_by_fit(elmo, form, run_eagerly)
    assert moved == {weight.path for weight in elmo.trainable_weights}


def test_fit_moves_every_weight_of_a_trainable_encoder_but_the_row_of_no_character():
    elmo = make(encoder_trainable=True)
    assert moved_by_fit(elmo) == {weight.path for weight in elmo.weights}
    assert not np.any(elmo.encoder.token_embedder.embedding[0])


def test_the_encoder_can_be_made_trainable_later():
    elmo = make()
    elmo.encoder.trainable = True
    assert len(elmo.trainable_weights) == len(elmo.weights)


def test_a_layer_that_is_not_trainable_has_no_trainable_weights():
    for elmo in (make(trainable=False), make(trainable=False, encoder_trainable=True)):
        assert elmo.trainable_weights == []


def test_each_of_several_mixes_trains_for_its_own_task():
    elmo = make(num_mixes=2)
    for index, other in ((0, 1), (1, 0)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(elmo(TEXT)[index])
        gradients = tape.gradient(loss, [mix.w.value for mix in elmo.mixes])
        assert np.any(gradients[index])
        assert gradients[other] is None


def test_a_tagger_of_own_embedding_beside_elmo_learns_its_tags():
    vocabulary = sorted({word for words in WORDS for word in words})
    words = keras.Input((None,), dtype="string")
    ids = keras.layers.StringLookup(vocabulary=vocabulary, mask_token="")(words)
    own = keras.layers.Embedding(len(vocabulary) + 2, 16, mask_zero=True)(ids)
    both = keras.layers.Concatenate()([own, make()(words)])
    assert both.shape == (None, None, 24)
    tags = keras.layers.Dense(3, activation="softmax")(both)
    model = keras.Model(words, tags)
    model.compile(
        keras.optimizers.Adam(0.3),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
        run_eagerly=True,
    )
    targets = np.array([[0, 1, 2, 0, 0, 1], [1, 0, 0, 0, 0, 0], [2, 2, 2, 0, 0, 0]])
    model.fit(tf.constant(PADDED), targets, epochs=15, verbose=0)
    result = model.evaluate(tf.constant(PADDED), targets, verbose=0, return_dict=True)
    # A word's tag hangs on the word, so the loss on the words (not the padding) can go to 0.
    assert result["accuracy"] == 1.0


@pytest.mark.parametrize("num_mixes", [1, 2])
def test_beside_another_layers_mask_padding_changes_nothing(num_mixes, tmp_path):
    words = keras.Input((None,), dtype="string")
    numbers = keras.layers.StringLookup(vocabulary=["the", "cat"], mask_token="")(words)
    own = keras.layers.Embedding(4, 4, mask_zero=True)(numbers)
    vectors = make(num_mixes=num_mixes)(words)
    vectors = vectors if num_mixes > 1 else [vectors]
    both = keras.layers.Concatenate()([own, *vectors])
    lstm = keras.layers.LSTM(4, return_sequences=True)
    model = keras.Model(words, keras.layers.Bidirectional(lstm)(both))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = tf.constant(PADDED)
    lengths = np.sum(np.array(PADDED) != "", axis=1)
    expected, of_loaded = model(inputs), loaded(inputs)
    np.testing.assert_allclose(of_loaded, expected, atol=1e-5)
    for vectors in (expected, of_loaded):
        np.testing.assert_array_equal(vectors._keras_mask, np.arange(6) < lengths[:, np.newaxis])
    in_a_graph = functools.partial(loaded.predict, verbose=0)
    more = (in_a_graph if num_mixes > 1 else loaded)(
        tf.pad(inputs, [[0, 0], [0, 3]], constant_values="")
    )
    for row, length in enumerate(lengths):
        alone = model(inputs[row : row + 1, :length])
        for vectors in (more[row], alone[0]):
            np.testing.assert_allclose(vectors[:length], expected[row, :length], atol=1e-5)


# --- configuration and saving


def test_a_name_in_place_of_sizes_is_answered_with_what_takes_it():
    with pytest.raises(ValueError, match="there are from_preset, from_folder and from_weights"):
        ElmoEmbeddings("elmo_mini_en")
    with pytest.raises(FileNotFoundError, match="no folder 'elmo_mini_en'; of a preset: from_pr"):
        ElmoEmbeddings.from_folder("elmo_mini_en")


ARGUMENTS = {
    "output": "mix",
    "num_mixes": 2,
    "encoder_trainable": True,
    "layer_norm": True,
    "l2": 0.1,
    "dropout": 0.2,
    "initial_weights": W,
    "initial_gamma": GAMMA,
}


def test_a_config_makes_the_same_layer_again():
    elmo = ElmoEmbeddings(CONFIG, name="a_name", dtype="mixed_bfloat16", **ARGUMENTS)
    config = json.loads(json.dumps(elmo.get_config()))
    assert {name: config[name] for name in ARGUMENTS} == ARGUMENTS
    again = ElmoEmbeddings.from_config(config)
    assert again.get_config() == elmo.get_config()
    assert again.config == CONFIG
    assert again.dtype_policy.name == "mixed_bfloat16"


def test_keras_serializes_the_layer_without_being_told_of_it():
    elmo = ElmoEmbeddings(CONFIG, output="layers", trainable=False)
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(elmo)))
    again = keras.saving.deserialize_keras_object(serialized)
    assert type(again) is ElmoEmbeddings
    assert again.get_config() == elmo.get_config()


@pytest.mark.parametrize("encoder_trainable", [False, True])
def test_a_saved_model_gives_the_same_when_loaded(encoder_trainable, tmp_path):
    model = model_of(make(encoder_trainable=encoder_trainable))
    model.layers[1].mixes[0].gamma.assign(2.0)  # not the initial value, which loading would repeat
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(SENTENCES), model(SENTENCES))
    assert len(loaded.trainable_weights) == len(model.trainable_weights)


def test_a_saved_model_is_loaded_in_a_new_process(tmp_path):
    model = model_of(make())
    model.save(tmp_path / "model.keras")
    script = """
import keras, numpy
import elmo_tf2.models
model = keras.models.load_model("model.keras")
numpy.savez("weights.npz", *model.get_weights())
"""
    result = run_python("-c", script, cwd=tmp_path, PYTHONPATH=str(REPOSITORY))
    assert result.returncode == 0, result.stderr
    with np.load(tmp_path / "weights.npz") as loaded:
        for found, expected in zip(loaded.values(), model.get_weights(), strict=True):
            np.testing.assert_array_equal(found, expected)


def test_an_exported_model_gives_the_same(tmp_path):
    model = model_of(make())
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(exported.serve(SENTENCES), model(SENTENCES), **PROMISE)
    one = exported.serve(SENTENCES[:1])  # the batch is not fixed
    np.testing.assert_allclose(one, model(SENTENCES[:1]), **PROMISE)


def test_weights_are_saved_and_loaded_by_keras(tmp_path):
    model = model_of(make())
    model.save_weights(tmp_path / "model.weights.h5")
    other = model_of(ElmoEmbeddings(CONFIG))
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(SENTENCES), model(SENTENCES))


# --- model folders


@pytest.fixture
def folder(tmp_path):
    """A model folder with a mix."""
    weights = ElmoWeights(CONFIG, ARRAYS, mix=Mix(tuple(W), GAMMA))
    write_model_folder(weights, tmp_path / "model")
    return tmp_path / "model"


def test_from_folder_gives_sizes_weights_and_mix(folder, expected):
    elmo = ElmoEmbeddings.from_folder(folder)
    assert elmo.config == CONFIG
    np.testing.assert_allclose(elmo(TEXT), expected, **PROMISE)


@pytest.mark.parametrize("merge", ["add", "concat"])
def test_a_merged_model_comes_from_a_folder_is_saved_and_loaded(merge, tmp_path):
    config = dataclasses.replace(CONFIG, architecture="merged", merge=merge)
    options = config.to_options()
    arrays = reference.random_arrays(options)
    weights = ElmoWeights(config, arrays, mix=Mix(tuple(W), GAMMA))
    write_model_folder(weights, tmp_path / "model")
    elmo = ElmoEmbeddings.from_folder(tmp_path / "model")
    layers = [reference.bilm(words, options, arrays).layers() for words in WORDS]
    expected = padded([reference.scalar_mix(each, W, GAMMA) for each in layers])
    np.testing.assert_allclose(elmo(TEXT), expected, **PROMISE)
    model = model_of(elmo)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(SENTENCES), model(SENTENCES))


def test_from_folder_takes_the_path_as_a_string(folder, expected):
    np.testing.assert_allclose(ElmoEmbeddings.from_folder(str(folder))(TEXT), expected, **PROMISE)


def test_from_folder_prefers_a_mix_that_is_given(folder):
    elmo = ElmoEmbeddings.from_folder(folder, initial_weights=[0, 0, 5], initial_gamma=2.0)
    np.testing.assert_array_equal(elmo.mixes[0].w, [0, 0, 5])
    assert float(elmo.mixes[0].gamma) == 2.0


def test_from_folder_keeps_what_is_not_given_of_the_mix(folder):
    elmo = ElmoEmbeddings.from_folder(folder, initial_gamma=2.0)
    np.testing.assert_allclose(elmo.mixes[0].w, W, rtol=1e-6)
    assert float(elmo.mixes[0].gamma) == 2.0


def test_from_folder_gives_every_mix_the_folders(folder):
    elmo = ElmoEmbeddings.from_folder(folder, num_mixes=2)
    np.testing.assert_array_equal(elmo.mixes[0].w, elmo.mixes[1].w)


def test_from_folder_passes_arguments_on(folder):
    elmo = ElmoEmbeddings.from_folder(folder, encoder_trainable=True, dropout=0.3, name="mine")
    assert elmo.name == "mine"
    assert elmo.get_config()["dropout"] == 0.3
    assert len(elmo.trainable_weights) == len(elmo.weights)


def test_from_folder_gives_layers_without_a_mix(folder):
    assert len(ElmoEmbeddings.from_folder(folder, output="layers")(TEXT)) == 3


def test_weights_without_a_mix_start_at_equal_shares():
    elmo = ElmoEmbeddings.from_weights(ElmoWeights(CONFIG, ARRAYS))
    np.testing.assert_array_equal(elmo.mixes[0].w, [0, 0, 0])
    assert float(elmo.mixes[0].gamma) == 1.0


def test_from_folder_of_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        ElmoEmbeddings.from_folder(tmp_path / "nothing")


def test_the_golden_mini_model_gives_the_mix_of_bilm_tf(golden):
    with np.load(golden / "mini" / "expected_bilm.npz") as bilm:
        sentences = json.loads(str(bilm["sentences_json"]))
        lengths, wanted = bilm["lengths"], bilm["mix"]
        mix = {
            "initial_weights": bilm["mix_W"].tolist(),
            "initial_gamma": float(bilm["mix_gamma"][0]),
        }
    output = ElmoEmbeddings.from_folder(golden / "mini", **mix)(sentences).numpy()
    real = np.arange(output.shape[1]) < lengths[:, np.newaxis]
    np.testing.assert_allclose(output[real], wanted, **PROMISE)
