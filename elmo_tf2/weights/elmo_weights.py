"""ElmoWeights: the weights of an ELMo model, from any file format."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights.check import check_mix_shapes, check_shapes, check_softmax_shapes
from elmo_tf2.weights.schema import MIX, SOFTMAX, by_name, expected_shapes


class Mix(NamedTuple):
    """The weighted sum of the layers.

    Attributes:
        weights: a float for every layer, before the softmax.
        gamma: float that scales the sum.
    """

    weights: tuple[float, ...]
    gamma: float


class Softmax(NamedTuple):
    """The output layer of a language model; the one of both directions.

    Attributes:
        kernel: float32 array, `(vocabulary, config.softmax_dim)`.
        bias: float32 array, `(vocabulary,)`.
    """

    kernel: np.ndarray
    bias: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class ElmoWeights:
    """The weights of an ELMo model, checked: complete, of the right shapes and finite.

    Args:
        config: the model's sizes.
        arrays: the encoder's weights under the names of bilm-tf's weight files, see
            `expected_shapes`. Cast to float32.
        mix: the layers' weighted sum, or None.
        softmax: the language model's output layer, or None.
        vocabulary: the words in the order of the softmax's rows, or None.
        source: what to call the weights in messages, such as their path.

    Raises:
        ValueError: if a weight is missing, is one too many, has a wrong shape or a value that is
            NaN or infinite, or if the mix, the softmax and the vocabulary do not fit.

    Example:
    >>> weights = read_weights("model_folder")
    >>> weights.arrays["char_embed"].shape
    (261, 16)
    """

    config: ElmoConfig
    arrays: dict[str, np.ndarray]
    mix: Mix | None = None
    softmax: Softmax | None = None
    vocabulary: tuple[str, ...] | None = None
    source: str = "weights"

    def __post_init__(self) -> None:
        check_shapes(self.config, _shapes(self.arrays), self.source)
        arrays = {name: self.arrays[name] for name in expected_shapes(self.config)}
        object.__setattr__(self, "arrays", self._finite(arrays))
        if self.vocabulary is not None:
            object.__setattr__(self, "vocabulary", tuple(self.vocabulary))
        if self.mix is not None:
            mix = by_name(MIX, self.mix)
            check_mix_shapes(self.config, _shapes(mix), self.source)
            weights, gamma = self._finite(mix).values()
            object.__setattr__(self, "mix", Mix(tuple(weights.tolist()), float(gamma)))
        if self.softmax is not None:
            softmax = by_name(SOFTMAX, self.softmax)
            check_softmax_shapes(self.config, _shapes(softmax), self.vocabulary, self.source)
            object.__setattr__(self, "softmax", Softmax(*self._finite(softmax).values()))

    def _finite(self, arrays: Mapping[str, Any]) -> dict[str, np.ndarray]:
        return {name: as_finite_float32(of, self.source, name) for name, of in arrays.items()}


def _shapes(arrays: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    return {name: np.shape(array) for name, array in arrays.items()}


def as_finite_float32(values: Any, source: str, key: str) -> np.ndarray:
    """The values as a float32 array, the same if it is one; an error names the source and key."""
    with np.errstate(over="ignore"):
        array = np.asarray(values, np.float32)
    # a NaN goes through minimum and maximum, which need no second array of this size
    if array.size and not np.isfinite([array.min(), array.max()]).all():
        raise ValueError(
            f"{source}: `{key}` must hold finite float32 numbers. Found: "
            f"{np.isnan(array).sum()} NaN and {np.isinf(array).sum()} infinite of {array.size}."
        )
    return array
