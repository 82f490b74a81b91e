"""One weight's names in weight files and in checkpoints."""

import pytest

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights import expected_shapes
from elmo_tf2.weights.variable_names import (
    by_dataset_name,
    dataset_name,
    single_layer_name,
    training_variable,
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
        ("lm/my_char_embed", None),
        ("global_step", None),
    ],
)
def test_a_variable_has_its_name_in_a_weight_file(variable, name):
    assert dataset_name(variable) == name


@pytest.mark.parametrize("num_layers", [1, 2, 12])
def test_every_weight_comes_back_from_its_variables_name(num_layers):
    config = ElmoConfig(units=8, projection_dim=4, num_layers=num_layers)
    for name in expected_shapes(config):
        assert dataset_name(training_variable(name, num_layers)) == name


def test_the_only_layers_variable_has_no_number():
    name = LSTM.format(0, "W_0")
    assert training_variable(name, 1) == "lm/RNN_1/rnn/lstm_cell/kernel"
    assert training_variable(name, 2) == "lm/RNN_1/rnn/multi_rnn_cell/cell_0/lstm_cell/kernel"


def test_the_only_layers_dataset_has_a_usual_name():
    assert single_layer_name("RNN_1/RNN/LSTMCell/W_P_0") == LSTM.format(0, "W_P_0")
    assert single_layer_name(LSTM.format(0, "W_P_0")) is None
    assert single_layer_name("char_embed") is None


def test_variables_without_a_name_keep_their_own():
    names = by_dataset_name(["lm/char_embed", "lm/embedding"], "here")
    assert names == {"char_embed": "lm/char_embed", "lm/embedding": "lm/embedding"}


def test_two_variables_of_one_name_are_refused():
    with pytest.raises(ValueError, match="here: `a/char_embed` and `b/char_embed` would both be"):
        by_dataset_name(["b/char_embed", "a/char_embed"], "here")
