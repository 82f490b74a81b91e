"""Running text as windows for a bidirectional language model, by tf.data.

Every row of a batch is an endless stream of sentences, each between `<S>` and `</S>`, cut into
windows of equal length: every word but the last of a sentence is an input, and the word after it
its target. The backward stream has the same sentences in the same order, each reversed.

For a model that learns from masked words there is one stream, of all words, `</S>` too; every word
is its own target.

Reference:
 - `BidirectionalLMDataset` of [bilm-tf](https://github.com/allenai/bilm-tf)
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import tensorflow as tf

from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD, words_to_char_ids
from elmo_tf2.data.masking import Masking
from elmo_tf2.data.text_files import read_lines, words_between_spaces
from elmo_tf2.data.tokenizers import ragged_words
from elmo_tf2.data.vocabulary import Vocabulary
from elmo_tf2.files import check_utf8
from elmo_tf2.validation import check_integer

Window = Mapping[str, tf.Tensor]


class Position(NamedTuple):
    """Where in the endless training text a window stands.

    Attributes:
        shard: number of shards that were read before, counted through all epochs.
        window: number of the window within its shard.
    """

    shard: int = 0
    window: int = 0


FIRST = Position()


class _Streams(NamedTuple):
    """A text as streams of inputs and targets, each `(pairs,)`, numbers in `words`.

    Forward and backward; or one that is both inputs and targets.
    """

    words: tf.Tensor
    inputs: tuple[tf.Tensor, ...]
    targets: tuple[tf.Tensor, ...]


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
    max_characters: int = 50,
    masking: Masking | None = None,
) -> tf.data.Dataset:
    """Endless windows of shuffled text.

    In every epoch the shards come in another order, and so do a shard's sentences; both orders
    depend on the seed and the epoch alone. The rows of a batch take equal parts of a shard; what
    does not fill a window of every row is left out that time.

    Args:
        files: the shards, text in UTF-8 with one sentence per line, tokens apart by spaces.
        vocabulary: of the targets.
        batch_size: int > 0. Rows of a batch over all workers.
        unroll_steps: int > 0. Tokens of a window.
        seed: int.
        start: the first window to give, as if all before it had been taken.
        rows: the first row and the one after the last to give: a worker's part of the batch. None:
            all.
        lowercase_rate: share of the sentences that are lower-cased, others in every epoch.
        max_characters: int > 2. Length of a word's character ids.
        masking: how to mask words, for a `MaskedLanguageModel`. Which ones are chosen depends on
            the seed and the window's position alone. None: no words, for a `LanguageModel`.

    Returns:
        Dataset of dictionaries: for "forward" and "backward" `…_char_ids` `(rows, unroll_steps,
        max_characters)` and `…_targets` `(rows, unroll_steps)`, int32, in the order of reading;
        and `position`, int64 `(rows, 2)`, the window's `Position` in every row. With masking there
        are `char_ids` and `targets` instead, and `is_chosen`, bool `(rows, unroll_steps)`.

    Raises:
        ValueError: if no shard has a window of every row, or the vocabulary has no words that
            could stand in the place of others.

    Example:
    >>> _ = Path("train.txt").write_text("the cat sat on the mat")
    >>> vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "the", "cat"])
    >>> windows = training_windows(["train.txt"], vocabulary, batch_size=2, unroll_steps=3)
    >>> next(iter(windows))["forward_targets"].shape
    TensorShape([2, 3])
    """
    paths = sorted(str(path) for path in files)
    check_enough_text(paths, batch_size, unroll_steps, masking)
    others = None if masking is None else masking.others(vocabulary)
    first, last = rows or (0, batch_size)
    all_paths = tf.constant(paths)

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert
    def windows_of_shard(shard: tf.Tensor) -> tf.data.Dataset:
        epoch, index = shard // len(paths), shard % len(paths)
        path = all_paths[_permutation(len(paths), [seed, -1 - epoch])[index]]
        sentences = _sentences(tf.io.read_file(path))
        sentences = tf.gather(sentences, _permutation(sentences.nrows(), [seed, shard]))
        if lowercase_rate:
            sentences = _some_lowercase(sentences, lowercase_rate, [seed + 1, shard])
        streams = _streams(sentences) if masking is None else _stream_of_all_words(sentences)
        char_ids = words_to_char_ids(streams.words, max_characters)
        ids = vocabulary.ids(streams.words)
        pairs_a_row = tf.size(streams.inputs[0]) // batch_size
        num_windows = pairs_a_row // unroll_steps

        def windows(stream: tf.Tensor) -> tf.Tensor:  # (windows, rows, unroll_steps)
            by_row = tf.reshape(stream[: pairs_a_row * batch_size], [batch_size, pairs_a_row])
            kept = by_row[first:last, : num_windows * unroll_steps]
            kept = tf.reshape(kept, [last - first, num_windows, unroll_steps])
            return tf.transpose(kept, [1, 0, 2])

        inputs = [windows(stream) for stream in streams.inputs]
        targets = [windows(tf.gather(ids, stream)) for stream in streams.targets]

        @tf.autograph.experimental.do_not_convert  # there is nothing to convert
        def window(number: tf.Tensor, inputs: Sequence, targets: Sequence) -> Window:
            place = tf.stack([shard, number])
            position = {"position": tf.tile(place[tf.newaxis], [last - first, 1])}
            if masking is None:
                return _with_char_ids(char_ids, inputs, targets) | position
            words, is_chosen = masking.mask(
                tf.gather(streams.words, inputs[0]), others, seed, place, first, batch_size
            )
            masked = words_to_char_ids(words, max_characters)
            return {"char_ids": masked, "targets": targets[0], "is_chosen": is_chosen} | position

        numbers = tf.range(tf.cast(num_windows, tf.int64))
        dataset = tf.data.Dataset.from_tensor_slices((numbers, tuple(inputs), tuple(targets)))
        skipped = tf.where(tf.equal(shard, start.shard), tf.cast(start.window, tf.int64), 0)
        return dataset.skip(skipped).map(window)

    shards = tf.data.Dataset.range(start.shard, tf.int64.max)
    return shards.interleave(
        windows_of_shard, cycle_length=1, num_parallel_calls=1, deterministic=True
    ).prefetch(tf.data.AUTOTUNE)


def text_windows(
    sentences: Sequence[str | bytes],
    vocabulary: Vocabulary,
    batch_size: int,
    unroll_steps: int,
    max_characters: int = 50,
) -> tf.data.Dataset:
    """Windows of a text in its own order, in which every word is a target once.

    Each row of a batch is a part of the text; all rows are of equal length but for padding at
    the end.

    Args:
        sentences: tokens apart by spaces.
        vocabulary: of the targets.
        batch_size: int > 0. Rows.
        unroll_steps: int > 0. Tokens of a window.
        max_characters: int > 2. Length of a word's character ids.

    Returns:
        Dataset of dictionaries as those of `training_windows`, but with `mask`, bool `(rows,
        unroll_steps)`, which marks what is not padding, in place of the position.
    """
    check_integer("batch_size", batch_size)
    check_integer("unroll_steps", unroll_steps)
    streams = _streams(_sentences(tf.strings.join(list(sentences), "\n")))
    char_ids = words_to_char_ids(streams.words, max_characters)
    ids = vocabulary.ids(streams.words)
    num_pairs = tf.size(streams.inputs[0])
    pairs_a_row = -(-num_pairs // batch_size)
    num_windows = -(-pairs_a_row // unroll_steps)

    def windows(stream: tf.Tensor) -> tf.Tensor:  # (windows, rows, unroll_steps)
        by_row = tf.pad(stream, [[0, batch_size * pairs_a_row - num_pairs]])
        by_row = tf.reshape(by_row, [batch_size, pairs_a_row])
        by_row = tf.pad(by_row, [[0, 0], [0, num_windows * unroll_steps - pairs_a_row]])
        by_row = tf.reshape(by_row, [batch_size, num_windows, unroll_steps])
        return tf.transpose(by_row, [1, 0, 2])

    inputs = [windows(stream) for stream in streams.inputs]
    targets = [windows(tf.gather(ids, stream)) for stream in streams.targets]
    mask = windows(tf.ones_like(streams.inputs[0])) > 0

    @tf.autograph.experimental.do_not_convert  # there is nothing to convert
    def window(inputs: Sequence, targets: Sequence, mask: tf.Tensor) -> Window:
        return _with_char_ids(char_ids, inputs, targets) | {"mask": mask}

    dataset = tf.data.Dataset.from_tensor_slices((tuple(inputs), tuple(targets), mask))
    return dataset.map(window).prefetch(tf.data.AUTOTUNE)


def _with_char_ids(
    char_ids: tf.Tensor, inputs: Sequence, targets: Sequence
) -> dict[str, tf.Tensor]:
    return {
        "forward_char_ids": tf.gather(char_ids, inputs[0]),
        "forward_targets": targets[0],
        "backward_char_ids": tf.gather(char_ids, inputs[1]),
        "backward_targets": targets[1],
    }


def _sentences(text: tf.Tensor) -> tf.RaggedTensor:
    """The lines of a text that have tokens, `(sentences, (tokens))`."""
    # A byte order mark is no part of the first word, nor "\r" of a line's last.
    text = tf.strings.regex_replace(text, r"\A\x{FEFF}|\r", "\n")
    sentences = ragged_words(tf.strings.split(text, "\n"))
    return tf.ragged.boolean_mask(sentences, sentences.row_lengths() > 0)


def _permutation(size: tf.Tensor, seed: Sequence) -> tf.Tensor:
    """The numbers below `size` in an order that depends on the seed alone."""
    seed = tf.stack([tf.cast(part, tf.int64) for part in seed])
    # 64 bits: two that were equal would stay in the order of the file
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


def _bounded(sentences: tf.RaggedTensor) -> tf.RaggedTensor:
    rows = sentences.nrows()
    begin, end = (tf.fill([rows, 1], word) for word in (BEGIN_SENTENCE_WORD, END_SENTENCE_WORD))
    return tf.concat([begin, sentences, end], axis=1)


def _stream_of_all_words(sentences: tf.RaggedTensor) -> _Streams:
    words, numbers = tf.unique(_bounded(sentences).flat_values)
    return _Streams(words, inputs=(numbers,), targets=(numbers,))


def _streams(sentences: tf.RaggedTensor) -> _Streams:
    bounded = _bounded(sentences)
    words, numbers = tf.unique(bounded.flat_values)
    starts = tf.gather(bounded.row_starts(), bounded.value_rowids())
    ends = tf.gather(bounded.row_limits(), bounded.value_rowids()) - 1
    place = tf.range(tf.size(numbers, tf.int64))
    is_input, is_target = place < ends, place > starts
    streams = numbers, tf.gather(numbers, starts + ends - place)
    return _Streams(
        words,
        inputs=tuple(tf.boolean_mask(stream, is_input) for stream in streams),
        targets=tuple(tf.boolean_mask(stream, is_target) for stream in streams),
    )


def check_enough_text(
    paths: Sequence[str], batch_size: int, unroll_steps: int, masking: Masking | None
) -> None:
    """Checks that a shard has a window of every row."""
    check_integer("batch_size", batch_size)
    check_integer("unroll_steps", unroll_steps)
    more_a_sentence = 1 if masking is None else 2  # inputs beside its words
    if not paths:
        raise ValueError("There are no files of training text.")
    most = 0
    for path in paths:
        check_utf8(path)
        pairs = 0
        for lines in read_lines(path):
            numbers = [len(words_between_spaces(line)) for line in lines]
            pairs += sum(number + more_a_sentence for number in numbers if number)
            if pairs >= batch_size * unroll_steps:
                return
        most = max(most, pairs)
    raise ValueError(
        f"The training text is too short for windows of {unroll_steps} tokens in {batch_size} "
        f"rows, {batch_size * unroll_steps} tokens a batch: its longest file has {most}. Take more "
        "text in fewer files, or a smaller batch size or number of steps."
    )
