"""TF1 Hub modules: weights and mix read from the variables, sizes from their shapes."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights import read_tf1_hub
from tests.weights.helpers import (
    assert_same_weights,
    hub_variables,
    random_weights,
    save_variables,
    write_hub_module,
)


@pytest.fixture
def saved(language_model):
    """A module has neither softmax nor vocabulary."""
    return dataclasses.replace(language_model, softmax=None, vocabulary=None)


@pytest.fixture
def variables(language_model):
    return hub_variables(language_model)


def test_a_modules_weights_and_mix_are_read(hub_module, saved):
    weights = read_tf1_hub(hub_module)
    assert_same_weights(weights, saved)
    assert weights.source == str(hub_module)


def test_what_shapes_do_not_tell_has_the_published_values(hub_module):
    config = read_tf1_hub(hub_module).config
    assert (config.activation, config.max_characters) == ("relu", 50)
    assert (config.cell_clip, config.projection_clip) == (3, 3)
    assert config.use_skip_connections
    assert config.sentence_boundaries


@pytest.mark.parametrize(
    "config",
    [
        ElmoConfig(filters=((1, 4), (3, 5)), units=8, projection_dim=9 - 2, num_layers=3),
        ElmoConfig(filters=((2, 4),), units=4, projection_dim=4, num_layers=1),
        ElmoConfig(filters=((2, 4),) * 12, units=6, projection_dim=4, num_highway_layers=0),
    ],
)
def test_the_sizes_are_inferred(tmp_path, rng, config):
    weights = random_weights(config, rng)
    write_hub_module(tmp_path / "module", hub_variables(weights))
    assert_same_weights(read_tf1_hub(tmp_path / "module"), weights)


@pytest.mark.parametrize("scope", ["", "module/bilm/", "module_1/bilm/"])
def test_variables_may_be_under_any_scope(tmp_path, saved, scope):
    variables = hub_variables(saved, scope)
    for name in ("aggregation/weights", "aggregation/scaling"):
        variables[scope + name] = variables.pop(name)
    write_hub_module(tmp_path / "module", variables)
    assert_same_weights(read_tf1_hub(tmp_path / "module"), saved)


def test_a_table_without_the_row_of_padding_is_read_as_it_is(tmp_path, saved, variables):
    variables["bilm/char_embed"] = variables["bilm/char_embed"][1:]
    write_hub_module(tmp_path / "module", variables)
    assert_same_weights(read_tf1_hub(tmp_path / "module"), saved)


def test_states_and_the_step_are_passed_over(tmp_path, saved, variables):
    variables |= {"bilm/Variable": np.ones((128, 6), "f"), "bilm/Variable_1": np.ones((128, 7))}
    variables["global_step"] = np.int64(1)
    write_hub_module(tmp_path / "module", variables)
    assert_same_weights(read_tf1_hub(tmp_path / "module"), saved)


def test_a_module_without_a_mix_is_read(tmp_path, saved):
    without = dataclasses.replace(saved, mix=None)
    write_hub_module(tmp_path / "module", hub_variables(without))
    assert_same_weights(read_tf1_hub(tmp_path / "module"), without)


def test_the_graph_is_never_loaded(hub_module, saved):
    (hub_module / "saved_model.pb").unlink()
    assert_same_weights(read_tf1_hub(hub_module), saved)


def test_half_a_mix_and_a_mix_of_other_layers_are_refused(hub_module, variables):
    prefix = hub_module / "variables" / "variables"
    save_variables(prefix, variables | {"aggregation/weights": np.zeros(4, "f")})
    with pytest.raises(ValueError, match="module: the layers' mix must have a weight"):
        read_tf1_hub(hub_module)
    del variables["aggregation/weights"]
    save_variables(prefix, variables)
    with pytest.raises(ValueError, match="module: the layers' mix must have a weight"):
        read_tf1_hub(hub_module)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bilm/char_embed", None),
        ("bilm/char_embed", np.zeros(262, "f")),
        ("bilm/CNN/W_cnn_0", None),
        ("bilm/CNN/W_cnn_1", np.zeros((3, 3, 5), "f")),
        ("bilm/RNN_0/RNN/MultiRNNCell/Cell0/rnn/lstm_cell/kernel", None),
    ],
)
def test_a_module_of_something_else_is_refused(hub_module, variables, name, value):
    variables[name] = value
    save_variables(
        hub_module / "variables" / "variables",
        {name: value for name, value in variables.items() if value is not None},
    )
    with pytest.raises(ValueError, match="module is not an ELMo module: it needs a variable"):
        read_tf1_hub(hub_module)


def test_shapes_that_no_model_has_are_refused(hub_module, variables):
    name = "bilm/RNN_0/RNN/MultiRNNCell/Cell0/rnn/lstm_cell/kernel"
    save_variables(
        hub_module / "variables" / "variables", variables | {name: np.zeros((12, 20), "f")}
    )
    with pytest.raises(ValueError, match="not an ELMo module: `projection_dim` must be at most"):
        read_tf1_hub(hub_module)


def test_gaps_and_additions_are_listed(hub_module, variables):
    del variables["bilm/CNN/b_cnn_0"]
    variables["bilm/other/kernel"] = np.ones(3, "f")
    save_variables(hub_module / "variables" / "variables", variables)
    with pytest.raises(ValueError, match="does not fit the sizes inferred from it") as error:
        read_tf1_hub(hub_module)
    assert "`CNN/b_cnn_0`: expected shape (4,), found no such key" in str(error.value)
    assert "`bilm/other/kernel`: found shape (3,), but nothing takes this" in str(error.value)


def test_two_variables_of_one_name_are_refused(hub_module, variables):
    variables["other/char_embed"] = variables["bilm/char_embed"]
    save_variables(hub_module / "variables" / "variables", variables)
    with pytest.raises(ValueError, match="would both be `char_embed`"):
        read_tf1_hub(hub_module)


def test_a_saved_model_of_tensorflow_2_is_refused(tmp_path):
    module = tf.Module()
    module.v = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "saved"))
    with pytest.raises(ValueError, match="saved is a SavedModel of TensorFlow 2"):
        read_tf1_hub(tmp_path / "saved")


def test_missing_and_damaged_variables_are_clear_errors(tmp_path, hub_module):
    with pytest.raises(FileNotFoundError, match="There is no checkpoint index '.*nowhere"):
        read_tf1_hub(tmp_path / "nowhere")
    data = hub_module / "variables" / "variables.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:-4000])
    with pytest.raises(ValueError, match="module/variables/variables: .* cut short"):
        read_tf1_hub(hub_module)
