"""Highway layers: the battery, and equality with the NumPy reference."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers import Highway
from tests import numpy_reference as reference
from tests.layer_checks import LayerChecks, to_float64

FEATURES = 5


class TestHighway(LayerChecks):
    layer_class = Highway
    input_shape = (2, 3, FEATURES)
    weight_shapes = {
        "transform_kernel": (FEATURES, FEATURES),
        "transform_bias": (FEATURES,),
        "carry_kernel": (FEATURES, FEATURES),
        "carry_bias": (FEATURES,),
    }


def weights(layer):
    """In the order of the reference's arguments."""
    return [
        layer.transform_kernel,
        layer.transform_bias,
        layer.carry_kernel,
        layer.carry_bias,
    ]


def random_layer(rng, dtype="float64"):
    layer = Highway(dtype=dtype)
    layer.build((None, FEATURES))
    for weight in weights(layer):
        weight.assign(rng.normal(size=weight.shape))
    return layer


def arrays(layer):
    return [to_float64(weight) for weight in weights(layer)]


def test_outputs_equal_the_reference(rng):
    layer = random_layer(rng, "float32")
    x = rng.normal(size=(2, 3, FEATURES)).astype("float32")
    expected = reference.highway(x.astype("float64"), *arrays(layer))
    # 1e-5 is the project's bound in float32.
    np.testing.assert_allclose(layer(x), expected, rtol=0, atol=1e-5)


def test_gradients_equal_finite_differences_of_the_reference(rng):
    layer = random_layer(rng)
    x = rng.normal(size=(4, FEATURES))
    probe = rng.normal(size=(4, FEATURES))
    inputs = tf.Variable(x)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(inputs) * probe)
    sources = [inputs, *[weight.value for weight in weights(layer)]]
    gradients = tape.gradient(loss, sources)
    values = [x, *arrays(layer)]
    for value, gradient in zip(values, gradients, strict=True):
        expected = reference.finite_differences(
            lambda _: np.sum(reference.highway(*values) * probe), value
        )
        np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-5)


def test_a_gate_that_is_wide_open_gives_the_transformed_input_alone():
    layer = Highway()
    layer.build((None, 2))
    layer.transform_kernel.assign([[2.0, 0.0], [0.0, -1.0]])
    layer.carry_kernel.assign(np.zeros((2, 2)))
    layer.carry_bias.assign([100.0, 100.0])
    # relu(2 * 3) and relu(-1 * 4), by hand.
    np.testing.assert_allclose(layer(np.array([[3.0, 4.0]], "float32")), [[6.0, 0.0]], atol=1e-6)


def test_a_gate_that_is_shut_gives_the_input_unchanged():
    layer = Highway()
    layer.build((None, 2))
    layer.carry_kernel.assign(np.zeros((2, 2)))
    layer.carry_bias.assign([-100.0, -100.0])
    np.testing.assert_allclose(layer(np.array([[3.0, -4.0]], "float32")), [[3.0, -4.0]], atol=1e-6)


def test_a_new_layer_is_nearly_shut():
    layer = Highway()
    layer.build((None, 400))
    np.testing.assert_array_equal(layer.carry_bias, np.full(400, -2.0))
    np.testing.assert_array_equal(layer.transform_bias, np.zeros(400))
    # bilm-tf's standard deviation, 1 / sqrt(features); 160,000 numbers put it within 1 %.
    for kernel in (layer.carry_kernel, layer.transform_kernel):
        assert np.std(kernel) == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize("shape", [(0, FEATURES), (2, 0, FEATURES)])
def test_nothing_in_nothing_out(shape):
    assert Highway()(np.zeros(shape, "float32")).shape == shape


def test_a_mask_goes_through():
    x = keras.layers.Masking()(np.array([[[1.0, 1.0], [0.0, 0.0]]], "float32"))
    np.testing.assert_array_equal(Highway()(x)._keras_mask, [[True, False]])


@pytest.mark.parametrize("shape", [(None, None), ()])
def test_an_unknown_last_axis_is_an_error(shape):
    with pytest.raises(ValueError, match="'gate' needs the size of its input's last axis"):
        Highway(name="gate").build(shape)
