"""What is in a file or folder, as rows of a table."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow.core.protobuf import saved_model_pb2

from elmo_tf2.config import ElmoConfig
from elmo_tf2.convert import num_parameters
from elmo_tf2.weights import Kind, Mix, read_weights
from elmo_tf2.weights.checkpoint_variables import open_checkpoint
from elmo_tf2.weights.exported_model import exported_config
from elmo_tf2.weights.hdf5 import open_hdf5
from elmo_tf2.weights.model_folder import SOFTMAX_FILE
from elmo_tf2.weights.schema import SOFTMAX
from elmo_tf2.weights.tf1_checkpoint import (
    checkpoint_prefix,
    find_checkpoint,
    open_tf1_checkpoint,
)

Rows = Iterator[tuple[str, str]]


def file_rows(path: Path, kind: Kind) -> Rows:
    """The files and their sizes."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
    elif kind == "tf1 checkpoint":
        prefix = checkpoint_prefix(path)
        files = sorted(prefix.parent.glob(f"{prefix.name}.*"))
    else:
        files = [path]
    size = sum(file.stat().st_size for file in files)
    yield "files", f"{len(files)}, {size / 1e6:,.1f} MB"


def config_rows(config: ElmoConfig, parameters: int, from_shapes: bool = False) -> Rows:
    """The sizes of a model."""
    is_projected = config.has_projection
    projection = f"projected to {config.projection_dim}" if is_projected else "not projected"
    yield "parameters", f"{parameters:,}"
    yield from _token_embedder_rows(config)
    yield "LSTM layers", f"{config.num_layers} a direction, {config.units} units, {projection}"
    yield "vectors", f"{config.num_layers + 1} layers of {config.layer_dim} a word"
    if from_shapes:
        yield "to be found out", "activation, clips, skip connections, boundaries (by `convert`)"
        return
    yield "activation", config.activation
    yield "clips", f"cell {_clip(config.cell_clip)}, projection {_clip(config.projection_clip)}"
    if config.is_merged:
        joined = {"add": "added to", "concat": "beside"}[config.merge]
        yield "architecture", f"merged, with word vectors {joined} both directions"
    else:
        yield "skip connections", "yes" if config.use_skip_connections else "no"
    yield "tokenizer", config.tokenizer
    yield (
        "boundaries",
        " and ".join(config.bos_eos) + " added inside" if config.sentence_boundaries else "none",
    )


def _token_embedder_rows(config: ElmoConfig) -> Rows:
    if config.token_embedder == "elmoformanylangs":
        yield "kind", "ELMoForManyLangs"
    if config.word_dim:
        yield "words", f"{len(config.words):,} with vectors of {config.word_dim}"
    if config.filters:
        filters = ", ".join(f"{width}x{number}" for width, number in config.filters)
        most = config.max_characters - 2  # without a word's two end marks
        of_bytes = config.token_embedder == "char_cnn"
        number, unit = ("", "bytes") if of_bytes else (f"{len(config.characters):,}, ", "of them")
        dim = config.char_embedding_dim
        yield "characters", f"{number}vectors of {dim}, words cut to {most} {unit}"
        yield "filters", f"{filters} (width x number)"
        yield "highway layers", str(config.num_highway_layers)


def _clip(bound: float | None) -> str:
    return "none" if bound is None else f"{bound:g}"


def weight_rows(path: Path, kind: Kind) -> Rows:
    """A model whose weights are read. A language model's output layer, perhaps GBs, is not."""
    weights = read_weights(path, read_softmax=False)
    parameters = num_parameters(weights.config)
    yield from config_rows(weights.config, parameters, from_shapes=kind == "tf1 hub module")
    yield from _mix_rows(weights.mix)
    if weights.vocabulary is not None:
        yield "vocabulary", f"{len(weights.vocabulary):,} words"
    shape = _softmax_shape(path, kind)
    if shape is not None:
        yield "softmax", f"{shape[0]:,} words of {shape[1]}"


def _mix_rows(mix: Mix | None) -> Rows:
    if mix is not None:
        shares = np.exp(mix.weights) / np.sum(np.exp(mix.weights))
        numbers = ", ".join(f"{weight:.4g}" for weight in mix.weights)
        shares_text = ", ".join(f"{share:.0%}" for share in shares)
        yield "mix", f"weights {numbers} (shares {shares_text}), gamma {mix.gamma:.4g}"


