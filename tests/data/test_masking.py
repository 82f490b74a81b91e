"""Masked windows: what is chosen, what stands in its place, and that chance is of the position."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import MASK_WORD, word_to_char_ids
from elmo_tf2.data import Masking, Position, Vocabulary, training_windows

WORDS = ["<S>", "</S>", "<UNK>", "the", "cat", "sat", "on", "a", "mat", "dog", "ran"]
SENTENCES = ["the cat sat", "a dog ran on", "the mat", "Ärger the", "dog", "cat ran on a mat"]
OTHERS = tf.constant(WORDS[3:])
ONE = tf.constant([0, 0], tf.int64)


@pytest.fixture
def vocabulary():
    return Vocabulary(WORDS)


@pytest.fixture
def shards(tmp_path):
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    paths[0].write_text("\n".join(SENTENCES[:4]) + "\n\n", encoding="utf-8")
    paths[1].write_text("\n".join(SENTENCES[4:]), encoding="utf-8")
    return paths


def take(dataset, number):
    return [
        {name: value.numpy() for name, value in window.items()}
        for window in itertools.islice(dataset, number)
    ]


def test_the_mask_is_a_word_that_utf8_can_not_be():
    with pytest.raises(UnicodeDecodeError):
        MASK_WORD.decode("utf-8")
    assert word_to_char_ids(MASK_WORD, 5).tolist() == [259, 256, 260, 261, 261]


def test_words_are_chosen_and_replaced_at_the_rates_that_were_asked_for():
    words = np.array([["<S>", "cat", "zebra", "</S>"]] * 20_000)
    masking = Masking(mask_rate=0.3, random_rate=0.2, kept_rate=0.1)
    seen, is_chosen = masking.mask(tf.constant(words), OTHERS, 3, ONE)
    seen, is_chosen = seen.numpy(), is_chosen.numpy()
    assert not is_chosen[:, [0, 3]].any()  # the ends of a sentence
    # of 40,000 words: five standard deviations
    assert abs(is_chosen[:, 1:3].mean() - 0.3) < 0.012
    words = words.astype("S")
    np.testing.assert_array_equal(seen[~is_chosen], words[~is_chosen].astype(object))
    is_zebra = is_chosen & (words == b"zebra")  # which is no word of the vocabulary
    found = seen[is_zebra]
    for share, value in ((0.7, MASK_WORD), (0.1, b"zebra")):
        assert abs(np.mean(found == value) - share) < 0.03
    others = found[(found != MASK_WORD) & (found != b"zebra")]
    assert set(others) == {word.encode() for word in WORDS[3:]}


def test_by_default_no_chosen_word_can_be_seen():
    words = tf.fill([100, 50], "zebra")
    seen, is_chosen = Masking().mask(words, OTHERS, 3, ONE)
    assert not np.any(seen.numpy()[is_chosen.numpy()] == b"zebra")


def test_the_choice_depends_on_seed_and_position_alone():
    words = tf.fill([8, 20], "cat")

    def chosen(seed=3, shard=2, window=5):
        position = tf.constant([shard, window], tf.int64)
        return Masking().mask(words, OTHERS, seed, position)[1].numpy()

    np.testing.assert_array_equal(chosen(), chosen())
    for other in (chosen(seed=4), chosen(shard=3), chosen(window=6)):
        assert (other != chosen()).any()


def test_a_window_has_all_words_of_the_text_and_their_own_ids(shards, vocabulary):
    text = [word for sentence in SENTENCES for word in ["<S>", *sentence.split(), "</S>"]]
    windows = take(training_windows(shards, vocabulary, 1, 1, masking=Masking(0.5)), 2 * len(text))
    for epoch in (windows[: len(text)], windows[len(text) :]):
        targets = [vocabulary.words[window["targets"][0, 0]] for window in epoch]
        assert sorted(targets) == sorted(word if word in WORDS else "<UNK>" for word in text)
        for window, word in zip(epoch, targets, strict=True):
            if not window["is_chosen"][0, 0] and word != "<UNK>":
                np.testing.assert_array_equal(window["char_ids"][0, 0], word_to_char_ids(word))


def test_a_masked_word_is_masked_with_all_its_characters(shards, vocabulary):
    masking = Masking(0.5, random_rate=0.0)
    windows = take(training_windows(shards, vocabulary, 2, 4, masking=masking), 6)
    found = np.concatenate([window["char_ids"][window["is_chosen"]] for window in windows])
    assert len(found)
    assert (found == word_to_char_ids(MASK_WORD)).all()


def test_windows_go_on_from_any_position_and_come_in_parts(shards, vocabulary):
    def windows(number=12, **kwargs):
        return take(
            training_windows(shards, vocabulary, 2, 2, seed=3, masking=Masking(0.5), **kwargs),
            number,
        )

    whole = windows()
    start = Position(*whole[7]["position"][0].tolist())
    for found, expected in zip(windows(4, start=start), whole[7:], strict=False):
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value, err_msg=name)
    parts = [windows(rows=rows) for rows in ((0, 1), (1, 2))]
    for first, second, expected in zip(*parts, whole, strict=True):
        for name, value in expected.items():
            joined = np.concatenate([first[name], second[name]])
            np.testing.assert_array_equal(joined, value, err_msg=name)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask_rate": 0}, "`mask_rate` must be more than 0"),
        ({"mask_rate": 1.5}, "`mask_rate` must be a number in"),
        ({"random_rate": -0.1}, "`random_rate` must be"),
        ({"kept_rate": 2}, "`kept_rate` must be"),
        ({"random_rate": 0.6, "kept_rate": 0.5}, "at most 1 together"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    with pytest.raises(ValueError, match=message):
        Masking(**arguments)


def test_words_may_all_be_kept():
    assert Masking(random_rate=0.0, kept_rate=1).kept_rate == 1


def test_a_vocabulary_without_words_is_told(shards):
    special = Vocabulary(WORDS[:3])
    with pytest.raises(ValueError, match="no words but the special ones .* random_rate=0"):
        training_windows(shards, special, 1, 1, masking=Masking())
    windows = training_windows(shards, special, 1, 1, masking=Masking(random_rate=0.0))
    assert next(iter(windows))["targets"].shape == (1, 1)
