"""lstm_recurrence: with and without a gradient of its own, the same values and gradients."""

import numpy as np
import pytest
import tensorflow as tf

from tests.layers.test_lstm_with_projection import (
    MASKS,
    OPTIONS,
    PROJECTION,
    UNITS,
    make_layer,
)


@pytest.fixture
def data(rng):
    """Inputs `(batch, tokens, features)` and initial states, by size of the outputs."""

    def make(output_dim):
        shapes = (3, 4, PROJECTION), (3, output_dim), (3, UNITS)
        return [tf.constant(rng.normal(size=shape)) for shape in shapes]

    return make


def values_and_gradients(layer, values, mask, training, in_graph=False):
    def run(inputs, h, c):
        return layer(inputs, mask=mask, initial_state=(h, c), training=training)

    run = tf.function(run) if in_graph else run
    with tf.GradientTape() as tape:
        tape.watch(values)
        results = run(*values)
        loss = tf.add_n([tf.reduce_sum(tf.sin(tf.cast(x, values[0].dtype))) for x in results])
    sources = [*values, *(weight.value for weight in layer.weights)]
    return [*results, *map(tf.convert_to_tensor, tape.gradient(loss, sources))]


@pytest.mark.parametrize("in_graph", [False, True], ids=["eager", "graph"])
@pytest.mark.parametrize(
    ("options", "mask"),
    [*((options, "holes") for options in OPTIONS), *(("all", mask) for mask in MASKS)],
)
def test_training_changes_neither_values_nor_gradients(options, mask, in_graph, data, rng):
    layer = make_layer(rng, **OPTIONS[options])
    values, mask = data(layer.output_dim), MASKS[mask]
    expected = values_and_gradients(layer, values, mask, training=False)
    results = values_and_gradients(layer, values, mask, training=True, in_graph=in_graph)
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)


def test_the_gradient_of_training_is_one_of_its_own(data, rng):
    layer = make_layer(rng, **OPTIONS["projection"])
    loops = []
    for training in (False, True):

        @tf.function
        def gradients(inputs, h, c, training=training):
            with tf.GradientTape() as tape:
                outputs, *_ = layer(inputs, initial_state=(h, c), training=training)
            return tape.gradient(outputs, [weight.value for weight in layer.weights])

        graph = gradients.get_concrete_function(*data(layer.output_dim)).graph
        # A product in a body that has a kernel's gradient takes its first factor transposed.
        products = [
            node.attr["transpose_a"].b
            for function in graph.as_graph_def().library.function
            for node in function.node_def
            if node.op == "MatMul" and "while" in function.signature.name
        ]
        assert products
        loops.append(sum(products))
    assert loops[0] > loops[1] == 0


def test_gradients_in_bfloat16_are_near_those_in_float32(data, rng):
    values = [tf.cast(value, "float32") for value in data(PROJECTION)]
    weights = make_layer(rng, dtype="float32", **OPTIONS["projection"]).get_weights()
    answers = []
    for dtype in ("float32", "mixed_bfloat16"):
        layer = make_layer(rng, dtype=dtype, **OPTIONS["projection"])
        layer.set_weights(weights)
        answers.append(values_and_gradients(layer, values, MASKS["holes"], training=True))
        assert answers[-1][0].dtype == layer.compute_dtype
    for exact, rounded in list(zip(*answers, strict=True))[3:]:
        assert rounded.dtype == tf.float32
        np.testing.assert_allclose(rounded, exact, atol=0.05 * np.max(np.abs(exact)))
