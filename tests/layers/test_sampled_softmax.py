"""SampledSoftmax against NumPy: losses, gradients, and what is drawn."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers import SampledSoftmax

SEED = tf.constant([1, 2])


@pytest.fixture
def layer():
    layer = SampledSoftmax(50, num_negatives=10)
    layer.build((None, 4))
    layer.bias.assign(np.linspace(-1, 1, 50))
    return layer


@pytest.fixture
def inputs(rng):
    return rng.normal(size=(6, 4)).astype("float32")


TARGETS = np.array([0, 49, 3, 3, 7, 20])


def log_sum_exp(logits):
    top = logits.max(axis=-1, keepdims=True)
    return (top + np.log(np.exp(logits - top).sum(axis=-1, keepdims=True)))[..., 0]


def logits_of(layer, inputs):
    kernel, bias = (np.asarray(value, np.float64) for value in (layer.kernel, layer.bias))
    return inputs @ kernel.T + bias


def test_full_losses_are_negative_log_likelihoods(layer, inputs):
    logits = logits_of(layer, inputs)
    expected = log_sum_exp(logits) - logits[np.arange(6), TARGETS]
    np.testing.assert_allclose(layer(inputs, targets=TARGETS), expected, atol=1e-5)


def test_sampled_losses_are_those_of_the_drawn_words_and_the_target(layer, inputs):
    negatives, time = (value.numpy() for value in layer._draw(SEED, 10))
    words = np.arange(50)
    probability = np.log((words + 2) / (words + 1)) / np.log(51)
    logits = logits_of(layer, inputs) - np.log(-np.expm1(-time * probability))
    expected = []
    for row, target in zip(logits, TARGETS, strict=True):
        others = [word for word in negatives if word != target]
        expected.append(log_sum_exp(row[[target, *others]]) - row[target])
    losses = layer(inputs, targets=TARGETS, seed=SEED, training=True)
    np.testing.assert_allclose(losses, expected, atol=1e-5)


def test_words_are_drawn_as_often_as_by_drawing_until_enough_differ(layer):
    rng = np.random.default_rng(0)
    words = np.arange(50)
    probability = np.log((words + 2) / (words + 1)) / np.log(51)
    trials = 4000

    def until_enough():
        order = rng.choice(50, size=600, p=probability)
        _, first = np.unique(order, return_index=True)
        return order[np.sort(first)[:10]]

    expected = np.bincount(np.concatenate([until_enough() for _ in range(trials)]), minlength=50)
    draw = tf.function(layer._draw)
    drawn = [draw(tf.constant([3, number]), 10)[0].numpy() for number in range(trials)]
    found = np.bincount(np.concatenate(drawn), minlength=50)
    # four standard deviations of the difference of two such shares are at most 0.045
    np.testing.assert_allclose(found / trials, expected / trials, atol=0.045)


def test_expected_counts_of_all_words_sum_to_the_number_drawn():
    layer = SampledSoftmax(20_000, num_negatives=1_000)
    words = np.arange(20_000)
    probability = np.log1p(1 / (words + 1)) / np.log(20_001)
    sums = [
        -np.expm1(-layer._draw(tf.constant([0, number]), 1_000)[1].numpy() * probability).sum()
        for number in range(5)
    ]
    np.testing.assert_allclose(np.mean(sums), 1_000, rtol=0.02)


def test_log_uniform_probabilities_are_those_that_words_are_drawn_with(layer):
    words = np.arange(50)
    expected = np.log(np.log((words + 2) / (words + 1)) / np.log(51))
    np.testing.assert_allclose(layer.log_uniform(), expected, atol=1e-5)
    np.testing.assert_allclose(np.exp(layer.log_uniform()).sum(), 1, atol=1e-5)


def test_drawn_words_differ_and_depend_on_the_seed_alone(layer):
    first, again, other = (layer._draw(seed, 10)[0].numpy() for seed in (SEED, SEED, SEED + 1))
    assert len(set(first)) == 10
    np.testing.assert_array_equal(first, again)
    assert set(first) != set(other)


def test_gradients_are_sparse_and_equal_the_dense_ones(layer, inputs):
    negatives, time = layer._draw(SEED, 10)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs, targets=TARGETS, seed=SEED, training=True))
    gradients = tape.gradient(loss, layer.trainable_weights)
    assert all(isinstance(gradient, tf.IndexedSlices) for gradient in gradients)

    words = tf.range(50, dtype=tf.float32)
    probability = tf.math.log1p(1 / (words + 1)) / np.log(51)
    is_drawn = tf.reduce_any(tf.range(50, dtype=tf.int64)[:, None] == negatives, axis=1)
    is_in = is_drawn[None] | tf.cast(tf.one_hot(TARGETS, 50), bool)
    with tf.GradientTape() as tape:
        logits = layer.logits(inputs) - tf.math.log(-tf.math.expm1(-time * probability))
        logits = tf.where(is_in, logits, -1e9)
        loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(TARGETS, logits))
    expected = tape.gradient(loss, layer.trainable_weights)
    for found, dense in zip(gradients, expected, strict=True):
        np.testing.assert_allclose(tf.convert_to_tensor(found), dense, atol=1e-5)


def test_evaluation_needs_no_seed_and_ignores_it(layer, inputs):
    with_seed = layer(inputs, targets=TARGETS, seed=SEED)
    np.testing.assert_array_equal(layer(inputs, targets=TARGETS), with_seed)


def test_without_negatives_training_uses_the_full_softmax(inputs):
    layer = SampledSoftmax(50)
    full = layer(inputs, targets=TARGETS)
    np.testing.assert_array_equal(layer(inputs, targets=TARGETS, training=True), full)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "float64"])
def test_losses_are_of_the_weights_type(inputs, policy):
    layer = SampledSoftmax(50, 10, dtype=policy)
    losses = layer(inputs, targets=TARGETS, seed=SEED, training=True)
    assert losses.dtype == layer.variable_dtype


def test_config_gives_the_same_layer():
    layer = SampledSoftmax(50, num_negatives=10, name="softmax")
    again = SampledSoftmax.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert (
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(layer)
        ).vocabulary_size
        == 50
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary_size": 1}, "`vocabulary_size` must be an integer >= 2"),
        ({"vocabulary_size": 5, "num_negatives": 5}, "`num_negatives` must be less than"),
        ({"vocabulary_size": 5, "num_negatives": 0}, "`num_negatives` must be a positive"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        SampledSoftmax(**arguments)


def test_a_missing_seed_is_told(layer, inputs):
    with pytest.raises(ValueError, match="`seed` must be given"):
        layer(inputs, targets=TARGETS, training=True)
