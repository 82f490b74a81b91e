"""Model folders of ELMoForManyLangs, which PyTorch wrote; its weights in bilm-tf's layout.

Sizes are those of the architecture file, which `config.json` names. Many published folders lack
it: then they are read off the tensors, and what can't be is as all published models have it.
"""

import dataclasses
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from elmo_tf2.config import (
    ACTIVATIONS,
    MAX_CHARACTERS,
    MAX_LAYERS,
    MAX_SIZE,
    ElmoConfig,
    check_filters,
)
from elmo_tf2.dictionary import Dictionary
from elmo_tf2.files import StrPath, check_file
from elmo_tf2.options import read_options
from elmo_tf2.validation import check_choice, check_integer, check_positive, shown
from elmo_tf2.weights.elmo_weights import ElmoWeights, as_finite_float32
from elmo_tf2.weights.torch_state_dict import read_state_dict

_CONFIG, _EMBEDDER, _ENCODER = "config.json", "token_embedder.pkl", "encoder.pkl"
_PUBLISHED = ("cnn_50_100_512_4096_sample.json", "cnn_0_100_512_4096_sample.json")
_WORD_TABLE = "word_emb_layer.embedding.weight"
_CHAR_TABLE = "char_emb_layer.embedding.weight"
_MIN_CHARACTERS = 7  # of a word: those of `<bos>` and two marks
_WHITE_SPACE = "\u3000"  # how an entry of white space is read
_NEEDED_CHARS = ("<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>")
_MAX_FAULTS = 20

Arrays = dict[str, np.ndarray]
Shapes = Mapping[str, tuple[int, ...]]


@dataclasses.dataclass(frozen=True, eq=False)
class ManyLangsModel:
    """Values of a configuration, weights in bilm-tf's layout, and the words of their tables."""

    config: dict[str, Any]
    arrays: Arrays
    words: tuple[str, ...]
    characters: tuple[str, ...]
    source: str


def is_elmoformanylangs(folder: StrPath) -> bool:
    """Whether a folder holds a model of ELMoForManyLangs, perhaps one that lacks a file."""
    return sum(Path(folder, name).is_file() for name in (_CONFIG, _EMBEDDER, _ENCODER)) >= 2


def read_elmoformanylangs(folder: StrPath) -> ElmoWeights:
    """Reads a model folder of ELMoForManyLangs.

    Nothing in its pickles is run.

    Args:
        folder: `config.json`, `encoder.pkl`, `token_embedder.pkl` and the dictionaries.

    Returns:
        The weights; `config.words` and `config.characters` are the dictionaries.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged, does not fit the others, or has more in it than tensors.

    Reference:
     - [ELMoForManyLangs](https://github.com/HIT-SCIR/ELMoForManyLangs)
    """
    model = read_many_langs_model(folder)
    config = ElmoConfig(
        **model.config,
        words=Dictionary(model.words),
        characters=Dictionary(model.characters),
    )
    return ElmoWeights(config, model.arrays, source=model.source)


def read_many_langs_model(folder: StrPath) -> ManyLangsModel:
    """The parts of `read_elmoformanylangs`."""
    folder = Path(os.path.expanduser(folder))
    for name in (_CONFIG, _EMBEDDER, _ENCODER):
        check_file(folder / name, "file of a model of ELMoForManyLangs")
    architecture = _find_architecture(folder)
    embedder, encoder = (read_state_dict(folder / name) for name in (_EMBEDDER, _ENCODER))
    shapes = _shapes(embedder), _shapes(encoder)
    source = architecture or folder
    options = read_options(architecture) if architecture else _published(*shapes)
    try:
        config = _config(options)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    _check(folder / _ENCODER, encoder, _encoder_shapes(config), source)
    _check(folder / _EMBEDDER, embedder, _embedder_shapes(config, shapes[0]), source)
    words = _dictionary(folder / "word.dic", embedder.get(_WORD_TABLE), ("<oov>",))
    characters = _dictionary(folder / "char.dic", embedder.get(_CHAR_TABLE), _NEEDED_CHARS)
    arrays = _embedder_arrays(config, embedder) | _encoder_arrays(config, encoder)
    return ManyLangsModel(config, arrays, words, characters, str(folder))


def _find_architecture(folder: Path) -> Path | None:
    """The file that `config.json` names, or None if it is the published one and is not there."""
    path = folder / _CONFIG
    named = read_options(path).get("config_path")
    if not isinstance(named, str) or "\0" in named:
        raise ValueError(f"{path}: `config_path` must name a file. Received: {shown(named)}.")
    last = re.split(r"[/\\]", named)[-1]
    inside = os.path.abspath(folder)
    for place in (Path(os.path.abspath(folder / named)), Path(inside, last)):
        # an absolute path is one of the machine that the model was trained on
        if place.is_relative_to(inside) and place.is_file():
            return place
    if last in _PUBLISHED:
        return None
    raise FileNotFoundError(
        f"{folder} has no file {shown(last)}, which {_CONFIG} names for its sizes. Put it there."
    )


