"""Every weight of an ELMo once: its shape, and its name and layout in each format.

| format | name | character table | convolution |
|---|---|---|---|
| HDF5 of bilm-tf and AllenNLP, `ElmoWeights.arrays` | `name` | 261 rows | (1, width, in, out) |
| the same, dumped from a model of one layer | `hdf5_one_layer` | the same | the same |
| training checkpoint of bilm-tf, TF1 | `lm/` + `tf1_training` | the same | the same |
| the same of a model of one layer | `lm/` + `tf1_training_one_layer` | the same | the same |
| TF1 Hub module | any scope + `tf1_hub` | 261 or 262 rows | the same |
| pretraining run of this package, TF2 | `run` | 262 rows | (width, in, out) |
| `BiLM`, a Keras layer | `variable` | 262 rows | (width, in, out) |

Of 262 rows the first is the padding's, zeros. The same in all: an LSTM kernel's rows are
[input; recurrent], its columns the gates in the order i, j, f, o, and its bias lacks the 1 that is
added to the forget gate at run time.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from elmo_tf2.config import ElmoConfig

# The columns of names that a file may have.
HDF5 = ("name", "hdf5_one_layer")
TF1 = ("tf1_training", "tf1_training_one_layer", "tf1_hub")
RUN = ("run",)

TRAINING_SCOPE = "lm"
ENCODER = "encoder"  # a run's checkpoint has a key ENCODER/…RUN_VALUE of each weight
RUN_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
WITHOUT_PADDING = slice(1, None)


@dataclasses.dataclass(frozen=True)
class Weight:
    """A row of the table: a weight, or one of each number that its names have in braces.

    Attributes:
        name: see the table above, as the other names.
        shape: in files.
        variable: attributes and numbers that lead from a `BiLM` to it.
        index: what of the variable's value is in files.
    """

    name: str
    shape: tuple[Any, ...]
    variable: str
    index: Any
    hdf5_one_layer: str
    tf1_training: str
    tf1_training_one_layer: str
    tf1_hub: str
    run: str

    def numbered(self, numbers: Mapping[str, Any]) -> "Weight":
        """The weight of these numbers and sizes."""
        names = {
            column: getattr(self, column).format(**numbers)
            for column in (*HDF5, *TF1, *RUN, "variable")
        }
        shape = tuple(numbers.get(size, size) for size in self.shape)
        return dataclasses.replace(self, shape=shape, **names)


def _weight(
    name: str, shape: tuple[Any, ...], variable: str = "", index: Any = (), **names: str
) -> Weight:
    """A row; its names are `name` in every format, if no others are given."""
    run = f"{ENCODER}/{name.replace('/', '.S')}" if variable else name
    columns = dict.fromkeys((*HDF5, *TF1), name) | {"run": run + RUN_VALUE} | names
    return Weight(shape=shape, variable=variable, index=index, **columns)


def _lstm(hdf5: str, tf1: str, shape: tuple[Any, ...], variable: str) -> Weight:
    direction = "RNN_{direction}"
    return _weight(
        f"{direction}/RNN/MultiRNNCell/Cell{{layer}}/LSTMCell/{hdf5}",
        shape,
        f"{{stack}}_layers.{{layer}}.{variable}",
        hdf5_one_layer=f"{direction}/RNN/LSTMCell/{hdf5}",
        tf1_training=f"{direction}/rnn/multi_rnn_cell/cell_{{layer}}/lstm_cell/{tf1}",
        tf1_training_one_layer=f"{direction}/rnn/lstm_cell/{tf1}",
        tf1_hub=f"{direction}/RNN/MultiRNNCell/Cell{{layer}}/rnn/lstm_cell/{tf1}",
    )


CHAR_EMBED = _weight("char_embed", ("chars", "dim"), "{char_cnn}.embedding", WITHOUT_PADDING)
CONVOLUTION = (
    _weight("CNN/W_cnn_{i}", (1, "width", "dim", "out"), "{char_cnn}.kernels.{i}", np.newaxis),
    _weight("CNN/b_cnn_{i}", ("out",), "{char_cnn}.biases.{i}"),
)
HIGHWAY = (
    _weight("CNN_high_{i}/W_carry", ("cnn", "cnn"), "{char_cnn}.highways.{i}.carry_kernel"),
    _weight("CNN_high_{i}/b_carry", ("cnn",), "{char_cnn}.highways.{i}.carry_bias"),
    _weight("CNN_high_{i}/W_transform", ("cnn", "cnn"), "{char_cnn}.highways.{i}.transform_kernel"),
    _weight("CNN_high_{i}/b_transform", ("cnn",), "{char_cnn}.highways.{i}.transform_bias"),
)
EMBEDDING = _weight(
    "embedding", ("words", "word"), "token_embedder.word_embedding", WITHOUT_PADDING
)
PROJECTION = (
    _weight("CNN_proj/W_proj", ("features", "projection"), "token_embedder.projection_kernel"),
    _weight("CNN_proj/b_proj", ("projection",), "token_embedder.projection_bias"),
)
LSTM = (
    _lstm("W_0", "kernel", ("inputs", "gates"), "kernel"),
    _lstm("B", "bias", ("gates",), "bias"),
)
LSTM_PROJECTION = _lstm("W_P_0", "projection/kernel", ("units", "projection"), "projection_kernel")
MIX = (_weight("aggregation/weights", ("layers",)), _weight("aggregation/scaling", ()))
SOFTMAX = (_weight("softmax/W", ("words", "softmax")), _weight("softmax/b", ("words",)))
_ENCODER = (CHAR_EMBED, EMBEDDING, *CONVOLUTION, *HIGHWAY, *PROJECTION, *LSTM, LSTM_PROJECTION)


def encoder_weights(config: ElmoConfig) -> list[Weight]:
    """The weights of a model's encoder."""
    has_dictionaries = config.token_embedder != "char_cnn"
    sizes = {
        "char_cnn": "token_embedder.char_cnn" if has_dictionaries else "token_embedder",
        "chars": config.num_characters - 1,
        "words": len(config.words),
        "word": config.word_dim,
        "features": config.word_dim + config.num_filters,
        "dim": config.char_embedding_dim,
        "cnn": config.num_filters,
        "projection": config.projection_dim,
        "units": config.units,
        "gates": 4 * config.units,
    }
    filters = [
        {"i": i, "width": width, "out": number} for i, (width, number) in enumerate(config.filters)
    ]
    lstms = [
        {
            "direction": direction,
            "stack": stack,
            "layer": layer,
            "inputs": config.lstm_input_dim(layer) + config.projection_dim,
        }
        for direction, stack in enumerate(("forward", "backward"))
        for layer in range(config.num_layers)
    ]
    parts: tuple[tuple[Sequence[Weight], Sequence[Mapping[str, Any]]], ...] = (
        ([EMBEDDING], [{}] if config.word_dim else []),
        ([CHAR_EMBED], [{}] if config.filters else []),
        (CONVOLUTION, filters),
        (HIGHWAY, [{"i": i} for i in range(config.num_highway_layers)]),
        (PROJECTION, [{}] if config.projects_words else []),
        ([*LSTM, LSTM_PROJECTION] if config.has_projection else LSTM, lstms),
    )
    return [
        weight.numbered({**sizes, **numbers})
        for weights, each in parts
        for numbers in each
        for weight in weights
    ]


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
    return {weight.name: weight.shape for weight in encoder_weights(config)}


