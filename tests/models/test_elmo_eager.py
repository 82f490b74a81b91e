"""ElmoEmbeddings in eager code: one graph, made once, that holds whatever changes."""

import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.models import eager_encoding, preprocessor
from tests.layer_checks import to_float64
from tests.models.bilm_cases import PROMISE
from tests.models.elmo_cases import TEXT, make


def graph_of(elmo):
    """What the layer gives in a graph of its own, made anew."""
    return tf.function(elmo, input_signature=[tf.TensorSpec([None], tf.string)])


def test_all_sizes_share_one_graph_and_so_do_layers_of_the_same_sizes(monkeypatch):
    make()(TEXT)
    make()([["a"]])
    make()(tf.ones([1, 1, 50], tf.int32))
    # Whatever was not met yet would be traced, and fail.
    monkeypatch.setattr(eager_encoding, "_graph", None)
    monkeypatch.setattr(preprocessor, "_ragged_ids", None)
    elmo = make()
    for size in range(1, 5):
        elmo([" ".join(["word"] * size)] * (size % 3))
        elmo([["word"] * size])
        elmo(tf.ones([1, size, 50], tf.int32))


def test_functions_that_run_eagerly_give_the_same(expected):
    tf.config.run_functions_eagerly(True)
    try:
        np.testing.assert_allclose(make()(TEXT), expected, **PROMISE)
    finally:
        tf.config.run_functions_eagerly(False)


def test_a_layer_that_was_called_is_freed():
    elmo = make()
    elmo(TEXT)
    encoder = weakref.ref(elmo.encoder)
    del elmo
    gc.collect()
    assert encoder() is None


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "bfloat16", "float64"])
def test_eager_calls_give_what_a_graph_gives(dtype):
    elmo = make(dtype=dtype)
    # The same operations, of which a graph may fuse some.
    atol = 1e-6 if dtype in ("float32", "float64") else 1e-2
    np.testing.assert_allclose(
        to_float64(elmo(TEXT)), to_float64(graph_of(elmo)(TEXT)), rtol=0, atol=atol
    )


def test_weights_that_change_change_the_vectors():
    elmo = make()
    before = elmo(TEXT).numpy()
    for weight in (elmo.encoder.weights[0], elmo.encoder.weights[-1], elmo.mixes[0].gamma):
        weight.assign(weight + 0.1)
        after = elmo(TEXT).numpy()
        assert not np.allclose(after, before, **PROMISE)
        np.testing.assert_allclose(after, graph_of(elmo)(TEXT), **PROMISE)
        before = after


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("encoder_trainable", [False, True])
def test_gradients_go_through_eager_calls(encoder_trainable, training):
    elmo = make(encoder_trainable=encoder_trainable)
    variables = [weight.value for weight in elmo.weights]

    def gradients(text):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.square(elmo(text, training=training)))
        return [tf.convert_to_tensor(found) for found in tape.gradient(loss, variables)]

    text = tf.constant(TEXT)
    wanted = tf.function(gradients, autograph=False)(text)
    for found, exact in zip(gradients(text), wanted, strict=True):
        np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5)


def test_the_encoder_may_be_frozen_and_thawed_between_calls(expected):
    elmo = make()
    for trainable, training in ((False, True), (True, True), (True, False), (False, False)):
        elmo.encoder.trainable = trainable
        np.testing.assert_allclose(elmo(TEXT, training=training), expected, **PROMISE)


def test_a_stateless_call_has_the_weights_that_it_is_given(expected):
    for elmo in (make(), make(encoder_trainable=True)):
        elmo(TEXT)
        trained = [variable.value for variable in elmo.trainable_variables]
        others = [variable.value for variable in elmo.non_trainable_variables]
        outputs, _ = elmo.stateless_call(trained, others, tf.constant(TEXT))
        np.testing.assert_allclose(outputs, expected, **PROMISE)
        zeros = [tf.zeros_like(value) for value in trained]
        outputs, _ = elmo.stateless_call(zeros, others, tf.constant(TEXT))
        assert not np.any(outputs)
        np.testing.assert_allclose(elmo(TEXT), expected, **PROMISE)


def test_a_layer_that_was_called_is_saved_and_exported(tmp_path):
    elmo = make()
    wanted = elmo(TEXT)
    text = keras.Input((), dtype="string")
    model = keras.Model(text, elmo(text))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(tf.constant(TEXT)), wanted, **PROMISE)
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(exported.serve(tf.constant(TEXT)), wanted, **PROMISE)


# --- frozen and thawed


def trainable_parts(elmo):
    """Whether the mix and the encoder train, as a model that has the layer sees it."""
    text = keras.Input((), dtype="string")
    model = keras.Model(text, elmo(text))
    names = [weight.path for weight in model.trainable_weights]
    return any("/mix_" in name for name in names), any("/encoder/" in name for name in names)


@pytest.mark.parametrize("encoder_trainable", [False, True])
def test_a_layer_that_is_frozen_and_thawed_trains_what_it_did(encoder_trainable):
    elmo = make(encoder_trainable=encoder_trainable)
    assert trainable_parts(elmo) == (True, encoder_trainable)
    for _ in range(2):
        elmo.trainable = False
        assert trainable_parts(elmo) == (False, False)
        assert elmo.get_config()["encoder_trainable"] == encoder_trainable
    for _ in range(2):
        elmo.trainable = True
        assert trainable_parts(elmo) == (True, encoder_trainable)


@pytest.mark.parametrize("encoder_trainable", [False, True])
def test_a_model_that_is_frozen_and_thawed_trains_what_it_did(encoder_trainable):
    elmo = make(encoder_trainable=encoder_trainable)
    text = keras.Input((), dtype="string")
    model = keras.Model(text, keras.layers.Dense(1)(elmo(text)))
    before = [weight.path for weight in model.trainable_weights]
    model.trainable = False
    assert model.trainable_weights == []
    model.trainable = True
    assert [weight.path for weight in model.trainable_weights] == before


@pytest.mark.parametrize("encoder_trainable", [False, True])
def test_a_layer_made_or_loaded_frozen_trains_nothing_until_it_is_thawed(encoder_trainable):
    made = make(trainable=False, encoder_trainable=encoder_trainable)
    again = type(made).from_config(made.get_config())
    for elmo in (made, again):
        assert trainable_parts(elmo) == (False, False)
        elmo.trainable = True
        assert trainable_parts(elmo) == (True, encoder_trainable)


def test_an_encoder_that_is_thawed_on_its_own_stays_so():
    elmo = make()
    elmo.encoder.trainable = True
    elmo.trainable = False
    elmo.trainable = True
    assert trainable_parts(elmo) == (True, True)


def test_a_clone_has_the_weights_when_they_are_set():
    elmo = make()
    text = keras.Input((), dtype="string")
    model = keras.Model(text, elmo(text))
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_allclose(clone(tf.constant(TEXT)), model(tf.constant(TEXT)), **PROMISE)
