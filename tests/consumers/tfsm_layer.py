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


def model_of(name, endpoint, **kwargs):
    """A Functional model with the layer in it."""
    layer = keras.layers.TFSMLayer(path(name), call_endpoint=endpoint, **kwargs)
    strings = keras.Input([], dtype="string")
    vectors = layer(strings)[endpoint]
    if endpoint == "elmo":
        vectors = keras.layers.GlobalMaxPooling1D()(vectors)
    model = keras.Model(strings, keras.layers.Dense(1)(vectors))
    model.compile(keras.optimizers.SGD(0.1), "mse")
    return model, layer


@cache
def fitted(name, endpoint):
    """The model after `fit`, and how many of the layer's variables moved."""
    model, layer = model_of(name, endpoint)
    before = values(layer.weights)
    model.fit(SENTENCES, TARGETS, epochs=2, verbose=0)
    return model, layer, changed(layer.weights, before)


def test_the_endpoints_of_strings_give_the_exported_vectors():
    text, of_text = expected("text")
    default = keras.layers.TFSMLayer(path("mix"), call_endpoint="default")
    assert_outputs_close(default(tf.constant(text)), of_text)
    elmo = keras.layers.TFSMLayer(path("mix"), call_endpoint="elmo")
    assert_close(elmo(tf.constant(text))["elmo"], of_text["elmo"])


def tokens_embedded():
    """Symbolic tokens and their lengths, the layer, and what it makes of them."""
    inputs = {
        "tokens": keras.Input([None], dtype="string", name="tokens"),
        "sequence_len": keras.Input([], dtype="int32", name="sequence_len"),
    }
    layer = keras.layers.TFSMLayer(path("mix"), call_endpoint="embed_tokens")
    return inputs, layer, layer(inputs)


def test_embed_tokens_takes_a_dictionary_of_inputs():
    inputs, _, outputs = tokens_embedded()
    given, of_tokens = token_inputs()
    assert_outputs_close(keras.Model(inputs, outputs)(given), of_tokens)


def test_fit_on_word_vectors_moves_the_weighted_sum_alone():
    model, layer, moved = fitted("mix", "elmo")
    assert len(moved) == len(layer.trainable_variables) == 2
    assert sum(np.size(variable) for variable in layer.trainable_variables) == 4


def test_fit_on_sentence_vectors_moves_the_weighted_sum_alone():
    model, layer, moved = fitted("mix", "default")
    assert len(moved) == 2


def test_fit_moves_the_encoder_of_an_export_that_trains_all():
    model, layer, moved = fitted("all", "elmo")
    assert len(moved) == len(layer.weights) > 10


def test_a_layer_that_is_not_trainable_stays_as_it_is():
    model, layer = model_of("mix", "default", trainable=False)
    assert layer.trainable_variables == []


def test_a_model_saved_gives_the_same_when_loaded():
    model, _, moved = fitted("mix", "elmo")
    assert moved
    file = FOLDER / "keras_3_model.keras"
    model.save(file)
    # A TFSMLayer names a folder, which Keras loads only where that is allowed.
    loaded = keras.models.load_model(file, safe_mode=False)
    assert_close(loaded(SENTENCES), model(SENTENCES))
