"""Text to what a language model is trained on: shards of sentences, and a vocabulary."""

import dataclasses
import functools
import itertools
import json
import logging
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import tensorflow as tf

from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD
from elmo_tf2.data import sentences
from elmo_tf2.data.shards import HELDOUT_FILE, MAX_FILES, TRAIN_FOLDER, write_parts
from elmo_tf2.data.text_files import OnProgress, find_texts, read_texts, words_between_spaces
from elmo_tf2.data.tokenizers import TOKENIZERS, put_words_apart
from elmo_tf2.data.vocabulary import SPECIAL_WORDS, UNKNOWN_WORD
from elmo_tf2.data.vocabulary_file import can_be_written, write_vocabulary
from elmo_tf2.files import StrPath, atomic_write, check_free
from elmo_tf2.validation import MAX_SEED, check_choice, check_integer, check_rate

logger = logging.getLogger(__name__)

VOCABULARY_FILE = "vocab.txt"
PREPARED_FILE = "prepared.json"
PARTS = (TRAIN_FOLDER, HELDOUT_FILE, VOCABULARY_FILE, PREPARED_FILE)

_In = TypeVar("_In")
_Out = TypeVar("_Out")


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What `prepare` wrote, in numbers; dictionaries have the parts "train" and "heldout"."""

    tokenizer: str
    normalize: str
    seed: int
    shards: int
    sentences: dict[str, int]
    tokens: dict[str, int]
    distinct_words: int
    vocabulary: int
    unknown_share: dict[str, float]


def prepare(
    texts: Sequence[StrPath],
    out: StrPath,
    *,
    tokenizer: str | None = None,
    tokenized: bool = False,
    one_sentence_per_line: bool = False,
    normalize: str = "none",
    heldout: float = 0.01,
    shards: int | None = None,
    min_count: int = 3,
    vocab_size: int | None = None,
    seed: int = 0,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Prepared:
    """Writes what a language model is trained on: shuffled shards, held-out text and a vocabulary.

    `elmo-tf2 prepare --help` explains the arguments. Copies of a sentence all go to one part. The
    text may be larger than the memory, which holds the counts of its words and one shard.

    Example:
    >>> _ = Path("text.txt").write_text("The cat sat. The cat ran. The cat hid.")
    >>> prepare(["text.txt"], "prepared", min_count=1).sentences
    {'train': 2, 'heldout': 1}
    """
    if tokenizer is None:
        tokenizer = "spaces" if tokenized else "words"
    check_choice("tokenizer", tokenizer, TOKENIZERS)
    if tokenized and tokenizer != "spaces":
        raise ValueError("`tokenizer` must be 'spaces' if `tokenized` is True. Received: 'words'.")
    check_choice("normalize", normalize, sentences.NORMAL_FORMS)
    check_rate("heldout", heldout)
    check_integer("min_count", min_count)
    check_integer("seed", seed, 0, MAX_SEED)
    if shards is not None:
        check_integer("shards", shards, maximum=MAX_FILES)
    if vocab_size is not None:
        check_integer("vocab_size", vocab_size, len(SPECIAL_WORDS) + 1)
    paths = find_texts(texts)
    check_free(out, overwrite, PARTS, paths)
    breaks_sentences = not (tokenized or one_sentence_per_line)
    tokenize = functools.partial(
        _tokenize, tokenizer=tokenizer, form=normalize, breaks_sentences=breaks_sentences
    )
    with atomic_write(out, overwrite, PARTS) as folder:
        folder.mkdir()
        batches = _in_parallel(tokenize, filter(None, read_texts(paths, on_progress)))
        all_sentences = itertools.chain.from_iterable(batches)
        train, held_out, shards = write_parts(all_sentences, folder, heldout, shards, seed)
        parts = {"train": train, "heldout": held_out}
        vocabulary = _vocabulary(train.counts, min_count, vocab_size)
        write_vocabulary(folder / VOCABULARY_FILE, vocabulary)
        prepared = Prepared(
            tokenizer=tokenizer,
            normalize=normalize,
            seed=seed,
            shards=shards,
            sentences={name: part.sentences for name, part in parts.items()},
            tokens={name: part.counts.total() for name, part in parts.items()},
            distinct_words=len(train.counts),
            vocabulary=len(vocabulary),
            unknown_share={
                name: _unknown_share(part.counts, vocabulary) for name, part in parts.items()
            },
        )
        text = json.dumps(dataclasses.asdict(prepared), indent=2)
        (folder / PREPARED_FILE).write_text(text + "\n", encoding="utf-8")
    _warn_of_boundary_words(train.counts, held_out.counts)
    return prepared


def _tokenize(lines: list[bytes], tokenizer: str, form: str, breaks_sentences: bool) -> list[bytes]:
    texts = tf.strings.unicode_transcode(lines, "UTF-8", "UTF-8", errors="replace")
    texts = sentences.normalize(texts, form)
    if breaks_sentences:
        texts = tf.constant(list(sentences.break_sentences(texts)))
    if tokenizer == "words":
        texts = put_words_apart(texts)
    return [b" ".join(words) for words in map(words_between_spaces, texts.numpy()) if words]


def _in_parallel(function: Callable[[_In], _Out], items: Iterable[_In]) -> Iterator[_Out]:
    """Results in the order of the items, a few of which are computed at a time."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        pending: deque[Future[_Out]] = deque()
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _vocabulary(
    counts: Mapping[bytes, int], min_count: int, vocab_size: int | None
) -> tuple[str, ...]:
    """The special words, then those of the text by falling count, equal ones by code points."""
    frequent = ((-count, word.decode()) for word, count in counts.items() if count >= min_count)
    words = [
        word for _, word in sorted(frequent) if word not in SPECIAL_WORDS and can_be_written(word)
    ]
    if not words:
        raise ValueError(
            f"The vocabulary would be empty: no word is in the train part {min_count} times. Take "
            "more text, or a smaller `min_count`."
        )
    return (*SPECIAL_WORDS, *words)[:vocab_size]


def _unknown_share(counts: Counter[bytes], vocabulary: Iterable[str]) -> float:
    known = sum(counts[word.encode()] for word in vocabulary if word != UNKNOWN_WORD)
    return 1 - known / counts.total()


def _warn_of_boundary_words(*parts: Counter[bytes]) -> None:
    bos_eos = (BEGIN_SENTENCE_WORD.encode(), END_SENTENCE_WORD.encode())
    number = sum(counts[word] for counts in parts for word in bos_eos)
    if number:
        logger.warning(
            "The text holds <S> or </S> as words, %s in all. A model takes them for the ends of a "
            "sentence. The tokenizer `words` splits them.",
            f"{number:,}",
        )
