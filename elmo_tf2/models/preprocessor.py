"""The inputs of `ElmoEmbeddings`, in any container, to a ragged batch of words."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.tokenizers import token_lengths, tokenize
from elmo_tf2.layers.ragged import from_padded
from elmo_tf2.word_ids import words_to_ids

_TENSORS = (tf.Tensor, tf.Variable, tf.RaggedTensor, keras.KerasTensor)
_TEXT = (str, bytes)
_MISSING = ("None", "nan", "<NA>", "NaT")  # as NumPy and pandas print a value that is not there


SENTENCES_AS_WORDS = (
    "`inputs` have one word per row, (batch, 1): a sentence is taken as one word. Sentences have "
    'the shape (batch,): keras.Input((), dtype="string"). Words that are meant have any number per '
    'row: keras.Input((None,), dtype="string").'
)


def as_tensor(inputs: Any) -> Any:
    """Lists, and all that NumPy takes for an array, as tensors; anything else as it is."""
    if hasattr(inputs, "__array__") and not isinstance(inputs, (*_TENSORS, *_TEXT)):
        inputs = np.asarray(inputs)  # a pandas Series, for example
        if inputs.dtype.kind not in "OT":  # objects, and strings of any length
            return tf.convert_to_tensor(inputs)
        if inputs.ndim != 1:
            return _constant(inputs.tolist())
        inputs = inputs.tolist()
    if not isinstance(inputs, (list, tuple)):
        return inputs
    if all(isinstance(item, _TEXT) for item in inputs):
        return _constant(inputs)
    rows = [row.tolist() if hasattr(row, "tolist") else row for row in inputs]
    return _constant(rows, is_ragged=True)


def _constant(texts: Any, is_ragged: bool = False) -> tf.Tensor | tf.RaggedTensor:
    try:
        if is_ragged:
            return tf.ragged.constant(texts, ragged_rank=1, dtype=tf.string)
        return tf.constant(texts, tf.string)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "`inputs` must be a tensor, a list of strings, or a list of lists of strings. "
            f"Received: {_no_text(texts) or error}"
        ) from error


def _no_text(texts: Any) -> str:
    """The first item of nested lists that is no text, and what to do about it; "" without one."""
    for item in texts:
        if isinstance(item, (list, tuple)):
            found = _no_text(item)
            if found:
                return found
        elif str(item) in _MISSING and not isinstance(item, _TEXT):
            return f'{item}, a missing text: texts.fillna("").tolist() of a pandas Series.'
        elif not isinstance(item, _TEXT):
            return f"{item!r} ({type(item).__name__}) among them."
    return ""


def check_inputs(inputs: Any, ids_per_word: int) -> None:
    """Checks the type and shape of a tensor, which may be symbolic."""
    found = type(inputs).__name__
    is_single = isinstance(inputs, _TEXT)
    if isinstance(inputs, _TENSORS):
        dtype, shape = tf.as_dtype(inputs.dtype), tf.TensorShape(inputs.shape)
        is_ragged = isinstance(inputs, tf.RaggedTensor)
        if dtype == tf.string and shape.rank in (1, 2):
            return
        is_char_ids = dtype.is_integer and shape.rank == 3
        if is_char_ids and shape[-1] == ids_per_word and not is_ragged:
            return
        found = f"{'ragged ' if is_ragged else ''}{dtype.name}, {shape}"
        is_single = dtype == tf.string and shape.rank == 0
        if is_char_ids and is_ragged:
            found += " (its method `to_tensor` pads it with zeros, as is needed here)"
        if dtype.is_floating:
            found += (
                ', which Keras makes of inputs of no named type: keras.Input(…, dtype="string")'
            )
    if is_single:
        found += " (a single text goes in a list, [text])"
    raise ValueError(
        "`inputs` must be strings of shape (batch,) or (batch, tokens), or character ids (int) of "
        f"shape (batch, tokens, {ids_per_word}). Received: {found}."
    )


def check_words(
    name: str, inputs: tf.Tensor | tf.RaggedTensor, axes: str, config: ElmoConfig
) -> None:
    """Checks the type and the shape of what a `BiLM` takes."""
    size = config.ids_per_word if inputs.dtype.is_integer else config.projection_dim
    is_padded = not isinstance(inputs, tf.RaggedTensor)
    if inputs.shape.rank != 3 or inputs.shape[-1] != size or is_padded != (name == "inputs"):
        raise ValueError(
            f"`{name}` must be character ids (int) of shape {axes}, {config.ids_per_word}) "
            f"or word vectors (float) of shape {axes}, {config.projection_dim}). Received: "
            f"{inputs.dtype.name}, {inputs.shape}."
        )


def are_sentences_as_words(inputs: Any) -> bool:
    """Whether there is one word per row, which most likely is a sentence that was to be split.

    Words that are known must have a space among them: a batch may well have one word per row.
    """
    if inputs.dtype != "string" or len(inputs.shape) != 2:
        return False
    is_ragged = isinstance(inputs, tf.RaggedTensor)
    if isinstance(inputs, keras.KerasTensor) or not tf.executing_eagerly():
        return not is_ragged and inputs.shape[1] == 1
    words = inputs.flat_values if is_ragged else inputs
    is_one_a_row = words.shape[0] <= inputs.shape[0] if is_ragged else words.shape[1] == 1
    return is_one_a_row and any(b" " in word for word in words.numpy().ravel())


def ragged_ids(
    inputs: tf.Tensor | tf.RaggedTensor, config: ElmoConfig
) -> tuple[tf.RaggedTensor, tf.Tensor]:
    """Ids of words `(batch, (tokens), ids)`, and the mask `(batch, tokens)` to pad them by.

    The mask has one token at least: of an axis without any, layers make NaN, or fail.
    """
    if tf.executing_eagerly():  # where some fifty operations take ten times as long as their graph
        return _graph(_spec_of_any_size(inputs), config)(inputs)
    return _ragged_ids(inputs, config)


@functools.cache
def _graph(
    spec: tf.TypeSpec, config: ElmoConfig
) -> Callable[..., tuple[tf.RaggedTensor, tf.Tensor]]:
    function = functools.partial(_ragged_ids, config=config)
    return tf.function(function, input_signature=[spec], autograph=False)


def _ragged_ids(
    inputs: tf.Tensor | tf.RaggedTensor, config: ElmoConfig
) -> tuple[tf.RaggedTensor, tf.Tensor]:
    padded, mask = _words_and_mask(inputs, config.tokenizer)
    words = from_padded(padded, mask)
    if words.dtype == tf.string:
        words = words.with_values(words_to_ids(words.values, config))
    return words, mask


def _spec_of_any_size(inputs: tf.Tensor | tf.RaggedTensor) -> tf.TypeSpec:
    """The type of inputs of that kind, however many sentences and words there are."""
    if isinstance(inputs, tf.RaggedTensor):
        return tf.RaggedTensorSpec([None, None], tf.string, 1, inputs.row_splits.dtype)
    return tf.TensorSpec([None, None, *inputs.shape[2:]][: inputs.shape.rank], inputs.dtype)


def _words_and_mask(
    inputs: tf.Tensor | tf.RaggedTensor, tokenizer: str
) -> tuple[tf.Tensor, tf.Tensor]:
    """Padded words `(batch, tokens)`, or character ids as they are, and where they are."""
    if inputs.dtype != tf.string:
        char_ids = _with_a_token(inputs, 0)
        return char_ids, tf.reduce_any(char_ids != 0, axis=-1)
    if isinstance(inputs, tf.RaggedTensor):
        words, lengths = inputs.to_tensor(""), tf.cast(inputs.row_lengths(), tf.int32)
    elif inputs.shape.rank == 1:
        words, lengths = tokenize(inputs, tokenizer)
    else:
        words, lengths = inputs, token_lengths(inputs)
    words = _with_a_token(words, "")
    return words, tf.sequence_mask(lengths, tf.shape(words)[1])


def _with_a_token(words: tf.Tensor, padding: str | int) -> tf.Tensor:
    if words.shape[1]:
        return words
    missing = tf.maximum(1 - tf.shape(words)[1], 0)
    paddings = [[0, 0], [0, missing], [0, 0]][: words.shape.rank]
    return tf.pad(words, paddings, constant_values=tf.constant(padding, words.dtype))


@keras.saving.register_keras_serializable(package="elmo_tf2")
class WordMask(keras.Operation):
    """Marks where the words are.

    A functional model needs it as a step of its graph: beside a layer whose mask is one, as an
    `Embedding`'s is, Keras takes a vector without for one that is real at every place.

    Args:
        tokenizer: as of `ElmoEmbeddings`.

    Call arguments:
        inputs: as of `ElmoEmbeddings`, but no list.

    Returns:
        bool tensor, `(batch, tokens)`.
    """

    def __init__(self, tokenizer: str, name: str | None = None) -> None:
        super().__init__(name=name)
        self.tokenizer = tokenizer

    def call(self, inputs: tf.Tensor | tf.RaggedTensor) -> tf.Tensor:
        return _words_and_mask(inputs, self.tokenizer)[1]

    def compute_output_spec(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        return keras.KerasTensor((inputs.shape[0], num_tokens(inputs)), dtype="bool")


def num_tokens(inputs: keras.KerasTensor) -> int | None:
    """The number of tokens of padded outputs, if it is known before."""
    tokens = inputs.shape[1] if len(inputs.shape) > 1 else None
    return tokens if tokens is None else max(tokens, 1)
