"""bilm-tf's `options.json`: its keys, and the values of an `ElmoConfig` in it."""

import difflib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

from elmo_tf2.dictionary import Dictionary
from elmo_tf2.files import check_file
from elmo_tf2.validation import one_line, shown

logger = logging.getLogger(__name__)

NUM_CHARACTERS = 262  # ids of a word's characters: 256 bytes, 5 marks and padding

_TRAINING_KEYS = {
    "all_clip_norm_val",
    "batch_size",
    "bidirectional",
    "dropout",
    "learning_rate",
    "n_epochs",
    "n_negative_samples_batch",
    "n_tokens_vocab",
    "n_train_tokens",
    "sample_softmax",
    "share_embedding_softmax",
    "unroll_steps",
}
# Where the arguments are that have another name in the file.
KEYS = {
    "filters": "char_cnn.filters",
    "char_embedding_dim": "char_cnn.embedding.dim",
    "max_characters": "char_cnn.max_characters_per_token",
    "activation": "char_cnn.activation",
    "num_highway_layers": "char_cnn.n_highway",
    "units": "lstm.dim",
    "projection_dim": "lstm.projection_dim",
    "num_layers": "lstm.n_layers",
    "cell_clip": "lstm.cell_clip",
    "projection_clip": "lstm.proj_clip",
    "use_skip_connections": "lstm.use_skip_connections",
}
_KNOWN_KEYS = {
    "": {
        "architecture",
        "char_cnn",
        "lstm",
        "merge",
        "sentence_boundaries",
        "token_embedder",
        "tokenizer",
        "word_embedding",
    }
    | _TRAINING_KEYS,
    "char_cnn": {
        "activation",
        "characters",
        "embedding",
        "filters",
        "max_characters_per_token",
        "n_characters",
        "n_highway",
    },
    "char_cnn.embedding": {"dim"},
    "word_embedding": {"dim", "words"},
    "lstm": {
        "always_project",
        "cell_clip",
        "dim",
        "n_layers",
        "proj_clip",
        "projection_dim",
        "use_skip_connections",
    },
}