def mix_shapes(config: ElmoConfig) -> dict[str, tuple[int, ...]]:
    """The shapes of the weighted sum of the layers."""
    sizes = {"layers": config.num_layers + 1}
    return {weight.name: weight.numbered(sizes).shape for weight in MIX}


def softmax_shapes(config: ElmoConfig, num_words: int) -> dict[str, tuple[int, ...]]:
    """The shapes of a language model's output layer."""
    sizes = {"words": num_words, "softmax": config.softmax_dim}
    return {weight.name: weight.numbered(sizes).shape for weight in SOFTMAX}


def by_name(part: Sequence[Weight], values: Iterable[Any]) -> dict[str, Any]:
    """The values of `MIX` or `SOFTMAX` by their names."""
    return dict(zip((weight.name for weight in part), values, strict=True))


def shape_in_files(shape: tuple[int, ...], index: Any) -> tuple[int, ...]:
    """The shape that `value[index]` has of a value of this shape; see `Weight.index`."""
    if index is np.newaxis:
        return (1, *shape)
    return (shape[0] - 1, *shape[1:]) if index == WITHOUT_PADDING and shape else shape


@functools.cache
def _pattern(name: str, has_scope: bool) -> re.Pattern[str]:
    name = re.escape(name).replace(r"\{direction\}", "(?P<direction>[01])")
    name = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[0-9]+)", name)
    return re.compile(rf"{'(?:^|/)' if has_scope else '^'}{name}\Z")


def is_encoder_group(name: str) -> bool:
    """Whether this is at the top of an HDF5 file with an encoder."""
    # that of words alone is a table of word vectors
    tops = {weight.name.partition("/")[0] for weight in _ENCODER if weight is not EMBEDDING}
    return any(re.fullmatch(re.sub(r"{\w+}", "[0-9]+", top), name) for top in tops)


def weight_name(found: str, columns: Sequence[str]) -> str | None:
    """What a weight is called here that a file calls otherwise; None if it is no weight."""
    for weight in (*_ENCODER, *MIX, *SOFTMAX):
        for column in columns:
            if match := _pattern(getattr(weight, column), column in TF1).search(found):
                return weight.name.format(**{"layer": 0, **match.groupdict()})
    return None


def weight_names(found: Iterable[str], columns: Sequence[str], source: str) -> dict[str, str]:
    """What a file calls each weight, by the name here; what is no weight, by its own name."""
    names: dict[str, str] = {}
    for theirs in sorted(found):
        name = weight_name(theirs, columns) or theirs
        if name in names:
            raise ValueError(f"{source}: `{names[name]}` and `{theirs}` would both be `{name}`.")
        names[name] = theirs
    return names
