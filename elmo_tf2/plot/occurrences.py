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
    """A word in its sentence.

    Attributes:
        sentence: the sentence; its number tells nothing.
        token: number of the word in it.
        label: of the sentence, "" without labels.
    """

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
    """A word in a text.

    Attributes:
        drawn: those that were drawn, in the order of the text.
        number: how many there are.
        sentences: how many sentences have one or more.
    """

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
    r"""Finds a word in a text.

    Args:
        word: the word.
        text: of one sentence a line: what `read_texts` reads.
        tokenizer: "words" or "spaces": what makes words of a line.
        ignore_case: whether capitals count as small letters.
        labels: whether a line is a label, a tab and the sentence.
        max_points: int > 0. If there are more, so many are drawn at random.
        on_progress: as of `read_texts`.

    Returns:
        The occurrences.

    Raises:
        FileNotFoundError: if there is no such text.
        ValueError: if the word occurs less than twice or is none to the tokenizer, a line is too
            long or has no label, or the text can't be read.

    Example:
    >>> _ = Path("text.txt").write_text("We eat apples.\nAn apple a day, an apple a night!\n")
    >>> found = find_occurrences("apple", "text.txt", "words")
    >>> found.number, found.sentences, found.drawn[1].place()
    (2, 1, ('An apple a day, an apple a night!', 19, 24))
    """
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
            places = [index for index, part in enumerate(sentence.words) if fold(part) == needle]
            if places and len(sentence.words) > MAX_TOKENS:
                raise _too_long(text, sentence)
            for index in places:
                sample.add(Occurrence(sentence, index, label))
            sentences += bool(places)
    if not number:
        raise ValueError(f"{text} is empty. Expected: a text of one sentence a line.")
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
    """What to say of words of the text that are like one."""
    forms: dict[str, list[str]] = {}
    for part in sorted(near):
        forms.setdefault(_folded(part).decode(), []).append(readable(part))
    folded = _folded(word).decode()
    if folded in forms:
        return (
            f" It has {', '.join(map(repr, forms[folded]))}: take every case (`ignore_case=True`, "
            "on the command line `--ignore-case`), or give it so."
        )
    close = [form for match in difflib.get_close_matches(folded, forms) for form in forms[match]]
    return f" It has words that are like it: {', '.join(map(repr, close))}." if close else ""
