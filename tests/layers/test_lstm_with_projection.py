"""LSTMWithProjection: the battery, and equality with a loop over tokens in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers import LSTMWithProjection
from tests import numpy_reference as reference
from tests.layer_checks import LayerChecks, to_float64


class TestPlain(LayerChecks):
    layer_class = LSTMWithProjection
    init_kwargs = {"units": 6}
    input_shape = (2, 3, 5)
    weight_shapes = {"kernel": (11, 24), "bias": (24,)}


class TestAllOptions(LayerChecks):
    layer_class = LSTMWithProjection
    init_kwargs = {
        "units": 6,
        "projection_dim": 4,
        "cell_clip": 2.0,
        "projection_clip": 1.5,
        "use_skip_connection": True,
        "go_backwards": True,
        "return_state": True,
    }
    input_shape = (2, 3, 4)
    weight_shapes = {"kernel": (8, 24), "bias": (24,), "projection_kernel": (6, 4)}
    learning_rate = 1e-3


# --- the reference, on a padded batch

UNITS, PROJECTION = 3, 2

OPTIONS = {
    "no projection": {},
    "projection": {"projection_dim": PROJECTION},
    "cell clip": {"projection_dim": PROJECTION, "cell_clip": 0.3},
    "projection clip": {"projection_dim": PROJECTION, "projection_clip": 0.2},
    "both clips": {"projection_dim": PROJECTION, "cell_clip": 0.3, "projection_clip": 0.2},
    "cell clip, no projection": {"cell_clip": 0.3},
    "skip connection": {"projection_dim": PROJECTION, "use_skip_connection": True},
    "backwards": {"projection_dim": PROJECTION, "go_backwards": True},
    "all": {
        "projection_dim": PROJECTION,
        "cell_clip": 0.3,
        "projection_clip": 0.2,
        "use_skip_connection": True,
        "go_backwards": True,
    },
}

MASKS = {
    "none": None,
    "all real": np.ones((3, 4), bool),
    "padded at the end": np.array([[1, 1, 0, 0], [1, 1, 1, 1], [1, 0, 0, 0]], bool),
    "padded at the start": np.array([[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 1]], bool),
    "holes": np.array([[1, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0]], bool),
    "a row without a real token": np.array([[0, 0, 0, 0], [1, 1, 0, 1], [0, 0, 1, 0]], bool),
    "no real token at all": np.zeros((3, 4), bool),
}


def make_layer(rng, features=PROJECTION, dtype="float64", **options):
    """A layer of random weights, its clips in reach."""
    layer = LSTMWithProjection(UNITS, return_state=True, dtype=dtype, **options)
    layer.build((None, None, features))
    for weight in layer.weights:
        weight.assign(rng.normal(size=weight.shape))
    return layer


def arrays(layer):
    return [to_float64(weight) for weight in layer.weights]


def run_reference(layer, weights, x, mask, h, c):
    """The reference on the real tokens of each row; zeros elsewhere."""
    kernel, bias, projection = (*weights, None)[:3]
    outputs = np.zeros((*x.shape[:2], layer.output_dim))
    states = []
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    for row, real in enumerate(mask):
        result = reference.lstm(
            x[row][real],
            kernel,
            bias,
            projection=projection,
            cell_clip=layer.cell_clip,
            projection_clip=layer.projection_clip,
            skip=layer.use_skip_connection,
            backwards=layer.go_backwards,
            h=None if h is None else h[row],
            c=None if c is None else c[row],
        )
        outputs[row][real] = result.outputs
        states.append((result.h, result.c))
    return outputs, *(np.array(state) for state in zip(*states, strict=True))


@pytest.fixture
def data(rng):
    """Inputs and initial states of three sentences with four places each."""
    return rng.normal(size=(3, 4, PROJECTION)), rng.normal(size=(3, UNITS))


@pytest.mark.parametrize(
    ("options", "mask"),
    [
        (options, mask)
        for options in OPTIONS
        for mask in MASKS
        if mask in ("none", "holes") or options in ("all", "no projection")
    ],
)
def test_outputs_and_states_equal_the_reference(options, mask, data, rng):
    options, mask = OPTIONS[options], MASKS[mask]
    x, c = data
    layer = make_layer(rng, dtype="float32", **options)
    h = rng.normal(size=(3, layer.output_dim))
    expected = run_reference(layer, arrays(layer), x, mask, h, c)
    results = layer(x, mask=mask, initial_state=(h, c))
    for result, value in zip(results, expected, strict=True):
        # 1e-5 is the project's bound in float32.
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-5)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_states_are_zero_unless_given(options, data, rng):
    x, _ = data
    layer = make_layer(rng, dtype="float32", **options)
    expected = run_reference(layer, arrays(layer), x, None, None, None)
    for result, value in zip(layer(x), expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-5)


@pytest.mark.parametrize("training", [False, True], ids=["", "training"])
@pytest.mark.parametrize(
    ("options", "mask"),
    [
        *((options, "holes") for options in OPTIONS),
        ("all", "none"),
        ("all", "a row without a real token"),
        ("all", "no real token at all"),
    ],
)
def test_gradients_equal_finite_differences_of_the_reference(options, mask, training, data, rng):
    options, mask = OPTIONS[options], MASKS[mask]
    x, c = data
    layer = make_layer(rng, **options)
    h = rng.normal(size=(3, layer.output_dim))
    probes = [rng.normal(size=shape) for shape in ((3, 4, layer.output_dim), h.shape, c.shape)]

    sources = [tf.Variable(value) for value in (x, h, c)]
    with tf.GradientTape() as tape:
        state = sources[1], sources[2]
        results = layer(sources[0], mask=mask, initial_state=state, training=training)
        loss = tf.add_n(
            [tf.reduce_sum(y * probe) for y, probe in zip(results, probes, strict=True)]
        )
    gradients = tape.gradient(loss, sources + [weight.value for weight in layer.weights])

    weights = arrays(layer)

    def reference_loss(_):
        results = run_reference(layer, weights, x, mask, h, c)
        return sum(np.sum(y * probe) for y, probe in zip(results, probes, strict=True))

    for value, gradient in zip([x, h, c, *weights], gradients, strict=True):
        expected = reference.finite_differences(reference_loss, value)
        gradient = tf.convert_to_tensor(gradient)  # a gather's may be sparse
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5)


def test_the_clips_of_these_tests_are_in_reach(data, rng):
    x, c = data
    layer = make_layer(rng, **OPTIONS["both clips"])
    outputs, _, cells = run_reference(layer, arrays(layer), x, None, None, c)
    assert np.mean(np.abs(outputs) == 0.2) > 0.1
    assert np.mean(np.abs(cells) == 0.3) > 0.1


def test_values_checked_by_hand():
    # One unit; the kernel opens no gate, so that i = f' = o = sigmoid(0), but f = sigmoid(1).
    layer = LSTMWithProjection(1, projection_dim=1)
    layer.build((None, None, 1))
    layer.kernel.assign([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]])
    layer.bias.assign([0.0, 0.0, 0.0, 0.0])
    layer.projection_kernel.assign([[2.0]])
    y = layer(np.array([[[1.0], [0.0]]], "float32"))
    # c1 = 0.5 tanh(1) = 0.380797, y1 = 2 * 0.5 tanh(c1) = 0.363400
    # c2 = sigmoid(1) c1 = 0.731059 * 0.380797 = 0.278385, y2 = tanh(c2) = 0.271410
    np.testing.assert_allclose(y, [[[0.363400], [0.271410]]], rtol=0, atol=1e-6)


def test_the_forget_bias_is_no_part_of_the_stored_bias():
    layer = LSTMWithProjection(2)
    layer.build((None, None, 3))
    np.testing.assert_array_equal(layer.bias, np.zeros(8))


# --- masks and padding


def test_what_stands_under_a_mask_changes_nothing(data, rng):
    x, _ = data
    mask = MASKS["holes"]
    layer = make_layer(rng, dtype="float32", **OPTIONS["all"])
    spoilt = np.where(mask[..., np.newaxis], x, 1e6)
    for result, value in zip(layer(spoilt, mask=mask), layer(x, mask=mask), strict=True):
        np.testing.assert_array_equal(result, value)


def test_not_even_nan_under_a_mask_changes_anything(data, rng):
    x, _ = data
    mask = MASKS["holes"]
    layer = make_layer(rng, dtype="float32", **OPTIONS["all"])
    spoilt = np.where(mask[..., np.newaxis], x, np.nan)
    for result, value in zip(layer(spoilt, mask=mask), layer(x, mask=mask), strict=True):
        np.testing.assert_array_equal(result, value)


def test_outputs_under_a_mask_are_zero(data, rng):
    x, _ = data
    mask = MASKS["holes"]
    outputs, _, _ = make_layer(rng, **OPTIONS["skip connection"])(x, mask=mask)
    assert np.all(outputs.numpy()[~mask] == 0)


def test_a_row_without_a_real_token_keeps_its_state(data, rng):
    x, c = data
    layer = make_layer(rng, **OPTIONS["projection"])
    h = rng.normal(size=(3, PROJECTION))
    mask = MASKS["a row without a real token"]
    _, new_h, new_c = layer(x, mask=mask, initial_state=(h, c))
    np.testing.assert_array_equal(new_h[0], h[0])
    np.testing.assert_array_equal(new_c[0], c[0])


@pytest.mark.parametrize("go_backwards", [False, True])
def test_the_mask_of_a_keras_layer_before_is_used(go_backwards, data, rng):
    x, _ = data
    mask = MASKS["padded at the end"]
    layer = make_layer(rng, **OPTIONS["projection"], go_backwards=go_backwards)
    masked = keras.layers.Masking(dtype="float64")(np.where(mask[..., np.newaxis], x, 0.0))
    expected = layer(x, mask=mask)
    for result, value in zip(layer(masked), expected, strict=True):
        np.testing.assert_array_equal(result, value)


@pytest.mark.parametrize("return_state", [False, True])
def test_the_mask_goes_on_to_the_outputs_alone(return_state, data):
    x, _ = data
    mask = MASKS["padded at the end"]
    layer = LSTMWithProjection(UNITS, return_state=return_state)
    masked = keras.layers.Masking()(np.where(mask[..., np.newaxis], x, 0.0).astype("float32"))
    results = keras.tree.flatten(layer(masked))
    np.testing.assert_array_equal(results[0]._keras_mask, mask)
    for state in results[1:]:
        assert getattr(state, "_keras_mask", None) is None


def test_a_sentence_alone_equals_itself_in_a_batch(data, rng):
    x, _ = data
    mask = MASKS["padded at the end"]
    layer = make_layer(rng, dtype="float32", **OPTIONS["all"])
    together = layer(x, mask=mask)
    for row, real in enumerate(mask):
        alone = layer(x[row][real][np.newaxis])
        # Products of different heights may add in another order: one or two last bits.
        np.testing.assert_allclose(together[0][row][real], alone[0][0], rtol=0, atol=1e-6)
        np.testing.assert_allclose(together[2][row], alone[2][0], rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
@pytest.mark.parametrize("options", [OPTIONS["all"], OPTIONS["no projection"]])
def test_nothing_in_nothing_out(options, shape, rng):
    layer = make_layer(rng, dtype="float32", **options)
    outputs, h, c = layer(np.zeros((*shape, PROJECTION), "float32"))
    assert outputs.shape == (*shape, layer.output_dim)
    np.testing.assert_array_equal(h, np.zeros((shape[0], layer.output_dim)))
    np.testing.assert_array_equal(c, np.zeros((shape[0], UNITS)))


@pytest.mark.parametrize("shape", [(0, 4), (3, 0)])
def test_nothing_in_gives_zero_gradients_in_a_graph(shape, rng):
    layer = make_layer(rng, dtype="float32", **OPTIONS["all"])

    @tf.function(input_signature=[tf.TensorSpec([None, None, PROJECTION])])
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(x)[0])
        return tape.gradient(loss, [weight.value for weight in layer.weights])

    for gradient in gradients(tf.zeros((*shape, PROJECTION))):
        np.testing.assert_array_equal(gradient, np.zeros(gradient.shape))


def test_layers_of_many_sizes_live_in_one_process():
    # What TensorFlow has compiled for the sizes of one layer must not spoil those of the next.
    for units in (13, 17, 19):
        LSTMWithProjection(units)(np.ones((2, 3, units + 1), "float32"))
    layer = LSTMWithProjection(23)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, 2])])
    assert graph.get_concrete_function().structured_outputs.shape[-1] == 23
    x = np.ones((2, 3, 2), "float32")
    np.testing.assert_allclose(graph(x), layer(x), rtol=0, atol=1e-6)
    assert layer(x[:, :0]).shape == (2, 0, 23)


# --- states


@pytest.mark.parametrize("go_backwards", [False, True])
def test_a_carried_state_makes_two_parts_one_sentence(go_backwards, data, rng):
    x, _ = data
    layer = make_layer(rng, **OPTIONS["both clips"], go_backwards=go_backwards)
    whole = layer(x)
    parts = [x[:, 2:], x[:, :2]] if go_backwards else [x[:, :2], x[:, 2:]]
    first, h, c = layer(parts[0])
    second, h, c = layer(parts[1], initial_state=(h, c))
    joined = np.concatenate([second, first] if go_backwards else [first, second], axis=1)
    for result, value in zip((joined, h, c), whole, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-12)  # float64


def test_states_leave_in_the_order_in_which_sentences_came(data, rng):
    x, _ = data
    mask = MASKS["padded at the end"]  # lengths 2, 4, 1: sorted inside, and sorted back
    layer = make_layer(rng, **OPTIONS["projection"])
    outputs, h, _ = layer(x, mask=mask)
    last = [outputs[0, 1], outputs[1, 3], outputs[2, 0]]
    np.testing.assert_array_equal(h, np.stack(last))


def test_without_return_state_the_outputs_come_alone(data, rng):
    x, _ = data
    layer = make_layer(rng, **OPTIONS["projection"])
    alone = LSTMWithProjection(UNITS, projection_dim=PROJECTION, dtype="float64")
    alone.build((None, None, PROJECTION))
    alone.set_weights(layer.get_weights())
    np.testing.assert_array_equal(alone(x), layer(x)[0])


def test_initial_states_are_symbolic_inputs_of_a_functional_model(data, rng):
    x, c = data
    layer = make_layer(rng, dtype="float32", **OPTIONS["projection"])
    h = rng.normal(size=(3, PROJECTION))
    inputs = [keras.Input((None, PROJECTION)), keras.Input((PROJECTION,)), keras.Input((UNITS,))]
    model = keras.Model(inputs, layer(inputs[0], initial_state=inputs[1:]))
    expected = layer(x, initial_state=(h, c))
    values = [value.astype("float32") for value in (x, h, c)]
    for result, value in zip(model(values), expected, strict=True):
        np.testing.assert_allclose(result, value, rtol=0, atol=1e-6)


def test_states_keep_float32_beside_bfloat16(rng):
    # Of 1 + 2^-12 bfloat16 keeps the 1 alone. No token is read, so nothing else may change it.
    layer = LSTMWithProjection(UNITS, return_state=True, dtype="mixed_bfloat16")
    state = np.full((1, UNITS), 1 + 2**-12, "float32")
    outputs, h, c = layer(np.zeros((1, 0, 2), "float32"), initial_state=(state, state))
    assert outputs.dtype == "bfloat16"
    np.testing.assert_array_equal(h, state)
    np.testing.assert_array_equal(c, state)


def test_no_state_outlives_a_call(data, rng):
    x, _ = data
    layer = make_layer(rng, dtype="float32", **OPTIONS["all"])
    first = layer(x)
    for _ in range(3):
        again = layer(x)
    for result, value in zip(again, first, strict=True):
        np.testing.assert_array_equal(result, value)


# --- errors


@pytest.mark.parametrize("name", ["units", "projection_dim"])
@pytest.mark.parametrize("value", [0, -3, 2.5, "8", True])
def test_a_size_must_be_a_positive_integer(name, value):
    arguments = {"units": 8, name: value}
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. .*{value!r}"):
        LSTMWithProjection(**arguments)


@pytest.mark.parametrize("name", ["use_skip_connection", "go_backwards", "return_state"])
def test_a_flag_must_be_a_bool(name):
    with pytest.raises(ValueError, match=f"`{name}` must be True or False. Received: {name}=1"):
        LSTMWithProjection(3, **{name: 1})


@pytest.mark.parametrize("name", ["cell_clip", "projection_clip"])
@pytest.mark.parametrize("value", [0, -1.0, "3", float("nan"), float("inf"), True])
def test_a_clip_must_be_positive_or_none(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a number > 0 or None. .*{value!r}"):
        LSTMWithProjection(8, **{name: value})


def test_a_skip_connection_needs_like_sizes():
    layer = LSTMWithProjection(8, projection_dim=4, use_skip_connection=True)
    with pytest.raises(ValueError, match="`use_skip_connection` .* 5 features, output size 4"):
        layer.build((None, None, 5))


def test_an_unknown_last_axis_is_an_error():
    with pytest.raises(ValueError, match="'reader' needs the size of its input's last axis"):
        LSTMWithProjection(8, name="reader").build((None, None, None))
