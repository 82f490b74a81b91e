"""Windows of running text against a plain Python reference."""

import itertools

import numpy as np
import pytest

from elmo_tf2.characters import word_to_char_ids
from elmo_tf2.data import Position, Vocabulary, text_windows, training_windows

WORDS = ["<S>", "</S>", "<UNK>", "the", "cat", "sat", "on", "a", "mat", "dog", "ran"]
SENTENCES = ["the cat sat", "a dog ran on", "the mat", "Ärger the", "dog", "cat ran on a mat"]


@pytest.fixture
def vocabulary():
    return Vocabulary(WORDS)


@pytest.fixture
def shards(tmp_path):
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    paths[0].write_text("\n".join(SENTENCES[:4]) + "\n\n", encoding="utf-8")
    paths[1].write_text("  " + "\n".join(SENTENCES[4:]), encoding="utf-8")
    return paths


def stream(sentences, backward=False):
    """(input word, target word) of a text."""
    pairs = []
    for sentence in sentences:
        words = ["<S>", *sentence.split(), "</S>"]
        if backward:
            words.reverse()
        pairs += zip(words, words[1:], strict=False)
    return pairs


def word_id(word):
    return WORDS.index(word) if word in WORDS else WORDS.index("<UNK>")


def take(dataset, number):
    return [
        {name: value.numpy() for name, value in window.items()}
        for window in itertools.islice(dataset, number)
    ]


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_text_is_packed_as_bilm_does(vocabulary, direction):
    pairs = stream(SENTENCES, direction == "backward")
    windows = take(text_windows(SENTENCES, vocabulary, batch_size=1, unroll_steps=4), 99)
    inputs = np.concatenate([window[f"{direction}_char_ids"][0] for window in windows])
    targets = np.concatenate([window[f"{direction}_targets"][0] for window in windows])
    mask = np.concatenate([window["mask"][0] for window in windows])
    assert mask.sum() == len(pairs)
    assert mask[: len(pairs)].all()
    np.testing.assert_array_equal(inputs[mask], [word_to_char_ids(word) for word, _ in pairs])
    np.testing.assert_array_equal(targets[mask], [word_id(word) for _, word in pairs])


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 50])
@pytest.mark.parametrize("unroll_steps", [1, 4, 100])
def test_every_word_of_a_text_is_a_target_once(vocabulary, batch_size, unroll_steps):
    windows = take(text_windows(SENTENCES, vocabulary, batch_size, unroll_steps), 99)
    for direction in ("forward", "backward"):
        targets = np.concatenate(
            [window[f"{direction}_targets"][window["mask"]] for window in windows]
        )
        expected = [word_id(word) for _, word in stream(SENTENCES, direction == "backward")]
        assert sorted(targets) == sorted(expected)


def sentences_of(window, vocabulary):
    """The forward targets, row by row, as words."""
    return [[vocabulary.words[number] for number in row] for row in window["forward_targets"]]


def test_training_text_comes_whole_in_every_epoch_and_in_another_order(shards, vocabulary):
    # a window of one row and one step: nothing is left out
    windows = take(training_windows(shards, vocabulary, 1, 1, seed=3), 2 * len(stream(SENTENCES)))
    words = [sentences_of(window, vocabulary)[0][0] for window in windows]
    epochs = np.split(np.array(words), 2)
    expected = sorted(WORDS[word_id(word)] for _, word in stream(SENTENCES))
    for epoch in epochs:
        assert sorted(epoch) == expected
    assert list(epochs[0]) != list(epochs[1])


def test_rows_go_on_from_window_to_window(shards, vocabulary):
    windows = take(training_windows(shards[:1], vocabulary, 2, 3, seed=1), 2)
    for direction, end in (("forward", "</S>"), ("backward", "<S>")):
        for row in range(2):
            inputs = np.concatenate([window[f"{direction}_char_ids"][row] for window in windows])
            targets = np.concatenate([window[f"{direction}_targets"][row] for window in windows])
            for target, following in zip(targets, inputs[1:], strict=False):
                word = WORDS[target]
                if word == end:  # a sentence ended, and the next one begins
                    word = "<S>" if end == "</S>" else "</S>"
                if word != "<UNK>":
                    np.testing.assert_array_equal(following, word_to_char_ids(word))


