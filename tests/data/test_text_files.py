"""Reading texts: every kind of file, its faults, and constant memory."""

import bz2
import gzip
import hashlib
import io
import logging
import lzma
import os
import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tf2.data import text_files
from elmo_tf2.data.text_files import find_texts, read_lines, read_texts


def read(*paths, **kwargs):
    """All lines."""
    return [line for lines in read_texts(list(map(str, paths)), **kwargs) for line in lines]


@pytest.fixture
def folder(tmp_path):
    for name in ("b.txt", "a.txt", "sub/c.txt", "notes.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


@pytest.fixture
def standard_input(monkeypatch):
    """A function that sets what standard input gives."""

    def give(content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return give


# Finding files.


def test_patterns_give_their_files_in_order(folder):
    found = find_texts([folder / "notes.md", f"{folder}/*.txt", "-"])
    assert found == [str(folder / "notes.md"), str(folder / "a.txt"), str(folder / "b.txt"), "-"]
    found = find_texts([f"{folder}/**/*.txt"])
    assert found == [str(folder / name) for name in ("a.txt", "b.txt", "sub/c.txt")]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(folder):
    path = folder / "[ab].txt"
    path.write_text("x")
    assert find_texts([path]) == [str(path)]


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("nothing", FileNotFoundError, "There is no text file '.*nothing'"),
        ("*.csv", FileNotFoundError, r"There is no text file that fits '.*\*.csv'"),
        ("su*", FileNotFoundError, "There is no text file that fits"),  # a folder alone
        ("sub", ValueError, "sub is a folder. Expected: a text file"),
    ],
)
def test_what_is_no_file_is_named(folder, text, error, message):
    with pytest.raises(error, match=message):
        find_texts([folder / "a.txt", folder / text])


def test_no_text_is_refused():
    with pytest.raises(ValueError, match="`texts` must name one text or more"):
        find_texts([])


# Reading them.


@pytest.mark.parametrize(
    ("name", "compress"),
    [
        ("text", bytes),
        ("text", gzip.compress),
        ("text.txt", lzma.compress),
        ("text.gz", gzip.compress),
        ("text.xz", lzma.compress),
    ],
)
def test_compressed_files_are_known_by_their_content(tmp_path, name, compress):
    (tmp_path / name).write_bytes(compress("zwölf\nκαι".encode()))
    assert read(tmp_path / name) == ["zwölf".encode(), "και".encode()]


def test_a_file_may_have_several_compressed_parts(tmp_path):
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"a\nb") + gzip.compress(b"c\n"))
    (tmp_path / "a.xz").write_bytes(lzma.compress(b"a\nb") + lzma.compress(b"c\n"))
    assert read(tmp_path / "a.gz", tmp_path / "a.xz") == [b"a", b"bc"] * 2


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
def test_standard_input_is_read_and_left_open(standard_input, compress):
    standard_input(compress(b"a\nb"))
    assert read("-") == [b"a", b"b"]
    assert not sys.stdin.closed


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")
def test_only_pipes_that_are_open_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="pipe is not a file. Expected: a text file"):
        find_texts([tmp_path / "pipe"])
    reader, writer = os.pipe()
    os.write(writer, b"a\nb")
    os.close(writer)
    assert read(*find_texts([f"/dev/fd/{reader}"])) == [b"a", b"b"]
    os.close(reader)


# Whole texts, empty lines too.


def all_lines(path, **kwargs):
    return [line for lines in read_lines(path, **kwargs) for line in lines]


TEXT = b"\xef\xbb\xbfthe cat\r\n\r\n\rdogs \xe7\x8c\xab\n\nlast\r"
LINES = [b"the cat", b"", b"", "dogs 猫".encode(), b"", b"last"]


@pytest.mark.parametrize("compress", [bytes, gzip.compress, lzma.compress])
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 10, 2**18])
def test_all_lines_of_a_text_are_read_whole(tmp_path, monkeypatch, compress, block_bytes):
    monkeypatch.setattr(text_files, "_check_encoding", lambda path, block: None)
    (tmp_path / "text").write_bytes(compress(TEXT[0 if block_bytes > 3 else 3 :]))
    monkeypatch.setattr(text_files, "_BLOCK_BYTES", block_bytes)
    digest = hashlib.sha256()
    assert all_lines(tmp_path / "text", digest=digest) == LINES
    assert digest.digest() == hashlib.sha256((tmp_path / "text").read_bytes()).digest()


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b"\n", b"a"])
def test_small_texts_have_the_lines_that_they_have(tmp_path, content):
    (tmp_path / "text").write_bytes(content)
    expected = content.decode("utf-8-sig").encode().splitlines()
    assert all_lines(tmp_path / "text") == expected


def test_a_long_line_is_whole_up_to_a_bound(tmp_path, monkeypatch):
    (tmp_path / "text").write_bytes(b"a\n" + b"word " * 200_000)
    assert all_lines(tmp_path / "text") == [b"a", b"word " * 200_000]
    monkeypatch.setattr(text_files, "MAX_LINE_BYTES", 500_000)
    with pytest.raises(ValueError, match="text, line 2, is too long for a sentence"):
        all_lines(tmp_path / "text")


@pytest.mark.parametrize("lines", [all_lines, read])
def test_lines_that_are_not_utf8_are_told_once(tmp_path, caplog, lines):
    (tmp_path / "text").write_bytes(b"word " * 50 + "é\n".encode() + b"\xff\nb\n\xc3\n")
    with caplog.at_level(logging.WARNING):
        assert lines(tmp_path / "text")[1:] == [b"\xff", b"b", b"\xc3"]
    assert [record.getMessage()[:28] for record in caplog.records] == [
        "Lines that are not UTF-8: 2."
    ]
    caplog.clear()
    all_lines(tmp_path / "text", warn=False)
    assert not caplog.records


