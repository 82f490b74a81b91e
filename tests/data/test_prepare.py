"""`prepare`: from any text to shards, a held-out part and a vocabulary."""

import gzip
import io
import itertools
import json
import logging
import lzma
import sys
import threading

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from elmo_tf2.data import prepare as module
from elmo_tf2.data.prepare import prepare
from elmo_tf2.data.tokenizers import tokenize
from elmo_tf2.data.vocabulary import Vocabulary
from elmo_tf2.data.vocabulary_file import read_vocabulary

pytest.importorskip("tensorflow_text", reason="sentence breaking needs tensorflow_text")

RAW = """\
Mr. Smith's cat sat. It didn't run!
他来了。你好

  \t
The cat sat. “The end.”
"""
SENTENCES = [
    "Mr. Smith 's cat sat .",
    "It did n't run !",
    "他 来 了 。",
    "你 好",
    "The cat sat .",
    "“ The end . ”",
]


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "raw.txt"
    path.write_text(RAW)
    return path


def write(path, *lines):
    path.write_bytes(
        b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines)
    )
    return path


def lines_of(out):
    """The sentences of the train part and those held out."""
    shards = sorted((out / "train").iterdir())
    train = [line for path in shards for line in path.read_text().splitlines()]
    return train, (out / "heldout.txt").read_text().splitlines()


def files_of(out):
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in out.rglob("*.*")}


def prepared_lines(tmp_path, *lines, **kwargs):
    """What becomes of lines, in any order."""
    out = tmp_path / "out"
    text = write(tmp_path / "text", *lines)
    prepare([text], out, **{"min_count": 1, "overwrite": True, **kwargs})
    train, heldout = lines_of(out)
    return sorted(train + heldout)


# From raw text.


def test_raw_text_becomes_sentences_and_words(raw, tmp_path):
    made = prepare([raw], tmp_path / "out", min_count=1)
    train, heldout = lines_of(tmp_path / "out")
    assert sorted(train + heldout) == sorted(SENTENCES)
    assert made.sentences == {"train": 5, "heldout": 1}
    tokens = {"train": sum(len(s.split()) for s in train), "heldout": len(heldout[0].split())}
    assert made.tokens == tokens
    assert sum(tokens.values()) == 6 + 5 + 4 + 2 + 4 + 5


def test_the_folder_holds_the_four_parts_and_nothing_else(raw, tmp_path):
    prepare([raw], tmp_path / "out", min_count=1, shards=2)
    assert set(files_of(tmp_path / "out")) == {
        "train/shard-00000.txt",
        "train/shard-00001.txt",
        "heldout.txt",
        "vocab.txt",
        "prepared.json",
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw.txt"]


def test_the_figures_are_written_beside(raw, tmp_path):
    made = prepare([raw], tmp_path / "out", min_count=2, seed=3, normalize="nfc")
    written = json.loads((tmp_path / "out" / "prepared.json").read_text())
    assert written == {
        "tokenizer": "words",
        "normalize": "nfc",
        "seed": 3,
        "shards": 1,
        "sentences": made.sentences,
        "tokens": made.tokens,
        "distinct_words": made.distinct_words,
        "vocabulary": made.vocabulary,
        "unknown_share": made.unknown_share,
    }
    train, heldout = lines_of(tmp_path / "out")
    known = set(read_vocabulary(tmp_path / "out" / "vocab.txt"))
    assert made.vocabulary == len(known)
    for name, lines in (("train", train), ("heldout", heldout)):
        words = " ".join(lines).split()
        unknown = sum(word not in known for word in words)
        assert made.unknown_share[name] == pytest.approx(unknown / len(words))
    assert made.distinct_words == len(set(" ".join(train).split()))


@pytest.mark.parametrize("name", ["raw.txt.gz", "raw.txt.xz", "-", "*.t?t"])
def test_every_source_gives_the_same(raw, tmp_path, name, monkeypatch):
    (tmp_path / "raw.txt.gz").write_bytes(gzip.compress(RAW.encode()))
    (tmp_path / "raw.txt.xz").write_bytes(lzma.compress(RAW.encode()))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(RAW.encode())))
    text = name if name == "-" else tmp_path / name
    prepare([raw], tmp_path / "expected", min_count=1)
    prepare([text], tmp_path / "found", min_count=1)
    assert files_of(tmp_path / "found") == files_of(tmp_path / "expected")


