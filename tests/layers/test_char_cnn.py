"""CharCNN: the battery, and equality with one word at a time, position by position, in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers import CharCNN, LSTMWithProjection
from tests import numpy_reference as reference
from tests.layer_checks import LayerChecks, to_float64


class CharCNNChecks(LayerChecks):
    layer_class = CharCNN
    input_shape = (2, 3, 10)
    input_dtype = "int32"

    def make_input(self, shape, seed):
        return reference.batch_char_ids([["the", "cat", "is"], ["on", "top"]], shape[-1])


class TestDefaults(CharCNNChecks):
    init_kwargs = {"filters": [[1, 3], [2, 4]], "output_dim": 5}
    weight_shapes = {
        "embedding": (262, 16),
        "kernel_0": (1, 16, 3),
        "bias_0": (3,),
        "kernel_1": (2, 16, 4),
        "bias_1": (4,),
        "highway_0/transform_kernel": (7, 7),
        "highway_0/transform_bias": (7,),
        "highway_0/carry_kernel": (7, 7),
        "highway_0/carry_bias": (7,),
        "projection_kernel": (7, 5),
        "projection_bias": (5,),
    }


class TestNeitherHighwayNorProjection(CharCNNChecks):
    init_kwargs = {
        "filters": [[3, 5]],
        "output_dim": 5,
        "char_embedding_dim": 4,
        "num_highway_layers": 0,
        "activation": "tanh",
    }
    weight_shapes = {"embedding": (262, 4), "kernel_0": (3, 4, 5), "bias_0": (5,)}


# --- the reference

SHORT = ["a", "", "cat", "I", "cat", "the", "<S>", "</S>"]
LONG = ["x" * 47, "x" * 48, "x" * 49, "abcdefghij" * 10, "é" * 24, "cat"]
EVERY_LENGTH = ["ab"[: length % 3] + "z" * length for length in range(52)]


def make_layer(rng, max_characters=50, output_dim=4, dtype="float64", **kwargs):
    """A layer of random weights, all of the order of 1."""
    kwargs = {"filters": ((1, 3), (3, 5)), "char_embedding_dim": 3, **kwargs}
    layer = CharCNN(output_dim=output_dim, dtype=dtype, **kwargs)
    layer.build((None, max_characters))
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape) / np.sqrt(max(weight.shape[:-1], default=1)))
    layer.embedding.assign(np.concatenate([np.zeros((1, 3)), rng.normal(size=(261, 3))]))
    return layer


def weights(layer):
    """The variables, in the order in which `run_reference` takes their values."""
    highways = [
        weight
        for highway in layer.highways
        for weight in (
            highway.transform_kernel,
            highway.transform_bias,
            highway.carry_kernel,
            highway.carry_bias,
        )
    ]
    projection = []
    if layer.projection_kernel is not None:
        projection = [layer.projection_kernel, layer.projection_bias]
    return [layer.embedding, *layer.kernels, *layer.biases, *highways, *projection]


def run_reference(layer, values, char_ids):
    """Vectors of words, `(words, chars)` to `(words, output_dim)`, each for itself."""
    embedding, *values = values
    number = len(layer.filters)
    kernels, biases, values = values[:number], values[number : 2 * number], values[2 * number :]
    highways = [values[4 * k : 4 * k + 4] for k in range(layer.num_highway_layers)]
    projection = values[4 * layer.num_highway_layers :]
    return np.array(
        [
            reference.char_cnn(
                word,
                embedding[1:],
                list(zip(kernels, biases, strict=True)),
                highways,
                projection or None,
                layer.activation,
            )
            for word in char_ids
        ]
    )


SIZES = {
    "relu": {},
    "tanh": {"activation": "tanh"},
    "no highway": {"num_highway_layers": 0},
    "two highways": {"num_highway_layers": 2},
    "no projection": {"output_dim": 8},
    "as wide as a word": {"filters": ((1, 2), (50, 6))},
    "nearly as wide as a word": {"filters": ((49, 3),), "activation": "tanh"},
}


@pytest.mark.parametrize("words", [SHORT, LONG, EVERY_LENGTH], ids=["short", "long", "every"])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_outputs_equal_the_reference(sizes, words, rng):
    layer = make_layer(rng, dtype="float32", **sizes)
    char_ids = reference.sentence_char_ids(words)
    expected = run_reference(layer, [to_float64(weight) for weight in weights(layer)], char_ids)
    # 1e-5 is the project's bound in float32.
    np.testing.assert_allclose(layer(char_ids), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("words", [["a"], ["a", "b", "a", "a"], LONG], ids=["one", "few", "long"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_running_distinct_and_cut_words_only_changes_no_value(activation, words, rng):
    # In float64 only the order of additions is left to differ from the plain way.
    layer = make_layer(rng, activation=activation)
    char_ids = reference.sentence_char_ids(words)
    expected = run_reference(layer, [to_float64(weight) for weight in weights(layer)], char_ids)
    np.testing.assert_allclose(layer(char_ids), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("max_characters", [3, 7, 16, 100])
def test_words_of_other_lengths_equal_the_reference(max_characters, rng):
    layer = make_layer(rng, max_characters, filters=((1, 3), (3, 5)))
    char_ids = reference.sentence_char_ids(EVERY_LENGTH, max_characters)
    expected = run_reference(layer, [to_float64(weight) for weight in weights(layer)], char_ids)
    np.testing.assert_allclose(layer(char_ids), expected, rtol=0, atol=1e-13)


GRADIENT_CASES = {
    "relu": ({}, ["ab", "a", "ab", "abab"]),
    "tanh": ({"activation": "tanh"}, ["ab", "a", "ab", "abab"]),
    "no highway": ({"num_highway_layers": 0}, ["ab", "a", "ab"]),
    "two highways": ({"num_highway_layers": 2}, ["ab", "a", "ab"]),
    "no projection": ({"output_dim": 8}, ["ab", "a", "ab"]),
    "cut words": ({}, ["aaabbbab", "abababab", "aaabbbbbbb"]),
    "as wide as a word": ({"filters": ((1, 2), (8, 2))}, ["ab", "", "aaabbbab"]),
}


@pytest.mark.parametrize(("sizes", "words"), GRADIENT_CASES.values(), ids=GRADIENT_CASES)
def test_gradients_equal_finite_differences_of_the_reference(sizes, words, rng):
    layer = make_layer(rng, max_characters=8, **sizes)
    char_ids = reference.sentence_char_ids(words, 8)
    probe = rng.normal(size=(len(words), layer.output_dim))
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(char_ids) * probe)
    gradients = tape.gradient(loss, [weight.value for weight in weights(layer)])
    gradients = [tf.convert_to_tensor(gradient).numpy() for gradient in gradients]

    values = [to_float64(weight) for weight in weights(layer)]
    embedding, rows = values[0], np.unique(char_ids)
    used = embedding[rows]

    def reference_loss(_):
        embedding[rows] = used
        return np.sum(run_reference(layer, values, char_ids) * probe)

    expected = reference.finite_differences(reference_loss, used)
    np.testing.assert_allclose(gradients[0][rows], expected, rtol=0, atol=1e-5)
    assert not np.any(np.delete(gradients[0], rows, axis=0))
    for value, gradient in zip(values[1:], gradients[1:], strict=True):
        expected = reference.finite_differences(reference_loss, value)
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adagrad"])
def test_an_optimizer_sees_a_repeated_character_once_with_the_sum_of_its_gradients(optimizer):
    # The gradient may be sparse, with a row for every occurrence.
    char_ids = reference.sentence_char_ids(["aaa", "aab", "aaa"], 8)
    embeddings = []
    for make_dense in (False, True):
        keras.utils.set_random_seed(1)
        layer = CharCNN(((2, 4),), 4, char_embedding_dim=3)
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(char_ids) ** 2)
        gradient = tape.gradient(loss, layer.embedding.value)
        if make_dense:
            gradient = tf.convert_to_tensor(gradient)
        keras.optimizers.get(optimizer).apply([gradient], [layer.embedding])
        embeddings.append(to_float64(layer.embedding))
    # The sums over rows may be added in another order; Adam divides them by their own size.
    np.testing.assert_allclose(embeddings[0], embeddings[1], rtol=0, atol=1e-6)


def test_values_checked_by_hand():
    # One character is worth its id; the filter of width 2 takes a character minus the one before.
    layer = CharCNN(((2, 1),), 1, char_embedding_dim=1, num_highway_layers=0)
    layer.build((None, 6))
    layer.embedding.assign(np.arange(262.0)[:, np.newaxis])
    layer.kernels[0].assign([[[-1.0]], [[1.0]]])
    layer.biases[0].assign([0.5])
    vectors = layer(np.array([[259, 98, 99, 260, 261, 261], [259, 260, 261, 261, 261, 261]]))
    # Steps -161, 1, 161, 1, 0 and 1, 1, 0, 0, 0: the largest, plus 0.5.
    np.testing.assert_array_equal(vectors, [[161.5], [1.5]])


# --- words, and no words


def test_a_word_has_one_vector_wherever_it_stands(rng):
    layer = make_layer(rng, dtype="float32")
    batch = reference.batch_char_ids([["the", "cat"], ["x" * 60], ["a", "cat", "the"]])
    vectors = layer(batch).numpy()
    np.testing.assert_array_equal(vectors[0, 0], vectors[2, 2])
    alone = layer(reference.sentence_char_ids(["cat"])).numpy()[0]
    # Products of different heights may add in another order: one or two last bits.
    np.testing.assert_allclose(vectors[0, 1], alone, rtol=0, atol=1e-6)


def test_no_word_has_a_vector_of_zeros(rng):
    layer = make_layer(rng, dtype="float32")
    vectors = layer(reference.batch_char_ids([["the", "cat"], [""], []])).numpy()
    assert np.all(np.any(vectors[[0, 0, 1], [0, 1, 0]] != 0, axis=-1))
    assert not np.any(vectors[1, 1])
    assert not np.any(vectors[2])


def test_a_batch_without_any_word_gives_zeros(rng):
    vectors = make_layer(rng)(np.zeros((2, 3, 50), "int32"))
    np.testing.assert_array_equal(vectors, np.zeros((2, 3, 4)))


@pytest.mark.parametrize("shape", [(0,), (0, 3), (2, 0), (0, 0)])
@pytest.mark.parametrize("filters", [((1, 3), (3, 5)), ((50, 8),)])
def test_nothing_in_nothing_out(filters, shape, rng):
    layer = make_layer(rng, dtype="float32", filters=filters)
    assert layer(np.zeros((*shape, 50), "int32")).shape == (*shape, 4)


def test_nothing_in_gives_zero_gradients_in_a_graph(rng):
    layer = make_layer(rng, dtype="float32")

    @tf.function(input_signature=[tf.TensorSpec([None, None, 50], tf.int32)])
    def gradients(char_ids):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(char_ids))
        sources = [weight.value for weight in layer.weights]
        return [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, sources)]

    for gradient in gradients(tf.zeros((0, 3, 50), tf.int32)):
        np.testing.assert_array_equal(gradient, np.zeros(gradient.shape))


def test_the_row_of_no_word_stays_zero_in_training():
    layer = CharCNN(((1, 3), (2, 4)), 5)
    inputs = keras.Input((None, 10), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    model.compile("adam", "mse")
    char_ids = reference.batch_char_ids([["the", "cat"], ["a"]], 10)
    model.fit(char_ids, np.ones((2, 2, 5)), epochs=3, verbose=0)
    embedding = to_float64(layer.embedding)
    assert not np.any(embedding[0])
    assert np.all(np.any(embedding[1:] != 0, axis=1))


@pytest.mark.parametrize("dtype", ["int16", "int32", "int64", "uint16"])
def test_ids_may_be_any_integers(dtype, rng):
    layer = make_layer(rng, dtype="float32")
    char_ids = reference.sentence_char_ids(["the", "cat"])
    expected = layer(char_ids.astype("int32"))
    np.testing.assert_array_equal(layer(char_ids.astype(dtype)), expected)


def test_the_mask_marks_words():
    char_ids = reference.batch_char_ids([["the", "cat"], [""]], 10)
    vectors = CharCNN(((1, 3),), 4)(char_ids)
    np.testing.assert_array_equal(vectors._keras_mask, [[True, True], [True, False]])


def test_the_mask_reaches_the_next_layer_of_a_functional_model():
    inputs = keras.Input((None, 10), dtype="int32")
    model = keras.Model(inputs, LSTMWithProjection(3)(CharCNN(((1, 3),), 4)(inputs)))
    outputs = model(reference.batch_char_ids([["the", "cat"], ["a"]], 10)).numpy()
    assert np.any(outputs[0, 1])
    assert not np.any(outputs[1, 1])


# --- initial values, bilm-tf's


def test_characters_start_uniform_in_one_to_one():
    layer = CharCNN(((1, 3),), 4, char_embedding_dim=400)
    layer.build((None, 10))
    embedding = to_float64(layer.embedding)
    assert not np.any(embedding[0])
    assert np.min(embedding) == pytest.approx(-1, abs=1e-3)
    assert np.max(embedding) == pytest.approx(1, abs=1e-3)
    # The standard deviation of 104,400 such numbers, to 1 %.
    assert np.std(embedding[1:]) == pytest.approx(1 / np.sqrt(3), rel=0.01)


@pytest.mark.parametrize(
    ("activation", "deviation"), [("relu", 0.05 / np.sqrt(3)), ("tanh", 1 / np.sqrt(7 * 16))]
)
def test_filters_start_as_their_activation_needs(activation, deviation):
    layer = CharCNN(((7, 1000),), 4, char_embedding_dim=16, activation=activation)
    layer.build((None, 10))
    assert np.std(to_float64(layer.kernels[0])) == pytest.approx(deviation, rel=0.01)
    assert not np.any(to_float64(layer.biases[0]))


def test_the_projection_starts_at_the_scale_of_its_input():
    layer = CharCNN(((1, 400),), 200)
    layer.build((None, 10))
    assert np.std(to_float64(layer.projection_kernel)) == pytest.approx(1 / 20, rel=0.02)


# --- errors


@pytest.mark.parametrize("filters", [3, [3, 4], [[1, 2, 3]], ["ab", 1], None, {1: 2}])
def test_filters_must_be_pairs(filters):
    with pytest.raises(ValueError, match=r"`filters` must be pairs \(width, number\)"):
        CharCNN(filters, 4)


def test_there_must_be_a_filter():
    with pytest.raises(ValueError, match="`filters` must have at least one pair"):
        CharCNN([], 4)


@pytest.mark.parametrize(
    ("filters", "name"),
    [([[0, 4]], "width"), ([[1.0, 4]], "width"), ([[1, -4]], "number"), ([[1, "4"]], "number")],
)
def test_filters_must_be_positive_integers(filters, name):
    with pytest.raises(ValueError, match=f"`filters: {name}` must be a positive integer"):
        CharCNN(filters, 4)


@pytest.mark.parametrize("name", ["output_dim", "char_embedding_dim"])
def test_sizes_must_be_positive_integers(name):
    arguments = {"output_dim": 4, name: 0}
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. .*{name}=0"):
        CharCNN(((1, 3),), **arguments)


def test_the_number_of_highway_layers_may_not_be_negative():
    with pytest.raises(ValueError, match="`num_highway_layers` must be an integer >= 0"):
        CharCNN(((1, 3),), 4, num_highway_layers=-1)


@pytest.mark.parametrize("activation", ["gelu", None, np.tanh])
def test_the_activation_must_be_one_of_bilms(activation):
    with pytest.raises(ValueError, match=r"`activation` must be one of \['relu', 'tanh'\]"):
        CharCNN(((1, 3),), 4, activation=activation)


def test_a_filter_wider_than_a_word_is_an_error():
    with pytest.raises(ValueError, match="no wider than a word's 10 characters. .*width=11"):
        CharCNN(((11, 3),), 4).build((None, 10))


def test_an_unknown_number_of_characters_is_an_error():
    with pytest.raises(ValueError, match="'words' needs the number of characters per word"):
        CharCNN(((1, 3),), 4, name="words").build((None, None))


@pytest.mark.parametrize("value", [262, 263, 2**31 - 1, -1, 2**32 + 1, 2**40])
def test_a_character_that_is_none_is_an_error(value):
    ids = np.full((1, 2, 6), 5, np.int64)
    ids[0, 1, 2] = value
    layer = CharCNN(((1, 3), (2, 4)), 4)
    message = rf"Character ids must be numbers from 0 to 261. Received.*{value}"
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        layer(tf.constant(ids))
    call = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 6], tf.int64)])
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        call(ids)
    ids[0, 1, 2] = 261
    assert np.isfinite(call(ids)).all()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "uint32", "int64", "uint64"])
def test_ids_of_any_integers_give_the_same_vectors(dtype):
    ids = np.array([[[101, 99, 0, 0], [7, 200, 255, 1]]])
    layer = CharCNN(((1, 3), (2, 4)), 4)
    np.testing.assert_array_equal(layer(ids.astype(dtype)), layer(ids.astype("int32")))
