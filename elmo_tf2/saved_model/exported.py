"""The object that `hub.load` gives, made of a layer of Keras."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.characters import checked_lengths
from elmo_tf2.data.tokenizers import tokenize
from elmo_tf2.layers.ragged import from_padded, mean_of_rows, to_padded
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.models.word_table import WordTable
from elmo_tf2.saved_model.contract import SEQUENCE_LEN, SIGNATURES, STRINGS, TOKENS, Tensor
from elmo_tf2.weights.exported_model import LAYER_NORM, OPTIONS_VARIABLE
from elmo_tf2.word_ids import words_to_ids


def _spec(tensor: Tensor, dtype: str | None = None) -> tf.TensorSpec:
    return tf.TensorSpec([None] * len(tensor.axes), dtype or tensor.dtype, name=tensor.name)


_STRINGS, _TOKENS, _LENGTHS = map(_spec, (STRINGS, TOKENS, SEQUENCE_LEN))
_BY_DICTIONARY = {"tokens": _TOKENS, "sequence_len": _LENGTHS}
# tf.RaggedTensor.row_lengths and tf.strings.length do not agree on a type
_BY_DICTIONARY_OF_INT64 = {"tokens": _TOKENS, "sequence_len": _spec(SEQUENCE_LEN, "int64")}


class ExportedElmo(tf.train.Checkpoint):
    """TF Hub's Reusable SavedModel interface, which also takes the arguments of `hub.Module`.

    `contract.py` says what its functions and attributes are. It is a `tf.train.Checkpoint`, since
    a `tf.Module` would not keep the variables of Keras layers.

    Args:
        elmo: an `ElmoEmbeddings` with one mix, built, in float32 or bfloat16.
        trainable: "mix" for the weighted sum alone, "all" for the encoder too, or "none".
        words: words whose vectors are looked up, see `WordTable`; none: all are computed.
    """

    def __init__(self, elmo: ElmoEmbeddings, trainable: str, words: Sequence[str] = ()) -> None:
        super().__init__()
        (mix,) = elmo.mixes
        # Not their `variables`, which have the state of a dropout's random numbers among them.
        trained = {"mix": mix.weights, "all": elmo.weights, "none": []}[trainable]
        trained_ids = {id(weight) for weight in trained}
        # Variables of its own, since a Keras variable's tf.Variable is always marked trainable,
        # and in plain lists, since properties are lost on saving.
        self.variables = [
            tf.Variable(weight.value, trainable=id(weight) in trained_ids, name=weight.path)
            for weight in elmo.weights
        ]
        self.trainable_variables = [variable for variable in self.variables if variable.trainable]
        self.regularization_losses = []
        if trained and mix.l2:
            w = self.variables[[weight is mix.w for weight in elmo.weights].index(True)]
            self.regularization_losses = [
                tf.function(lambda: mix.l2 * tf.reduce_sum(tf.square(w)), input_signature=[])
            ]
        self._tokenizer = elmo.config.tokenizer
        self._table = WordTable(elmo.encoder, words) if words else None
        self._encode = _encoding(elmo, list(self.variables), self._table, trainable == "all")
        if self._table is not None:
            self.variables.append(self._table.vectors)
        options = {**elmo.config.to_options(), LAYER_NORM: mix.layer_norm}
        self._options = tf.Variable(  # as bytes, since strings are on processors alone
            np.frombuffer(json.dumps(options).encode(), np.uint8),
            trainable=False,
            name=OPTIONS_VARIABLE,
        )
        self._is_listing = False

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def default(self, strings: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sentences to all outputs."""
        return self._encode(*tokenize(strings, self._tokenizer))

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def elmo(self, strings: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sentences to the weighted sum alone."""
        return _elmo_only(self.default(strings))

    @tf.function(input_signature=[_TOKENS, _LENGTHS], autograph=False)
    def tokens(self, tokens: tf.Tensor, sequence_len: tf.Tensor) -> dict[str, tf.Tensor]:
        """Words to all outputs."""
        return self._encode(tokens, checked_lengths("sequence_len", sequence_len, tokens))

    @tf.function(input_signature=[_STRINGS], autograph=False)
    def tokenize(self, strings: tf.Tensor) -> dict[str, tf.Tensor]:
        """Sentences to the words whose vectors the others give: `tokens` and `sequence_len`."""
        tokens, lengths = tokenize(strings, self._tokenizer)
        return {"tokens": tokens, "sequence_len": lengths}

    @tf.function(input_signature=[], autograph=False)
    def tokenizer(self) -> tf.Tensor:
        """The name of what makes words of sentences."""
        return tf.constant(self._tokenizer)

    @tf.function(input_signature=[_BY_DICTIONARY], autograph=False)
    def embed_tokens(self, inputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """As `tokens`, from one dictionary, for callers that pass one argument (TFSMLayer)."""
        return self.tokens(inputs["tokens"], inputs["sequence_len"])

    @tf.function(autograph=False)
    def __call__(
        self,
        inputs: Any,
        training: bool | tf.Tensor | None = False,
        signature: str = "default",
        as_dict: bool = False,
    ) -> Any:
        """Calls a signature as TF1's `hub.Module` did."""
        if self._is_listing:
            return tf.zeros([])
        if signature == "tokens":
            lengths = checked_lengths("sequence_len", inputs["sequence_len"], inputs["tokens"])
            outputs = self._encode(inputs["tokens"], lengths)
        else:
            outputs = self.default(inputs)
        if signature == "elmo":
            outputs = _elmo_only(outputs)
        if as_dict:
            return outputs
        return outputs[SIGNATURES[signature].result]

    def list_calls(self) -> None:
        """Lists every combination of Python arguments: a SavedModel holds only those met before.

        Saving traces each again, so here they stay empty, which saves a third of an export's time.
        After this the object can only be saved.
        """
        calls = [
            (name, _STRINGS if function.inputs == (STRINGS,) else _BY_DICTIONARY)
            for name, function in SIGNATURES.items()
        ]
        calls.append(("tokens", _BY_DICTIONARY_OF_INT64))
        either = tf.TensorSpec([], tf.bool, name="training")  # Python's True and False fit it, too
        self._is_listing = True
        for (signature, inputs), training, as_dict in itertools.product(
            calls, (either, None), (False, True)
        ):
            self.__call__.get_concrete_function(
                inputs, training=training, signature=signature, as_dict=as_dict
            )
        self._is_listing = False


def _encoding(
    elmo: ElmoEmbeddings,
    variables: list[tf.Variable],
    table: WordTable | None,
    encoder_learns: bool,
) -> Callable[..., Any]:
    """The one graph that all others call: padded words and their numbers to all outputs.

    A function and not a method, so that the Keras layer is no part of the saved object.
    """
    encoder = elmo.encoder
    # The state after <S> is known beforehand as long as the encoder stays as it is.
    start = None if encoder_learns else encoder.start_state()

    @tf.function(input_signature=[_TOKENS, _LENGTHS], autograph=False)
    def encode(tokens: tf.Tensor, sequence_len: tf.Tensor) -> dict[str, tf.Tensor]:
        mask = tf.sequence_mask(sequence_len, tf.shape(tokens)[1])
        words = from_padded(tokens, mask)
        weights = list(zip(elmo.weights, variables, strict=True))
        with keras.StatelessScope(state_mapping=weights):
            if table is not None:
                values = tf.stop_gradient(table.word_vectors(encoder, words.values))
            else:
                values = words_to_ids(words.values, elmo.config)
                if not encoder_learns:
                    values = tf.stop_gradient(encoder.token_embedder(values))
            output = encoder.encode(
                words.with_values(values),
                start,
                return_state=False,
                gradient="recompute" if encoder_learns else "inference",
                add_bos_eos=start is None,
            )
            layers = [tf.cast(layer.values, tf.float32) for layer in output.layers()]
            mixed = elmo.mixes[0](layers, training=False)
        by_token = {
            "word_emb": tf.cast(output.word_vectors.values, tf.float32),
            **{f"lstm_outputs{index}": layers[index] for index in range(1, len(layers))},
            "elmo": mixed,
        }
        return {
            **{name: to_padded(vectors, mask) for name, vectors in by_token.items()},
            "default": mean_of_rows(words.with_values(mixed)),
            "sequence_len": sequence_len,
        }

    return encode


def _elmo_only(outputs: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {tensor.name: outputs[tensor.name] for tensor in SIGNATURES["elmo"].outputs}