def test_texts_follow_one_another(tmp_path):
    one, two = write(tmp_path / "one", "a b", "c d"), write(tmp_path / "two", "e f")
    prepare([one, two], tmp_path / "out", tokenized=True, min_count=1)
    train, heldout = lines_of(tmp_path / "out")
    assert sorted(train + heldout) == ["a b", "c d", "e f"]


# Options.


def test_one_sentence_per_line_is_not_broken(tmp_path):
    lines = ["One. Two.", "Three!"]
    found = prepared_lines(tmp_path, *lines, one_sentence_per_line=True)
    assert found == ["One . Two .", "Three !"]


def test_tokenized_text_is_taken_as_it_is(tmp_path):
    lines = ["One. Two <unk>", "  It's @-@  a\u00a0b . "]
    assert prepared_lines(tmp_path, *lines, tokenized=True) == ["It's @-@ a\u00a0b .", lines[0]]


def test_the_tokenizer_spaces_may_be_given_running_text(tmp_path):
    found = prepared_lines(tmp_path, "It's one. Two, it is.", "three", tokenizer="spaces")
    assert found == ["It's one.", "Two, it is.", "three"]


def test_text_is_normalized_on_demand(tmp_path):
    line, other = "ﬁne cafe\u0301", "x"
    assert prepared_lines(tmp_path, line, other) == [other, line]
    assert prepared_lines(tmp_path, line, other, normalize="nfc") == ["x", "ﬁne café"]
    assert prepared_lines(tmp_path, line, other, normalize="nfkc") == ["fine café", "x"]


def test_a_very_long_line_is_kept_whole_in_words(tmp_path):
    words = [f"word{number}" for number in range(60_000)]
    found = prepared_lines(tmp_path, " ".join(words), tokenized=True)
    assert sorted(" ".join(found).split()) == sorted(words)


texts = st.lists(
    st.text(st.one_of(st.sampled_from("ab.'’日-,3 \u00a0👍"), st.characters()), max_size=20),
    min_size=2,
    max_size=10,
)


@settings(max_examples=40)
@given(texts)
def test_the_words_are_those_of_the_tokenizer(tmp_path_factory, lines):
    lines = [line.encode("utf-8", "ignore") for line in lines]
    lines = [b"first", b"second", *(line for text in lines for line in text.splitlines())]
    lines = [line for line in lines if b"\0" not in line]
    folder = tmp_path_factory.mktemp("texts")
    found = prepared_lines(folder, *lines, one_sentence_per_line=True)
    tokens, lengths = tokenize(tf.constant(lines), "words")
    rows = zip(tokens.numpy().tolist(), lengths.numpy(), strict=True)
    expected = [b" ".join(row[:length]).decode() for row, length in rows if length]
    assert found == sorted(expected)
    again, _ = tokenize(tf.constant(found), "spaces")
    assert [b" ".join(filter(None, row)).decode() for row in again.numpy().tolist()] == found


# The vocabulary.


def vocabulary(tmp_path, *lines, **kwargs):
    """That of lines which are all in the train part, but for a sentence apart."""
    text = write(tmp_path / "text", *lines, *(f"filler {n}" for n in range(20)))
    prepare([text], tmp_path / "out", tokenized=True, heldout=0.0, overwrite=True, **kwargs)
    _, heldout = lines_of(tmp_path / "out")
    assert not set(heldout) & set(lines), "choose another seed"
    words = (tmp_path / "out" / "vocab.txt").read_text().splitlines()
    return [word for word in words if word != "filler"]


