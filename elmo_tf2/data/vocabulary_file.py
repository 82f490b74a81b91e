"""Vocabulary files: one word per line, in the order of the ids, UTF-8, as bilm-tf reads them."""

from collections.abc import Sequence

from elmo_tf2.data.text_files import read_lines
from elmo_tf2.files import StrPath, atomic_write, check_file

# bilm-tf skips this line without giving it an id.
_NOT_A_WORD = "!!!MAXTERMID"


def read_vocabulary(path: StrPath) -> tuple[str, ...]:
    """Reads a vocabulary file.

    Args:
        path: the file.

    Returns:
        The words, without white space around them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is a folder, empty, or not UTF-8.
    """
    path = check_file(path, "vocabulary file")
    try:
        lines = [line.decode().strip() for lines in read_lines(path) for line in lines]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be text in UTF-8, one word per line: {error}.") from error
    words = tuple(word for word in lines if word != _NOT_A_WORD)
    if not words:
        raise ValueError(f"{path} must have one word per line. Found: no words.")
    return words


def can_be_written(word: str) -> bool:
    """Whether a word would be read back from a vocabulary file as the same word."""
    is_bare = word == word.strip() and not word.startswith("\ufeff")
    return is_bare and word != _NOT_A_WORD and not set("\n\r\0") & set(word)


def write_vocabulary(path: StrPath, words: Sequence[str]) -> None:
    """Writes a vocabulary file, atomically.

    Args:
        path: the file.
        words: the words.

    Raises:
        ValueError: if there are none, or one that would not be read back as the same word.
    """
    if not words:
        raise ValueError(f"{path}: a vocabulary must have at least one word. Received: none.")
    for word in words:
        if not can_be_written(word):
            raise ValueError(
                f"{path}: a vocabulary's word must have no white space around it, no line break or "
                f"zero, and no byte order mark before it, and must not be {_NOT_A_WORD}. Received: "
                f"{word!r}."
            )
    with (
        atomic_write(path, overwrite=True) as temporary,
        open(temporary, "w", encoding="utf-8", newline="\n") as file,
    ):
        file.writelines(f"{word}\n" for word in words)
