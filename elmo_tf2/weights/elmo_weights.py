"""ElmoWeights: the weights of an ELMo model, whatever file they came from."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from elmo_tf2.arguments import shown
from elmo_tf2.config import NUM_CHARACTERS, ElmoConfig

MIX_WEIGHTS = "aggregation/weights"
MIX_GAMMA = "aggregation/scaling"
SOFTMAX_KERNEL = "softmax/W"
SOFTMAX_BIAS = "softmax/b"

_MAX_FAULTS = 20  # of a file that are told


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
        source: what to call the weights in messages, a path say.

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
        shapes = {name: np.shape(array) for name, array in self.arrays.items()}
        check_shapes(self.config, shapes, self.source)
        arrays = {
            name: as_finite_float32(self.arrays[name], self.source, name)
            for name in expected_shapes(self.config)
        }
        object.__setattr__(self, "arrays", arrays)
        if self.mix is not None:
            object.__setattr__(self, "mix", self._checked_mix(self.mix))
        if self.vocabulary is not None:
            object.__setattr__(self, "vocabulary", tuple(self.vocabulary))
        if self.softmax is not None:
            object.__setattr__(self, "softmax", self._checked_softmax(self.softmax))

    def _checked_mix(self, mix: Mix) -> Mix:
        shapes = {MIX_WEIGHTS: np.shape(mix.weights), MIX_GAMMA: np.shape(mix.gamma)}
        check_mix_shapes(self.config, shapes, self.source)
        weights = as_finite_float32(mix.weights, self.source, MIX_WEIGHTS)
        gamma = as_finite_float32(mix.gamma, self.source, MIX_GAMMA)
        return Mix(tuple(weights.tolist()), float(gamma))

    def _checked_softmax(self, softmax: Softmax) -> Softmax:
        shapes = {SOFTMAX_KERNEL: np.shape(softmax.kernel), SOFTMAX_BIAS: np.shape(softmax.bias)}
        check_softmax_shapes(self.config, shapes, self.vocabulary, self.source)
        return Softmax(
            as_finite_float32(softmax.kernel, self.source, SOFTMAX_KERNEL),
            as_finite_float32(softmax.bias, self.source, SOFTMAX_BIAS),
        )


def lstm_prefix(direction: int, layer: int) -> str:
    """The part of an LSTM's dataset names before `/W_0`, `/B` and `/W_P_0`."""
    return f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"


def expected_shapes(config: ElmoConfig) -> dict[str, tuple[int, ...]]:
    """The encoder's weights in a bilm-tf weight file.

    Args:
        config: the model's sizes.

    Returns:
        The shape of every dataset by its name.

    Example:
    >>> expected_shapes(ElmoConfig())["RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0"]
    (1024, 16384)
    """
    units, projection_dim, num_filters = config.units, config.projection_dim, config.num_filters
    # the row of "no word" is not in the files
    shapes: dict[str, tuple[int, ...]] = {
        "char_embed": (NUM_CHARACTERS - 1, config.char_embedding_dim)
    }
    for index, (width, number) in enumerate(config.filters):
        shapes[f"CNN/W_cnn_{index}"] = (1, width, config.char_embedding_dim, number)
        shapes[f"CNN/b_cnn_{index}"] = (number,)
    for index in range(config.num_highway_layers):
        for gate in ("carry", "transform"):
            shapes[f"CNN_high_{index}/W_{gate}"] = (num_filters, num_filters)
            shapes[f"CNN_high_{index}/b_{gate}"] = (num_filters,)
    if num_filters != projection_dim:
        shapes["CNN_proj/W_proj"] = (num_filters, projection_dim)
        shapes["CNN_proj/b_proj"] = (projection_dim,)
    for direction in range(2):
        for layer in range(config.num_layers):
            prefix = lstm_prefix(direction, layer)
            rows = config.lstm_input_dim(layer) + projection_dim
            shapes[f"{prefix}/W_0"] = (rows, 4 * units)
            shapes[f"{prefix}/B"] = (4 * units,)
            if config.has_projection:
                shapes[f"{prefix}/W_P_0"] = (units, projection_dim)
    return shapes


