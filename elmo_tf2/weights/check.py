"""Checks that a file's weights are those of a model, before a value is read."""

from collections.abc import Mapping, Sequence

from elmo_tf2.config import NUM_CHARACTERS, ElmoConfig
from elmo_tf2.validation import shown
from elmo_tf2.weights.schema import (
    CHAR_EMBED,
    LSTM,
    SOFTMAX,
    expected_shapes,
    mix_shapes,
    softmax_shapes,
)

_MAX_FAULTS = 20  # that a message lists

Shapes = Mapping[str, Sequence[int]]


def check_shapes(
    config: ElmoConfig, shapes: Shapes, source: str, options: str = "its options"
) -> None:
    """Checks that these are the weights of this model, all of them and no others.

    Readers call it before they read a value, so that no file can have more read than the model
    needs.

    Args:
        config: the model's sizes.
        shapes: the shape of every weight by its name.
        source: what to call the weights in messages, such as their path.
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
    if faults:
        message = f"{source} does not fit {options}:\n  " + ";\n  ".join(faults[:_MAX_FAULTS])
        if len(faults) > _MAX_FAULTS:
            message += f";\n  and {len(faults) - _MAX_FAULTS:,} more"
        raise ValueError(message + _hints(config, shapes))


def _hints(config: ElmoConfig, shapes: Shapes) -> str:
    """What is known of weights that do not fit."""
    hints = ""
    if tuple(shapes.get(CHAR_EMBED.name, ()))[:1] == (NUM_CHARACTERS,):
        hints += (
            f"\n`{CHAR_EMBED.name}` must have {NUM_CHARACTERS - 1} rows: the row of padding is "
            "added when the file is read. Remove the first row, if that is the padding."
        )
    second = tuple(shapes.get(LSTM[0].name.format(direction=0, layer=1), ()))
    for merge, parts in (("add", 3), ("concat", 4)):
        merged = (parts * config.projection_dim, 4 * config.units)
        if second == merged and not config.is_merged:
            hints += (
                '\nThese seem to be weights of a merged model: its options have "architecture": '
                f'"merged" and "merge": "{merge}".'
            )
    return hints


def check_mix_shapes(config: ElmoConfig, shapes: Shapes, source: str) -> None:
    """Checks that a mix fits the model's number of layers."""
    expected = mix_shapes(config)
    found = {name: tuple(shape) for name, shape in shapes.items()}
    if found != expected:
        raise ValueError(
            f"{source}: the layers' mix must have a weight for the word vectors and one for every "
            f"LSTM layer, in the shapes {expected}. Found: {found}."
        )


def check_softmax_shapes(
    config: ElmoConfig, shapes: Shapes, vocabulary: Sequence[str] | None, source: str
) -> None:
    """Checks that a language model's output layer fits the model and, if known, its words."""
    kernel, bias = (weight.name for weight in SOFTMAX)
    found = {name: tuple(shape) for name, shape in shapes.items()}
    if vocabulary is not None:
        size, rows = len(vocabulary), f"{len(vocabulary)} rows, one per word of the vocabulary"
    else:
        size, rows = max(found.get(bias) or (0,)), "a row for every word"
    if size < 1 or found != softmax_shapes(config, size):
        raise ValueError(
            f"{source}: a language model's output layer must have `{kernel}` of shape "
            f"(words, {config.softmax_dim}) and `{bias}` of shape (words,), with {rows}. "
            f"Found: {shown(found)}."
        )
