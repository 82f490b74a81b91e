"""Where a word occurs in a text of any length."""

import difflib
import os
import string
from collections.abc import Callable, Iterator
from typing import NamedTuple

from elmo_tf2.data.text_files import OnProgress, find_texts, read_texts
from elmo_tf2.features.sample import Sample
from elmo_tf2.features.text import MAX_TOKENS, SOFT_HYPHEN, Sentence, readable, split_lines

_MARKS = string.punctuation.encode()
# Of those that are kept to name some that are like a word that does not occur.
_MAX_NEAR = 50_000


class Occurrence(NamedTuple):
    """A sentence, whose number means nothing, the number of the word in it, and its label or ""."""

    sentence: Sentence
    token: int
    label: str

    def place(self) -> tuple[str, int, int]:
        """The sentence as it was written, and where in it the word begins and ends."""
        text = readable(self.sentence.line)
        words = [readable(word) for word in self.sentence.words]
        end = 0
        for word in words[: self.token + 1]:
            start = text.find(word, end)
            if start < 0:  # the tokenizer has changed a letter
                start = len(" ".join([*words[: self.token], ""]))
                return " ".join(words), start, start + len(words[self.token])
            end = start + len(word)
        return text, start, end


class Occurrences(NamedTuple):
    """Those that were drawn at random, and the number of all and of the sentences with one."""

    drawn: list[Occurrence]
    number: int
    sentences: int


def find_occurrences(
    word: str,
    text: str | os.PathLike[str],
    tokenizer: str,
    ignore_case: bool = False,
    labels: bool = False,
    max_points: int = 500,
    on_progress: OnProgress | None = None,
) -> Occurrences:
    """Finds a word in a text of one sentence per line; at most `max_points` are drawn."""
    fold = _folded if ignore_case else bytes
    wanted = _checked(word, tokenizer)
    needle = fold(wanted)
    sample: Sample[Occurrence] = Sample(max_points)
    near: set[bytes] = set()
    sentences = number = 0
    for block in read_texts(find_texts([text]), on_progress):
        lines = [_labelled(line, text) if labels else ("", line) for line in block]
        if not sample.added and len(near) < _MAX_NEAR:
            near.update(part.strip(_MARKS) for _, line in lines for part in line.split())
        number += len(lines)
        for label, sentence in _split(lines, tokenizer, lambda line: needle in fold(line)):
            tokens = [token for token, part in enumerate(sentence.words) if fold(part) == needle]
            if tokens and len(sentence.words) > MAX_TOKENS:
                raise _too_long(text, sentence)
            for token in tokens:
                sample.add(Occurrence(sentence, token, label))
            sentences += bool(tokens)
    if not number:
        raise ValueError(f"{text} is empty. Expected: a text of one sentence per line.")
    if not sample.added:
        raise ValueError(
            f"{text} does not have the word {readable(wanted)!r}.{_like(wanted, near)}"
        )
    if sample.added == 1:
        (only,) = sample.items()
        raise ValueError(
            f"{text} has the word {readable(wanted)!r} only once: {only.place()[0][:80]!r}. Give "
            "more text, for there is nothing to compare it with."
        )
    return Occurrences(sample.items(), sample.added, sentences)


def _folded(text: bytes) -> bytes:
    return text.decode(errors="replace").casefold().encode()


def _checked(word: str, tokenizer: str) -> bytes:
    wanted = os.fsencode(word)
    (words,) = split_lines([wanted], tokenizer)
    if words != [wanted]:
        found = ", ".join(repr(readable(part)) for part in words) or "none"
        raise ValueError(
            f"`word` must be one word to the tokenizer `{tokenizer}`. Received: {word!r}, whose "
            f"words are {found}."
        )
    return wanted


def _labelled(line: bytes, text: str | os.PathLike[str]) -> tuple[str, bytes]:
    label, tab, sentence = line.partition(b"\t")
    if not tab:
        raise ValueError(
            f"{text} must have a label, a tab and a sentence on every line. Found: "
            f"{readable(line[:60])!r}."
        )
    return readable(label).strip(), sentence


def _split(
    lines: list[tuple[str, bytes]], tokenizer: str, may_have: Callable[[bytes], bool]
) -> Iterator[tuple[str, Sentence]]:
    """Splits into words the few lines that may have the wanted one."""
    few = [item for item in lines if may_have(item[1]) or SOFT_HYPHEN in item[1]]
    if few:
        splits = split_lines([line for _, line in few], tokenizer)
        for (label, line), words in zip(few, splits, strict=True):
            yield label, Sentence(0, words, line)


def _too_long(text: str | os.PathLike[str], sentence: Sentence) -> ValueError:
    return ValueError(
        f"{text} has a line of {len(sentence.words):,} words that begins "
        f"{readable(sentence.line[:40])!r}: too long for a sentence. Put one sentence of up to "
        f"{MAX_TOKENS:,} words on a line."
    )


def _like(word: bytes, near: set[bytes]) -> str:
    """The end of a message: which words of the text are like one."""
    words: dict[str, list[str]] = {}
    for part in sorted(near):
        words.setdefault(_folded(part).decode(), []).append(readable(part))
    folded = _folded(word).decode()
    if folded in words:
        return (
            f" It has {', '.join(map(repr, words[folded]))}: take every case (`ignore_case=True`, "
            "on the command line `--ignore-case`), or give it so."
        )
    close = [near for match in difflib.get_close_matches(folded, words) for near in words[match]]
    return f" It has words that are like it: {', '.join(map(repr, close))}." if close else ""