def test_words_come_by_falling_count_and_then_by_code_points(tmp_path):
    found = vocabulary(tmp_path, "b a b é Z a c", "b 𠮷 é ｱ Z ｱ 𠮷", min_count=2)
    assert found == ["<S>", "</S>", "<UNK>", "b", "Z", "a", "é", "ｱ", "𠮷"]


def test_rare_words_and_those_past_the_size_are_left_out(tmp_path):
    lines = ["a a a a b b b c c d"]
    specials = ["<S>", "</S>", "<UNK>"]
    assert vocabulary(tmp_path, *lines) == [*specials, "a", "b"]
    assert vocabulary(tmp_path, *lines, min_count=2) == [*specials, "a", "b", "c"]
    assert vocabulary(tmp_path, *lines, vocab_size=5) == [*specials, "a"]  # and the filler


def test_the_held_out_part_is_not_counted(tmp_path):
    text = write(tmp_path / "text", *(f"word{n} word{n}" for n in range(50)))
    made = prepare([text], tmp_path / "out", min_count=2, heldout=0.2)
    train, heldout = lines_of(tmp_path / "out")
    assert len(heldout) > 1
    assert made.unknown_share == {"train": 0.0, "heldout": 1.0}
    words = read_vocabulary(tmp_path / "out" / "vocab.txt")[3:]
    assert sorted(words) == sorted({word for line in train for word in line.split()})