def test_one_wrong_byte_makes_no_other_encoding_nor_does_the_mark_of_one(tmp_path):
    (tmp_path / "text").write_bytes(b"the cat is here \xff\n")
    assert len(all_lines(tmp_path / "text")) == 1
    (tmp_path / "text").write_text("a \ufffd\n" * 9, encoding="utf-8")  # as `prepare` writes it
    assert len(all_lines(tmp_path / "text")) == 9


def test_lines_end_in_any_way_and_empty_ones_are_left_out(tmp_path):
    (tmp_path / "text").write_bytes(b"\xef\xbb\xbfa\r\n\n\r\nb\rc\n\n")
    (tmp_path / "next").write_bytes(b"d")
    assert read(tmp_path / "text", tmp_path / "next") == [b"a", b"b", b"c", b"d"]


@given(st.lists(st.text(st.characters(exclude_characters="\0\r\n\ufeff"), max_size=40)))
def test_blocks_of_any_size_give_the_same_lines(tmp_path_factory, lines):
    path = tmp_path_factory.mktemp("texts") / "text"
    encoded = [line.encode("utf-8", "ignore") for line in lines]
    path.write_bytes(b"\n".join(encoded))
    expected = list(filter(None, encoded))
    assert read(path) == expected
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_files, "_BLOCK_BYTES", 16)
        cut = read(path)
    assert b"".join(cut) == b"".join(expected)
    for piece in cut:
        piece.decode()


def test_a_very_long_line_is_cut_at_a_space(tmp_path):
    text = b"word " * 200_000
    (tmp_path / "text").write_bytes(text)
    lines = read(tmp_path / "text")
    assert b"".join(lines) == text
    assert all(len(line) <= 2**19 and line.endswith(b" ") for line in lines)
    assert 2 <= len(lines) <= 4


def test_a_very_long_line_without_spaces_is_cut_between_characters(tmp_path):
    text = "长𠮷a" * 100_000
    (tmp_path / "text").write_text(text)
    lines = read(tmp_path / "text")
    assert "".join(line.decode() for line in lines) == text
    assert len(lines) > 1


def test_a_large_file_is_never_held_in_memory(tmp_path):
    line = b"a line of a text that is large, but not in its compressed form\n"
    with gzip.open(tmp_path / "text.gz", "wb", compresslevel=1) as file:
        for _ in range(40):
            file.write(line * 16_000)
    tracemalloc.start()
    try:
        number = sum(len(lines) for lines in read_texts([str(tmp_path / "text.gz")]))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert number == 640_000
    assert peak < 4e6  # of 40 MB


def test_progress_counts_the_bytes_of_all_files(tmp_path, standard_input):
    standard_input(b"xyz")
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"word\n" * 100_000)
    calls = []
    read(tmp_path / "a", tmp_path / "b", on_progress=lambda *call: calls.append(call))
    assert calls == sorted(calls)
    assert calls[-1] == (1_000_000, 1_000_000)
    read(tmp_path / "a", "-", on_progress=lambda *call: calls.append(call))
    assert calls[-1] == (500_000, 0)


# Faults.


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(b"some text " * 100)[:-20],
        gzip.compress(b"some text " * 100)[:15] + b"garbage" * 10,
        gzip.compress(b"some text")[:-8] + b"\0" * 8,
        lzma.compress(b"some text " * 100)[:-20],
        lzma.compress(b"some text " * 100)[:30] + b"garbage" * 10,
    ],
    ids=["gzip, cut", "gzip, overwritten", "gzip, wrong sum", "xz, cut", "xz, overwritten"],
)
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(ValueError, match="text can't be decompressed: .*copy or download it again"):
        read(tmp_path / "text")


@pytest.mark.parametrize("name", ["text.gz", "text.xz"])
def test_a_file_that_is_not_what_its_name_says_is_damaged(tmp_path, name):
    (tmp_path / name).write_bytes(b"plain text")
    with pytest.raises(ValueError, match=f"{name} can't be decompressed"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    "content",
    [
        "Text in UTF-16".encode("utf-16"),
        b"\x7fELF" + b"\0" * 100,
        bytes(range(256)) * 9,
        "текст".encode("koi8-r"),
        "猫坐在垫子上".encode("gbk"),
        "猫坐在垫子上".encode("utf-16"),
        "ネコはマットの上".encode("shift-jis"),
        "Le café est déjà fermé ; il fait froid et la rue est vide.".encode("latin-1"),
        "the cat".encode("utf-32"),
    ],
)
def test_a_binary_file_is_refused(tmp_path, content):
    (tmp_path / "text").write_bytes(content)
    with pytest.raises(ValueError, match="text is not text in UTF-8: .* are 0 and .* are wrong"):
        read(tmp_path / "text")


def test_other_compressed_files_are_refused(tmp_path):
    noise = b"".join(str(number**7).encode() for number in range(30_000))
    (tmp_path / "text.bz2").write_bytes(bz2.compress(noise))
    with pytest.raises(ValueError, match="is not text in UTF-8"):
        read(tmp_path / "text.bz2")


def test_a_stray_zero_byte_is_no_reason_to_refuse_a_text(tmp_path):
    (tmp_path / "text").write_bytes(b"word " * 200 + b"\0")
    assert len(read(tmp_path / "text")) == 1


def test_an_empty_file_has_no_lines(tmp_path):
    (tmp_path / "text").touch()
    (tmp_path / "text.gz").write_bytes(gzip.compress(b""))
    assert read(tmp_path / "text", tmp_path / "text.gz") == []
