"""ElmoEmbeddings: one vector per sentence, and texts without any word."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import words_to_char_ids
from tests import numpy_reference as reference
from tests.layer_checks import to_float64
from tests.models.bilm_cases import PROMISE
from tests.models.elmo_cases import TEXT, WORDS, make
from tests.small_elmo import CONFIG, GAMMA, W


@pytest.fixture(scope="module")
def mean_elmo():
    return make(output="mean")


@pytest.fixture(scope="module")
def expected_means(expected_layers):
    """The mean of each sentence's vectors by the reference."""
    return np.stack(
        [np.mean(reference.scalar_mix(layers, W, GAMMA), axis=0) for layers in expected_layers]
    )


NOTHING = np.zeros((1, 8))


@pytest.mark.parametrize(
    "inputs",
    [
        [*TEXT, ""],
        [*WORDS, []],
        tf.ragged.constant([*WORDS, []]),
        tf.ragged.constant([*WORDS, []]).to_tensor(""),
    ],
)
def test_the_mean_is_over_the_words_and_zero_without_any(inputs, mean_elmo, expected_means):
    wanted = np.concatenate([expected_means, NOTHING])
    np.testing.assert_allclose(mean_elmo(inputs), wanted, **PROMISE)
    assert getattr(mean_elmo(inputs), "_keras_mask", None) is None
    if not isinstance(inputs, list):
        graph = tf.function(mean_elmo)
        np.testing.assert_allclose(graph(inputs), wanted, **PROMISE)


def test_the_mean_of_character_ids(mean_elmo, expected_means):
    ids = words_to_char_ids(tf.constant([WORDS[0]]))
    np.testing.assert_allclose(mean_elmo(ids), expected_means[:1], **PROMISE)


def test_several_mixes_have_means_of_their_own(expected_means):
    elmo = make(output="mean", num_mixes=2)
    elmo.mixes[1].gamma.assign(-GAMMA)
    first, second = elmo(TEXT)
    np.testing.assert_allclose(first, expected_means, **PROMISE)
    np.testing.assert_allclose(second, -expected_means, **PROMISE)
    symbolic = elmo(keras.Input((), dtype="string"))
    assert [output.shape for output in symbolic] == [(None, 8)] * 2


def test_the_mean_of_many_words_is_exact_in_a_short_type(expected_means):
    elmo = make(output="mean", dtype="mixed_bfloat16")
    once, often = elmo(["cat"]), elmo([" ".join(["cat"] * 1000)])
    assert often.dtype == tf.bfloat16
    # A sum of 1,000 in bfloat16 stops growing at 256 times a number.
    layers = reference.bilm(["cat"] * 1000, CONFIG.to_options(), _arrays()).layers()
    wanted = np.mean(reference.scalar_mix(layers, W, GAMMA), axis=0)
    np.testing.assert_allclose(to_float64(often)[0], wanted, rtol=0, atol=0.1)
    assert once.shape == often.shape == (1, 8)


def _arrays():
    return reference.random_arrays(CONFIG.to_options())


EMPTY = {
    "sentences": [""],
    "spaces": ["", "  "],
    "lists": [[], []],
    "ragged words": tf.RaggedTensor.from_row_lengths(tf.zeros([0], tf.string), [0, 0]),
    "words of no width": tf.zeros([2, 0], tf.string),
    "padding": tf.fill([2, 3], ""),
    "no sentences": tf.zeros([0], tf.string),
    "no rows": tf.zeros([0, 5], tf.string),
    "character ids of no width": tf.zeros([2, 0, 50], tf.int32),
}


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize("output", ["mix", "mean", "layers"])
def test_texts_without_words_give_zeros_one_place_wide_at_least(output, kind):
    inputs = EMPTY[kind]
    elmo = make(output=output)
    rows = len(inputs) if isinstance(inputs, list) else int(inputs.shape[0])
    places = {"padding": 3, "no rows": 5}.get(kind, 1)
    shape = (rows, 8) if output == "mean" else (rows, places, 8)
    for vectors in keras.tree.flatten(elmo(inputs)):
        assert vectors.shape == shape
        assert not np.any(vectors)
        if output != "mean":
            assert not np.any(vectors._keras_mask)
            assert vectors._keras_mask.shape == shape[:2]
    if not isinstance(inputs, list):
        for vectors in keras.tree.flatten(tf.function(elmo)(inputs)):
            assert vectors.shape == shape
            assert not np.any(vectors)


@pytest.mark.parametrize(
    ("texts", "kwargs"),
    [([""], {}), (["", "the cat"], {"layer_norm": True, "dropout": 0.5, "num_mixes": 2})],
)
def test_gradients_are_finite_where_texts_have_no_words(texts, kwargs):
    elmo = make(output="mean", encoder_trainable=True, **kwargs)

    def gradients(strings):
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(elmo(strings, training=True))
            loss = tf.add_n([tf.reduce_sum(tf.square(vectors)) for vectors in outputs])
        return tape.gradient(loss, [weight.value for weight in elmo.trainable_weights])

    strings = tf.constant(texts)
    for found in (gradients(strings), tf.function(gradients, autograph=False)(strings)):
        for gradient in found:
            assert np.all(np.isfinite(tf.convert_to_tensor(gradient)))


DATA = tf.constant(["the cat is on the mat", "", "dogs", "  "])


@pytest.mark.slow
@pytest.mark.parametrize(("encoder_trainable", "texts"), [(True, DATA), (False, DATA[1:2])])
def test_predictions_and_fitted_weights_are_finite(texts, encoder_trainable):
    text = keras.Input((), dtype="string")
    elmo = make(output="mean", encoder_trainable=encoder_trainable)
    model = keras.Model(text, keras.layers.Dense(2)(elmo(text)))
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    before = model.predict(texts, verbose=0)
    assert np.all(np.isfinite(before))
    # An empty text has the vector 0, so the layer after it gives its bias.
    np.testing.assert_allclose(before[-1], model.layers[-1].bias, atol=1e-6)
    model.fit(texts, np.arange(len(texts)) % 2, batch_size=2, epochs=2, verbose=0)
    assert all(np.all(np.isfinite(to_float64(weight))) for weight in model.weights)
    assert np.all(np.isfinite(model.predict(texts, verbose=0)))


@pytest.mark.parametrize("layer", ["LSTM", "GRU", "Bidirectional"])
def test_layers_after_it_take_a_batch_of_empty_texts(layer):
    after = {
        "LSTM": lambda: keras.layers.LSTM(3),
        "GRU": lambda: keras.layers.GRU(3),
        "Bidirectional": lambda: keras.layers.Bidirectional(keras.layers.LSTM(3)),
    }[layer]()
    text = keras.Input((), dtype="string")
    model = keras.Model(text, after(make()(text)))
    assert np.all(np.isfinite(model.predict(tf.constant(["", ""]), verbose=0)))


def test_a_model_of_means_is_saved_and_loaded(tmp_path):
    text = keras.Input((), dtype="string")
    model = keras.Model(text, keras.layers.Dense(2)(make(output="mean")(text)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(DATA), model(DATA))
