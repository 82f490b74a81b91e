"""Vocabulary files: read as bilm-tf reads them, and written so that it does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tf2.data.vocabulary_file import read_vocabulary, write_vocabulary


def test_a_file_is_read_as_bilm_tf_reads_it(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_bytes("<S>\r\n  the \n\n!!!MAXTERMID\ncafé\nthe\nlast".encode())
    assert read_vocabulary(path) == ("<S>", "the", "", "café", "the", "last")


word = st.text(st.characters(exclude_categories=["Cs"])).filter(
    lambda text: text == text.strip() and not set("\n\r\0\ufeff") & set(text)
)


@given(st.lists(word, min_size=1))
def test_any_words_come_back_as_they_were(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    write_vocabulary(path, words)
    assert read_vocabulary(path) == tuple(words)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no vocabulary file '.*vocab.txt'"):
        read_vocabulary(tmp_path / "vocab.txt")
    with pytest.raises(ValueError, match="is a folder. Expected: a vocabulary file"):
        read_vocabulary(tmp_path)


def test_other_encodings_are_refused(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("café\n".encode("latin-1"))
    with pytest.raises(ValueError, match="vocab.txt is not text in UTF-8"):
        read_vocabulary(tmp_path / "vocab.txt")
    (tmp_path / "vocab.txt").write_bytes(b"the\n" * 99 + "café\n".encode("latin-1"))
    with pytest.raises(ValueError, match="vocab.txt must be text in UTF-8"):
        read_vocabulary(tmp_path / "vocab.txt")


def test_a_byte_order_mark_is_no_part_of_the_first_word(tmp_path):
    (tmp_path / "vocab.txt").write_bytes("\ufeff<S>\r\nthe\r\n".encode())
    assert read_vocabulary(tmp_path / "vocab.txt") == ("<S>", "the")


def test_a_file_without_words_is_refused(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"")
    with pytest.raises(ValueError, match="vocab.txt must have one word per line. Found: no words"):
        read_vocabulary(tmp_path / "vocab.txt")


@pytest.mark.parametrize("bad", [" a", "a\u3000", "a\nb", "a\rb", "a\0", "\ufeffa", "!!!MAXTERMID"])
def test_a_word_that_would_not_come_back_is_refused(tmp_path, bad):
    with pytest.raises(ValueError, match="vocabulary's word must have no white space"):
        write_vocabulary(tmp_path / "vocab.txt", ["good", bad])
    assert not list(tmp_path.iterdir())


def test_no_words_are_refused(tmp_path):
    with pytest.raises(ValueError, match="must have at least one word"):
        write_vocabulary(tmp_path / "vocab.txt", [])


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "vocab.txt"
    write_vocabulary(path, ["old"])
    with pytest.raises(ValueError, match="surrogates not allowed"):
        write_vocabulary(path, ["new", "\ud800"])
    assert read_vocabulary(path) == ("old",)
    assert [file.name for file in tmp_path.iterdir()] == ["vocab.txt"]
