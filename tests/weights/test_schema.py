"""One weight's names in each format."""

import re

import pytest

from elmo_tf2.config import ElmoConfig
from elmo_tf2.models import BiLM, bilm_arrays
from elmo_tf2.weights import expected_shapes
from elmo_tf2.weights.schema import (
    HDF5,
    RUN,
    TF1,
    encoder_weights,
    is_encoder_group,
    shape_in_files,
    weight_name,
    weight_names,
)

LSTM = "RNN_1/RNN/MultiRNNCell/Cell{}/LSTMCell/{}"


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("lm/char_embed", "char_embed"),
        ("char_embed", "char_embed"),
        ("module/bilm/CNN/b_cnn_11", "CNN/b_cnn_11"),
        ("lm/CNN_high_0/W_carry", "CNN_high_0/W_carry"),
        ("lm/softmax/b", "softmax/b"),
        ("aggregation/scaling", "aggregation/scaling"),
        ("lm/RNN_1/rnn/multi_rnn_cell/cell_3/lstm_cell/bias", LSTM.format(3, "B")),
        ("lm/RNN_1/rnn/lstm_cell/projection/kernel", LSTM.format(0, "W_P_0")),
        ("bilm/RNN_1/RNN/MultiRNNCell/Cell1/rnn/lstm_cell/kernel", LSTM.format(1, "W_0")),
        ("lm/CNN/W_cnn_0/Adagrad", None),
        ("lm/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel", None),
        ("lm/RNN_2/rnn/lstm_cell/kernel", None),
        ("lm/my_char_embed", None),
        ("lm/char_embed\n", None),
        ("global_step", None),
    ],
)
def test_a_variable_has_its_name_in_a_weight_file(variable, name):
    assert weight_name(variable, TF1) == name


@pytest.mark.parametrize(
    ("dataset", "name"),
    [
        ("RNN_1/RNN/LSTMCell/W_P_0", LSTM.format(0, "W_P_0")),
        (LSTM.format(2, "B"), LSTM.format(2, "B")),
        ("char_embed", "char_embed"),
        ("lm/char_embed", None),
        ("RNN_1/rnn/lstm_cell/kernel", None),
    ],
)
def test_a_dataset_has_no_scope_and_may_be_of_the_only_layer(dataset, name):
    assert weight_name(dataset, HDF5) == name


@pytest.mark.parametrize("num_layers", [1, 2, 12])
@pytest.mark.parametrize("merged", [False, True])
def test_every_weight_has_a_name_of_its_own_in_every_format(num_layers, merged):
    if merged and num_layers == 1:
        return
    config = ElmoConfig(
        units=8,
        projection_dim=4,
        num_layers=num_layers,
        architecture="merged" if merged else "separate",
    )
    weights = encoder_weights(config)
    for column in (*HDF5, *TF1, *RUN, "variable"):
        is_of_one_layer = "one_layer" in column
        names = [getattr(weight, column) for weight in weights]
        assert len(set(names)) == len(names) or (is_of_one_layer and num_layers > 1)
        if column != "variable" and not (is_of_one_layer and num_layers > 1):
            columns = next(columns for columns in (HDF5, TF1, RUN) if column in columns)
            found = [weight_name(name, columns) for name in names]
            assert found == [weight.name for weight in weights] == list(expected_shapes(config))


def test_the_only_layers_variable_has_no_number():
    name = LSTM.format(0, "W_0")
    weight = next(weight for weight in encoder_weights(ElmoConfig()) if weight.name == name)
    assert weight.tf1_training_one_layer == "RNN_1/rnn/lstm_cell/kernel"
    assert weight.tf1_training == "RNN_1/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel"
    assert weight.run == (
        "encoder/RNN_1.SRNN.SMultiRNNCell.SCell0.SLSTMCell.SW_0/.ATTRIBUTES/VARIABLE_VALUE"
    )


@pytest.mark.parametrize(
    "config",
    [
        ElmoConfig(filters=((1, 4), (3, 5)), units=7, projection_dim=6),
        ElmoConfig(filters=((2, 4),), num_highway_layers=0, units=4, projection_dim=4),
        ElmoConfig(filters=((1, 4),), units=6, projection_dim=6, always_project=True),
    ],
)
def test_a_bilm_has_these_weights_and_no_others(config):
    bilm = BiLM(config)
    bilm.build()
    shapes = expected_shapes(config)
    assert {name: array.shape for name, array in bilm_arrays(bilm).items()} == shapes
    assert len(bilm.weights) == len(shapes)


def test_layouts_of_any_shape_have_a_shape_in_files():
    table, kernel, bias = encoder_weights(ElmoConfig())[:3]
    assert shape_in_files((262, 16), table.index) == (261, 16)
    assert shape_in_files((), table.index) == ()
    assert shape_in_files((1, 16, 32), kernel.index) == (1, 1, 16, 32)
    assert shape_in_files((32,), bias.index) == (32,)


def test_variables_without_a_name_keep_their_own():
    names = weight_names(["lm/char_embed", "lm/other"], TF1, "here")
    assert names == {"char_embed": "lm/char_embed", "lm/other": "lm/other"}


def test_two_variables_of_one_name_are_refused():
    message = "here: `a/char_embed` and `b/char_embed` would both be `char_embed`"
    with pytest.raises(ValueError, match=re.escape(message)):
        weight_names(["b/char_embed", "a/char_embed"], TF1, "here")


@pytest.mark.parametrize("name", ["char_embed", "CNN", "CNN_high_0", "CNN_proj", "RNN_1"])
def test_an_encoder_is_known_by_what_is_at_the_top_of_its_file(name):
    assert is_encoder_group(name)
    assert not is_encoder_group(f"my_{name}")
