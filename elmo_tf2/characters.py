"""Words as byte-level character ids: one definition for Python, tf.data and exported graphs.

A word is its UTF-8 bytes between two marks, padded to a fixed length. Every id is shifted by
one, so that 0 is free to mean "no word here":

    b"cat"  ->  [259, 100, 98, 117, 260, 261, 261, ...]

`<S>` and `</S>`, the words that stand for the two ends of a sentence, have a character each. The
mask, which stands for a word that is not to be seen, is the byte 255 alone: no UTF-8 has it, and so
the table of characters needs no row for it.

Reference:
 - `UnicodeCharsVocabulary` and `Batcher` of [bilm-tf](https://github.com/allenai/bilm-tf)
"""

from contextlib import AbstractContextManager, nullcontext

import numpy as np
import tensorflow as tf

from elmo_tf2.config import NUM_CHARACTERS
from elmo_tf2.validation import shown

BEGIN_SENTENCE = 257
END_SENTENCE = 258
BEGIN_WORD = 259
END_WORD = 260
PADDING = 261

BEGIN_SENTENCE_WORD = "<S>"
END_SENTENCE_WORD = "</S>"
MASK_WORD = b"\xff"


def word_to_char_ids(word: str | bytes, max_characters: int = 50) -> np.ndarray:
    """Character ids of one word.

    Args:
        word: the word; any bytes. What UTF-8 can't encode in a str (lone surrogates) is left out.
        max_characters: int > 2. Length of the result; bytes past `max_characters - 2` are cut.

    Returns:
        int32 array, `(max_characters,)`, in 1…261.

    Example:
    >>> word_to_char_ids("cat", max_characters=6)
    array([259, 100,  98, 117, 260, 261], dtype=int32)
    """
    encoded = word.encode("utf-8", "ignore") if isinstance(word, str) else word
    if encoded == BEGIN_SENTENCE_WORD.encode():
        characters = [BEGIN_SENTENCE]
    elif encoded == END_SENTENCE_WORD.encode():
        characters = [END_SENTENCE]
    else:
        characters = [byte + 1 for byte in encoded[: max_characters - 2]]
    ids = np.full(max_characters, PADDING, np.int32)
    ids[: len(characters) + 2] = [BEGIN_WORD, *characters, END_WORD]
    return ids


def words_to_char_ids(words: tf.Tensor, max_characters: int = 50) -> tf.Tensor:
    """Character ids of many words, by core TensorFlow operations; equal to `word_to_char_ids`.

    Args:
        words: string tensor of any shape.
        max_characters: int > 2. Length of the last axis of the result.

    Returns:
        int32 tensor, `(*words.shape, max_characters)`, in 1…261.

    Example:
    >>> words_to_char_ids(tf.constant(["cat"]), max_characters=6).numpy()
    array([[259, 100,  98, 117, 260, 261]], dtype=int32)
    """
    words = tf.convert_to_tensor(words, tf.string)
    max_bytes = max_characters - 2
    characters = tf.io.decode_raw(words, tf.uint8, fixed_length=max_bytes)
    characters = tf.cast(characters, tf.int32) + 1  # (..., max_bytes)
    num_bytes = tf.minimum(tf.strings.length(words), max_bytes)
    for boundary, character in (
        (BEGIN_SENTENCE_WORD, BEGIN_SENTENCE),
        (END_SENTENCE_WORD, END_SENTENCE),
    ):
        is_boundary = tf.equal(words, boundary)
        num_bytes = tf.where(is_boundary, 1, num_bytes)
        characters = tf.where(is_boundary[..., tf.newaxis], character, characters)
    position = tf.range(max_characters - 1)
    num_bytes = num_bytes[..., tf.newaxis]
    characters = tf.concat([characters, tf.fill(tf.shape(num_bytes), PADDING)], axis=-1)
    characters = tf.where(position < num_bytes, characters, PADDING)
    characters = tf.where(position == num_bytes, END_WORD, characters)
    begin = tf.fill(tf.shape(num_bytes), BEGIN_WORD)
    return tf.concat([begin, characters], axis=-1)  # (..., max_characters)


def sentences_to_char_ids(
    tokens: tf.Tensor, lengths: tf.Tensor, max_characters: int = 50
) -> tf.Tensor:
    """Character ids of padded sentences.

    Args:
        tokens: string tensor, `(batch, tokens)`. A token before its sentence's end is a word, even
            an empty one.
        lengths: int tensor, `(batch,)`; tokens of each sentence.
        max_characters: int > 2.

    Returns:
        int32 tensor, `(batch, tokens, max_characters)`; 0 past a sentence's end.

    Raises:
        InvalidArgumentError: see `checked_lengths`.
    """
    lengths = checked_lengths("lengths", lengths, tokens)
    is_real = tf.sequence_mask(lengths, tf.shape(tokens)[1])  # (batch, tokens)
    return tf.where(is_real[..., tf.newaxis], words_to_char_ids(tokens, max_characters), 0)


def checked_lengths(name: str, lengths: tf.Tensor, tokens: tf.Tensor) -> tf.Tensor:
    """Lengths of padded sentences, checked when they are computed.

    Args:
        name: what to call them in messages.
        lengths: int tensor, `(batch,)`.
        tokens: tensor, `(batch, tokens)`.

    Returns:
        int32 tensor, `(batch,)`: the lengths.

    Raises:
        InvalidArgumentError: if they are not as many as the sentences, or one is not from 0 to the
            number of tokens.
    """
    lengths = tf.convert_to_tensor(lengths)
    wide = tf.cast(lengths, tf.int64)  # in 32 bits 2^32 + 1 is 1
    batch, max_length = tf.unstack(tf.shape(tokens, tf.int64))
    fits = tf.reduce_all((wide >= 0) & (wide <= max_length))
    fits &= tf.equal(tf.size(wide, tf.int64), batch)
    message = f"`{name}` must be a number from 0 to max_length for every sentence. Received:"
    with _checked(fits, message, lengths, "for tokens of shape", tf.shape(tokens)):
        return tf.cast(wide, tf.int32)


def checked_char_ids(char_ids: tf.Tensor, num_ids: int = NUM_CHARACTERS) -> tf.Tensor:
    """Character ids, checked when they are computed.

    Args:
        char_ids: int tensor of any shape.
        num_ids: int > 0.

    Returns:
        int32 tensor of that shape: the ids.

    Raises:
        InvalidArgumentError: if one is not from 0 to `num_ids - 1`.
    """
    wide = char_ids if char_ids.dtype == tf.int32 else tf.cast(char_ids, tf.int64)
    fits = tf.reduce_all((wide >= 0) & (wide < num_ids))
    message = f"Character ids must be numbers from 0 to {num_ids - 1}. Received: from"
    with _checked(fits, message, tf.reduce_min(wide), "to", tf.reduce_max(wide)):
        return tf.cast(tf.identity(wide), tf.int32)


def _checked(fits: tf.Tensor, *message: str | tf.Tensor) -> AbstractContextManager[None]:
    """A context whose operations come after a check, when it is computed."""
    if not tf.executing_eagerly():
        # Not tf.debugging.Assert, which makes three functions of it in every graph.
        data = [tf.convert_to_tensor(part) for part in message]
        return tf.control_dependencies([tf.raw_ops.Assert(condition=fits, data=data, summarize=9)])
    if not fits:
        parts = (
            part if isinstance(part, str) else shown(part.numpy().tolist()) for part in message
        )
        raise tf.errors.InvalidArgumentError(None, None, " ".join(parts))
    return nullcontext()
