"""The inside of LSTMWithProjection: the same values with any gradient, in chunks of any size."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers.lstm import lstm_recurrence, matmul, unroll
from elmo_tf2.layers.ragged import PackedSequence
from tests.layers.test_lstm_with_projection import (
    MASKS,
    OPTIONS,
    PROJECTION,
    UNITS,
    make_layer,
)

CASES = [(options, "holes") for options in OPTIONS]
CASES += [("all", mask) for mask in MASKS if mask != "holes"]


@pytest.fixture
def data(rng):
    """Inputs `(batch, tokens, features)` and initial states, by size of the outputs."""

    def make(output_dim):
        shapes = (3, 4, PROJECTION), (3, output_dim), (3, UNITS)
        return [tf.constant(rng.normal(size=shape)) for shape in shapes]

    return make


def plain_layer(layer):
    """The layer token by token in plain TensorFlow, whose gradient is TensorFlow's own."""

    def clip(value, bound):
        return value if bound is None else tf.clip_by_value(value, -bound, bound)

    def run(inputs, mask, initial_state, training):
        h, c = initial_state
        is_real = tf.ones(inputs.shape[:2], bool) if mask is None else tf.constant(mask)
        outputs = [None] * inputs.shape[1]
        order = range(inputs.shape[1])
        for token in reversed(order) if layer.go_backwards else order:
            x, here = inputs[:, token], is_real[:, token, tf.newaxis]
            gates = tf.concat([x, h], axis=1) @ layer.kernel.value + layer.bias.value
            i, j, f, o = tf.split(gates, 4, axis=1)
            new_c = clip(tf.sigmoid(f + 1) * c + tf.sigmoid(i) * tf.tanh(j), layer.cell_clip)
            new_h = tf.sigmoid(o) * tf.tanh(new_c)
            if layer.projection_kernel is not None:
                new_h = clip(new_h @ layer.projection_kernel.value, layer.projection_clip)
            h, c = tf.where(here, new_h, h), tf.where(here, new_c, c)
            output = new_h + x if layer.use_skip_connection else new_h
            outputs[token] = tf.where(here, output, tf.zeros([], output.dtype))
        return tf.stack(outputs, axis=1), h, c

    run.weights = layer.weights
    return run


def in_order(tokens, batch_sizes):
    """A packed sequence whose sentences are sorted as they are."""
    rows = tf.reduce_sum(batch_sizes[:1])
    return PackedSequence(tokens, batch_sizes, tf.range(tf.shape(tokens)[0]), tf.range(rows))


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


@pytest.mark.parametrize(("options", "mask"), CASES)
def test_values_and_gradients_are_those_of_plain_tensorflow(options, mask, data, rng):
    layer = make_layer(rng, **OPTIONS[options])
    values, mask = data(layer.output_dim), MASKS[mask]
    expected = values_and_gradients(plain_layer(layer), values, mask, training=True)
    results = values_and_gradients(layer, values, mask, training=True)
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("options", "mask", "in_graph"),
    [*((*case, False) for case in CASES), *((options, "holes", True) for options in OPTIONS)],
)
def test_training_changes_neither_values_nor_gradients(options, mask, in_graph, data, rng):
    layer = make_layer(rng, **OPTIONS[options])
    values, mask = data(layer.output_dim), MASKS[mask]
    expected = values_and_gradients(layer, values, mask, training=False)
    results = values_and_gradients(layer, values, mask, training=True, in_graph=in_graph)
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
def test_functions_that_run_eagerly_have_the_same_gradients(training, data, rng):
    layer = make_layer(rng, **OPTIONS["all"])
    values, mask = data(layer.output_dim), MASKS["holes"]
    expected = values_and_gradients(layer, values, mask, training)
    tf.config.run_functions_eagerly(True)
    try:
        results = values_and_gradients(layer, values, mask, training)
    finally:
        tf.config.run_functions_eagerly(False)
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_chunks_of_any_size_give_the_same(size, training, data, rng, monkeypatch):
    layer = make_layer(rng, **OPTIONS["all"])
    values, mask = data(layer.output_dim), MASKS["holes"]
    expected = values_and_gradients(layer, values, mask, training)
    monkeypatch.setattr(unroll, "_CHUNK", size)
    lstm_recurrence.cache_clear()
    results = values_and_gradients(layer, values, mask, training)
    lstm_recurrence.cache_clear()
    for result, value in zip(results, expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)


@pytest.mark.parametrize("gradient", ["store", "recompute", "inference"])
@pytest.mark.parametrize("size", [1, 4, 100])
def test_inputs_that_repeat_give_the_same(size, gradient, data, rng, monkeypatch):
    layer = make_layer(rng, **OPTIONS["all"])
    _, h, c = data(layer.output_dim)
    if gradient == "inference":
        h, c = h[:1], c[:1]
    words = rng.normal(size=(3, PROJECTION))
    words[1] = np.nan  # equal to nothing, not even to itself
    words = tf.constant(words)
    number = tf.constant([0, 2, 0, 2, 2, 1, 0, 1])
    batch_sizes = tf.constant([3, 3, 2])
    monkeypatch.setattr(unroll, "_CHUNK_OF_WORDS", size)
    answers = []
    for inputs_repeat in (False, True):
        lstm_recurrence.cache_clear()
        with tf.GradientTape() as tape:
            tape.watch(words)
            sequence = in_order(tf.gather(words, number), batch_sizes)
            (outputs, *_), state = layer.run(sequence, (h, c), gradient, inputs_repeat)
            loss = tf.reduce_sum(tf.sin(outputs[:4]))
        sources = [words, *(weight.value for weight in layer.weights)]
        gradients = tape.gradient(loss, sources, unconnected_gradients="zero")
        answers.append([outputs, *state, *map(tf.convert_to_tensor, gradients)])
    lstm_recurrence.cache_clear()
    assert np.isfinite(answers[0][0][:4]).all()
    for result, value in zip(*answers, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)


