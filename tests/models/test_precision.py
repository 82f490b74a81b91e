"""A model in bfloat16: half the memory, nearly the same vectors."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.models.precision import in_dtype
from tests import REPOSITORY
from tests.small_elmo import CONFIG, GAMMA, W, random_elmo

TEXT = ["the cat is on the mat", "dogs are in the fog", "", "x"]
# bfloat16 has 8 bits: a product is right to one part in 256, and a vector is a sum of such.
BOUND = {"rtol": 0, "atol": 0.02}


@pytest.fixture(scope="module")
def elmo():
    return random_elmo(initial_weights=W, initial_gamma=GAMMA)


@pytest.fixture(scope="module")
def small(elmo):
    return in_dtype(elmo, "bfloat16")


def test_weights_are_stored_in_bfloat16_but_for_those_of_the_sum(small):
    assert {str(weight.dtype) for weight in small.encoder.weights} == {"bfloat16"}
    assert {str(weight.dtype) for weight in small.mixes[0].weights} == {"float32"}


def test_the_vectors_are_nearly_those_of_float32_and_of_that_type(elmo, small):
    found, exact = small(TEXT), elmo(TEXT)
    assert found.dtype == tf.float32
    assert not np.array_equal(found, exact)
    np.testing.assert_allclose(found, exact, **BOUND)


def test_states_are_float32(small):
    output = small.encoder(tf.constant([[[1] * CONFIG.max_characters] * 3]))
    assert {part.dtype for pair in output.state for part in pair} == {tf.float32}


def test_the_batch_changes_no_vector(small):
    together = small(TEXT)
    for row, text in enumerate(TEXT):
        alone = small([text])
        np.testing.assert_allclose(together[row, : alone.shape[1]], alone[0], rtol=0, atol=1e-6)


def test_a_functional_model_tells_the_type_of_its_outputs(small):
    text = keras.Input((), dtype="string")
    assert keras.Model(text, small(text)).output.dtype == "float32"


def test_what_has_the_dtype_already_stays_itself(elmo, small):
    assert in_dtype(elmo, "float32") is elmo
    assert in_dtype(small, "bfloat16") is small


def test_the_original_stays_as_it_is(elmo, small):
    assert elmo.dtype_policy.name == "float32"
    encoder = in_dtype(elmo.encoder, "bfloat16")
    assert {str(weight.dtype) for weight in encoder.weights} == {"bfloat16"}
    assert {str(weight.dtype) for weight in elmo.weights} == {"float32"}


def test_it_is_saved_and_loaded(small, tmp_path):
    text = keras.Input((), dtype="string")
    keras.Model(text, small(text)).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.layers[-1], ElmoEmbeddings)
    np.testing.assert_array_equal(loaded(tf.constant(TEXT)), small(TEXT))


@pytest.mark.slow
def test_a_trained_models_vectors_point_where_those_of_float32_do():
    lines = (REPOSITORY / "benchmarks" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    exact = ElmoEmbeddings.from_preset("elmo_mini_en", output="layers")(lines[:32])
    short = ElmoEmbeddings.from_preset("elmo_mini_en", output="layers", dtype="bfloat16")
    together = short(lines[:32])
    alone = [short([line]) for line in lines[:32]]
    for layer in range(3):
        real = exact[layer]._keras_mask.numpy()
        rows = [tf.cast(outputs[layer][0], tf.float32) for outputs in alone]
        wanted = tf.nn.l2_normalize(exact[layer][real], axis=-1)
        for found in (tf.cast(together[layer], tf.float32)[real], tf.concat(rows, axis=0)):
            cosines = tf.reduce_sum(wanted * tf.nn.l2_normalize(found, axis=-1), axis=-1)
            # 0.9994 is the least of all 512 sentences; docs/choosing.md has the table.
            assert np.min(cosines) > 0.999
