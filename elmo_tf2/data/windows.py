"""Running text as windows for a bidirectional language model, by tf.data.

Every row of a batch is a stream of sentences, each between `<S>` and `</S>`, cut into windows of
equal length: every word but the last of a sentence is an input, and the next word its target. The
backward stream has the same sentences in the same order, each reversed.

A masked language model has one stream, of all words; every word is its own target.

Reference:
 - `BidirectionalLMDataset` of [bilm-tf](https://github.com/allenai/bilm-tf)
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD
from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.masking import Masking
from elmo_tf2.data.text_files import read_lines, words_between_spaces
from elmo_tf2.data.tokenizers import ragged_words
from elmo_tf2.data.vocabulary import Vocabulary
from elmo_tf2.files import check_utf8
from elmo_tf2.validation import check_integer
from elmo_tf2.word_ids import words_to_ids

Window = Mapping[str, tf.Tensor]
_unconverted = tf.autograph.experimental.do_not_convert  # these functions have nothing to convert


class Position(NamedTuple):
    """The place of a window in the endless training text.

    Attributes:
        shard: number of shards that were read before, counted through all epochs.
        window: number of the window within its shard.
    """

    shard: int = 0
    window: int = 0


FIRST = Position()


def training_windows(
    files: Sequence[str],
    vocabulary: Vocabulary,
    batch_size: int,
    unroll_steps: int,
    *,
    seed: int = 0,
    start: Position = FIRST,
    rows: tuple[int, int] | None = None,
    lowercase_rate: float = 0.0,
    model: ElmoConfig = ElmoConfig(),  # noqa: B008
    masking: Masking | None = None,
) -> tf.data.Dataset:
    """Endless windows of shuffled text.

    Each epoch shuffles the shards, and the sentences of a shard; both orders depend on the seed and
    the epoch alone. The rows of a batch take equal parts of a shard; what does not fill a window of
    every row is left out in that epoch.

    Args:
        files: the shards, text in UTF-8 with one sentence per line, words separated by spaces.
        vocabulary: of the targets.
        batch_size: int > 0. Rows of a batch over all workers.
        unroll_steps: int > 0. Tokens of a window.
        seed: int.
        start: the first window to give, as if all before it had been taken.
        rows: the first row and the one after the last to give: a worker's part of the batch. None:
            all.
        lowercase_rate: share of the sentences that are lower-cased, others in every epoch.
        model: whose ids words get.
        masking: how to mask words, for a `MaskedLanguageModel`. The seed and the window's position
            decide which. None: no words, for a `LanguageModel`.

    Returns:
        Dataset of dictionaries: for "forward" and "backward" `…_char_ids` `(rows, unroll_steps,
        max_characters)` and `…_targets` `(rows, unroll_steps)`, int32, in the order of the stream;
        and `position`, int64 `(rows, 2)`, the window's `Position` in every row. With masking there
        are `char_ids` and `targets` instead, and `is_chosen`, bool `(rows, unroll_steps)`.

    Raises:
        ValueError: if no shard has a window of every row, or the vocabulary has no words to replace
            others with.

    Example:
    >>> _ = Path("train.txt").write_text("the cat sat on the mat")
    >>> vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "the", "cat"])
    >>> windows = training_windows(["train.txt"], vocabulary, batch_size=2, unroll_steps=3)
    >>> next(iter(windows))["forward_targets"].shape
    TensorShape([2, 3])
    """
    paths = sorted(str(path) for path in files)
    check_enough_text(paths, batch_size, unroll_steps, masking)
    first, last = rows or (0, batch_size)
    all_paths = tf.constant(paths)
    if masking is not None:
        mask = functools.partial(
            masking.mask,
            replacements=masking.replacements(vocabulary),
            seed=seed,
            first_row=first,
            batch_size=batch_size,
        )

    @_unconverted
    def windows_of_shard(shard: tf.Tensor) -> tf.data.Dataset:
        epoch, index = shard // len(paths), shard % len(paths)
        path = all_paths[_permutation(len(paths), [seed, -1 - epoch])[index]]
        sentences = _sentences(tf.io.read_file(path))
        sentences = tf.gather(sentences, _permutation(sentences.nrows(), [seed, shard]))
        if lowercase_rate:
            sentences = _some_lowercase(sentences, lowercase_rate, [seed + 1, shard])
        words, streams = _streams(sentences, vocabulary, masking is not None)
        row_size = _size(streams) // batch_size
        num_windows = row_size // unroll_steps
        windows = {}
        for name, stream in streams.items():
            by_row = tf.reshape(stream[: batch_size * row_size], [batch_size, row_size])
            kept = by_row[first:last][:, : num_windows * unroll_steps]
            windows[name] = _cut(kept, unroll_steps)
        numbers = tf.range(tf.cast(num_windows, tf.int64))
        positions = tf.stack([tf.fill(tf.shape(numbers), shard), numbers], axis=1)
        windows["position"] = tf.tile(positions[:, tf.newaxis], [1, last - first, 1])
        if masking is None:
            finish = functools.partial(_look_up, words_to_ids(words, model))
        else:
            finish = functools.partial(_mask, words, mask, model)
        skipped = tf.where(tf.equal(shard, start.shard), tf.cast(start.window, tf.int64), 0)
        return tf.data.Dataset.from_tensor_slices(windows).skip(skipped).map(finish)

    shards = tf.data.Dataset.range(start.shard, tf.int64.max)
    return shards.interleave(
        windows_of_shard, cycle_length=1, num_parallel_calls=1, deterministic=True
    ).prefetch(tf.data.AUTOTUNE)


def text_windows(
    sentences: Sequence[str | bytes],
    vocabulary: Vocabulary,
    batch_size: int,
    unroll_steps: int,
    model: ElmoConfig = ElmoConfig(),  # noqa: B008
) -> tf.data.Dataset:
    """Windows of a text in its own order, in which every word is a target once.

    Each row of a batch is a part of the text; the parts have equal length but for padding at the
    end.

    Args:
        sentences: words separated by spaces.
        vocabulary: of the targets.
        batch_size: int > 0. Rows.
        unroll_steps: int > 0. Tokens of a window.
        model: whose ids words get.

    Returns:
        Dataset of dictionaries as those of `training_windows`, but with `mask`, bool `(rows,
        unroll_steps)`, False at padding, in place of the position.
    """
    check_integer("batch_size", batch_size)
    check_integer("unroll_steps", unroll_steps)
    words, streams = _streams(_sentences(tf.strings.join(list(sentences), "\n")), vocabulary)
    num_pairs = _size(streams)
    row_size = -(-num_pairs // batch_size)
    streams["mask"] = tf.fill([num_pairs], True)
    windows = {}
    for name, stream in streams.items():
        by_row = tf.pad(stream, [[0, batch_size * row_size - num_pairs]])
        by_row = tf.reshape(by_row, [batch_size, row_size])
        by_row = tf.pad(by_row, [[0, 0], [0, -row_size % unroll_steps]])
        windows[name] = _cut(by_row, unroll_steps)
    look_up = functools.partial(_look_up, words_to_ids(words, model))
    return tf.data.Dataset.from_tensor_slices(windows).map(look_up).prefetch(tf.data.AUTOTUNE)


def _size(streams: Window) -> tf.Tensor:
    return tf.size(next(iter(streams.values())))


def _cut(rows: tf.Tensor, unroll_steps: int) -> tf.Tensor:
    """Cuts `(rows, tokens)` into `(windows, rows, unroll_steps)`."""
    windows = tf.reshape(rows, [rows.shape[0], -1, unroll_steps])
    return tf.transpose(windows, [1, 0, 2])


@_unconverted
def _look_up(char_ids: tf.Tensor, window: Window) -> Window:
    """Replaces indices of words by their character ids."""
    names = [name for name in window if name.endswith("char_ids")]
    return {**window, **{name: tf.gather(char_ids, window[name]) for name in names}}


@_unconverted
def _mask(words: tf.Tensor, mask: Callable, model: ElmoConfig, window: Window) -> Window:
    """Replaces indices of words by the character ids of the words with the chosen ones masked."""
    window_words = tf.gather(words, window["char_ids"])
    seen, is_chosen = mask(window_words, position=window["position"][0])
    char_ids = words_to_ids(seen, model)
    return {**window, "char_ids": char_ids, "is_chosen": is_chosen}


def _sentences(text: tf.Tensor) -> tf.RaggedTensor:
    """The lines of a text that have words, `(sentences, (words))`."""
    # A byte order mark is not part of the first word, nor "\r" of a line's last.
    text = tf.strings.regex_replace(text, r"\A\x{FEFF}|\r", "\n")
    sentences = ragged_words(tf.strings.split(text, "\n"))
    return tf.ragged.boolean_mask(sentences, sentences.row_lengths() > 0)


def _permutation(size: tf.Tensor, seed: Sequence) -> tf.Tensor:
    """The numbers below `size` in an order that depends on the seed alone."""
    seed = tf.stack([tf.cast(part, tf.int64) for part in seed])
    # 64 bits, so that no two are equal, which would keep the order of the file
    keys = tf.random.stateless_uniform([size], seed, None, None, tf.int64)
    return tf.argsort(keys, stable=True)


def _some_lowercase(sentences: tf.RaggedTensor, rate: float, seed: Sequence) -> tf.RaggedTensor:
    seed = tf.stack([tf.cast(part, tf.int64) for part in seed])
    chosen = tf.random.stateless_uniform([sentences.nrows()], seed) < rate
    chosen = tf.gather(chosen, sentences.value_rowids())
    tokens = sentences.flat_values
    return sentences.with_flat_values(
        tf.where(chosen, tf.strings.lower(tokens, encoding="utf-8"), tokens)
    )


def _streams(
    sentences: tf.RaggedTensor, vocabulary: Vocabulary, is_masked: bool = False
) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
    """Distinct words, and streams `(pairs,)`: of their indices, as inputs, and of target ids."""
    rows = sentences.nrows()
    bos, eos = (tf.fill([rows, 1], word) for word in (BEGIN_SENTENCE_WORD, END_SENTENCE_WORD))
    tokens = tf.concat([bos, sentences, eos], axis=1)
    words, indices = tf.unique(tokens.flat_values)
    ids = tf.gather(vocabulary.ids(words), indices)
    if is_masked:
        return words, {"char_ids": indices, "targets": ids}
    starts = tf.gather(tokens.row_starts(), tokens.value_rowids())
    ends = tf.gather(tokens.row_limits(), tokens.value_rowids()) - 1
    position = tf.range(tf.size(indices, tf.int64))
    is_input, is_target = position < ends, position > starts
    streams = {}
    for name, order in (("forward", position), ("backward", starts + ends - position)):
        streams[f"{name}_char_ids"] = tf.boolean_mask(tf.gather(indices, order), is_input)
        streams[f"{name}_targets"] = tf.boolean_mask(tf.gather(ids, order), is_target)
    return words, streams


def check_enough_text(
    paths: Sequence[str], batch_size: int, unroll_steps: int, masking: Masking | None
) -> None:
    """Checks that a shard has a window of every row, before anything of a batch's size is made."""
    check_integer("batch_size", batch_size)
    check_integer("unroll_steps", unroll_steps)
    added = 1 if masking is None else 2  # inputs of a sentence beside its words
    if not paths:
        raise ValueError("There are no files of training text.")
    most = 0
    for path in paths:
        check_utf8(path)
        pairs = 0
        for lines in read_lines(path):
            numbers = [len(words_between_spaces(line)) for line in lines]
            pairs += sum(number + added for number in numbers if number)
            if pairs >= batch_size * unroll_steps:
                return
        most = max(most, pairs)
    raise ValueError(
        f"The training text is too short for windows of {unroll_steps} tokens in {batch_size} "
        f"rows, {batch_size * unroll_steps} tokens a batch: its longest file has {most}. Take more "
        "text in fewer files, or a smaller batch size or number of steps."
    )
