"""ElmoEmbeddings.save_to_folder: vectors leave as they are, and come back by from_folder."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.weights import read_weights
from tests.small_elmo import CONFIG, GAMMA, W, random_elmo

SENTENCES = tf.constant(["the cat is on the mat", "dogs"])


def test_a_trained_layer_of_a_saved_keras_model_leaves_in_one_call(tmp_path):
    strings = keras.Input((), dtype="string")
    elmo = random_elmo(encoder_trainable=True)
    model = keras.Model(strings, keras.layers.Dense(1)(elmo(strings)))
    before = elmo(SENTENCES).numpy()
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(SENTENCES, tf.ones((2, 6, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras").layers[1]
    loaded.save_to_folder(tmp_path / "model")
    vectors = ElmoEmbeddings.from_folder(tmp_path / "model")(SENTENCES)
    np.testing.assert_allclose(vectors, elmo(SENTENCES), atol=1e-5)
    assert np.abs(vectors - before).max() > 1e-4


def test_a_layer_that_was_not_built_leaves_with_its_tokenizer_and_mix(tmp_path):
    config = dataclasses.replace(CONFIG, tokenizer="words")
    elmo = ElmoEmbeddings(config, initial_weights=W, initial_gamma=GAMMA)
    elmo.save_to_folder(tmp_path / "model", dtype="float16")
    weights = read_weights(tmp_path / "model")
    assert weights.config == config
    np.testing.assert_allclose(weights.mix.weights, W, rtol=1e-3)
    with pytest.raises(FileExistsError):
        elmo.save_to_folder(tmp_path / "model")
    elmo.save_to_folder(tmp_path / "model", overwrite=True)


def test_of_several_mixes_one_is_named(tmp_path):
    elmo = random_elmo(num_mixes=2)
    elmo.mixes[1].gamma.assign(2.5)
    with pytest.raises(ValueError, match="Pass the number of one, such as `mix=0`"):
        elmo.save_to_folder(tmp_path / "model")
    with pytest.raises(ValueError, match="`mix` must be"):
        elmo.save_to_folder(tmp_path / "model", mix=2)
    elmo.save_to_folder(tmp_path / "model", mix=1)
    assert read_weights(tmp_path / "model").mix.gamma == 2.5


def test_layers_leave_without_a_mix(tmp_path):
    random_elmo(output="layers").save_to_folder(tmp_path / "model")
    assert read_weights(tmp_path / "model").mix is None
