"""`keras.layers.TFSMLayer`, by which a Keras 3 model takes a SavedModel."""

from functools import cache

import keras
import numpy as np
import tensorflow as tf
from consumer import (
    FOLDER,
    SENTENCES,
    TARGETS,
    assert_close,
    assert_outputs_close,
    changed,
    expected,
    path,
    token_inputs,
    values,
)


@cache
def fitted(name, run_eagerly):
    """A Functional model after `fit`, the layer in it, and how many of its variables moved."""
    layer = keras.layers.TFSMLayer(path(name), call_endpoint="elmo")
    strings = keras.Input([], dtype="string")
    vectors = keras.layers.GlobalMaxPooling1D()(layer(strings)["elmo"])
    model = keras.Model(strings, keras.layers.Dense(1)(vectors))
    model.compile(keras.optimizers.SGD(0.1), "mse", run_eagerly=run_eagerly)
    text, of_text = expected("text")
    if name == "mix":
        assert_close(layer(tf.constant(text))["elmo"], of_text["elmo"])
    before = values(layer.weights)
    model.fit(SENTENCES, TARGETS, epochs=2, verbose=0)
    return model, layer, changed(layer.weights, before)


def trained():
    """The model whose weighted sum was trained, in a graph as Keras has it by default."""
    return fitted("mix", run_eagerly=False)


def test_sentence_vectors_have_the_exported_values_and_gradients_of_the_weighted_sum_alone():
    text, of_text = expected("text")
    layer = keras.layers.TFSMLayer(path("mix"), call_endpoint="default")
    with tf.GradientTape() as tape:
        outputs = layer(tf.constant(text))
    assert_outputs_close(outputs, of_text)
    assert len(layer.trainable_variables) == 2
    gradients = tape.gradient(outputs["default"], [v.value for v in layer.trainable_variables])
    assert all(np.any(gradient) for gradient in gradients)


def test_embed_tokens_takes_a_dictionary_of_inputs():
    inputs = {
        "tokens": keras.Input([None], dtype="string", name="tokens"),
        "sequence_len": keras.Input([], dtype="int32", name="sequence_len"),
    }
    layer = keras.layers.TFSMLayer(path("mix"), call_endpoint="embed_tokens", trainable=False)
    given, of_tokens = token_inputs()
    assert_outputs_close(keras.Model(inputs, layer(inputs))(given), of_tokens)
    assert layer.trainable_variables == []


def test_fit_on_word_vectors_moves_the_weighted_sum_alone():
    model, layer, moved = trained()
    assert len(moved) == len(layer.trainable_variables) == 2
    assert sum(np.size(variable) for variable in layer.trainable_variables) == 3


def test_fit_moves_the_encoder_of_an_export_that_trains_all():
    model, layer, moved = fitted("all", run_eagerly=True)
    assert len(moved) == len(layer.weights) > 10


def test_a_model_saved_gives_the_same_when_loaded():
    model, _, moved = trained()
    assert moved
    file = FOLDER / "keras_3_model.keras"
    model.save(file)
    # A TFSMLayer names a folder, which Keras loads only where that is allowed.
    loaded = keras.models.load_model(file, safe_mode=False)
    assert_close(loaded(SENTENCES), model(SENTENCES))