def test_words_outside_the_vocabulary_keep_their_characters(shards, vocabulary):
    windows = take(training_windows(shards, vocabulary, 1, 1), len(stream(SENTENCES)))
    inputs = [tuple(window["forward_char_ids"][0, 0]) for window in windows]
    assert tuple(word_to_char_ids("Ärger")) in inputs


def test_the_order_depends_on_the_seed_alone(shards, vocabulary):
    first, again, other = (
        take(training_windows(shards, vocabulary, 2, 2, seed=seed), 8) for seed in (5, 5, 6)
    )
    assert_same(first, again)
    targets = [np.stack([window["forward_targets"] for window in run]) for run in (first, other)]
    assert (targets[0] != targets[1]).any()


def test_a_start_gives_what_would_have_come_next(shards, vocabulary):
    whole = take(training_windows(shards, vocabulary, 2, 2, seed=4), 14)
    for done in (1, 3, 5, 8):
        shard, window = whole[done - 1]["position"][0]
        start = Position(int(shard), int(window) + 1)
        rest = take(training_windows(shards, vocabulary, 2, 2, seed=4, start=start), 6)
        assert_same(rest, whole[done : done + 6])


def test_workers_together_have_the_rows_of_one(shards, vocabulary):
    whole = take(training_windows(shards, vocabulary, 4, 1, seed=4), 5)
    parts = [
        take(training_windows(shards, vocabulary, 4, 1, seed=4, rows=rows), 5)
        for rows in ((0, 1), (1, 4))
    ]
    together = [
        {name: np.concatenate([one[name], other[name]]) for name in one}
        for one, other in zip(*parts, strict=True)
    ]
    assert_same(together, whole)


def test_some_sentences_are_lowercased_others_in_every_epoch(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("ÄB\n" * 200, encoding="utf-8")
    vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "ÄB", "äb"])
    windows = training_windows([path], vocabulary, 1, 400, lowercase_rate=0.3)
    first, second = ((window["forward_targets"][0] == 4) for window in take(windows, 2))
    for epoch in (first, second):
        assert 0.15 < epoch[::2].mean() < 0.45
    assert (first != second).any()


def test_a_text_of_windows_machines_has_the_same_words(vocabulary, tmp_path):
    text = "the cat sat\non the\tmat\n" * 20
    (tmp_path / "unix.txt").write_bytes(text.encode())
    (tmp_path / "windows.txt").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    one, other = (
        next(iter(training_windows([tmp_path / name], vocabulary, 2, 5)))
        for name in ("unix.txt", "windows.txt")
    )
    for name, value in one.items():
        np.testing.assert_array_equal(value, other[name], err_msg=name)


def test_words_are_apart_by_spaces_alone(vocabulary):
    windows = text_windows([b"the\tcat  sat ", "on\u3000the"], vocabulary, 1, 10)
    (window,) = windows
    assert int(np.sum(window["mask"])) == 2 + 1 + 2  # words, and the ends of two sentences


def test_too_little_text_is_told(shards, vocabulary):
    with pytest.raises(ValueError, match="too short for windows of 20 tokens in 128 rows.*has 15"):
        training_windows(shards, vocabulary, 128, 20)
    with pytest.raises(ValueError, match="no files"):
        training_windows([], vocabulary, 1, 1)


def test_a_vocabulary_without_its_special_words_is_told():
    with pytest.raises(ValueError, match="my.txt must have the words .* Missing: </S>, <UNK>"):
        Vocabulary(["<S>", "cat"], "my.txt")
    with pytest.raises(ValueError, match="every word once. Repeated: cat"):
        Vocabulary([*WORDS, "cat"])
