"""`hub.KerasLayer`, a layer of tf_keras."""

from functools import cache

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
import tf_keras
from consumer import (
    FOLDER,
    SENTENCES,
    TARGETS,
    assert_close,
    changed,
    expected,
    loaded,
    path,
    token_inputs,
    values,
)


def model_of(handle, trainable, signature=None, run_eagerly=True):
    """A functional model with the layer in it."""
    strings = tf_keras.Input([], dtype=tf.string)
    arguments = {"signature": signature} if signature else None
    layer = hub.KerasLayer(handle, trainable=trainable, arguments=arguments)
    vectors = layer(strings)
    if signature == "elmo":
        vectors = tf_keras.layers.GlobalMaxPooling1D()(vectors)
    model = tf_keras.Model(strings, tf_keras.layers.Dense(1)(vectors))
    model.compile(tf_keras.optimizers.SGD(0.1), "mse", run_eagerly=run_eagerly)
    return model, layer


@cache
def fitted(handle, trainable, signature=None, run_eagerly=True):
    """The model after `fit`, the layer, and the names of the layer's variables that moved."""
    model, layer = model_of(handle, trainable, signature, run_eagerly)
    variables = layer.resolved_object.variables
    before = values(variables)
    model.fit(SENTENCES, TARGETS, epochs=2, verbose=0)
    return model, layer, changed(variables, before)


def frozen():
    """The model that is loaded by its path and not trained, after `fit`."""
    return fitted(path("mix"), trainable=False)


def trained():
    """The model that is loaded by its path and trained, in a graph as Keras has it by default."""
    return fitted(path("mix"), trainable=True, signature="elmo", run_eagerly=False)


def names(variables):
    return {variable.name for variable in variables}


def test_a_frozen_layer_gives_the_exported_vectors_and_fit_leaves_it_alone():
    model, layer, moved = frozen()
    assert moved == set()
    assert layer.trainable_weights == []
    text, of_text = expected("text")
    assert_close(layer(tf.constant(text)), of_text["default"])


def test_fit_on_sentence_vectors_moves_the_three_scalars_and_not_the_encoder():
    model, layer, moved = fitted(loaded("mix"), trainable=True)
    trainable = layer.resolved_object.trainable_variables
    assert sum(np.size(variable) for variable in trainable) == 3
    assert moved == names(trainable) == names(layer.trainable_weights)


def test_fit_on_word_vectors_moves_the_three_scalars_and_not_the_encoder():
    model, layer, moved = trained()
    assert moved == names(layer.resolved_object.trainable_variables)
    assert len(moved) == 2


def test_fit_moves_the_encoder_of_an_export_that_trains_all():
    model, layer, moved = fitted(loaded("all"), trainable=True, signature="elmo")
    assert moved == names(layer.resolved_object.variables)
    assert len(moved) > 10


def test_a_trainable_layer_has_the_loss_of_the_weights():
    layer = hub.KerasLayer(loaded("all"), trainable=True)
    layer(SENTENCES)
    (w,) = [variable for variable in layer.trainable_weights if variable.name.endswith("/w:0")]
    w.assign([1.0, 3.0])
    (loss,) = layer.losses
    np.testing.assert_allclose(loss, 0.1 * 10, rtol=1e-6)
    layer.trainable = False
    assert layer.losses == [0.0]


def test_a_signature_by_the_layers_own_argument_gives_a_dictionary():
    elmo = frozen()[1].resolved_object
    layer = hub.KerasLayer(elmo, signature="elmo", signature_outputs_as_dict=True)
    text, of_text = expected("text")
    assert_close(layer(tf.constant(text))["elmo"], of_text["elmo"])


def test_a_signature_takes_lists_and_arrays():
    elmo = frozen()[1].resolved_object
    layer = hub.KerasLayer(elmo, signature="default", output_key="elmo")
    text, of_text = expected("text")
    for strings in (text, tuple(text), np.array(text), np.array(text, object)):
        assert_close(layer(strings), of_text["elmo"])


def test_tokens_come_as_a_dictionary_of_inputs():
    inputs = {
        "tokens": tf_keras.Input([None], dtype=tf.string, name="tokens"),
        "sequence_len": tf_keras.Input([], dtype=tf.int32, name="sequence_len"),
    }
    arguments = {"signature": "tokens", "as_dict": True}
    elmo = frozen()[1].resolved_object
    outputs = hub.KerasLayer(elmo, trainable=True, arguments=arguments)(inputs)
    given, of_tokens = token_inputs()
    assert_close(tf_keras.Model(inputs, outputs["elmo"])(given), of_tokens["elmo"])


def assert_the_same_when_loaded(file, **kwargs):
    model, _, moved = trained()
    assert moved
    model.save(FOLDER / file)
    loaded = tf_keras.models.load_model(FOLDER / file, **kwargs)
    assert_close(loaded(SENTENCES), model(SENTENCES))
    assert len(loaded.trainable_weights) == len(model.trainable_weights)


def test_a_model_saved_as_keras_file_gives_the_same_when_loaded():
    objects = {"KerasLayer": hub.KerasLayer}
    assert_the_same_when_loaded("tf_keras_model.keras", custom_objects=objects)


def test_a_model_saved_as_hdf5_gives_the_same_when_loaded():
    objects = {"KerasLayer": hub.KerasLayer}
    assert_the_same_when_loaded("tf_keras_model.h5", custom_objects=objects)


def test_a_model_saved_as_saved_model_gives_the_same_when_loaded():
    assert_the_same_when_loaded("tf_keras_model")
