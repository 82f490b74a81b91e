"""The data sets of the tasks as they are distributed; QUALITY.md tells how to get them."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf
from quality_data import HOW_TO_GET, TaggedSentence, read_lines, read_part

from elmo_tf2.data.tokenizers import put_words_apart

PARTS = ("train", "dev", "test")
BEST_SCORE = 5.0  # of STS-B: the same meaning


class Example(NamedTuple):
    """What is to be labelled.

    Attributes:
        sentences: one, or the two that are compared; each a list of words.
        label: a tag for every word, a class, or a similarity from 0 to 1.
    """

    sentences: tuple[list[str], ...]
    label: Any


class TaskData(NamedTuple):
    """The examples of a task.

    Attributes:
        train: to learn from.
        dev: to choose settings by, and when to stop.
        test: to measure by.
    """

    train: list[Example]
    dev: list[Example]
    test: list[Example]


def read_upos(folder: Path) -> TaskData:
    """Reads UD English EWT, or any other treebank with three parts."""
    return TaskData(*(_tagged(read_part(folder, part)) for part in PARTS))


def read_wnut17(folder: Path) -> TaskData:
    """Reads WNUT-17: a word and its tag, a tab between them; an empty line after a post."""
    names = ("wnut17train.conll", "emerging.dev.conll", "emerging.test.annotated")
    return TaskData(*(_tagged(read_columns(folder / name, "\t")) for name in names))


def read_wikigold(folder: Path) -> TaskData:
    """Reads wikigold, which has one part: of five documents the fourth is dev, the fifth test."""
    sentences = read_columns(folder / "wikigold.conll.txt", " ")
    documents: list[list[TaggedSentence]] = [[]]
    for sentence in sentences:
        if sentence.words == ["-DOCSTART-"]:
            documents.append([])
        else:
            documents[-1].append(sentence)
    documents = [document for document in documents if document]
    if len(documents) < 5:
        raise ValueError(
            f"{folder / 'wikigold.conll.txt'} must have at least 5 documents, with a line "
            f"'-DOCSTART- O' between them. Found: {len(documents)}. {HOW_TO_GET}"
        )
    return TaskData(
        *([each for one in part for each in _tagged(one)] for part in split(documents, 5))
    )


def read_trec(folder: Path) -> TaskData:
    """Reads TREC's questions, as in NLTK's `qc`; every tenth question of train is dev."""
    train, test = (_questions(folder / name) for name in ("train.txt", "test.txt"))
    dev = train[9::10]
    return TaskData([each for number, each in enumerate(train) if number % 10 != 9], dev, test)


def read_subj(folder: Path) -> TaskData:
    """Reads SUBJ, as in NLTK's `subjectivity`: of ten sentences one is dev, one test."""
    parts: list[list[Example]] = [[], [], []]
    for label, name in (("subjective", "quote"), ("objective", "plot")):
        lines = read_lines(folder / f"{name}.tok.gt9.5000", "latin-1")
        examples = [Example((line.split(),), label) for line in lines if line.split()]
        for part, some in zip(parts, split(examples, 10), strict=True):
            part += some
    return TaskData(*parts)


def read_stsb(folder: Path) -> TaskData:
    """Reads the English STS-B: two sentences and their similarity, 0 to 5, a line of CSV."""
    return TaskData(*(_pairs(folder / f"stsb-en-{part}.csv") for part in PARTS))


def split(items: Sequence[Any], of: int) -> tuple[list[Any], list[Any], list[Any]]:
    """Makes three parts of one.

    Args:
        items: in their order.
        of: so many in a row the last one is test, the one before it dev.

    Returns:
        Train, dev and test.

    Example:
    >>> split("abcdefgh", 4)
    (['a', 'b', 'e', 'f'], ['c', 'g'], ['d', 'h'])
    """
    train = [each for number, each in enumerate(items) if number % of < of - 2]
    return train, list(items[of - 2 :: of]), list(items[of - 1 :: of])


def read_columns(path: Path, separator: str) -> list[TaggedSentence]:
    """Reads words and tags in two columns, sentences apart by empty lines.

    Args:
        path: the file.
        separator: of the columns.

    Returns:
        Its sentences.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line has not two columns, or a tag is not as O, B-location or I-PER.
    """
    sentences = [TaggedSentence([], [])]
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            sentences.append(TaggedSentence([], []))
            continue
        word, _, tag = line.partition(separator)
        if not word or not re.fullmatch(r"O|[BI]-[^\s]+", tag):
            raise ValueError(
                f"{path}, line {number}: expected a word, {separator!r}, and a tag as O, "
                f"B-location or I-PER. Found: {line[:60]!r}. {HOW_TO_GET}"
            )
        sentences[-1].words.append(word)
        sentences[-1].tags.append(tag)
    return _not_empty([each for each in sentences if each.words], path)


def _tagged(sentences: Sequence[TaggedSentence]) -> list[Example]:
    return [Example((each.words,), each.tags) for each in sentences]


def _questions(path: Path) -> list[Example]:
    examples = []
    for number, line in enumerate(read_lines(path, "latin-1"), 1):
        found = re.fullmatch(r"([A-Z]+):[a-z]+ (.*\S.*)", line)
        if not found:
            raise ValueError(
                f"{path}, line {number}: expected a question after its class, as 'DESC:def What is "
                f"an atom ?'. Found: {line[:60]!r}. {HOW_TO_GET}"
            )
        examples.append(Example((found[2].split(),), found[1]))
    return examples


def _pairs(path: Path) -> list[Example]:
    lines, scores = [], []
    for number, row in enumerate(csv.reader(read_lines(path)), 1):
        try:
            first, second, score = row
            scores.append(float(score) / BEST_SCORE)
        except ValueError:
            raise ValueError(
                f"{path}, row {number}: expected two sentences and a number, apart by commas. "
                f"Found: {','.join(row)[:60]!r}. {HOW_TO_GET}"
            ) from None
        lines += [first, second]
    words = [line.decode().split() for line in put_words_apart(tf.constant(lines)).numpy()]
    pairs = zip(words[::2], words[1::2], strict=True)
    return [Example(pair, score) for pair, score in zip(pairs, scores, strict=True)]


def _not_empty(items: list[Any], path: Path) -> list[Any]:
    if not items:
        raise ValueError(f"{path} has no words. {HOW_TO_GET}")
    return items
