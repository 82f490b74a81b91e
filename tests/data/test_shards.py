"""Dividing sentences: at random, by a seed, in parts that share none."""

import os
import tracemalloc
from collections import Counter

import pytest

from elmo_tf2.data import shards as module
from elmo_tf2.data.shards import write_parts

SENTENCES = [f"sentence number {number} .".encode() for number in range(1000)]


def divide(folder, sentences=SENTENCES, heldout=0.1, shards=4, seed=0):
    """The lines of each shard, those held out, and what `write_parts` returned."""
    folder.mkdir()
    result = write_parts(iter(sentences), folder, heldout, shards, seed)
    files = sorted((folder / "train").iterdir())
    assert [path.name for path in files] == [f"shard-{n:05d}.txt" for n in range(len(files))]
    assert sorted(os.listdir(folder)) == ["heldout.txt", "train"]
    lines = [path.read_bytes().splitlines() for path in (*files, folder / "heldout.txt")]
    return lines[:-1], lines[-1], result


def test_every_sentence_is_in_one_part_once(tmp_path):
    shards, heldout, _ = divide(tmp_path / "out")
    assert sorted(sum(shards, heldout)) == sorted(SENTENCES)
    assert 60 < len(heldout) < 140  # binomial, 100 +- 9.5


def test_shards_are_of_one_size_and_shuffled(tmp_path):
    shards, _, _ = divide(tmp_path / "out")
    sizes = [len(shard) for shard in shards]
    assert max(sizes) - min(sizes) <= 1
    for shard in shards:
        places = [SENTENCES.index(sentence) for sentence in shard]
        assert places != sorted(places)
        assert min(places) < 50 and max(places) > 950


def test_the_held_out_part_keeps_its_order(tmp_path):
    _, heldout, _ = divide(tmp_path / "out")
    places = [SENTENCES.index(sentence) for sentence in heldout]
    assert places == sorted(places)


def test_copies_of_a_sentence_are_never_in_both_parts(tmp_path):
    shards, heldout, _ = divide(tmp_path / "out", SENTENCES * 3)
    assert not set(heldout) & set(sum(shards, []))
    assert set(Counter(heldout).values()) == {3}


def test_the_seed_alone_decides(tmp_path):
    first, again, other = (
        divide(tmp_path / name, seed=seed)[:2] for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert set(first[1]) != set(other[1])


@pytest.mark.parametrize("heldout", [0.0, 1e-9])
def test_one_sentence_at_least_is_held_out(tmp_path, heldout):
    assert len(divide(tmp_path / "out", heldout=heldout)[1]) == 1


def test_counts_are_those_of_the_files(tmp_path):
    shards, heldout, (train_part, heldout_part, number) = divide(tmp_path / "out")
    assert number == 4
    for part, lines in ((train_part, sum(shards, [])), (heldout_part, heldout)):
        assert part.sentences == len(lines)
        assert part.counts == Counter(word for line in lines for word in line.split())


def test_the_number_of_shards_follows_the_size(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_SHARD_BYTES", 5_000)
    size = sum(len(sentence) + 1 for sentence in SENTENCES)
    assert len(divide(tmp_path / "a", shards=None)[0]) == round(size / 5_000) == 4
    monkeypatch.setattr(module, "_MAX_SHARDS", 3)
    assert len(divide(tmp_path / "b", shards=None)[0]) == 3


def test_no_sentence_is_too_few(tmp_path):
    with pytest.raises(ValueError, match="The text must have words. Found: none"):
        divide(tmp_path / "out", [])


@pytest.mark.parametrize(("number", "shards"), [(1, None), (5, 5)])
def test_every_shard_has_a_sentence_or_there_are_too_few(tmp_path, number, shards):
    with pytest.raises(
        ValueError, match=f"for each of {shards or 1} shards. Found: {number - 1} s"
    ):
        divide(tmp_path / "out", SENTENCES[:number], 0.0, shards)


def test_a_large_text_is_never_held_in_memory(tmp_path):
    sentences = (b"%d" % (number % 100) * 150 + b" %d" % number for number in range(50_000))
    tracemalloc.start()
    try:
        # With distinct words counted as one, for these do grow.
        train, _, _ = write_parts(sentences, tmp_path, 0.01, 40, 0)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert train.sentences > 49_000
    assert sum(path.stat().st_size for path in (tmp_path / "train").iterdir()) > 14e6
    assert peak < 10e6
