"""A text of any length, read, split into words and cut into batches within constant memory."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from elmo_tf2.config import TOKENIZERS
from elmo_tf2.data.text_files import read_lines, words_between_spaces
from elmo_tf2.data.tokenizers import put_words_apart
from elmo_tf2.validation import check_choice

# What is sorted by length together, and what is computed again after a kill.
_WINDOW_TOKENS = 32_768
_WINDOW_SENTENCES = 4_096
# The most sentences that are computed together by default. A quarter of these sentences leaves a
# matrix product fewer rows, and it runs further from its best rate.
BATCH_SIZE = 512
# Padding included. It bounds memory: in the largest published model the vectors alone take 12 KB a
# token.
_BATCH_TOKENS = 16_384
# A longer line is no sentence, but a text that was not split.
MAX_TOKENS = 20_000
SOFT_HYPHEN = "\xad".encode()  # which the tokenizer `words` drops
SENTENCE_VECTORS = ("mean", "max")


class Sentence(NamedTuple):
    """A line of the text: its number from 0, its words, and itself without its end."""

    number: int
    words: list[bytes]
    line: bytes = b""


def check_choices(tokenizer: str | None, sentence: str | None = None) -> None:
    """Checks the arguments `tokenizer` and `sentence`, each of which may be None."""
    if tokenizer is not None:
        check_choice("tokenizer", tokenizer, TOKENIZERS)
    if sentence is not None:
        check_choice("sentence", sentence, SENTENCE_VECTORS)


def read_sentences(
    path: Path, digest: Any, tokenizer: str, is_first_time: bool = False
) -> Iterator[Sentence]:
    """Reads a text, one sentence per line, and feeds `digest` with the bytes of the file."""
    number = 0
    for lines in read_lines(path, digest, is_first_time):
        for line, words in zip(lines, split_lines(lines, tokenizer), strict=True):
            if len(words) > MAX_TOKENS:
                raise ValueError(
                    f"{path}, line {number + 1}, is too long for a sentence: it has more than "
                    f"{MAX_TOKENS:,} words. Put one sentence on a line."
                )
            yield Sentence(number, words, line)
            number += 1


def digest_of(path: Path) -> str:
    """The SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def read_unchanged(
    path: Path, digest: str, tokenizer: str, is_first_time: bool = False
) -> Iterator[Sentence]:
    """Reads a text, and raises an error at its end if it is not that of the digest."""
    found = hashlib.sha256()
    yield from read_sentences(path, found, tokenizer, is_first_time)
    if found.hexdigest() != digest:
        raise was_changed(path)


def was_changed(path: Path) -> ValueError:
    """The error of a text that is not what it was when it was read before."""
    return ValueError(f"{path} was changed while it was read. Embed it again.")


def split_lines(lines: list[bytes], tokenizer: str) -> list[list[bytes]]:
    """The words of one line or more, a list for each."""
    apart = put_words_apart(tf.constant(lines)).numpy() if tokenizer == "words" else lines
    return list(map(words_between_spaces, apart))


def readable(text: bytes) -> str:
    """Text that can be shown anywhere: without control characters, broken ones marked."""
    shown = text.replace(SOFT_HYPHEN, b"").decode(errors="replace")
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ufdd0-\ufdef\ufffe\uffff]", " ", shown)


def windows(sentences: Iterable[Sentence]) -> Iterator[list[Sentence]]:
    """Cuts a text into windows of sentences that are held in memory."""
    window: list[Sentence] = []
    num_words = 0
    for sentence in sentences:
        window.append(sentence)
        num_words += len(sentence.words)
        if num_words >= _WINDOW_TOKENS or len(window) == _WINDOW_SENTENCES:
            yield window
            window, num_words = [], 0
    if window:
        yield window


def batches(window: Iterable[Sentence], batch_size: int) -> Iterator[list[Sentence]]:
    """Cuts a window into batches of similar length, the longest first, without empty sentences.

    A batch has `batch_size` sentences at most; of long ones fewer.
    """
    batch: list[Sentence] = []
    for sentence in sorted(window, key=lambda sentence: -len(sentence.words)):
        if not sentence.words:
            break
        is_full = len(batch) == batch_size
        if batch and (is_full or (len(batch) + 1) * len(batch[0].words) > _BATCH_TOKENS):
            yield batch
            batch = []
        batch.append(sentence)
    if batch:
        yield batch
