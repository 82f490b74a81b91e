"""Weights that come back out of SavedModels: as exported, trained and saved again, and nested."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.models import ElmoEmbeddings, bilm_arrays
from elmo_tf2.saved_model import export_saved_model
from elmo_tf2.weights import read_weights, write_model_folder
from tests.saved_models import MIX, one_layer
from tests.small_elmo import CONFIG, random_elmo

SENTENCES = ["the cat is on the mat", "dogs"]


@pytest.fixture(scope="module")
def exported(shared_export):
    return shared_export("one_layer")


def assert_same(weights, elmo):
    assert weights.config == elmo.config
    expected = bilm_arrays(elmo.encoder)
    assert weights.arrays.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(weights.arrays[name], array, err_msg=name)


@pytest.mark.parametrize(
    "changes",
    [{}, {"num_highway_layers": 2, "tokenizer": "words"}, {"architecture": "merged"}],
)
def test_an_export_gives_its_weights_back(tmp_path, changes):
    elmo = random_elmo(dataclasses.replace(CONFIG, **changes), name="another")
    export_saved_model(elmo, tmp_path / "export", words=["the", "cat"])
    assert_same(read_weights(tmp_path / "export"), elmo)


def test_a_model_folder_of_an_export_gives_its_vectors(exported, tmp_path):
    write_model_folder(read_weights(exported), tmp_path / "model")
    loaded = tf.saved_model.load(str(exported))
    expected = loaded.elmo(SENTENCES)["elmo"]
    vectors = ElmoEmbeddings.from_folder(tmp_path / "model")(SENTENCES)
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


def test_a_mix_that_was_trained_and_saved_again_comes_back(exported, tmp_path):
    loaded = tf.saved_model.load(str(exported))
    w, gamma = loaded.trainable_variables
    w.assign([3.0, -2.0])
    gamma.assign(0.5)
    tf.saved_model.save(loaded, str(tmp_path / "again"))
    weights = read_weights(tmp_path / "again")
    assert weights.mix == ((3.0, -2.0), 0.5)
    assert_same(weights, one_layer())


def test_bfloat16_gives_float32_arrays_of_its_values(tmp_path):
    elmo = one_layer(**MIX)
    export_saved_model(elmo, tmp_path / "export", dtype="bfloat16")
    arrays = read_weights(tmp_path / "export").arrays
    for name, array in bilm_arrays(elmo.encoder).items():
        assert arrays[name].dtype == np.float32
        rounded = tf.cast(tf.cast(array, tf.bfloat16), tf.float32)
        np.testing.assert_array_equal(arrays[name], rounded)


def test_an_encoder_that_trained_in_a_model_of_tf_keras_comes_back(tmp_path):
    tf_keras = pytest.importorskip("tf_keras")
    hub = pytest.importorskip("tensorflow_hub")
    elmo = one_layer()
    export_saved_model(elmo, tmp_path / "export", trainable="all")
    strings = tf_keras.Input((), dtype="string")
    layer = hub.KerasLayer(str(tmp_path / "export"), trainable=True)
    model = tf_keras.Model(strings, tf_keras.layers.Dense(2)(layer(strings)))
    model.compile("adam", "mse")
    model.fit(tf.constant(SENTENCES), tf.ones((2, 2)), verbose=0)
    tf.saved_model.save(model, str(tmp_path / "model"))
    weights = read_weights(tmp_path / "model")
    changed = ElmoEmbeddings.from_weights(weights, output="mean")
    assert np.abs(changed(SENTENCES) - one_layer(output="mean")(SENTENCES)).max() > 1e-5
    np.testing.assert_allclose(changed(SENTENCES), layer(tf.constant(SENTENCES)), atol=1e-5)


def test_an_export_in_a_model_of_keras_3_comes_back_with_its_options(exported, tmp_path):
    strings = keras.Input((), dtype="string")
    layer = keras.layers.TFSMLayer(str(exported), call_endpoint="default")
    keras.Model(strings, layer(strings)).export(tmp_path / "model", verbose=False)
    one_layer().save_to_folder(tmp_path / "folder")  # Keras keeps the trained variables alone
    options = tmp_path / "folder" / "options.json"
    assert_same(read_weights(tmp_path / "model", options), one_layer())


def test_two_models_in_one_are_refused(exported, tmp_path):
    both = tf.train.Checkpoint(**{n: tf.saved_model.load(str(exported)) for n in ("a", "b")})
    tf.saved_model.save(both, str(tmp_path / "both"))
    with pytest.raises(ValueError, match="has several ELMos in it. Save the one that is meant"):
        read_weights(tmp_path / "both")


def test_a_saved_model_of_something_else_is_explained(tmp_path):
    tf.saved_model.save(tf.train.Checkpoint(v=tf.Variable(1.0)), str(tmp_path / "other"))
    with pytest.raises(ValueError, match="is a SavedModel of TensorFlow 2, but has no ELMo"):
        read_weights(tmp_path / "other")


@pytest.fixture
def without_options(exported, tmp_path):
    loaded = tf.saved_model.load(str(exported))
    old = tf.train.Checkpoint()  # as earlier versions exported
    old.variables = loaded.variables
    tf.saved_model.save(old, str(tmp_path / "old"))
    return tmp_path / "old"


def test_an_older_export_needs_the_options(without_options, tmp_path):
    with pytest.raises(ValueError, match="does not store its sizes.*--options FILE"):
        read_weights(without_options)
    one_layer().save_to_folder(tmp_path / "model")
    assert_same(read_weights(without_options, tmp_path / "model" / "options.json"), one_layer())
    random_elmo().save_to_folder(tmp_path / "larger")
    with pytest.raises(ValueError, match="does not fit .*options.json"):
        read_weights(without_options, tmp_path / "larger" / "options.json")


@pytest.mark.parametrize("value", [np.frombuffer(b"{", np.uint8), np.ones(3, np.float32)])
def test_sizes_that_are_damaged_are_explained(exported, tmp_path, value):
    loaded = tf.saved_model.load(str(exported))
    loaded._options = tf.Variable(value, name="elmo_options")
    damaged = tf.train.Checkpoint(_options=loaded._options)
    damaged.variables = loaded.variables
    tf.saved_model.save(damaged, str(tmp_path / "damaged"))
    with pytest.raises(ValueError, match="its sizes can't be read"):
        read_weights(tmp_path / "damaged")


def test_a_list_of_variables_that_is_damaged_is_explained(exported, monkeypatch):
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    graph = TrackableObjectGraph()
    graph.nodes.add().children.add(node_id=7, local_name="variables")
    monkeypatch.setattr(TrackableObjectGraph, "FromString", lambda _: graph)
    with pytest.raises(ValueError, match="the list of its variables can't be read"):
        read_weights(exported)


def test_layer_norm_of_the_mix_is_told(tmp_path):
    export_saved_model(one_layer(layer_norm=True), tmp_path / "export")
    with pytest.warns(UserWarning, match="layer_norm=True"):
        read_weights(tmp_path / "export")
