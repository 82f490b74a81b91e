"""Weights out of a SavedModel that `export_saved_model` made, as it was or saved again.

Its variables have names, which stay when it is loaded, trained and saved again, also as a part of
a larger object or Keras model. They are read from the checkpoint; the graph is not run.
"""

import json
import re
import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from elmo_tf2.config import ElmoConfig
from elmo_tf2.files import StrPath
from elmo_tf2.validation import one_line
from elmo_tf2.weights.assemble import StoredWeights, assemble
from elmo_tf2.weights.checkpoint_variables import (
    OBJECT_GRAPH,
    CheckpointVariables,
    open_checkpoint,
)
from elmo_tf2.weights.elmo_weights import ElmoWeights
from elmo_tf2.weights.schema import MIX, Weight, by_name, encoder_weights

OPTIONS_VARIABLE = "elmo_options"  # the bytes of an options.json
LAYER_NORM = "layer_norm"  # in these options: whether the mix has it

_MAX_OPTIONS_BYTES = 100_000_000  # of a million words
_IN_ENCODER = "encoder/"
_MIX = ("mix_0/w", "mix_0/gamma")
_SCOPE_AND_NAME = re.compile(rf"(|.*/)({_IN_ENCODER}.+|{'|'.join(_MIX)})")


def read_exported_model(folder: StrPath, options_file: StrPath | None = None) -> ElmoWeights:
    """Reads the encoder and the mix of the one ELMo in a SavedModel of TensorFlow 2."""
    folder = Path(folder)
    checkpoint, keys = _open(folder)
    names = _the_only_elmo(folder, keys)
    stored = _stored_config(folder, checkpoint, keys) if options_file is None else None
    config = ElmoConfig.from_file(options_file) if options_file is not None else stored
    if config is None:
        raise ValueError(
            f"{folder} does not store its sizes: it was exported by an earlier version, or is "
            "a part of a model that did not keep them. Give the options.json of the model it "
            "was exported from (`options`, on the command line `--options FILE`)."
        )
    mix = by_name(MIX, (names.pop(name, "") for name in _MIX))
    weights = encoder_weights(config)
    ours = {_exported_name(weight, config): weight.name for weight in weights}
    encoder = {ours.get(name, name): key for name, key in names.items()}
    layout = {weight.name: weight.index for weight in weights}
    return assemble(
        config,
        str(options_file or "its options"),
        StoredWeights(checkpoint, encoder, str(folder), layout),
        StoredWeights(checkpoint, mix, str(folder)) if all(mix.values()) else None,
    )


def exported_config(folder: StrPath) -> ElmoConfig | None:
    """The sizes that a SavedModel stores, or None."""
    checkpoint, keys = _open(Path(folder))
    return _stored_config(Path(folder), checkpoint, keys)


def _exported_name(weight: Weight, config: ElmoConfig) -> str:
    """For example "encoder/forward_0/kernel" of "forward_layers.0.kernel"."""
    name = re.sub(r"(_layers|(?<=s)es|s)\.(\d+)", r"_\2", weight.variable)
    if config.token_embedder == "char_cnn":
        name = name.replace("token_embedder", "char_cnn")
    return _IN_ENCODER + name.replace(".", "/")


def _open(folder: Path) -> tuple[CheckpointVariables, dict[str, set[str]]]:
    """The checkpoint, and the keys of the variables by their names.

    Of lists `variables` alone, for an optimizer's variables end in the names of the model's.
    """
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    checkpoint = open_checkpoint(folder / "variables" / "variables")
    keys: dict[str, set[str]] = defaultdict(set)
    if not checkpoint.is_of_objects:
        return checkpoint, keys
    try:
        nodes = TrackableObjectGraph.FromString(checkpoint.reader.get_tensor(OBJECT_GRAPH)).nodes
        for node in nodes:
            for attribute in node.attributes:
                if attribute.full_name == OPTIONS_VARIABLE:
                    keys[OPTIONS_VARIABLE].add(attribute.checkpoint_key)
            lists = [nodes[c.node_id] for c in node.children if c.local_name == "variables"]
            members = [nodes[child.node_id] for of in lists for child in of.children]
            for attribute in (attribute for member in members for attribute in member.attributes):
                if attribute.checkpoint_key in checkpoint.shapes:
                    keys[attribute.full_name].add(attribute.checkpoint_key)
    except (DecodeError, IndexError, TypeError) as error:
        raise ValueError(
            f"{checkpoint.path}: the list of its variables can't be read: {one_line(error)}. It "
            "was cut short or damaged; copy or download it again."
        ) from error
    return checkpoint, keys


def _the_only_elmo(folder: Path, keys: dict[str, set[str]]) -> dict[str, str]:
    """The keys of an ELMo's variables by their names without the layer's."""
    scopes: dict[str, dict[str, set[str]]] = defaultdict(dict)
    for full_name, of_name in keys.items():
        if match := _SCOPE_AND_NAME.fullmatch(full_name):
            scopes[match[1]][match[2]] = of_name
    found = [names for names in scopes.values() if f"{_IN_ENCODER}forward_0/kernel" in names]
    if not found:
        raise ValueError(
            f"{folder} is a SavedModel of TensorFlow 2, but has no ELMo in it that "
            "`elmo-tf2 export` made. Give the model folder it was made from; of a Keras model with "
            "an ElmoEmbeddings, the layer's `save_to_folder` writes one."
        )
    if len(found) > 1 or any(len(of_name) > 1 for of_name in found[0].values()):
        raise ValueError(
            f"{folder} has several ELMos in it. Save the one that is meant by itself, with "
            "tf.saved_model.save, and give that."
        )
    return {name: key for name, (key,) in found[0].items()}


def _stored_config(
    folder: Path, checkpoint: CheckpointVariables, keys: dict[str, set[str]]
) -> ElmoConfig | None:
    found = sorted(keys.get(OPTIONS_VARIABLE, ()))
    if len(found) != 1:
        return None
    try:
        (size,) = checkpoint.shapes[found[0]]
        if checkpoint.types[found[0]].name != "uint8" or size > _MAX_OPTIONS_BYTES:
            raise ValueError(f"{size} numbers of {checkpoint.types[found[0]].name}")
        options: dict[str, Any] = json.loads(checkpoint.reader.get_tensor(found[0]).tobytes())
        has_layer_norm = options.pop(LAYER_NORM, False)
        config = ElmoConfig.from_options(options)
    except Exception as error:  # whatever TensorFlow and JSON raise of a damaged file
        raise ValueError(
            f"{folder}: its sizes can't be read: {one_line(error)}. Give the options.json of the "
            "model it was exported from (`options`, on the command line `--options FILE`)."
        ) from error
    if has_layer_norm:
        warnings.warn(
            f"{folder}: its mix has layer norm, of which a model folder knows nothing: make the "
            "layer with layer_norm=True.",
            stacklevel=2,
        )
    return config
