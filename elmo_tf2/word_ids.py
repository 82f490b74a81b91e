"""Words as rows of ids, which a model's token embedder takes; by core TensorFlow operations.

| `config.token_embedder` | ids of a word |
|---|---|
| "char_cnn" | its bytes, see `characters.py` |
| "words" | its number in the dictionary of words |
| "elmoformanylangs" | its code points' numbers in the dictionary of characters, and that |

A dictionary's numbers are shifted by one, so that 0 is free to mean "no word here". In
ELMoForManyLangs the marks `<bow>` and `<eow>` are swapped: a word begins with `<eow>`. Its models
were trained so.

Reference:
 - `Batcher` and `TokenBatcher` of [bilm-tf](https://github.com/allenai/bilm-tf)
 - [ELMoForManyLangs](https://github.com/HIT-SCIR/ELMoForManyLangs)
"""

import functools

import numpy as np
import tensorflow as tf

from elmo_tf2.characters import words_to_char_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.dictionary import Dictionary


def words_to_ids(words: tf.Tensor, config: ElmoConfig) -> tf.Tensor:
    """Ids of words of any shape, int32 `(*words.shape, config.ids_per_word)`."""
    if config.token_embedder == "char_cnn":
        return words_to_char_ids(words, config.max_characters)
    if config.token_embedder == "elmoformanylangs":
        words = tf.strings.unicode_transcode(words, "UTF-8", "UTF-8", errors="replace")
        # before both look-ups: a long word may be a known one by its beginning
        words = tf.strings.substr(words, 0, config.max_characters - 2, unit="UTF8_CHAR")
    ids = []
    if config.filters:
        ids.append(_code_point_ids(words, config))
    if config.word_dim:
        ids.append(_word_numbers(words, config.words, config.unknown_word)[..., tf.newaxis])
    return tf.concat(ids, axis=-1) + 1


@functools.lru_cache(maxsize=64)
def bos_eos_ids(config: ElmoConfig) -> np.ndarray:
    """Ids of the words that begin and end a sentence, int32 `(2, config.ids_per_word)`."""
    with tf.init_scope():
        return words_to_ids(tf.constant(config.bos_eos), config).numpy()


def _code_point_ids(words: tf.Tensor, config: ElmoConfig) -> tf.Tensor:
    """Numbers of a word's code points between the marks of its ends, `(*words.shape, chars)`."""
    characters, size = config.characters, config.max_characters
    unknown, padding, begin, end = map(characters.index, ("<oov>", "<pad>", "<eow>", "<bow>"))
    flat = tf.reshape(words, [-1])
    code_points = tf.strings.unicode_decode(flat, "UTF-8")
    ids = _lookup(code_points.to_tensor(shape=[None, size - 1]), *_by_code_point(characters))
    ids = tf.where(ids < 0, unknown, ids)
    length = tf.cast(code_points.row_lengths(), tf.int32)
    for word in config.bos_eos:  # of one character, which is no code point
        is_word = tf.equal(flat, word)
        length = tf.where(is_word, 1, length)
        ids = tf.where(is_word[:, tf.newaxis], characters.index(word), ids)
    length = length[:, tf.newaxis]
    position = tf.range(size - 1)
    ids = tf.where(position < length, ids, padding)
    ids = tf.where(position == length, end, ids)
    ids = tf.concat([tf.fill(tf.shape(length), begin), ids], axis=1)
    return tf.reshape(ids, tf.concat([tf.shape(words), [size]], axis=0))


def _word_numbers(words: tf.Tensor, dictionary: Dictionary, unknown: str) -> tf.Tensor:
    """Numbers of words, that of `unknown` for words outside."""
    hashes, numbers, entries = _by_hash(dictionary)
    numbers = _lookup(_hash(words), hashes, numbers)
    # a word outside may have the hash of one inside
    is_known = (numbers >= 0) & tf.equal(tf.gather(entries, tf.maximum(numbers, 0)), words)
    return tf.where(is_known, numbers, dictionary.index(unknown))


def _lookup(values: tf.Tensor, keys: np.ndarray, numbers: np.ndarray) -> tf.Tensor:
    """The numbers of values among the sorted keys; -1 for those that are none.

    Not a table of `tf.lookup`, a resource that every graph's owner would have to keep.
    """
    flat = tf.reshape(values, [-1])
    place = tf.minimum(tf.searchsorted(keys, flat), len(keys) - 1)
    found = tf.where(tf.equal(tf.gather(keys, place), flat), tf.gather(numbers, place), -1)
    return tf.reshape(found, tf.shape(values))


def _hash(words: tf.Tensor) -> tf.Tensor:
    return tf.strings.to_hash_bucket_fast(words, 2**63 - 1)


@functools.lru_cache(maxsize=8)
def _by_code_point(characters: Dictionary) -> tuple[np.ndarray, np.ndarray]:
    """The code points in rising order, and their numbers."""
    numbers = {ord(entry): number for number, entry in enumerate(characters) if len(entry) == 1}
    pairs = np.array(sorted(numbers.items()) or [(-1, -1)], np.int32)
    return pairs[:, 0], pairs[:, 1]


@functools.lru_cache(maxsize=8)
def _by_hash(dictionary: Dictionary) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words' hashes in rising order, their numbers, and the words in their own order."""
    entries = np.array([word.encode("utf-8", "surrogatepass") for word in dictionary], object)
    with tf.init_scope():
        hashes = _hash(tf.constant(entries, tf.string)).numpy()
    order = np.argsort(hashes)
    if len(np.unique(hashes)) < len(hashes):
        raise ValueError(f"Two words of {dictionary} have the same hash: it can't be looked up in.")
    return hashes[order], order.astype(np.int32), entries
