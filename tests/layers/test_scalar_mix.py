"""ScalarMix: the battery, equality with the NumPy reference, and every option."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers import ScalarMix
from tests import numpy_reference as reference
from tests.layer_checks import LayerChecks, to_float64


class TestPlain(LayerChecks):
    layer_class = ScalarMix
    init_kwargs = {"num_layers": 3}
    input_shape = [(2, 3, 4)] * 3
    weight_shapes = {"w": (3,), "gamma": ()}


class TestAllOptions(LayerChecks):
    layer_class = ScalarMix
    init_kwargs = {
        "num_layers": 2,
        "layer_norm": True,
        "l2": 0.01,
        "initial_weights": [0.5, -0.25],
        "initial_gamma": 0.75,
    }
    input_shape = [(2, 3, 4)] * 2
    weight_shapes = {"w": (2,), "gamma": ()}


class TestOneLayer(LayerChecks):
    layer_class = ScalarMix
    init_kwargs = {"num_layers": 1}
    input_shape = [(2, 3, 4)]
    weight_shapes = {"w": (1,), "gamma": ()}

    @pytest.mark.skip(reason="the share of a single layer is 1 whatever its weight")
    def test_one_step_of_training_lowers_the_loss_and_moves_every_weight(self):
        pass


W = np.array([0.3, -0.2, 0.7])
GAMMA = 1.7
MASKS = {
    "none": None,
    "padded": np.array([[1, 1, 1], [1, 0, 0]], bool),
    "holes": np.array([[0, 1, 1], [1, 0, 1]], bool),
    "an empty row": np.array([[0, 0, 0], [1, 1, 0]], bool),
}


@pytest.fixture
def layers(rng):
    """Three layers of two sentences, each of another mean and spread."""
    return [rng.normal(j, 1 + j, size=(2, 3, 4)) for j in range(3)]


def make_mix(dtype="float64", **kwargs):
    return ScalarMix(3, initial_weights=W, initial_gamma=GAMMA, dtype=dtype, **kwargs)


def run_reference(layers, w, gamma, mask, layer_norm):
    mask = np.ones(layers[0].shape[:2], bool) if mask is None else mask
    mixed = np.zeros_like(layers[0])
    mixed[mask] = reference.scalar_mix([layer[mask] for layer in layers], w, gamma, layer_norm)
    return mixed


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_outputs_equal_the_reference(mask, layer_norm, layers):
    expected = run_reference(layers, W, GAMMA, mask, layer_norm)
    mixed = make_mix("float32", layer_norm=layer_norm)(layers, mask=mask)
    # 1e-5 is the project's bound in float32.
    np.testing.assert_allclose(mixed, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_gradients_equal_finite_differences_of_the_reference(mask, layer_norm, layers, rng):
    probe = rng.normal(size=layers[0].shape)
    mix = make_mix(layer_norm=layer_norm)
    mix.build()
    inputs = [tf.Variable(layer) for layer in layers]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(mix(inputs, mask=mask) * probe)
    gradients = tape.gradient(loss, [*inputs, mix.w.value, mix.gamma.value])

    w, gamma = W.copy(), np.array(GAMMA)
    for value, gradient in zip([*layers, w, gamma], gradients, strict=True):
        expected = reference.finite_differences(
            lambda _: np.sum(run_reference(layers, w, gamma, mask, layer_norm) * probe), value
        )
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5)


def test_a_new_mix_is_the_mean(layers):
    np.testing.assert_allclose(
        ScalarMix(3, dtype="float64")(layers), np.mean(layers, axis=0), rtol=0, atol=1e-12
    )


def test_values_checked_by_hand():
    # softmax(log 1, log 3) = 1/4, 3/4; 2 (1/4 * 4 + 3/4 * 8) = 14.
    mix = ScalarMix(2, initial_weights=[0.0, np.log(3.0)], initial_gamma=2.0)
    mixed = mix([np.full((1, 1, 1), value, "float32") for value in (4, 8)])
    np.testing.assert_allclose(mixed, [[[14.0]]], rtol=1e-6)


@pytest.mark.parametrize("num_layers", [1, 2, 7])
def test_any_number_of_layers_is_mixed(num_layers, rng):
    layers = [rng.normal(size=(2, 3, 4)) for _ in range(num_layers)]
    w = rng.normal(size=num_layers)
    mixed = ScalarMix(num_layers, initial_weights=list(w), dtype="float64")(layers)
    # Keras's initializers are in float32.
    np.testing.assert_allclose(mixed, reference.scalar_mix(layers, w, 1.0), rtol=0, atol=1e-6)


# --- layer norm


def test_layer_norm_takes_one_mean_and_one_variance_over_the_real_tokens_of_the_batch():
    # Real values 1, 3 and 5, 7: mean 4, variance 5; the 100 does not count.
    layer = np.array([[[1.0, 3.0], [100.0, 100.0]], [[5.0, 7.0], [100.0, 100.0]]])
    mask = np.array([[True, False], [True, False]])
    mixed = ScalarMix(1, layer_norm=True, dtype="float64")([layer], mask=mask)
    expected = np.array([[[-3, -1], [0, 0]], [[1, 3], [0, 0]]]) / np.sqrt(5)
    np.testing.assert_allclose(mixed, expected, rtol=0, atol=1e-6)


def test_layer_norm_of_a_constant_is_zero():
    mixed = ScalarMix(1, layer_norm=True)([np.full((1, 2, 3), 5.0, "float32")])
    np.testing.assert_array_equal(mixed, np.zeros((1, 2, 3)))


def test_layer_norm_of_a_batch_without_a_real_token_is_zero():
    mixed = ScalarMix(1, layer_norm=True)([np.ones((2, 3, 4))], mask=np.zeros((2, 3), bool))
    np.testing.assert_array_equal(mixed, np.zeros((2, 3, 4)))


@pytest.mark.parametrize("layer_norm", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 4), (0, 3, 4), (2, 0, 4)])
def test_a_batch_without_a_real_token_has_zero_gradients(shape, layer_norm):
    mix = ScalarMix(2, layer_norm=layer_norm)
    mix.build()
    layers = [tf.ones(shape), tf.ones(shape)]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(mix(layers, mask=tf.zeros(shape[:2], tf.bool)))
    for gradient in tape.gradient(loss, [mix.w.value, mix.gamma.value]):
        np.testing.assert_array_equal(gradient, np.zeros(gradient.shape))


@pytest.mark.parametrize("dtype", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("masked", [False, True])
def test_layer_norm_of_many_tokens_holds_in_half_precision(masked, dtype, rng):
    # Sums of 200,000 numbers, and their count, would be far off in bfloat16's 8 bits, and are more
    # than float16 can hold.
    layer = rng.normal(3.0, 2.0, size=(8, 500, 64)).astype("float32")
    mask = rng.random((8, 500)) < 0.8 if masked else np.ones((8, 500), bool)
    expected = reference.scalar_mix([layer[mask]], np.zeros(1), 1.0, layer_norm=True)
    mix = ScalarMix(1, layer_norm=True, dtype=dtype)
    mixed = to_float64(mix([layer], mask=mask if masked else None))
    # Values up to 5, each rounded to 2^-8 of itself before and after.
    np.testing.assert_allclose(mixed[mask], expected, rtol=0, atol=0.05)


# --- masks


def test_a_list_of_masks_counts_as_one(layers):
    mask = tf.constant(MASKS["holes"])
    mix = make_mix()
    np.testing.assert_array_equal(mix(layers, mask=[mask] * 3), mix(layers, mask=mask))


def test_the_masks_of_its_inputs_are_used_and_go_on(layers):
    mask = MASKS["padded"]
    masked = [
        keras.layers.Masking(dtype="float64")(np.where(mask[..., np.newaxis], layer, 0.0))
        for layer in layers
    ]
    mixed = make_mix()(masked)
    assert not np.any(mixed.numpy()[~mask])
    np.testing.assert_array_equal(mixed._keras_mask, mask)


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_nothing_in_nothing_out(shape):
    assert ScalarMix(2)([np.zeros(shape), np.zeros(shape)]).shape == shape


# --- L2


def test_l2_adds_the_sum_of_squares_to_the_losses(layers):
    mix = ScalarMix(3, l2=0.1, initial_weights=[1.0, 2.0, -3.0])
    mix(layers)
    assert float(sum(mix.losses)) == pytest.approx(0.1 * (1 + 4 + 9), rel=1e-6)


def test_without_l2_there_is_no_loss(layers):
    mix = ScalarMix(3)
    mix(layers)
    assert mix.losses == []


def test_l2_pulls_the_layers_together_in_training(layers):
    mix = ScalarMix(3, l2=0.5, initial_weights=[1.0, 2.0, -3.0])
    inputs = [keras.Input((None, 4)) for _ in range(3)]
    model = keras.Model(inputs, mix(inputs))
    model.compile(keras.optimizers.SGD(0.1), loss=lambda y_true, y_pred: 0.0 * y_pred)
    model.fit(layers, layers[0], epochs=1, batch_size=2, verbose=0)
    # w - 0.1 * d(0.5 sum w²)/dw = 0.9 w.
    np.testing.assert_allclose(to_float64(mix.w), [0.9, 1.8, -2.7], rtol=1e-6)


# --- dropout


def test_dropout_scales_what_it_keeps(layers):
    mix = ScalarMix(1, dropout=0.25)
    mixed = mix([np.ones((10, 100, 100), "float32")], training=True).numpy()
    np.testing.assert_allclose(np.unique(mixed), [0.0, 4 / 3], rtol=1e-6)
    # 100,000 draws: a standard deviation of 0.0014.
    assert np.mean(mixed == 0) == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("training", [False, None])
def test_dropout_is_off_outside_training(training, layers):
    mix = make_mix(dropout=0.5)
    np.testing.assert_array_equal(mix(layers, training=training), make_mix()(layers))


def test_dropout_keeps_its_rate_in_the_config():
    config = ScalarMix(2, dropout=0.5).get_config()
    assert config["dropout"] == 0.5
    assert ScalarMix.from_config(config).dropout == 0.5


def test_a_mix_with_dropout_can_be_saved(tmp_path, layers):
    inputs = [keras.Input((None, 4)) for _ in range(3)]
    model = keras.Model(inputs, ScalarMix(3, dropout=0.5)(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    layers = [layer.astype("float32") for layer in layers]
    np.testing.assert_array_equal(loaded(layers), model(layers))


# --- initial values and shares


def test_shares_start_even():
    mix = ScalarMix(4)
    mix.build()
    np.testing.assert_allclose(mix.layer_weights, [0.25] * 4, rtol=1e-6)


def test_shares_are_the_softmax_of_the_weights():
    mix = ScalarMix(2, initial_weights=[0.0, np.log(3.0)])
    mix.build()
    np.testing.assert_allclose(mix.layer_weights, [0.25, 0.75], rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_shares_are_float32(dtype):
    mix = ScalarMix(2, dtype=dtype)
    mix.build()
    assert mix.layer_weights.dtype == np.float32


def test_initial_values_are_where_training_starts():
    mix = ScalarMix(2, initial_weights=[0.5, -0.5], initial_gamma=1.3)
    mix.build()
    np.testing.assert_allclose(to_float64(mix.w), [0.5, -0.5])
    np.testing.assert_allclose(to_float64(mix.gamma), 1.3, rtol=1e-7)


# --- errors


@pytest.mark.parametrize("num_layers", [0, -1, 1.0, None])
def test_the_number_of_layers_must_be_a_positive_integer(num_layers):
    with pytest.raises(ValueError, match="`num_layers` must be a positive integer"):
        ScalarMix(num_layers)


@pytest.mark.parametrize("l2", [-0.1, float("inf"), float("nan"), "1", True, None])
def test_l2_must_be_a_finite_number_from_zero_up(l2):
    with pytest.raises(ValueError, match=f"`l2` must be a finite number >= 0. .*l2={l2!r}"):
        ScalarMix(2, l2=l2)


@pytest.mark.parametrize("dropout", [-0.1, 1.0, 2, float("nan"), "0.5", True])
def test_dropout_must_be_a_rate(dropout):
    with pytest.raises(ValueError, match=r"`dropout` must be a number in \[0, 1\)"):
        ScalarMix(2, dropout=dropout)


@pytest.mark.parametrize("weights", [[], [1.0], [1.0, 2.0, 3.0]])
def test_there_must_be_an_initial_weight_a_layer(weights):
    with pytest.raises(ValueError, match="`initial_weights` must be 2 numbers, one per layer"):
        ScalarMix(2, initial_weights=weights)


@pytest.mark.parametrize("weights", [3.0, ["a", "b"], "ab", [0.0, float("nan")], [None, 1.0]])
def test_initial_weights_must_be_numbers(weights):
    with pytest.raises(ValueError, match="`initial_weights` must be 2 .*numbers"):
        ScalarMix(2, initial_weights=weights)


@pytest.mark.parametrize("gamma", ["x", None, float("nan"), float("inf"), [1.0]])
def test_initial_gamma_must_be_a_number(gamma):
    with pytest.raises(ValueError, match="`initial_gamma` must be a .*number"):
        ScalarMix(2, initial_gamma=gamma)


@pytest.mark.parametrize("layer_norm", ["no", 1, None])
def test_layer_norm_must_be_true_or_false(layer_norm):
    with pytest.raises(ValueError, match=f"`layer_norm` must be True or False.*={layer_norm!r}"):
        ScalarMix(2, layer_norm=layer_norm)


def test_layers_in_one_tensor_are_an_error():
    # Its rows would be taken for layers.
    with pytest.raises(ValueError, match="'blend' mixes 2 layers. Received: one tensor, not a li"):
        ScalarMix(2, name="blend")(np.ones((2, 1, 2, 3)))


@pytest.mark.parametrize("number", [1, 3])
def test_the_number_of_inputs_must_be_that_of_the_layers(number):
    mix = ScalarMix(2, name="blend")
    with pytest.raises(ValueError, match=f"'blend' mixes 2 layers. Received: {number} inputs"):
        mix([np.ones((1, 2, 3))] * number)


# --- padding that is not finite


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("layer_norm", [False, True])
def test_what_is_in_the_padding_reaches_no_vector_and_no_gradient(layer_norm, value, rng):
    layers = [rng.normal(size=(2, 3, 4)).astype("f") for _ in range(3)]
    mask = np.array([[True, True, False], [True, False, False]])
    mix = ScalarMix(3, layer_norm=layer_norm, initial_weights=[0.1, 0.2, -0.3])

    def vectors_and_gradients(padding):
        inputs = [tf.constant(np.where(mask[..., None], layer, padding)) for layer in layers]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            vectors = mix(inputs, mask=tf.constant(mask))
            loss = tf.reduce_sum(tf.square(vectors - 1) * tf.cast(mask[..., None], tf.float32))
        return vectors, *tape.gradient(loss, [*inputs, *mix.trainable_variables])

    for found, expected in zip(
        vectors_and_gradients(np.float32(value)), vectors_and_gradients(np.float32(0)), strict=True
    ):
        np.testing.assert_array_equal(found, expected)
