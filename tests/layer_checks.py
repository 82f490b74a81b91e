"""The battery that every layer passes: one class to inherit, one behaviour a test.

    class TestHighway(LayerChecks):
        layer_class = Highway
        init_kwargs = {}
        input_shape = (2, 3, 5)
        weight_shapes = {...}

What a layer computes is compared with NumPy in its own tests; here, that it is a good citizen of
Keras. (The idea is `run_layer_test` of keras-hub.)
"""

import inspect
import json

import keras
import numpy as np
import pytest
import tensorflow as tf


def to_float64(value):
    """A new float64 array of a tensor or variable of any precision."""
    return np.array(keras.ops.convert_to_numpy(value), np.float64)


class LayerChecks:
    """Tests of a layer's life in Keras.

    A subclass sets `layer_class`; `init_kwargs`, with as few defaults among the values as can be;
    `input_shape`, of one input, or a list of them, batch and time first; and `weight_shapes`, the
    shape of every trainable weight by name, as the layer's docstring has them. For other than
    float inputs it overrides `make_input` and `input_dtype`.
    """

    layer_class = None
    init_kwargs = {}
    input_shape = None
    input_dtype = "float32"
    weight_shapes = {}

    # Kept low enough for one step of plain gradient descent to go downhill.
    learning_rate = 1e-2

    def make_layer(self, **kwargs):
        return self.layer_class(**{**self.init_kwargs, **kwargs})

    def make_input(self, shape, seed):
        return np.random.default_rng(seed).normal(size=shape).astype("float32")

    def make_inputs(self):
        if isinstance(self.input_shape, list):
            return [self.make_input(shape, seed) for seed, shape in enumerate(self.input_shape)]
        return self.make_input(self.input_shape, seed=0)

    def on_inputs(self, function):
        """A function of a shape, applied to `input_shape` whatever its structure."""
        if isinstance(self.input_shape, list):
            return [function(shape) for shape in self.input_shape]
        return function(self.input_shape)

    def make_model(self, **kwargs):
        """A Functional model of the layer alone, of unknown batch and time."""
        inputs = self.on_inputs(
            lambda shape: keras.Input((None, *shape[2:]), dtype=self.input_dtype)
        )
        return keras.Model(inputs, self.make_layer(**kwargs)(inputs))

    def outputs(self, layer, inputs):
        """Outputs as float64 arrays, whether there is one or more."""
        return [to_float64(output) for output in keras.tree.flatten(layer(inputs))]

    def assert_equal(self, first, second, atol):
        assert len(first) == len(second) > 0
        for a, b in zip(first, second, strict=True):
            np.testing.assert_allclose(a, b, rtol=0, atol=atol)

    # --- configuration

    def test_every_argument_is_in_the_config(self):
        arguments = set(inspect.signature(self.layer_class.__init__).parameters)
        config = self.make_layer().get_config()
        assert arguments - {"self", "kwargs"} <= set(config)
        for name, value in self.init_kwargs.items():
            # As JSON, in which lists and tuples are the same.
            assert json.loads(json.dumps(config[name])) == json.loads(json.dumps(value)), name

    def test_a_config_makes_the_same_layer_again(self):
        config = self.make_layer(name="a_name").get_config()
        again = self.layer_class.from_config(json.loads(json.dumps(config)))
        assert json.dumps(again.get_config()) == json.dumps(config)

    def test_keras_serializes_the_layer_without_being_told_of_it(self):
        layer = self.make_layer(dtype="mixed_bfloat16", trainable=False)
        serialized = keras.saving.serialize_keras_object(layer)
        again = keras.saving.deserialize_keras_object(json.loads(json.dumps(serialized)))
        assert type(again) is self.layer_class
        assert json.dumps(again.get_config()) == json.dumps(layer.get_config())
        assert again.dtype_policy.name == "mixed_bfloat16"
        assert not again.trainable

    # --- building

    def test_the_first_call_builds_the_documented_weights(self):
        layer = self.make_layer()
        assert not layer.built
        layer(self.make_inputs())
        assert layer.built
        shapes = {weight.path.split("/", 1)[1]: tuple(weight.shape) for weight in layer.weights}
        assert shapes == self.weight_shapes
        assert len(layer.trainable_weights) == len(self.weight_shapes)

    def test_building_needs_no_batch_and_no_time(self):
        layer = self.make_layer()
        layer.build(self.on_inputs(lambda shape: (None, None, *shape[2:])))
        assert sorted(tuple(weight.shape) for weight in layer.weights) == sorted(
            self.weight_shapes.values()
        )

    def test_the_computed_output_shape_is_the_real_one(self):
        layer = self.make_layer()
        shapes = [output.shape for output in self.outputs(layer, self.make_inputs())]
        computed = layer.compute_output_shape(self.input_shape)
        computed = [computed] if isinstance(computed[0], int) else list(computed)
        assert [tuple(shape) for shape in computed] == shapes

    def test_a_symbolic_call_gives_shape_and_dtype_of_the_real_one(self):
        inputs = self.on_inputs(lambda shape: keras.Input(shape[1:], dtype=self.input_dtype))
        for policy in ("float32", "mixed_bfloat16", "float64"):
            layer = self.make_layer(dtype=policy)
            symbolic = keras.tree.flatten(layer(inputs))
            real = keras.tree.flatten(layer(self.make_inputs()))
            for promised, given in zip(symbolic, real, strict=True):
                assert promised.shape[1:] == tuple(given.shape[1:])
                assert promised.dtype == keras.backend.standardize_dtype(given.dtype)

    # --- calling

    def test_a_graph_of_unknown_batch_and_time_gives_what_eager_mode_gives(self):
        layer = self.make_layer()
        inputs = self.make_inputs()
        eager = self.outputs(layer, inputs)
        spec = self.on_inputs(
            lambda shape: tf.TensorSpec([None, None, *shape[2:]], self.input_dtype)
        )
        graph = tf.function(layer, input_signature=[spec])
        # The same operations in the same precision; a graph may fuse some of them.
        self.assert_equal(self.outputs(graph, inputs), eager, atol=1e-6)

    def test_the_static_shape_of_the_last_axis_survives_a_graph(self):
        layer = self.make_layer()
        sizes = [output.shape[-1] for output in self.outputs(layer, self.make_inputs())]
        spec = self.on_inputs(
            lambda shape: tf.TensorSpec([None, None, *shape[2:]], self.input_dtype)
        )
        graph = tf.function(layer, input_signature=[spec]).get_concrete_function()
        static = keras.tree.flatten(graph.structured_outputs)
        assert [output.shape[-1] for output in static] == sizes

    def test_xla_compiles_the_layer_or_the_layer_says_that_it_does_not(self):
        # Keras compiles by XLA on a GPU, unasked, unless a layer's `supports_jit` is False.
        layer = self.make_layer()
        inputs = keras.tree.map_structure(tf.constant, self.make_inputs())
        eager = self.outputs(layer, inputs)
        if layer.supports_jit:
            compiled = tf.function(layer, jit_compile=True)
            self.assert_equal(self.outputs(compiled, inputs), eager, atol=1e-5)

    def test_one_step_of_training_lowers_the_loss_and_moves_every_weight(self):
        model = self.make_model()
        inputs = self.make_inputs()
        rng = np.random.default_rng(1)
        targets = [y + rng.normal(size=y.shape) for y in self.outputs(model, inputs)]
        targets = targets if len(targets) > 1 else targets[0]
        model.compile(keras.optimizers.SGD(self.learning_rate), loss="mse")
        before = [keras.ops.convert_to_numpy(weight) for weight in model.trainable_weights]
        # One step an epoch; the loss of an epoch is the one before its step.
        history = model.fit(inputs, targets, batch_size=1024, epochs=2, verbose=0).history
        first, second = history["loss"]
        assert second < first
        assert len(before) == len(self.weight_shapes)
        for weight, old in zip(model.trainable_weights, before, strict=True):
            assert np.any(keras.ops.convert_to_numpy(weight) != old), weight.path

    def test_a_layer_that_is_not_trainable_has_no_trainable_weights(self):
        layer = self.make_layer(trainable=False)
        layer(self.make_inputs())
        assert layer.trainable_weights == []
        assert len(layer.non_trainable_weights) == len(self.weight_shapes)

    # --- precision

    @pytest.mark.parametrize(
        ("policy", "output", "variable", "atol"),
        [
            # float32 has 24 bits; values here are of the order of 1.
            ("float32", "float32", "float32", 1e-5),
            # bfloat16 has 8 bits: 2^-8 a rounding, and a few roundings one after another.
            ("mixed_bfloat16", "bfloat16", "float32", 0.05),
        ],
    )
    def test_a_dtype_policy_changes_precision_only(self, policy, output, variable, atol):
        exact = self.make_layer(dtype="float64")
        inputs = self.make_inputs()
        expected = self.outputs(exact, inputs)
        layer = self.make_layer(dtype=policy)
        layer(inputs)
        for weight, value in zip(layer.weights, exact.weights, strict=True):
            weight.assign(keras.ops.cast(value, weight.dtype))
        outputs = keras.tree.flatten(layer(inputs))
        assert keras.backend.standardize_dtype(outputs[0].dtype) == output
        assert {weight.dtype for weight in layer.weights} <= {variable}
        self.assert_equal(self.outputs(layer, inputs), expected, atol=atol)

    def test_float64_is_float64_throughout(self):
        layer = self.make_layer(dtype="float64")
        outputs = keras.tree.flatten(layer(self.make_inputs()))
        assert {keras.backend.standardize_dtype(output.dtype) for output in outputs} == {"float64"}
        assert {weight.dtype for weight in layer.weights} <= {"float64"}

    # --- saving

    def test_a_saved_model_gives_the_same_outputs_when_loaded(self, tmp_path):
        model = self.make_model()
        inputs = self.make_inputs()
        for weight in model.weights:  # away from the initial values, which loading could repeat
            weight.assign(weight + 0.01)
        expected = self.outputs(model, inputs)
        path = tmp_path / "model.keras"
        model.save(path)
        loaded = keras.models.load_model(path)
        self.assert_equal(self.outputs(loaded, inputs), expected, atol=0)