def read_options(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Reads the JSON object of an `options.json`."""
    path = check_file(path, "options file")
    try:
        options = json.loads(path.read_bytes())  # with or without a byte order mark
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not a JSON file: {one_line(error)}.") from error
    if not isinstance(options, dict):
        raise ValueError(f"{path} must hold a JSON object. Received: {type(options).__name__}.")
    return options


def options_to_values(
    options: Mapping[str, Any], source: str, vocabulary: Sequence[str] | None = None
) -> dict[str, Any]:
    """The arguments of an `ElmoConfig`, unchecked; `source` is the options' name in messages."""
    if not isinstance(options, Mapping):
        raise ValueError(f"{source} must be a mapping. Received: {shown(options)}.")
    _report_unknown_keys(options, "", source)
    if are_word_based(options):
        token_embedder = _word_table(options, source, vocabulary) | {"token_embedder": "words"}
    else:
        token_embedder = _char_cnn(options, source)
        if options.get("token_embedder") == "elmoformanylangs":
            token_embedder |= _word_table(options, source, ())
    lstm = _section(options, "lstm", source)
    _report_unknown_keys(lstm, "lstm", source)
    return {
        **token_embedder,
        "units": _required(lstm, "dim", source, "lstm."),
        "projection_dim": _required(lstm, "projection_dim", source, "lstm."),
        "num_layers": lstm.get("n_layers", 1),
        "cell_clip": lstm.get("cell_clip"),
        "projection_clip": lstm.get("proj_clip"),
        "use_skip_connections": lstm.get("use_skip_connections", False),
        "sentence_boundaries": options.get("sentence_boundaries", True),
        "tokenizer": options.get("tokenizer", "spaces"),
        "architecture": options.get("architecture", "separate"),
        "merge": options.get("merge", "add"),
        "always_project": lstm.get("always_project", False),
    }


def are_word_based(options: Mapping[str, Any]) -> bool:
    """Whether these are options of a bilm-tf model that knows words and no characters."""
    has_words = "n_tokens_vocab" in options or "word_embedding" in options
    return "lstm" in options and "char_cnn" not in options and has_words


def _char_cnn(options: Mapping[str, Any], source: str) -> dict[str, Any]:
    char_cnn = _section(options, "char_cnn", source)
    embedding = _section(char_cnn, "embedding", source, parent="char_cnn.")
    _report_unknown_keys(char_cnn, "char_cnn", source)
    _report_unknown_keys(embedding, "char_cnn.embedding", source)
    kind = options.get("token_embedder", "char_cnn")
    if kind == "char_cnn":
        _check_number_of_characters(char_cnn.get("n_characters", NUM_CHARACTERS), source)
    highways = char_cnn.get("n_highway")
    return {
        "filters": _required(char_cnn, "filters", source, "char_cnn."),
        "char_embedding_dim": _required(embedding, "dim", source, "char_cnn.embedding."),
        "max_characters": _required(char_cnn, "max_characters_per_token", source, "char_cnn."),
        "activation": _required(char_cnn, "activation", source, "char_cnn."),
        "num_highway_layers": 0 if highways is None else highways,
        "token_embedder": kind,
        "characters": _entries(char_cnn.get("characters", ()), "char_cnn.characters", source),
    }


def _word_table(
    options: Mapping[str, Any], source: str, vocabulary: Sequence[str] | None
) -> dict[str, Any]:
    """The words that have vectors; the vocabulary unless the options have them."""
    if "word_embedding" not in options:
        if vocabulary is None:
            raise ValueError(
                f"{source} has no `char_cnn`: it is of a word-based model, which needs its "
                "vocabulary, one word per line, in the order of the weights: vocab.txt beside "
                "them, or `vocab` (on the command line `--vocab`)."
            )
        return {"words": _entries(vocabulary, "vocabulary", source)}
    table = _section(options, "word_embedding", source)
    _report_unknown_keys(table, "word_embedding", source)
    words = _required(table, "words", source, "word_embedding.")
    return {
        "words": _entries(words, "word_embedding.words", source),
        "word_dim": _required(table, "dim", source, "word_embedding."),
    }


def _entries(values: Any, key: str, source: str) -> Dictionary:
    if not isinstance(values, (list, tuple)):
        raise ValueError(f"{source}: `{key}` must be a list. Received: {shown(values)}.")
    try:
        return Dictionary(values)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{source}: `{key}`: {error}") from error


def _section(
    options: Mapping[str, Any], key: str, source: str, parent: str = ""
) -> Mapping[str, Any]:
    section = _required(options, key, source, parent)
    if not isinstance(section, Mapping):
        raise ValueError(
            f"{source}: `{parent}{key}` must be an object. Received: {shown(section)}."
        )
    return section


def _required(section: Mapping[str, Any], key: str, source: str, parent: str) -> Any:
    if key not in section:
        raise ValueError(f"{source} has no `{parent}{key}`, which an ELMo needs.")
    return section[key]


def _report_unknown_keys(section: Mapping[str, Any], place: str, source: str) -> None:
    for key in sorted(set(section) - _KNOWN_KEYS[place]):
        name = f"{place}.{one_line(key)[:100]}".lstrip(".")
        near = difflib.get_close_matches(key, _KNOWN_KEYS[place] - set(section), cutoff=0.7)
        if near:
            raise ValueError(f"{source}: unknown key `{name}`; is `{near[0]}` meant?")
        logger.warning("%s: unknown key `%s` is passed over.", source, name)


def _check_number_of_characters(number: Any, source: str) -> None:
    if number not in (NUM_CHARACTERS - 1, NUM_CHARACTERS):
        raise ValueError(
            f"{source}: `char_cnn.n_characters` must be 261 (as bilm-tf trains: 256 bytes and 5 "
            "marks) or 262 (as it is used: one more for padding); both mean the same file of 261 "
            f"rows. Received: n_characters={shown(number)}."
        )