def _config(options: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a configuration that an architecture file has."""
    encoder, embedder = options.get("encoder"), options.get("token_embedder")
    if not isinstance(encoder, Mapping) or not isinstance(embedder, Mapping):
        raise ValueError(f"`encoder`, `token_embedder` must be objects. Found: {shown(options)}.")
    kind = check_choice("token_embedder.name", _name(embedder), ("cnn", "lstm"))
    has_characters = check_integer("char_dim", embedder.get("char_dim"), 0, MAX_SIZE) > 0
    if check_choice("encoder.name", _name(encoder), ("elmo", "lstm")) == "lstm":
        raise ValueError(
            'the encoder "lstm" is not supported; no published model of ELMoForManyLangs has it.'
        )
    if kind == "lstm" and has_characters:
        raise ValueError(
            'the token embedder "lstm" with characters does not run in ELMoForManyLangs itself, so '
            "there is no such model."
        )

    def integer(section: Mapping[str, Any], key: str, least: int, most: int = MAX_SIZE) -> int:
        return check_integer(key, section.get(key), least, most)

    characters = MAX_CHARACTERS  # "lstm" does not cut words
    if kind == "cnn":
        characters = integer(embedder, "max_characters_per_token", _MIN_CHARACTERS, characters)
    activation = embedder.get("activation") if has_characters else "relu"
    filters = check_filters(embedder.get("filters"), characters) if has_characters else ()
    return {
        "filters": filters,
        **({"char_embedding_dim": embedder["char_dim"]} if filters else {}),
        "max_characters": characters,
        "activation": check_choice("activation", activation, ACTIVATIONS),
        "num_highway_layers": integer(embedder, "n_highway", 0, MAX_LAYERS) if filters else 0,
        "units": integer(encoder, "dim", 1),
        "projection_dim": integer(encoder, "projection_dim", 1),
        "num_layers": integer(encoder, "n_layers", 1, MAX_LAYERS),
        "cell_clip": check_positive("cell_clip", encoder.get("cell_clip") or None),
        "projection_clip": check_positive("proj_clip", encoder.get("proj_clip") or None),
        "use_skip_connections": True,
        "always_project": True,
        "token_embedder": "elmoformanylangs",
        "word_dim": integer(embedder, "word_dim", 0),
    }


def _name(section: Mapping[str, Any]) -> str:
    return str(section.get("name"))[:100].lower()


def _published(embedder: Shapes, encoder: Shapes) -> dict[str, Any]:
    """The architecture of all published models, with the sizes of these tensors."""
    is_lstm = any(key.startswith("encoder.") for key in encoder)
    # without it, those published: the check of shapes then says what is missing
    projection = encoder.get("forward_layer_0.state_projection.weight", (512, 4096))
    kernel = "convolutions.{}.weight"
    kernels = [embedder[kernel.format(i)] for i in range(_count(embedder, kernel))]
    return {
        "encoder": {
            "name": "lstm" if is_lstm else "elmo",
            "dim": projection[-1],
            "projection_dim": projection[0],
            "n_layers": _count(encoder, "forward_layer_{}.input_linearity.weight"),
            "cell_clip": 3,
            "proj_clip": 3,
        },
        "token_embedder": {
            "name": "lstm" if "char_lstm.weight_ih_l0" in embedder else "cnn",
            "filters": [(kernel[-1], kernel[0]) for kernel in kernels],
            "n_highway": _count(embedder, "highways._layers.{}.weight"),
            "char_dim": embedder.get(_CHAR_TABLE, (0,))[-1],
            "word_dim": embedder.get(_WORD_TABLE, (0,))[-1],
            "activation": "relu",
            "max_characters_per_token": 50,
        },
    }


def _count(shapes: Shapes, name: str) -> int:
    """How many tensors have this name with a number."""
    return next(i for i in range(len(shapes) + 1) if name.format(i) not in shapes)


def _shapes(tensors: Arrays) -> Shapes:
    return {key: tensor.shape or (0,) for key, tensor in tensors.items()}  # none is one number


def _embedder_shapes(config: Mapping[str, Any], found: Shapes) -> Shapes:
    """The tensors of `token_embedder.pkl`; the tables have as many rows as they have."""
    chars, words = config.get("char_embedding_dim", 0), config["word_dim"]
    projected = config["projection_dim"]
    total = sum(number for _, number in config["filters"])
    tables = {_WORD_TABLE: words, _CHAR_TABLE: chars}
    shapes = {key: (*found.get(key, (1,))[:1], dim) for key, dim in tables.items() if dim}
    shapes |= {"projection.weight": (projected, words + total), "projection.bias": (projected,)}
    for i, (width, number) in enumerate(config["filters"]):
        shapes[f"convolutions.{i}.weight"] = (number, chars, width)
        shapes[f"convolutions.{i}.bias"] = (number,)
    for i in range(config["num_highway_layers"]):
        shapes[f"highways._layers.{i}.weight"] = (2 * total, total)
        shapes[f"highways._layers.{i}.bias"] = (2 * total,)
    return shapes


def _encoder_shapes(config: Mapping[str, Any]) -> Shapes:
    """The tensors of `encoder.pkl`."""
    units, projected = config["units"], config["projection_dim"]
    return {
        f"{direction}_layer_{layer}.{key}": shape
        for layer in range(config["num_layers"])
        for direction in ("forward", "backward")
        for key, shape in (
            ("input_linearity.weight", (4 * units, projected)),
            ("state_linearity.weight", (4 * units, projected)),
            ("state_linearity.bias", (4 * units,)),
            ("state_projection.weight", (projected, units)),
        )
    }


def _check(path: Path, tensors: Arrays, expected: Shapes, source: Path) -> None:
    found = _shapes(tensors)
    faults = [
        f"`{key}`: expected {expected.get(key, 'no such key')}, found {found.get(key, 'none')}"
        for key in sorted({*found, *expected})
        if found.get(key) != expected.get(key)
    ]
    if faults:
        faults = [f"{path} does not fit the sizes of {source}:", *faults[:_MAX_FAULTS]]
        raise ValueError("\n  ".join(faults))
    for key, tensor in tensors.items():
        as_finite_float32(tensor, str(path), key)


def _dictionary(path: Path, table: np.ndarray | None, needed: Sequence[str]) -> tuple[str, ...]:
    """The entries in the order of their numbers, which are the rows of a table."""
    if table is None:
        return ()
    try:
        lines = check_file(path, "dictionary of the model").read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}.") from error
    numbers: dict[str, int] = {}
    for i, line in enumerate(lines):
        # the strip takes an entry of white space with it, as it does in the program that wrote it
        *entry, number = line.strip().split("\t")
        text = entry[0] if entry else _WHITE_SPACE
        if len(entry) > 1 or not re.fullmatch(r"[0-9]{1,9}", number):
            found = f"Found: {shown(line)}."
            raise ValueError(f"{path}, line {i + 1}: expected an entry, a tab, a number. {found}")
        if text in numbers:
            raise ValueError(f"{path}, line {i + 1}: the entry {shown(text)} is there twice.")
        numbers[text] = int(number)
    if len(numbers) != len(table):
        raise ValueError(
            f"{path} has {len(numbers):,} entries, but the table in {_EMBEDDER} has {len(table):,} "
            "rows: they are of different models."
        )
    if sorted(numbers.values()) != list(range(len(table))):
        raise ValueError(f"{path}: its entries must have the numbers 0 to {len(table) - 1:,}.")
    for text in needed:
        if text not in numbers:
            raise ValueError(f"{path} has no entry `{text}`, without which no text can be read.")
    return tuple(sorted(numbers, key=numbers.__getitem__))


def _embedder_arrays(config: Mapping[str, Any], tensors: Arrays) -> Arrays:
    arrays = {
        "CNN_proj/W_proj": tensors["projection.weight"].T,
        "CNN_proj/b_proj": tensors["projection.bias"],
    }
    for key, name in ((_WORD_TABLE, "embedding"), (_CHAR_TABLE, "char_embed")):
        if key in tensors:
            arrays[name] = tensors[key]
    for i in range(len(config["filters"])):
        kernel = tensors[f"convolutions.{i}.weight"]  # (number, chars, width)
        arrays[f"CNN/W_cnn_{i}"] = kernel.T[np.newaxis]
        arrays[f"CNN/b_cnn_{i}"] = tensors[f"convolutions.{i}.bias"]
    for i in range(config["num_highway_layers"]):
        # the gate is the share of the input that stays, bilm-tf's that of the transformed one
        transform, gate = np.split(tensors[f"highways._layers.{i}.weight"], 2)
        arrays[f"CNN_high_{i}/W_transform"], arrays[f"CNN_high_{i}/W_carry"] = transform.T, -gate.T
        transform, gate = np.split(tensors[f"highways._layers.{i}.bias"], 2)
        arrays[f"CNN_high_{i}/b_transform"], arrays[f"CNN_high_{i}/b_carry"] = transform, -gate
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _encoder_arrays(config: Mapping[str, Any], tensors: Arrays) -> Arrays:
    """The LSTMs; their tensors are taken out, so that no more than one is there twice."""
    arrays = {}
    for number, direction in enumerate(("forward", "backward")):
        for layer in range(config["num_layers"]):
            theirs = f"{direction}_layer_{layer}"
            ours = f"RNN_{number}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            inputs = tensors.pop(f"{theirs}.input_linearity.weight")
            states = tensors.pop(f"{theirs}.state_linearity.weight")
            bias = _gates(tensors.pop(f"{theirs}.state_linearity.bias"))
            bias[2 * config["units"] : 3 * config["units"]] -= 1.0  # which is added at run time
            projection = tensors.pop(f"{theirs}.state_projection.weight")
            arrays[f"{ours}/W_0"] = np.concatenate([_gates(inputs).T, _gates(states).T])
            arrays[f"{ours}/B"] = bias
            arrays[f"{ours}/W_P_0"] = np.ascontiguousarray(projection.T)
    return arrays


def _gates(rows: np.ndarray) -> np.ndarray:
    """A copy with the gates i, f, g, o in the order i, g, f, o; bilm-tf calls g j."""
    i, f, g, o = np.split(rows, 4)
    return np.concatenate([i, g, f, o])
