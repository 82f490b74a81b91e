"""TF1 Hub modules of ELMo, such as google/elmo/2 and google/elmo/3.

A folder with `saved_model.pb`, `tfhub_module.pb` and `variables/`. The variables are read; the
graph is neither loaded nor run. The sizes are inferred from the variables' shapes.
"""

import itertools
import re
from collections.abc import Mapping
from pathlib import Path

from elmo_tf2.config import NUM_CHARACTERS, ElmoConfig
from elmo_tf2.files import StrPath
from elmo_tf2.weights.assemble import StoredWeights, assemble
from elmo_tf2.weights.checkpoint_variables import open_checkpoint
from elmo_tf2.weights.elmo_weights import ElmoWeights
from elmo_tf2.weights.schema import (
    CHAR_EMBED,
    CONVOLUTION,
    HIGHWAY,
    LSTM,
    LSTM_PROJECTION,
    MIX,
    TF1,
    WITHOUT_PADDING,
    Weight,
    weight_names,
)

# bilm-tf's graph keeps the LSTM states of the last batch in variables without names
_NO_WEIGHT = re.compile(r"(?:^|/)(?:global_step|Variable(?:_\d+)?)$")


def read_tf1_hub(path: StrPath) -> ElmoWeights:
    """Reads the weights of a TF1 Hub module.

    What the shapes don't show has the values of the published models: 50 characters per word, relu,
    clips at 3, skip connections, sentence boundaries added inside.

    Args:
        path: the module's folder.

    Returns:
        The weights, with the mix if the module has one.

    Raises:
        FileNotFoundError: if the folder or its variables are missing.
        ValueError: if the module is damaged or not an ELMo.
    """
    source = str(path)
    checkpoint = open_checkpoint(Path(path, "variables", "variables"))
    if checkpoint.is_of_objects:
        raise ValueError(f"{source} is a SavedModel of TensorFlow 2. Expected: a TF1 Hub module.")
    variables = (name for name in checkpoint.shapes if not _NO_WEIGHT.search(name))
    names = weight_names(variables, TF1, source)
    table = checkpoint.shapes.get(names.get(CHAR_EMBED.name, ""), ())
    layout = {CHAR_EMBED.name: WITHOUT_PADDING} if table[:1] == (NUM_CHARACTERS,) else {}
    encoder = StoredWeights(checkpoint, names, source, layout)
    mix = encoder.take(MIX) or None
    config = _infer_config(encoder.shapes, source)
    return assemble(config, "the sizes inferred from it", encoder, mix)


def _infer_config(shapes: Mapping[str, tuple[int, ...]], source: str) -> ElmoConfig:
    num_filters = max(1, _count(shapes, CONVOLUTION[0]))
    filters = [CONVOLUTION[0].name.format(i=i) for i in range(num_filters)]
    lstm = LSTM[0].name.format(direction=0, layer=0)
    for name, rank in ((CHAR_EMBED.name, 2), (lstm, 2), *((name, 4) for name in filters)):
        if len(shapes.get(name, ())) != rank:
            raise ValueError(
                f"{source} is not an ELMo module: it needs a variable `{name}` with {rank} axes. "
                f"Found: {shapes.get(name, 'no such variable')}."
            )
    inputs, gates = shapes[lstm]  # (2 * projection_dim, 4 * units)
    units, projection_dim = gates // 4, inputs // 2
    has_projection = LSTM_PROJECTION.name.format(direction=0, layer=0) in shapes
    try:
        return ElmoConfig(
            # (1, width, char_embedding_dim, number)
            filters=tuple((shapes[name][1], shapes[name][3]) for name in filters),
            char_embedding_dim=shapes[CHAR_EMBED.name][1],
            num_highway_layers=_count(shapes, HIGHWAY[0]),
            units=units,
            projection_dim=projection_dim,
            num_layers=_count(shapes, LSTM[0]),
            always_project=has_projection and units == projection_dim,
        )
    except ValueError as error:
        raise ValueError(f"{source} is not an ELMo module: {error}") from error


def _count(shapes: Mapping[str, tuple[int, ...]], weight: Weight) -> int:
    """How many of a weight are numbered 0, 1, … without a gap."""
    names = (weight.name.format(i=i, direction=0, layer=i) for i in itertools.count())
    return sum(1 for _ in itertools.takewhile(shapes.__contains__, names))
