"""A SavedModel that is an ELMo: checked before it is loaded, when it is, and when it is called."""

from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from elmo_tf2.config import TOKENIZERS
from elmo_tf2.weights.saved_graph import graph_errors, load_graph

TOKENS = tf.TensorSpec([None, None], tf.string, name="tokens")
LENGTHS = tf.TensorSpec([None], tf.int32, name="sequence_len")


class SavedElmo(NamedTuple):
    """What a SavedModel of ELMo computes.

    Attributes:
        path: its folder.
        owner: what holds the variables; a SavedModel's functions do not keep them alive.
        num_layers: number of layers, the word vectors among them.
        dim: size of a layer's vector.
        has_mix: whether it gives the weighted sum of its layers.
        tokenizer: what makes words of sentences.
    """

    path: Path
    owner: Any
    num_layers: int
    dim: int
    has_mix: bool
    tokenizer: str

    def layers(self, names: list[str], tokens: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        """The vectors of padded words, `(batch, tokens, dim)` for each name, in a graph."""
        outputs = dict(self.owner.signatures["tokens"](tokens=tokens, sequence_len=lengths))
        outputs["lstm_outputs0"] = tf.concat([outputs["word_emb"]] * 2, axis=-1)
        checks = [
            tf.debugging.assert_equal(tf.shape(outputs[name])[:2], tf.shape(tokens), f"`{name}`")
            for name in names
        ]
        with tf.control_dependencies(checks):
            return [tf.identity(outputs[name]) for name in names]

    def called(self, function: Any, *inputs: tf.Tensor) -> Any:
        """Calls what computes `layers`; an error of the graph becomes one sentence."""
        sentences = inputs[0].shape[0]
        with graph_errors(f"{self.path}: the signature `tokens` fails for {sentences} sentences"):
            return function(*inputs)


def load_saved_elmo(path: Path) -> SavedElmo:
    """Loads a SavedModel of ELMo."""
    loaded = load_graph(path)
    signature = loaded.signatures.get("tokens")
    outputs = {} if signature is None else signature.structured_outputs
    if signature is None or not {"word_emb", "lstm_outputs1"} <= set(outputs):
        raise ValueError(
            f"{path} must have a signature `tokens` that gives `word_emb` and `lstm_outputs1`, as "
            f"an exported ELMo has. Found: the signatures {sorted(loaded.signatures)}."
        )
    positional, named = signature.structured_input_signature
    inputs = {spec.name: spec for spec in positional} | named
    wanted = {spec.name: spec for spec in (TOKENS, LENGTHS)}
    if _described(inputs) != _described(wanted):
        raise _no_elmo(path, "the inputs", _described(wanted), _described(inputs))
    vectors = _vectors(outputs)
    dim = outputs["lstm_outputs1"].shape[-1] if outputs["lstm_outputs1"].shape.rank == 3 else None
    layer = tf.TensorSpec([None, None, dim], tf.float32)
    half = tf.TensorSpec([None, None, dim and dim // 2], tf.float32)
    expected = _described({name: half if name == "word_emb" else layer for name in vectors})
    if dim is None or dim % 2 or _described(vectors) != expected:
        raise _no_elmo(path, "the outputs", expected, _described(vectors))
    return SavedElmo(
        path=path,
        owner=loaded,
        num_layers=len(set(vectors) - {"elmo"}),
        dim=dim,
        has_mix="elmo" in vectors,
        tokenizer=_tokenizer(loaded, path),
    )


def _vectors(outputs: dict[str, Any]) -> dict[str, Any]:
    """The outputs that have a vector for each word."""
    count = 1
    while f"lstm_outputs{count}" in outputs:
        count += 1
    names = ["word_emb", *(f"lstm_outputs{index}" for index in range(1, count)), "elmo"]
    return {name: outputs[name] for name in names if name in outputs}


def _described(specs: dict[str, tf.TensorSpec]) -> dict[str, str]:
    """Types and shapes in words; the sizes of batches are left open."""
    described = {}
    for name, spec in specs.items():
        shape = spec.shape if spec.shape.rank == 3 else [None] * (spec.shape.rank or 0)
        sizes = ["?", "?", str(shape[2])] if len(shape) == 3 else ["?"] * len(shape)
        described[name] = f"{spec.dtype.name} ({', '.join(sizes)})"
    return described


def _no_elmo(path: Path, what: str, expected: object, found: object) -> ValueError:
    return ValueError(
        f"{path} is no ELMo that was exported: {what} of its signature `tokens` must be "
        f"{expected}. Found: {found}."
    )


def _tokenizer(loaded: Any, path: Path) -> str:
    """The name of what makes words of sentences; SavedModels of others do not have one."""
    if not hasattr(loaded, "tokenizer"):
        return "spaces"
    with graph_errors(f"{path} is no ELMo that was exported: its `tokenizer` is no function of it"):
        name = loaded.tokenizer().numpy().decode()
    if name not in TOKENIZERS:
        raise ValueError(
            f"{path} is no ELMo that was exported: its `tokenizer` must give one of "
            f"{', '.join(TOKENIZERS)}. Found: {name!r}."
        )
    return name