@pytest.fixture
def every_kernel_is_large(monkeypatch):
    monkeypatch.setattr(matmul, "_LARGE_KERNEL", 0)
    pays = matmul._COPY_PAYS
    monkeypatch.setitem(pays, tf.float64, (2, 2, 3))
    monkeypatch.setitem(pays, tf.bfloat16, (2, 2, pays[tf.bfloat16][-1]))
    lstm_recurrence.cache_clear()
    yield
    lstm_recurrence.cache_clear()


@pytest.mark.parametrize("training", [False, True])
def test_with_a_large_kernel_values_and_gradients_are_the_same(
    training, data, rng, every_kernel_is_large
):
    layer = make_layer(rng, **OPTIONS["all"])
    values = data(layer.output_dim)
    for mask in MASKS.values():
        expected = values_and_gradients(plain_layer(layer), values, mask, training)
        results = values_and_gradients(layer, values, mask, training)
        for result, value in zip(results, expected, strict=True):
            np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("batch_sizes", "rows", "transpositions", "transpositions_in_bfloat16"),
    [
        ([3, 2, 1], 3, 2, 1),  # of the kernel and, but in bfloat16, of the product
        ([3, 2, 1], 2, 2, 1),
        ([3, 2, 1], 1, 1, 1),  # few rows are as fast without
        ([3, 1, 1], 3, 0, 0),  # and few steps not worth it
        ([4, 3, 2], 4, 0, 1),  # nor, but in bfloat16, a large batch
        ([4, 3, 2], 3, 0, 1),
        ([], 1, 0, 0),
    ],
)
def test_a_large_kernel_is_transposed_where_that_is_faster(
    batch_sizes,
    rows,
    transpositions,
    transpositions_in_bfloat16,
    rng,
    monkeypatch,
    every_kernel_is_large,
):
    transposed = []
    transpose = tf.transpose
    monkeypatch.setattr(tf, "transpose", lambda x: transposed.append(x) or transpose(x))
    batch_sizes = tf.constant(batch_sizes, tf.int32)
    # Small integers, whose products bfloat16 holds exactly.
    kernel, state = rng.integers(-4, 5, (5, 8)), rng.integers(-4, 5, (rows, 5))
    for dtype, expected in (
        (tf.float64, transpositions),
        (tf.bfloat16, transpositions_in_bfloat16),
    ):
        transposed.clear()
        product = matmul.matmul_of_steps(tf.constant(kernel, dtype), batch_sizes)
        result = product(tf.constant(state, dtype))
        np.testing.assert_array_equal(tf.cast(result, tf.int64), state @ kernel)
        assert expected == len(transposed)


def test_the_loops_of_a_gradient_have_no_kernels_gradient(data, rng):
    layer = make_layer(rng, **OPTIONS["projection"])

    def transposing_products(run):
        """How many products in loops have their first factor transposed, as a kernel's has."""

        @tf.function
        def gradients(inputs, h, c):
            with tf.GradientTape() as tape:
                outputs = run(inputs, h, c)
            return tape.gradient(outputs, layer.kernel.value)

        graph = gradients.get_concrete_function(*data(layer.output_dim)).graph
        products = [
            node.attr["transpose_a"].b
            for function in graph.as_graph_def().library.function
            for node in function.node_def
            if node.op == "MatMul" and "while" in function.signature.name
        ]
        assert products
        return sum(products)

    for training in (False, True):
        assert 0 == transposing_products(
            lambda inputs, h, c, training=training: layer(
                inputs, initial_state=(h, c), training=training
            )[0]
        )
    # TensorFlow's own gradient of a loop has one.
    assert 1 == transposing_products(
        lambda inputs, h, c: tf.while_loop(
            lambda step, _: step < 3,
            lambda step, x: (step + 1, tf.matmul(x, layer.kernel.value[:PROJECTION, :PROJECTION])),
            (0, inputs[0]),
        )[1]
    )


def test_without_a_gradient_the_outputs_are_the_same_and_nothing_learns(data, rng):
    layer = make_layer(rng, **OPTIONS["all"])
    inputs, h, c = data(layer.output_dim)
    batch_sizes = tf.constant([3, 3, 2, 2])
    tokens = tf.reshape(tf.transpose(inputs, [1, 0, 2]), [-1, PROJECTION])[:10]
    state_of_all = h[:1], c[:1]
    state = [tf.repeat(value, 3, axis=0) for value in state_of_all]
    with tf.GradientTape(persistent=True) as tape:
        sequence = in_order(tokens, batch_sizes)
        (expected, *_), final_state = layer.run(sequence, state, "store")
        (outputs, *_), no_state = layer.run(sequence, state_of_all, "inference")
    np.testing.assert_allclose(outputs, expected, rtol=0, atol=1e-12)
    assert len(final_state) == 2
    assert not no_state
    assert tape.gradient(expected, layer.kernel.value) is not None
    assert tape.gradient(outputs, layer.kernel.value) is None


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