def _softmax_shape(path: Path, kind: Kind) -> tuple[int, ...] | None:
    kernel = SOFTMAX[0].name
    if kind == "tf1 checkpoint":
        return open_tf1_checkpoint(find_checkpoint(path)).shapes.get(kernel)
    if kind == "model folder" and (path / SOFTMAX_FILE).exists():
        with open_hdf5(path / SOFTMAX_FILE) as file:
            return file.shapes[kernel]
    return None


def vocabulary_embedding_rows(path: Path) -> Rows:
    """A file of word vectors."""
    with open_hdf5(path, "file of word vectors") as file:
        for name, shape in sorted(file.shapes.items()):
            yield name, f"{' x '.join(f'{size:,}' for size in shape)} (words x numbers)"


def saved_model_rows(path: Path) -> Rows:
    """A SavedModel of TensorFlow 2: its variables, without reading them."""
    graph = _meta_graph(path)
    nodes = graph.object_graph_def.nodes
    variables = {}  # by their keys in the checkpoint
    for child in nodes[0].children if nodes else ():
        if child.local_name == "variables":
            variables = {
                f"variables/{index.local_name}/.ATTRIBUTES/VARIABLE_VALUE": nodes[
                    index.node_id
                ].variable
                for index in nodes[child.node_id].children
            }
    sizes = {key: _size(variable.shape) for key, variable in variables.items()}
    trainable = sum(sizes[key] for key, variable in variables.items() if variable.trainable)
    yield "TensorFlow", graph.meta_info_def.tensorflow_version
    if variables:
        yield "parameters", f"{sum(sizes.values()):,}, of which {trainable:,} are trainable"
    yield from _tokenizer_rows(graph)
    config = exported_config(path) if variables else None
    if config is not None:
        known = ("parameters", "tokenizer")
        yield from (row for row in config_rows(config, 0) if row[0] not in known)
    keys = {variable.name.rpartition("mix_0/")[2]: key for key, variable in variables.items()}
    if {"w", "gamma"} <= set(keys):
        checkpoint = open_checkpoint(path / "variables" / "variables")
        w, gamma = (checkpoint.read(keys[name]) for name in ("w", "gamma"))
        yield from _mix_rows(Mix(tuple(w.tolist()), float(gamma)))


def _tokenizer_rows(graph: Any) -> Rows:
    """What makes words of sentences: what the function `tokenizer` returns, which is not run."""
    nodes = graph.object_graph_def.nodes
    names: set[str] = set()
    for child in nodes[0].children if nodes else ():
        if child.local_name == "tokenizer":
            names.update(nodes[child.node_id].function.concrete_functions)
    for function in graph.graph_def.library.function:
        if function.signature.name in names:
            for node in function.node_def:
                for value in node.attr["value"].tensor.string_val if node.op == "Const" else ():
                    yield "tokenizer", value.decode("utf-8", "replace")


def signature_rows(path: Path) -> Rows:
    """The signatures of a SavedModel or a TF1 Hub module, whose graph is not loaded."""
    names: dict[tuple[str, ...], list[str]] = {}
    for name, signature in sorted(_meta_graph(path).signature_def.items()):
        if not name.startswith("__"):  # TensorFlow's own
            lines = ["takes " + ", ".join(map(_tensor, sorted(signature.inputs.items())))]
            lines += [f"gives {_tensor(output)}" for output in sorted(signature.outputs.items())]
            names.setdefault(tuple(lines), []).append(name)
    for alike_lines, alike in names.items():
        yield from zip((", ".join(alike), *[""] * len(alike_lines)), alike_lines, strict=False)


def _tensor(item: tuple[str, Any]) -> str:
    name, info = item
    if info.tensor_shape.unknown_rank:
        return f"{name}: {tf.dtypes.as_dtype(info.dtype).name}"
    sizes = ", ".join("?" if dim.size < 0 else str(dim.size) for dim in info.tensor_shape.dim)
    return f"{name}: {tf.dtypes.as_dtype(info.dtype).name} [{sizes}]"


def _size(shape: Any) -> int:
    return math.prod(dim.size for dim in shape.dim)


def _meta_graph(path: Path) -> Any:
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString((path / "saved_model.pb").read_bytes())
        return saved_model.meta_graphs[0]
    except (DecodeError, IndexError) as error:
        raise ValueError(
            f"{path / 'saved_model.pb'} can't be read as a SavedModel. It was cut short or "
            "damaged; copy or download it again."
        ) from error
