"""The names of one weight in bilm-tf's weight files and in TensorFlow 1's checkpoints.

Most are the same but for the scope. An LSTM's kernel, `W_0` in

    RNN_0/RNN/MultiRNNCell/Cell1/LSTMCell/W_0                   a weight file,

is `kernel`, its `B` is `bias` and its `W_P_0` is `projection/kernel` in

    lm/RNN_0/rnn/multi_rnn_cell/cell_1/lstm_cell/kernel         bilm-tf's training,
    lm/RNN_0/rnn/lstm_cell/kernel                               the same of a model of one layer,
    bilm/RNN_0/RNN/MultiRNNCell/Cell1/rnn/lstm_cell/kernel      bilm-tf's encoder, TF1 Hub.
"""

import re
from collections.abc import Iterable

from elmo_tf2.weights.elmo_weights import lstm_prefix

_LSTM_WEIGHTS = {"kernel": "W_0", "bias": "B", "projection/kernel": "W_P_0"}
_LSTM_VARIABLES = {name: variable for variable, name in _LSTM_WEIGHTS.items()}

_SAME_IN_BOTH = re.compile(
    r"(?:^|/)("
    r"char_embed|CNN/[Wb]_cnn_\d+|CNN_high_\d+/[Wb]_(?:carry|transform)|CNN_proj/[Wb]_proj"
    r"|aggregation/(?:weights|scaling)|softmax/[Wb]"
    r")$"
)
_LSTM_VARIABLE = re.compile(
    r"(?:^|/)RNN_([01])/(?:rnn|RNN)"
    r"(?:/(?:multi_rnn_cell/cell_|MultiRNNCell/Cell)(\d+))?"
    r"(?:/rnn)?/lstm_cell/(kernel|bias|projection/kernel)$"
)
_LSTM_DATASET = re.compile(r"RNN_([01])/RNN/MultiRNNCell/Cell(\d+)/LSTMCell/(W_0|B|W_P_0)$")
_SINGLE_LAYER_DATASET = re.compile(r"RNN_([01])/RNN/LSTMCell/(W_0|B|W_P_0)$")


def dataset_name(variable: str) -> str | None:
    """The name in a weight file.

    Args:
        variable: the name in a checkpoint, under any scope.

    Returns:
        The name, or None if it is none of ELMo's weights.

    Example:
    >>> dataset_name("lm/RNN_1/rnn/lstm_cell/bias")
    'RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/B'
    """
    if match := _SAME_IN_BOTH.search(variable):
        return match[1]
    if match := _LSTM_VARIABLE.search(variable):
        return f"{lstm_prefix(int(match[1]), int(match[2] or 0))}/{_LSTM_WEIGHTS[match[3]]}"
    return None


def by_dataset_name(variables: Iterable[str], source: str) -> dict[str, str]:
    """The variables by their names in a weight file, or by their own if they have none there.

    Args:
        variables: names in a checkpoint.
        source: what to call the checkpoint in messages.

    Returns:
        A dictionary of the names.

    Raises:
        ValueError: if two variables would be one weight.
    """
    named: dict[str, str] = {}
    for variable in sorted(variables):
        name = dataset_name(variable) or variable
        if name in named:
            raise ValueError(f"{source}: `{named[name]}` and `{variable}` would both be `{name}`.")
        named[name] = variable
    return named


def training_variable(dataset: str, num_layers: int) -> str:
    """The name in a training checkpoint of bilm-tf.

    Args:
        dataset: the name in a weight file.
        num_layers: LSTM layers a direction; the only one's name has no number.

    Returns:
        The name.

    Example:
    >>> training_variable("RNN_1/RNN/MultiRNNCell/Cell0/LSTMCell/B", num_layers=2)
    'lm/RNN_1/rnn/multi_rnn_cell/cell_0/lstm_cell/bias'
    """
    match = _LSTM_DATASET.match(dataset)
    if not match:
        return f"lm/{dataset}"
    cell = f"multi_rnn_cell/cell_{match[2]}/" if num_layers > 1 else ""
    return f"lm/RNN_{match[1]}/rnn/{cell}lstm_cell/{_LSTM_VARIABLES[match[3]]}"


def single_layer_name(dataset: str) -> str | None:
    """The usual name of a dataset that bilm-tf's dump wrote for a model of one layer.

    Args:
        dataset: the name in a weight file.

    Returns:
        The name, or None if it is not one of those. bilm-tf and AllenNLP, too, look for the
        usual name.

    Example:
    >>> single_layer_name("RNN_0/RNN/LSTMCell/B")
    'RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/B'
    """
    match = _SINGLE_LAYER_DATASET.match(dataset)
    return f"{lstm_prefix(int(match[1]), 0)}/{match[2]}" if match else None