def test_special_words_of_the_text_are_in_the_vocabulary_once(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        words = vocabulary(tmp_path, "<S> a a </S> <UNK> <UNK> <UNK>", min_count=1)
    assert words[:5] == ["<S>", "</S>", "<UNK>", "a", *words[4:5]]
    assert len(words) == len(set(words))
    assert Vocabulary(words)
    assert "holds <S> or </S> as words, 2 in all" in caplog.text


def test_an_unk_of_the_text_is_unknown(tmp_path):
    vocabulary(tmp_path, "a a a <UNK>", min_count=1)
    made = json.loads((tmp_path / "out" / "prepared.json").read_text())
    assert made["unknown_share"]["train"] == pytest.approx(1 / made["tokens"]["train"])


def test_raw_text_cannot_hold_a_boundary(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        assert prepared_lines(tmp_path, "a <S> </S>", "b") == ["a < S > < / S >", "b"]
    assert not caplog.text


def test_words_that_a_vocabulary_file_cannot_hold_are_unknown(tmp_path):
    words = vocabulary(tmp_path, "a a \u3000x \u3000x !!!MAXTERMID !!!MAXTERMID", min_count=2)
    assert words == ["<S>", "</S>", "<UNK>", "a"]


# Chance.


def numbered(tmp_path):
    return write(tmp_path / "text", *(f"sentence {number}" for number in range(300)))


def test_the_same_seed_gives_the_same_files(tmp_path):
    text = numbered(tmp_path)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        prepare([text], tmp_path / name, seed=seed, shards=3, heldout=0.1)
    a, b, c = (files_of(tmp_path / name) for name in "abc")
    assert a == b
    for name in ("train/shard-00000.txt", "train/shard-00002.txt", "heldout.txt"):
        assert a[name] != c[name]


def test_the_parts_share_no_sentence(tmp_path):
    text = numbered(tmp_path)
    prepare([text, text], tmp_path / "out", heldout=0.1)
    train, heldout = lines_of(tmp_path / "out")
    assert not set(train) & set(heldout)
    assert sorted(train + heldout) == sorted(text.read_text().splitlines() * 2)


def test_the_number_of_threads_changes_nothing(tmp_path, monkeypatch):
    text = write(tmp_path / "text", *(f"One {n}. Two {n}." for n in range(20_000)))
    for name, threads in (("a", 1), ("b", 4)):
        monkeypatch.setattr(module.os, "cpu_count", lambda threads=threads: threads)
        prepare([text], tmp_path / name)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_a_few_pieces_of_the_text_are_taken_at_a_time():
    taken = itertools.count()
    results = module._in_parallel(lambda number: number, (next(taken) for _ in range(1000)))
    assert next(results) == 0
    assert next(taken) <= 2 * (module.os.cpu_count() or 1) + 1
    threads = threading.active_count()
    results.close()
    assert threading.active_count() < threads


# Faults. Nothing is left of a failed run.


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"tokenizer": "bert"}, "`tokenizer` must be one of"),
        ({"tokenizer": "words", "tokenized": True}, "`tokenizer` must be 'spaces' if `tokenized`"),
        ({"normalize": "nfd"}, "`normalize` must be one of"),
        ({"heldout": 1.0}, r"`heldout` must be a number in \[0, 1\)"),
        ({"shards": 0}, "`shards` must be a positive integer"),
        ({"min_count": 0}, "`min_count` must be a positive integer"),
        ({"vocab_size": 3}, "`vocab_size` must be an integer >= 4"),
        ({"seed": -1}, "`seed` must be an integer >= 0"),
        ({"shards": 100}, "must have a sentence for each of 100 shards. Found: 5 sentences"),
        ({"min_count": 100}, "The vocabulary would be empty: no word .* 100 times"),
    ],
)
def test_wrong_arguments_are_named(raw, tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=message):
        prepare([raw], tmp_path / "out", **{"min_count": 1, **kwargs})
    assert [path.name for path in tmp_path.iterdir()] == ["raw.txt"]


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (None, FileNotFoundError, "There is no text file"),
        (b"", ValueError, "The text must have words"),
        (b" \n\t\n \xe3\x80\x80\n", ValueError, "The text must have words"),
        (gzip.compress(b"text " * 99)[:-9], ValueError, "can't be decompressed"),
        (lzma.compress(b"text " * 99)[:-9], ValueError, "can't be decompressed"),
        (b"\0" * 100, ValueError, "is not text in UTF-8"),
    ],
    ids=["none", "empty", "no word", "gzip, cut", "xz, cut", "binary"],
)
def test_a_bad_text_leaves_what_was_there(raw, tmp_path, content, error, message):
    prepare([raw], tmp_path / "out", min_count=1)
    before = files_of(tmp_path / "out")
    if content is not None:
        (tmp_path / "bad").write_bytes(content)
    texts = [tmp_path / "bad"] if not content else [raw, tmp_path / "bad"]
    if content and not content.strip(b" \n\t\xe3\x80"):
        texts = [tmp_path / "bad"]
    with pytest.raises(error, match=message):
        prepare(texts, tmp_path / "out", overwrite=True)
    assert files_of(tmp_path / "out") == before
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_full_disk_leaves_what_was_there(raw, tmp_path, monkeypatch):
    prepare([raw], tmp_path / "out", min_count=1)
    before = files_of(tmp_path / "out")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, "write_vocabulary", full)
    with pytest.raises(OSError, match="No space left"):
        prepare([raw], tmp_path / "out", min_count=1, overwrite=True)
    assert files_of(tmp_path / "out") == before


def test_an_earlier_folder_is_overwritten_on_demand_alone(raw, tmp_path):
    prepare([raw], tmp_path / "out", min_count=1)
    with pytest.raises(FileExistsError, match="exists already"):
        prepare([raw], tmp_path / "out", min_count=1)
    prepare([raw], tmp_path / "out", min_count=1, shards=2, overwrite=True)
    assert len(list((tmp_path / "out" / "train").iterdir())) == 2


def test_a_folder_with_other_things_is_never_overwritten(raw, tmp_path):
    with pytest.raises(FileExistsError, match="holds what is no part of its successor"):
        prepare([raw], tmp_path, overwrite=True)
    assert raw.exists()


def test_bytes_that_are_not_utf8_are_told(tmp_path, caplog):
    with caplog.at_level(logging.WARNING):
        found = prepared_lines(tmp_path, b"a long enough line, caf\xe9", "another line")
    assert found == ["a long enough line , caf �", "another line"]
    assert "Lines that are not UTF-8: 1. " in caplog.text


def test_progress_is_told(raw, tmp_path):
    calls = []
    prepare([raw], tmp_path / "out", min_count=1, on_progress=lambda *call: calls.append(call))
    assert calls[-1] == (len(RAW.encode()),) * 2