def check_shapes(
    config: ElmoConfig,
    shapes: Mapping[str, Sequence[int]],
    source: str,
    options: str = "its options",
) -> None:
    """Checks that these are the weights of this model, all of them and no others.

    Readers call it before they read a value, so that no file can have more read than the model
    needs.

    Args:
        config: the model's sizes.
        shapes: the shape of every weight by its name.
        source: what to call the weights in messages, a path say.
        options: what to call the sizes in messages.

    Raises:
        ValueError: if not, listing the weights that are missing, wrong or too many.
    """
    expected = expected_shapes(config)
    faults = []
    for name, shape in expected.items():
        if name not in shapes:
            faults.append(f"`{name}`: expected shape {shape}, found no such key")
        elif tuple(shapes[name]) != shape:
            faults.append(f"`{name}`: expected shape {shape}, found {tuple(shapes[name])}")
    for name in sorted(set(shapes) - set(expected)):
        faults.append(f"`{name}`: found shape {tuple(shapes[name])}, but nothing takes this key")
    if not faults:
        return
    message = f"{source} does not fit {options}:\n  " + ";\n  ".join(faults[:_MAX_FAULTS])
    if len(faults) > _MAX_FAULTS:
        message += f";\n  and {len(faults) - _MAX_FAULTS:,} more"
    if tuple(shapes.get("char_embed", ()))[:1] == (NUM_CHARACTERS,):
        message += (
            f"\n`char_embed` must have {NUM_CHARACTERS - 1} rows: the row of padding is added when "
            "the file is read. Remove the first row, if that is the padding."
        )
    second = tuple(shapes.get(f"{lstm_prefix(0, 1)}/W_0", ()))
    for merge, parts in (("add", 3), ("concat", 4)):
        merged = (parts * config.projection_dim, 4 * config.units)
        if second == merged and not config.is_merged:
            message += (
                '\nThese seem to be weights of a merged model: its options have "architecture": '
                f'"merged" and "merge": "{merge}".'
            )
    raise ValueError(message)


def check_mix_shapes(config: ElmoConfig, shapes: Mapping[str, Sequence[int]], source: str) -> None:
    """Checks the shapes of the layers' weighted sum.

    Args:
        config: the model's sizes.
        shapes: those of `MIX_WEIGHTS` and `MIX_GAMMA`, as far as they are there.
        source: what to call the weights in messages, a path say.

    Raises:
        ValueError: if one is missing or does not fit the model's number of layers.
    """
    expected: dict[str, tuple[int, ...]] = {MIX_WEIGHTS: (config.num_layers + 1,), MIX_GAMMA: ()}
    found = {name: tuple(shape) for name, shape in shapes.items()}
    if found != expected:
        raise ValueError(
            f"{source}: the layers' mix must have a weight for the word vectors and one for every "
            f"LSTM layer, in the shapes {expected}. Found: {found}."
        )


def check_softmax_shapes(
    config: ElmoConfig,
    shapes: Mapping[str, Sequence[int]],
    vocabulary: Sequence[str] | None,
    source: str,
) -> None:
    """Checks the shapes of a language model's output layer.

    Args:
        config: the model's sizes.
        shapes: those of `SOFTMAX_KERNEL` and `SOFTMAX_BIAS`, as far as they are there.
        vocabulary: the words, if known.
        source: what to call the weights in messages, a path say.

    Raises:
        ValueError: if one is missing or does not fit the other, the model or the vocabulary.
    """
    found = {name: tuple(shape) for name, shape in shapes.items()}
    if vocabulary is not None:
        size, rows = len(vocabulary), f"{len(vocabulary)} rows, one a word of the vocabulary"
    else:
        size, rows = max(found.get(SOFTMAX_BIAS) or (0,)), "a row for every word"
    expected = {SOFTMAX_KERNEL: (size, config.softmax_dim), SOFTMAX_BIAS: (size,)}
    if size < 1 or found != expected:
        raise ValueError(
            f"{source}: a language model's output layer must have `{SOFTMAX_KERNEL}` of shape "
            f"(words, {config.softmax_dim}) and `{SOFTMAX_BIAS}` of shape (words,), with "
            f"{rows}. Found: {shown(found)}."
        )


def as_finite_float32(values: Any, source: str, key: str) -> np.ndarray:
    """The values as a float32 array.

    Args:
        values: an array, or what NumPy makes one of.
        source: what to call the file in messages.
        key: what to call the values in messages.

    Returns:
        float32 array; the same one if it is one already.

    Raises:
        ValueError: if a value is NaN or infinite, or becomes so in float32.
    """
    with np.errstate(over="ignore"):
        array = np.asarray(values, np.float32)
    # a NaN goes through minimum and maximum, which need no second array of this size
    if array.size and not np.isfinite([array.min(), array.max()]).all():
        raise ValueError(
            f"{source}: `{key}` must hold finite float32 numbers. Found: "
            f"{np.isnan(array).sum()} NaN and {np.isinf(array).sum()} infinite of {array.size}."
        )
    return array
