"""A BiLM's variables under the names that bilm-tf's weight files give them."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from elmo_tf2.models.bilm import BiLM


def bilm_arrays(bilm: BiLM) -> dict[str, np.ndarray]:
    """The weights of a BiLM as a bilm-tf weight file has them.

    Args:
        bilm: a built BiLM.

    Returns:
        float32 arrays by dataset name. `char_embed` lacks the row of "no word", and the kernels
        of the convolutions have one axis more.
    """
    return {
        name: np.asarray(keras.ops.convert_to_numpy(variable), np.float32)[window]
        for name, (variable, window) in named_variables(bilm).items()
    }


def set_bilm_arrays(bilm: BiLM, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a BiLM the weights of a bilm-tf weight file.

    Args:
        bilm: a built BiLM.
        arrays: by dataset name, as `elmo_tf2.weights.ElmoWeights.arrays` holds them checked.

    Raises:
        KeyError: if one is missing.
    """
    for name, (variable, window) in named_variables(bilm).items():
        value = np.zeros(variable.shape, np.float32)
        value[window] = np.reshape(arrays[name], value[window].shape)
        variable.assign(value)


_WHOLE: Any = ()
_LEADING_AXIS: Any = np.newaxis
_WITHOUT_FIRST_ROW: Any = slice(1, None)


def named_variables(bilm: BiLM) -> dict[str, tuple[keras.Variable, Any]]:
    """The variables of a BiLM by the names that bilm-tf's weight files have.

    Args:
        bilm: a built BiLM.

    Returns:
        Each with the index that gives the file's array from its value.
    """
    cnn = bilm.char_cnn
    named: dict[str, tuple[keras.Variable, Any]] = {
        "char_embed": (cnn.embedding, _WITHOUT_FIRST_ROW)
    }
    for index, (kernel, bias) in enumerate(zip(cnn.kernels, cnn.biases, strict=True)):
        named[f"CNN/W_cnn_{index}"] = kernel, _LEADING_AXIS
        named[f"CNN/b_cnn_{index}"] = bias, _WHOLE
    for index, highway in enumerate(cnn.highways):
        named[f"CNN_high_{index}/W_carry"] = highway.carry_kernel, _WHOLE
        named[f"CNN_high_{index}/b_carry"] = highway.carry_bias, _WHOLE
        named[f"CNN_high_{index}/W_transform"] = highway.transform_kernel, _WHOLE
        named[f"CNN_high_{index}/b_transform"] = highway.transform_bias, _WHOLE
    if cnn.projection_kernel is not None:
        named["CNN_proj/W_proj"] = cnn.projection_kernel, _WHOLE
        named["CNN_proj/b_proj"] = cnn.projection_bias, _WHOLE
    for direction, stack in enumerate((bilm.forward_layers, bilm.backward_layers)):
        for index, lstm in enumerate(stack):
            prefix = f"RNN_{direction}/RNN/MultiRNNCell/Cell{index}/LSTMCell"
            named[f"{prefix}/W_0"] = lstm.kernel, _WHOLE
            named[f"{prefix}/B"] = lstm.bias, _WHOLE
            if lstm.projection_kernel is not None:
                named[f"{prefix}/W_P_0"] = lstm.projection_kernel, _WHOLE
    return named
