"""A BiLM's variables under the names that bilm-tf's weight files give them."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from elmo_tf2.models.bilm import BiLM
from elmo_tf2.weights.schema import encoder_weights


def bilm_arrays(bilm: BiLM) -> dict[str, np.ndarray]:
    """The weights of a BiLM as a bilm-tf weight file has them.

    Args:
        bilm: a built BiLM.

    Returns:
        float32 arrays by dataset name. `char_embed` lacks the row of "no word", and the kernels
        of the convolutions have one axis more.
    """
    return {
        name: np.asarray(keras.ops.convert_to_numpy(variable), np.float32)[index]
        for name, (variable, index) in named_variables(bilm).items()
    }


def set_bilm_arrays(bilm: BiLM, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a BiLM the weights of a bilm-tf weight file.

    Args:
        bilm: a built BiLM.
        arrays: by dataset name, as `elmo_tf2.weights.ElmoWeights.arrays` holds them checked.

    Raises:
        KeyError: if one is missing.
    """
    for name, (variable, index) in named_variables(bilm).items():
        value = np.zeros(variable.shape, np.float32)
        value[index] = np.reshape(arrays[name], value[index].shape)
        variable.assign(value)


def named_variables(bilm: BiLM) -> dict[str, tuple[keras.Variable, Any]]:
    """The variables of a BiLM by the names that bilm-tf's weight files have.

    Args:
        bilm: a built BiLM.

    Returns:
        Each with the index that gives the file's array from its value.
    """
    return {
        weight.name: (_variable(bilm, weight.variable), weight.index)
        for weight in encoder_weights(bilm.config)
    }


def _variable(bilm: BiLM, path: str) -> Any:
    """What attributes and numbers lead to, as in `char_cnn.kernels.0`."""
    found: Any = bilm
    for step in path.split("."):
        found = found[int(step)] if step.isdecimal() else getattr(found, step)
    return found
