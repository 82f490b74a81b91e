"""ElmoEmbeddings: one vector per sentence, and texts without any word."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import words_to_char_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.models.preprocessor import ragged_ids
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


@pytest.fixture(scope="module")
def graphs():
    """Of each kind of output, the layer in a graph for words of any number."""
    words = tf.TensorSpec([None, None], tf.string)
    return {
        output: tf.function(make(output=output), input_signature=[words])
        for output in ("mix", "mean")
    }


def test_the_mean_is_over_the_words_and_zero_without_any(mean_elmo, graphs, expected_means):
    wanted = np.concatenate([expected_means, NOTHING])
    ragged = tf.ragged.constant([*WORDS, []])
    for inputs in ([*TEXT, ""], [*WORDS, []], ragged, ragged.to_tensor("")):
        means = mean_elmo(inputs)
        np.testing.assert_allclose(means, wanted, **PROMISE, err_msg=repr(inputs))
        assert getattr(means, "_keras_mask", None) is None
    np.testing.assert_allclose(graphs["mean"](ragged.to_tensor("")), wanted, **PROMISE)


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


def size(kind):
    """Rows and places of what is made of texts without words."""
    inputs = EMPTY[kind]
    rows = len(inputs) if isinstance(inputs, list) else int(inputs.shape[0])
    return rows, {"padding": 3, "no rows": 5}.get(kind, 1)


@pytest.mark.parametrize("output", ["mix", "mean", "layers"])
def test_texts_without_words_give_zeros_one_place_wide_at_least(output):
    elmo = make(output=output)
    for kind, inputs in EMPTY.items():
        shape = (size(kind)[0], 8) if output == "mean" else (*size(kind), 8)
        for vectors in keras.tree.flatten(elmo(inputs)):
            assert vectors.shape == shape, kind
            assert not np.any(vectors), kind
            if output != "mean":
                assert not np.any(vectors._keras_mask), kind
                assert vectors._keras_mask.shape == shape[:2], kind


@pytest.mark.parametrize("output", ["mix", "mean"])
def test_texts_without_words_give_zeros_in_a_graph_too(output, graphs):
    for kind in ("words of no width", "padding", "no rows"):
        vectors = graphs[output](EMPTY[kind])
        assert vectors.shape == ((size(kind)[0], 8) if output == "mean" else (*size(kind), 8)), kind
        assert not np.any(vectors), kind


@pytest.mark.parametrize("kind", [kind for kind in EMPTY if not isinstance(EMPTY[kind], list)])
def test_a_graph_of_texts_without_words_has_no_words_and_one_place_at_least(kind):
    @tf.function  # whose inputs have the sizes 0
    def split(inputs):
        return ragged_ids(inputs, ElmoConfig())

    words, mask = split(EMPTY[kind])
    assert words.values.shape == (0, 50)
    assert mask.shape == size(kind)
    assert not np.any(mask)


def test_gradients_are_finite_where_texts_have_no_words():
    kwargs = {"layer_norm": True, "dropout": 0.5, "num_mixes": 2}
    plain, elmo = (make(output="mean", encoder_trainable=True, **more) for more in ({}, kwargs))

    # In a graph of their own, `fit` has them below.
    for layer, texts in ((plain, [""]), (elmo, [""]), (elmo, ["", "the cat"])):
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(layer(texts, training=True))
            loss = tf.add_n([tf.reduce_sum(tf.square(vectors)) for vectors in outputs])
        for gradient in tape.gradient(loss, [weight.value for weight in layer.trainable_weights]):
            assert np.all(np.isfinite(tf.convert_to_tensor(gradient))), texts


DATA = tf.constant(["the cat is on the mat", "", "dogs", "  "])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder_trainable", "texts", "run_eagerly"), [(True, DATA, False), (False, DATA[1:2], True)]
)
def test_predictions_and_fitted_weights_are_finite(texts, encoder_trainable, run_eagerly):
    text = keras.Input((), dtype="string")
    elmo = make(output="mean", encoder_trainable=encoder_trainable)
    model = keras.Model(text, keras.layers.Dense(2)(elmo(text)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, run_eagerly=run_eagerly)
    before = model(texts)
    assert np.all(np.isfinite(before))
    # An empty text has the vector 0, so the layer after it gives its bias.
    np.testing.assert_allclose(before[-1], model.layers[-1].bias, atol=1e-6)
    model.fit(texts, np.arange(len(texts)) % 2, batch_size=2, epochs=2, verbose=0)
    assert all(np.all(np.isfinite(to_float64(weight))) for weight in model.weights)
    assert np.all(np.isfinite(model(texts)))


def test_layers_after_it_take_a_batch_of_empty_texts():
    text = keras.Input((), dtype="string")
    vectors = make()(text)
    bidirectional = keras.layers.Bidirectional(keras.layers.LSTM(3))
    after = {"LSTM": keras.layers.LSTM(3), "GRU": keras.layers.GRU(3), "both": bidirectional}
    model = keras.Model(text, {name: layer(vectors) for name, layer in after.items()})
    for name, found in model.predict(tf.constant(["", ""]), verbose=0).items():
        assert np.all(np.isfinite(found)), name


def test_a_model_of_means_is_saved_and_loaded(tmp_path):
    text = keras.Input((), dtype="string")
    model = keras.Model(text, keras.layers.Dense(2)(make(output="mean")(text)))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(DATA), model(DATA))
