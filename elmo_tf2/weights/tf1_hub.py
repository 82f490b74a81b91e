"""TF1 Hub modules of ELMo, such as google/elmo/2 and google/elmo/3.

A folder with `saved_model.pb`, `tfhub_module.pb` and `variables/`. The variables are read; the
graph is neither loaded nor run. The sizes are inferred from the variables' shapes.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from elmo_tf2.config import NUM_CHARACTERS, ElmoConfig
from elmo_tf2.files import StrPath
from elmo_tf2.weights.checkpoint_variables import CheckpointVariables, open_checkpoint
from elmo_tf2.weights.elmo_weights import (
    MIX_GAMMA,
    MIX_WEIGHTS,
    ElmoWeights,
    Mix,
    check_mix_shapes,
    check_shapes,
    lstm_prefix,
)
from elmo_tf2.weights.variable_names import by_dataset_name

# bilm-tf's graph keeps the LSTM states of the last batch in variables without names
_NO_WEIGHT = re.compile(r"(?:^|/)(?:global_step|Variable(?:_\d+)?)$")


def read_tf1_hub(path: StrPath) -> ElmoWeights:
    """Reads the weights of a TF1 Hub module.

    What the shapes can't tell has the values of the published models: 50 characters a word, relu,
    clips at 3, skip connections, sentence boundaries added inside.

    Args:
        path: the module's folder.

    Returns:
        The weights, with the mix if the module has one.

    Raises:
        FileNotFoundError: if the folder or its variables are missing.
        ValueError: if the module is damaged or not an ELMo.
    """
    checkpoint = open_checkpoint(Path(path, "variables", "variables"))
    if checkpoint.is_of_objects:
        raise ValueError(f"{path} is a SavedModel of TensorFlow 2. Expected: a TF1 Hub module.")
    variables = by_dataset_name(
        (name for name in checkpoint.shapes if not _NO_WEIGHT.search(name)), str(path)
    )
    mix = {name: variables.pop(name) for name in (MIX_WEIGHTS, MIX_GAMMA) if name in variables}
    shapes = {name: checkpoint.shapes[variable] for name, variable in variables.items()}
    char_embed = shapes.get("char_embed", ())
    has_padding_row = char_embed[:1] == (NUM_CHARACTERS,)
    if has_padding_row:
        shapes["char_embed"] = (NUM_CHARACTERS - 1, *char_embed[1:])
    config = _infer_config(shapes, str(path))
    check_shapes(config, shapes, str(path), options="the sizes inferred from it")
    if mix:
        check_mix_shapes(config, {name: checkpoint.shapes[mix[name]] for name in mix}, str(path))
    checkpoint.check_stored([*variables.values(), *mix.values()])
    arrays = {name: checkpoint.read(variable) for name, variable in variables.items()}
    if has_padding_row:
        arrays["char_embed"] = arrays["char_embed"][1:]
    return ElmoWeights(
        config=config,
        arrays=arrays,
        mix=_read_mix(checkpoint, mix) if mix else None,
        source=str(path),
    )


def _read_mix(checkpoint: CheckpointVariables, variables: Mapping[str, str]) -> Mix:
    weights, gamma = (checkpoint.read(variables[name]) for name in (MIX_WEIGHTS, MIX_GAMMA))
    return Mix(tuple(weights.tolist()), float(gamma))


def _infer_config(shapes: Mapping[str, tuple[int, ...]], source: str) -> ElmoConfig:
    first_lstm = lstm_prefix(0, 0)
    num_filters = max(1, _count(shapes, "CNN/W_cnn_{}"))
    filters = [f"CNN/W_cnn_{index}" for index in range(num_filters)]
    needed = {"char_embed": 2, f"{first_lstm}/W_0": 2} | dict.fromkeys(filters, 4)
    for name, rank in needed.items():
        if len(shapes.get(name, ())) != rank:
            raise ValueError(
                f"{source} is not an ELMo module: it needs a variable `{name}` with {rank} axes. "
                f"Found: {shapes.get(name, 'no such variable')}."
            )
    # (2 * projection_dim, 4 * units)
    lstm_inputs, lstm_gates = shapes[f"{first_lstm}/W_0"]
    is_of_one_size = lstm_gates // 4 == lstm_inputs // 2
    try:
        return ElmoConfig(
            # (1, width, char_embedding_dim, number)
            filters=tuple((shapes[name][1], shapes[name][3]) for name in filters),
            char_embedding_dim=shapes["char_embed"][1],
            num_highway_layers=_count(shapes, "CNN_high_{}/W_carry"),
            units=lstm_gates // 4,
            projection_dim=lstm_inputs // 2,
            num_layers=_count(shapes, first_lstm.replace("Cell0", "Cell{}") + "/W_0"),
            always_project=is_of_one_size and f"{first_lstm}/W_P_0" in shapes,
        )
    except ValueError as error:
        raise ValueError(f"{source} is not an ELMo module: {error}") from error


def _count(shapes: Mapping[str, tuple[int, ...]], pattern: str) -> int:
    """How many of `pattern.format(0)`, `pattern.format(1)`, … there are."""
    count = 0
    while pattern.format(count) in shapes:
        count += 1
    return count
