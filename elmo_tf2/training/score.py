"""Probabilities of sentences."""

import csv
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import tensorflow as tf

from elmo_tf2.characters import (
    BEGIN_SENTENCE_WORD,
    END_SENTENCE_WORD,
    MASK_WORD,
)
from elmo_tf2.data import Vocabulary
from elmo_tf2.data.text_files import read_lines
from elmo_tf2.data.tokenizers import ragged_words
from elmo_tf2.files import StrPath, atomic_write, check_free
from elmo_tf2.layers.ragged import from_padded
from elmo_tf2.models import LanguageModel, MaskedLanguageModel, PretrainingModel
from elmo_tf2.validation import check_integer
from elmo_tf2.word_ids import words_to_ids

# Every seventh word of a sentence is masked at once: about the rate of training.
MASK_STRIDE = 7


class SentenceScore(NamedTuple):
    """Log-probabilities of a sentence, natural logarithm.

    Attributes:
        forward: sum over its words and its end, each given the words before it.
        backward: sum over its words and its beginning, each given the words after it.
        tokens: number of its words.
        unknown: how many of them are outside the vocabulary and were predicted as `<UNK>`.
    """

    forward: float
    backward: float
    tokens: int
    unknown: int


class MaskedScore(NamedTuple):
    """The log-probability of a sentence's words, natural logarithm, by a masked language model.

    Attributes:
        masked: sum over its words, each given those that were not masked with it.
        tokens: number of its words.
        unknown: how many of them are outside the vocabulary and were predicted as `<UNK>`.
    """

    masked: float
    tokens: int
    unknown: int


def sentence_scores(
    model: PretrainingModel,
    sentences: Iterable[str | bytes],
    vocabulary: Vocabulary,
    batch_size: int = 64,
) -> Iterator[SentenceScore | MaskedScore]:
    """Log-probabilities of sentences, each read by itself from zero states.

    A masked language model reads a sentence seven times, each time with another seventh of its
    words masked.

    Args:
        model: a `LanguageModel` or `MaskedLanguageModel`.
        sentences: tokens separated by spaces. One without tokens is its end after its beginning.
        vocabulary: the model's.
        batch_size: int > 0. Sentences of a batch; does not change the result.

    Yields:
        A `SentenceScore` for every sentence, in their order; a `MaskedScore` by a masked language
        model.
    """
    check_integer("batch_size", batch_size)
    is_masked = isinstance(model, MaskedLanguageModel)
    kind: Callable[..., SentenceScore | MaskedScore] = MaskedScore if is_masked else SentenceScore
    score = _score_function(_sum_of_masked if is_masked else _sums_of_directions, model, vocabulary)
    dataset = tf.data.Dataset.from_generator(
        lambda: iter(sentences), output_signature=tf.TensorSpec([], tf.string)
    )
    for batch in dataset.batch(batch_size):
        words = ragged_words(tf.strings.regex_replace(batch, r"[\r\n]", " "))
        rows = words.nrows()
        bos, eos = (tf.fill([rows, 1], word) for word in (BEGIN_SENTENCE_WORD, END_SENTENCE_WORD))
        tokens = tf.concat([bos, words, eos], axis=1)
        lengths = tf.cast(tokens.row_lengths(), tf.int32)
        *sums, unknown = score(tokens.to_tensor(), lengths)
        for *values, num_unknown, num_words in zip(*sums, unknown, lengths - 2, strict=True):
            yield kind(*map(float, values), int(num_words), int(num_unknown))


def _score_function(
    sums: Callable[..., list[tf.Tensor]], model: PretrainingModel, vocabulary: Vocabulary
) -> Callable[[tf.Tensor, tf.Tensor], Sequence[tf.Tensor]]:
    """Makes a graph of `sums` and the number of unknown words, each `(batch,)`.

    It takes padded words between `<S>` and `</S>`, and their lengths.
    """

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.string), tf.TensorSpec([None], tf.int32)],
        autograph=False,
    )
    def score(tokens: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, ...]:
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        ids = vocabulary.ids(tokens)
        is_unknown = mask & (ids == vocabulary.unknown_id)
        unknown = tf.math.count_nonzero(is_unknown, axis=1)
        return *sums(model, tokens, ids, lengths, mask), unknown

    return score


def _sums_of_directions(
    model: LanguageModel, tokens: tf.Tensor, ids: tf.Tensor, lengths: tf.Tensor, mask: tf.Tensor
) -> list[tf.Tensor]:
    words = from_padded(tokens, mask)
    words = words.with_values(words_to_ids(words.values, model.config))
    output = model.bilm.encode(words, add_bos_eos=False).padded(mask)
    directions = (output.forward[-1][:, :-1], ids[:, 1:]), (output.backward[-1][:, 1:], ids[:, :-1])
    sums = []
    for vectors, targets in directions:
        features = vectors.shape[-1]
        losses = model.softmax(tf.reshape(vectors, [-1, features]), tf.reshape(targets, [-1]))
        losses = tf.where(mask[:, 1:], tf.reshape(losses, tf.shape(targets)), 0)
        sums.append(-tf.reduce_sum(losses, axis=1))
    return sums


def _sum_of_masked(
    model: MaskedLanguageModel,
    tokens: tf.Tensor,
    ids: tf.Tensor,
    lengths: tf.Tensor,
    mask: tf.Tensor,
) -> list[tf.Tensor]:
    position = tf.range(tf.shape(tokens)[1])
    is_word = (position > 0) & (position < lengths[:, tf.newaxis] - 1)  # (batch, tokens)

    def sum_of_offset(offset: tf.Tensor) -> tf.Tensor:
        is_chosen = is_word & (position % MASK_STRIDE == offset)
        seen = tf.where(is_chosen, MASK_WORD, tokens)
        char_ids = tf.where(mask[..., tf.newaxis], words_to_ids(seen, model.config), 0)
        losses = model({"char_ids": char_ids, "targets": ids, "is_chosen": is_chosen, "mask": mask})
        row = tf.where(is_chosen)[:, 0]
        return -tf.math.unsorted_segment_sum(losses, row, tf.size(lengths))

    sums = tf.map_fn(
        sum_of_offset,
        tf.range(MASK_STRIDE),
        fn_output_signature=model.softmax.variable_dtype,
        parallel_iterations=1,
    )  # (offsets, batch)
    return [tf.reduce_sum(sums, axis=0)]


def write_scores(
    model: PretrainingModel,
    text: StrPath,
    vocabulary: Vocabulary,
    path: StrPath,
    *,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Writes the `sentence_scores` of a text to a tab-separated table, one line per sentence.

    Args:
        model: a `LanguageModel` or `MaskedLanguageModel`.
        text: file with one sentence per line, tokens separated by spaces.
        vocabulary: the model's.
        path: the file to write.
        overwrite: whether an existing one may be replaced.
        on_progress: called with the number of sentences done, and that of all.

    Raises:
        FileExistsError: if there is such a file and it may not be replaced.
        FileNotFoundError: if there is no such text.
        ValueError: if it can't be read, or is `path`.
    """
    check_free(path, overwrite, inputs=[text])
    total = sum(map(len, read_lines(text)))
    with (
        atomic_write(path, overwrite) as temporary,
        open(temporary, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        is_masked = isinstance(model, MaskedLanguageModel)
        writer.writerow((MaskedScore if is_masked else SentenceScore)._fields)
        lines = itertools.chain.from_iterable(read_lines(text, warn=False))
        scores = sentence_scores(model, lines, vocabulary)
        for number, score in enumerate(scores, start=1):
            writer.writerow(score)
            on_progress(number, total)
