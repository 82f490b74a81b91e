"""The data sets of quality.py as they are distributed: CoarseWSD-20, and a UD treebank."""

import re
from pathlib import Path
from typing import NamedTuple

HOW_TO_GET = "benchmarks/QUALITY.md tells how to get it."


class Instance(NamedTuple):
    """A word in a sentence, and what it means there.

    Attributes:
        words: the sentence.
        position: of the word, from 0.
        sense: name of its sense.
    """

    words: list[str]
    position: int
    sense: str


class AmbiguousWord(NamedTuple):
    """A word of CoarseWSD-20.

    Attributes:
        name: the word.
        train: instances to learn from.
        test: instances to tell the senses of.
    """

    name: str
    train: list[Instance]
    test: list[Instance]


class TaggedSentence(NamedTuple):
    """A sentence of a treebank.

    Attributes:
        words: the FORM of every word.
        tags: the UPOS of every word.
    """

    words: list[str]
    tags: list[str]


class Treebank(NamedTuple):
    """The parts of a treebank that are used.

    Attributes:
        train: sentences to learn from.
        test: sentences to tag.
    """

    train: list[TaggedSentence]
    test: list[TaggedSentence]


def read_lines(path: Path, encoding: str = "utf-8") -> list[str]:
    """Reads a text file.

    Args:
        path: the file.
        encoding: of the text.

    Returns:
        Its lines, without what ends them.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not of that encoding.
    """
    try:
        return path.read_text(encoding).removesuffix("\n").split("\n")
    except FileNotFoundError:
        raise FileNotFoundError(f"There is no file {str(path)!r}. {HOW_TO_GET}") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not {encoding.upper()} text: {error}.") from None


def read_wsd(folder: Path) -> list[AmbiguousWord]:
    """Reads CoarseWSD-20, or what has its layout.

    Every word has a folder of its name, with `train.data.txt` and `test.data.txt` (the position of
    the word, a tab, and the sentence, its tokens apart by spaces) and `train.gold.txt` and
    `test.gold.txt` (the sense on the same line).

    Args:
        folder: that of the words' folders.

    Returns:
        The words in alphabetical order.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if there are no such folders, or a file is not as above.
    """
    names = sorted(path.parent.name for path in folder.glob("*/train.data.txt"))
    if not names:
        raise ValueError(
            f"{folder} is not CoarseWSD-20. Expected: a folder for every word, with a "
            f"train.data.txt. {HOW_TO_GET}"
        )
    return [
        AmbiguousWord(
            name, _read_instances(folder / name, "train"), _read_instances(folder / name, "test")
        )
        for name in names
    ]


def _read_instances(folder: Path, part: str) -> list[Instance]:
    data, gold = folder / f"{part}.data.txt", folder / f"{part}.gold.txt"
    lines, senses = read_lines(data), read_lines(gold)
    if len(lines) != len(senses):
        raise ValueError(
            f"{gold} must have a line for each of the {len(lines)} of {data.name}. "
            f"Found: {len(senses)}."
        )
    instances = []
    for number, (line, sense) in enumerate(zip(lines, senses, strict=True), 1):
        position, _, sentence = line.partition("\t")
        # At any white space: only so the positions fit where a sentence has some of another kind.
        words = sentence.split()
        if not (position.isdecimal() and int(position) < len(words)):
            raise ValueError(
                f"{data}, line {number}: expected the position of a word from 0, a tab, and the "
                f"sentence. Found: {line[:60]!r}."
            )
        instances.append(Instance(words, int(position), sense.strip()))
    return instances


def read_treebank(folder: Path) -> Treebank:
    """Reads the parts of a treebank that quality.py uses; see `read_part`."""
    return Treebank(read_part(folder, "train"), read_part(folder, "test"))


def read_part(folder: Path, part: str) -> list[TaggedSentence]:
    """Reads a part of a treebank of Universal Dependencies.

    Args:
        folder: has a file that ends in `train.conllu`, say.
        part: "train", "dev" or "test".

    Returns:
        Its sentences.

    Raises:
        ValueError: if there is none or more than one, or it is not CoNLL-U.
    """
    paths = sorted(folder.glob(f"*{part}.conllu"))
    if len(paths) != 1:
        raise ValueError(
            f"{folder} must have one file that ends in {part}.conllu. Found: {len(paths)}. "
            f"{HOW_TO_GET}"
        )
    return read_conllu(paths[0])


def read_conllu(path: Path) -> list[TaggedSentence]:
    """Reads words and parts of speech.

    The words are the syntactic ones: a contraction comes as its parts (`do`, `n't`), and the line
    of the whole is passed over, as are empty nodes.

    Args:
        path: the file.

    Returns:
        Its sentences.

    Raises:
        ValueError: if a line is not one of CoNLL-U, or a word has no UPOS; or there are no words.
    """
    sentences = [TaggedSentence([], [])]
    for number, line in enumerate(read_lines(path), 1):
        if not line:
            sentences.append(TaggedSentence([], []))
        elif not line.startswith("#"):
            columns = line.split("\t")
            if len(columns) != 10 or not re.fullmatch(r"\d+([-.]\d+)?", columns[0]):
                raise ValueError(
                    f"{path}, line {number}: expected the 10 columns of CoNLL-U, apart by tabs. "
                    f"Found: {line[:60]!r}."
                )
            if not columns[0].isdecimal():  # a contraction or an empty node
                continue
            if columns[3] == "_":
                raise ValueError(f"{path}, line {number}: the word {columns[1]!r} has no UPOS.")
            sentences[-1].words.append(columns[1])
            sentences[-1].tags.append(columns[3])
    sentences = [sentence for sentence in sentences if sentence.words]
    if not sentences:
        raise ValueError(f"{path} has no words.")
    return sentences
