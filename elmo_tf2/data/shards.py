"""Any number of sentences to a held-out part and shuffled shards of a train part."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from elmo_tf2.data.text_files import words_between_spaces

TRAIN_FOLDER = "train"
HELDOUT_FILE = "heldout.txt"

_SHARD_BYTES = 8_000_000
_MAX_SHARDS = 128  # when chosen by size
MAX_FILES = 1_000  # of the train part: all are open at once


class Part:
    """The number of sentences of one part of a text, and how often it has each word."""

    def __init__(self) -> None:
        self.sentences = 0
        self.counts: Counter[bytes] = Counter()

    def add(self, sentence: bytes) -> None:
        """Counts a sentence: words with a space between them."""
        self.sentences += 1
        self.counts.update(words_between_spaces(sentence.rstrip(b"\n")))


def write_parts(
    sentences: Iterable[bytes], folder: Path, heldout: float, shards: int | None, seed: int
) -> tuple[Part, Part, int]:
    """Divides sentences at random into a train part, shuffled, and a held-out one.

    Returns both parts and the number of shards; `shards` None chooses it by size. The sentences go
    to a file, from there each to its shard, and every shard is then shuffled in memory. Copies of a
    sentence go to the same part, which its hash decides.
    """
    in_order = folder / "sentences.txt"
    key = str(seed).encode()
    lowest = 1.0  # hash, of the one sentence that is held out in any case
    with open(in_order, "wb") as file:
        for sentence in sentences:
            lowest = min(lowest, _hash(sentence, key))
            file.write(sentence + b"\n")
    if not in_order.stat().st_size:
        raise ValueError("The text must have words. Found: none.")
    if shards is None:
        shards = min(max(1, round(in_order.stat().st_size / _SHARD_BYTES)), _MAX_SHARDS)
    bound = max(heldout, lowest)

    rng = random.Random(seed)
    paths = [folder / TRAIN_FOLDER / f"shard-{number:05d}.txt" for number in range(shards)]
    paths[0].parent.mkdir()
    parts = {True: Part(), False: Part()}
    deck: list[int] = []  # of shards, dealt like cards: all get the same number of sentences
    with ExitStack() as stack:
        heldout_file, *files = (
            stack.enter_context(open(path, "wb")) for path in (folder / HELDOUT_FILE, *paths)
        )
        for line in stack.enter_context(open(in_order, "rb")):
            is_heldout = _hash(line[:-1], key) <= bound
            parts[is_heldout].add(line)
            if not is_heldout:
                deck = deck or rng.sample(range(shards), shards)
            (heldout_file if is_heldout else files[deck.pop()]).write(line)
    in_order.unlink()
    train = parts[False]
    if train.sentences < shards:
        raise ValueError(
            f"The train part must have a sentence for each of {shards:,} shards. Found: "
            f"{train.sentences:,} sentences. Take more text, fewer shards, or hold out less."
        )
    for path in paths:
        lines = path.read_bytes().splitlines(keepends=True)
        rng.shuffle(lines)
        path.write_bytes(b"".join(lines))
    return train, parts[True], shards


def _hash(sentence: bytes, key: bytes) -> float:
    """A number in [0, 1) that depends on the sentence and the key alone."""
    digest = hashlib.blake2b(sentence, digest_size=8, key=key).digest()
    return int.from_bytes(digest, "big") / 2**64
