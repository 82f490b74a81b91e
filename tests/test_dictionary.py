"""Dictionary, and the numbers of words by its hashes."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2 import word_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.dictionary import Dictionary


def test_entries_have_numbers_and_a_hash_of_their_own():
    one, same, other = Dictionary("abc"), Dictionary(["a", "b", "c"]), Dictionary("acb")
    assert one == same != other and hash(one) == hash(same) and one != ["a", "b", "c"]
    assert Dictionary(["a\nb"]) != Dictionary(["a", "b"]) and Dictionary([""]) != Dictionary()
    assert (one.index("c"), list(one), one[1], one[1:], len(one)) == (
        2,
        list("abc"),
        "b",
        ("b", "c"),
        3,
    )
    assert "c" in one and "d" not in one and "3 entries" in repr(one)
    with pytest.raises(ValueError, match="no entry 'd'"):
        one.index("d")


@pytest.mark.parametrize(
    ("entries", "message"), [(["a", "b", "a"], "twice: 'a'"), (["a", 1], "must be strings.*1")]
)
def test_entries_that_are_none_are_refused(entries, message):
    with pytest.raises(ValueError, match=message):
        Dictionary(entries)


def test_every_word_of_many_is_found_and_no_other():
    words = [*"\U0001f600 \u00e9 e\u0301".split(), "", " a ", *map(str, range(5_000))]
    words = ["<S>", "</S>", "<UNK>", *words]
    config = ElmoConfig(token_embedder="words", words=words, units=4, projection_dim=2)
    outside = ["5000", "a", "\u00c9", "x" * 1_000]
    found = word_ids.words_to_ids(tf.constant([[*words, *outside]]), config)
    np.testing.assert_array_equal(found[0, :, 0], [*range(1, len(words) + 1), 3, 3, 3, 3])


def test_a_word_outside_with_the_hash_of_one_inside_is_unknown(monkeypatch):
    hashes = {b"<S>": 1, b"</S>": 2, b"<UNK>": 3, b"cat": 4}
    monkeypatch.setattr(
        word_ids,
        "_hash",
        lambda words: tf.constant(
            [hashes.get(word, 4) for word in words.numpy().ravel()], tf.int64
        ),
    )
    config = ElmoConfig(
        token_embedder="words", words=["<S>", "</S>", "<UNK>", "cat"], units=4, projection_dim=2
    )
    found = word_ids.words_to_ids(tf.constant(["cat", "dog"]), config)
    assert found.numpy().tolist() == [[4], [3]]
    hashes[b"cat"] = 2
    word_ids._by_hash.cache_clear()
    with pytest.raises(ValueError, match="have the same hash"):
        word_ids.words_to_ids(tf.constant(["cat"]), config)
    word_ids._by_hash.cache_clear()
