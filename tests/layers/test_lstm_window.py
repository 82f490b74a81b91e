"""lstm_window: outputs, states and gradients of the layer whose loop TensorFlow differentiates."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.test_lstm_with_projection import OPTIONS, PROJECTION, UNITS, make_layer

STEPS, BATCH = 4, 3


@pytest.fixture
def data(rng):
    """Inputs `(tokens, batch, features)` and initial states, by size of the outputs."""

    def make(output_dim):
        shapes = ((STEPS, BATCH, PROJECTION), (BATCH, output_dim), (BATCH, UNITS))
        return [tf.constant(rng.normal(size=shape)) for shape in shapes]

    return make


def as_layer(layer, inputs, h, c):
    """A window by the layer's ordinary call, in which all tokens are real."""
    axis = [0] if layer.go_backwards else []
    inputs = tf.transpose(tf.reverse(inputs, axis), [1, 0, 2])
    outputs, *state = layer(inputs, initial_state=(h, c))
    return tf.reverse(tf.transpose(outputs, [1, 0, 2]), axis), state


def values_and_gradients(run, layer, values, probes):
    with tf.GradientTape() as tape:
        tape.watch(values)
        outputs, state = run(*values)
        results = [outputs, *state]
        loss = tf.add_n([tf.reduce_sum(x * p) for x, p in zip(results, probes, strict=True)])
    sources = [*values, *(weight.value for weight in layer.weights)]
    return results, [*map(tf.convert_to_tensor, tape.gradient(loss, sources))]


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_values_and_gradients_equal_those_of_the_layer(options, in_graph, data, rng):
    layer = make_layer(rng, **options)
    values = data(layer.output_dim)
    output_shape = (STEPS, BATCH, layer.output_dim)
    probes = [rng.normal(size=shape) for shape in (output_shape, *(x.shape for x in values[1:]))]

    def run_window(inputs, h, c):
        return layer.run_window(inputs, (h, c))

    expected = values_and_gradients(lambda *values: as_layer(layer, *values), layer, values, probes)
    run = tf.function(run_window) if in_graph else run_window
    results = values_and_gradients(run, layer, values, probes)
    for result, value in zip(tf.nest.flatten(results), tf.nest.flatten(expected), strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)


def test_gradients_in_bfloat16_are_near_those_in_float32(data, rng):
    layer = make_layer(rng, dtype="float32", **OPTIONS["projection"])
    values = [tf.cast(value, tf.float32) for value in data(layer.output_dim)]
    weights, gradients = layer.get_weights(), []
    for dtype in ("float32", "mixed_bfloat16"):
        layer = make_layer(rng, dtype=dtype, **OPTIONS["projection"])
        layer.set_weights(weights)
        with tf.GradientTape() as tape:
            outputs, _ = layer.run_window(values[0], values[1:])
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32))
        assert outputs.dtype == layer.compute_dtype
        gradients.append(tape.gradient(loss, [weight.value for weight in layer.weights]))
    for exact, rounded in zip(*gradients, strict=True):
        assert rounded.dtype == tf.float32
        np.testing.assert_allclose(rounded, exact, atol=0.05 * np.max(np.abs(exact)))
