"""A tokenised text of any length, read and cut into batches within constant memory."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# What is sorted by length together, and what is computed again after a kill.
_WINDOW_TOKENS = 32_768
_WINDOW_SENTENCES = 4_096
# Padding included. It bounds memory: in the largest published model the gates alone take 64 KB a
# token, layer and direction.
_BATCH_TOKENS = 4_096
# A longer line is no sentence, but a text that was not split.
_MAX_TOKENS = 20_000
_MAX_BYTES = 2**26


class Sentence(NamedTuple):
    """A line of the text.

    Attributes:
        number: of the line, from 0.
        words: its words.
    """

    number: int
    words: list[bytes]


def read_sentences(path: Path, digest: Any) -> Iterator[Sentence]:
    """Reads a text, one sentence a line.

    Words stand apart as in bilm-tf, but by ASCII white space alone, for bytes may be any.

    Args:
        path: the text.
        digest: of `hashlib`; it is fed with all that is read.

    Yields:
        The sentence of every line.

    Raises:
        ValueError: if a line is too long for a sentence.
    """
    with open(path, "rb") as file:
        for number in itertools.count():
            line = file.readline(_MAX_BYTES)
            if not line:
                return
            digest.update(line)
            words = line.split()
            if len(words) > _MAX_TOKENS or len(line) == _MAX_BYTES:
                raise ValueError(
                    f"{path}, line {number + 1}, is too long for a sentence: it has more than "
                    f"{_MAX_TOKENS:,} words or {_MAX_BYTES:,} bytes. Put one sentence on a line."
                )
            yield Sentence(number, words)


def windows(sentences: Iterable[Sentence]) -> Iterator[list[Sentence]]:
    """Cuts a text into pieces that are held in memory.

    Args:
        sentences: the text's, or those from the beginning of a window on.

    Yields:
        Lists of sentences.
    """
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
    """Cuts a window into batches of like length.

    Args:
        window: sentences.
        batch_size: the most sentences of a batch; long ones are fewer.

    Yields:
        Lists of sentences, the longest one first. Sentences of no words are left out.
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
