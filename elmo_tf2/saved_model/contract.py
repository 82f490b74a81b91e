"""The contract of an exported ELMo: what `hub.load` gives, as data.

The exported object, its model card, the tables of export/README.md and the checks of
export/check_saved_model.py come from here. Nothing is imported that needs TensorFlow.
"""

from typing import Any, NamedTuple

BATCH, MAX_LENGTH, PROJECTION, LAYER = "batch", "max_length", "projection", "2·projection"


class Tensor(NamedTuple):
    """An input or an output; `{layer}` in its name stands for 1, 2, … up to the last layer."""

    name: str
    dtype: str
    axes: tuple[str, ...]
    meaning: str

    @property
    def type(self) -> str:
        """For example "float32 [batch, max_length, projection]"."""
        return f"{self.dtype} [{', '.join(self.axes)}]"


class Function(NamedTuple):
    """What can be called; it returns a dictionary of its outputs."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    meaning: str = ""
    # The output that the callable object returns without `as_dict`.
    result: str = "default"


STRINGS = Tensor("strings", "string", (BATCH,), "split by the model's tokenizer")
TOKENS = Tensor("tokens", "string", (BATCH, MAX_LENGTH), 'padded with `""`')
SEQUENCE_LEN = Tensor("sequence_len", "int32", (BATCH,), "number of words of each sentence")
WORD_EMB = Tensor(
    "word_emb", "float32", (BATCH, MAX_LENGTH, PROJECTION), "word vectors without context"
)
LSTM_OUTPUTS = Tensor(
    "lstm_outputs{layer}",
    "float32",
    (BATCH, MAX_LENGTH, LAYER),
    "[forward; backward] of layer {layer}",
)
ELMO = Tensor("elmo", "float32", (BATCH, MAX_LENGTH, LAYER), "the weighted sum of the layers")
DEFAULT = Tensor(
    "default", "float32", (BATCH, LAYER), "mean of `elmo` over a sentence's words; zeros for none"
)
OUTPUTS = (WORD_EMB, LSTM_OUTPUTS, ELMO, DEFAULT, SEQUENCE_LEN)

SIGNATURES = {
    "default": Function((STRINGS,), OUTPUTS),
    "serving_default": Function((STRINGS,), OUTPUTS),
    "tokens": Function((TOKENS, SEQUENCE_LEN), OUTPUTS),
    "elmo": Function((STRINGS,), (ELMO, SEQUENCE_LEN), result="elmo"),
}

# The object's functions. Each has one graph for all inputs, and takes lists, arrays and tensors.
FUNCTIONS = {
    "default": SIGNATURES["default"]._replace(meaning="all outputs"),
    "elmo": SIGNATURES["elmo"]._replace(meaning="`elmo` and `sequence_len`"),
    "tokens": SIGNATURES["tokens"]._replace(meaning="all outputs"),
    "embed_tokens": SIGNATURES["tokens"]._replace(
        meaning="all outputs, for callers that pass one argument, such as "
        '`keras.layers.TFSMLayer(…, call_endpoint="embed_tokens")`'
    ),
    "tokenize": Function(
        (STRINGS,),
        (TOKENS, SEQUENCE_LEN),
        "`tokens` and `sequence_len`: the words whose vectors `default` gives",
    ),
    "tokenizer": Function((), (), "the tokenizer's name, `spaces` or `words`, a string tensor"),
}
BY_DICTIONARY = ("embed_tokens",)

# The object itself is called as TF1's `hub.Module` was: `elmo(inputs, **CALL)`.
CALL = {"training": False, "signature": "default", "as_dict": False}
CALL_MEANING = (
    "with `as_dict=True` the outputs of a signature; without, its `default`, or of the signature "
    "`elmo` its `elmo`. `training` changes nothing"
)

ATTRIBUTES = {
    "variables": "all variables, a list",
    "trainable_variables": "those that training may change, a list",
    "regularization_losses": "functions of no arguments, one for the L2 of the weighted sum if any",
    "signatures": "the signatures",
}

# What training may change, by the exporter's argument.
TRAINABLE = {
    "mix": "the weighted sum",
    "all": "the weighted sum and the encoder",
    "none": "nothing",
}

MODEL_CARD = "model_card.md"
SAVED_MODEL_PARTS = ("assets", "fingerprint.pb", MODEL_CARD, "saved_model.pb", "variables")


def as_data() -> dict[str, Any]:
    """Types, signatures and members in lists and dictionaries, as JSON has them."""

    def names(functions: dict[str, Function]) -> dict[str, list[list[str]]]:
        return {
            name: [[tensor.name for tensor in tensors] for tensors in function[:2]]
            for name, function in functions.items()
        }

    tensors = (STRINGS, TOKENS, *OUTPUTS)
    return {
        "types": {tensor.name: tensor.type for tensor in tensors},
        "signatures": names(SIGNATURES),
        "results": {name: function.result for name, function in SIGNATURES.items()},
        "functions": names(FUNCTIONS),
        "attributes": list(ATTRIBUTES),
    }
