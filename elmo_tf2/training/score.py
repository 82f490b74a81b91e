"""Probabilities of sentences."""

import csv
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import tensorflow as tf

from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD, sentences_to_char_ids
from elmo_tf2.data import Vocabulary
from elmo_tf2.files import StrPath, completed
from elmo_tf2.models import LanguageModel


class SentenceScore(NamedTuple):
    """Log-probabilities of a sentence, natural logarithm.

    Attributes:
        forward: sum over its words and its end, each given what is before.
        backward: sum over its words and its beginning, each given what is after.
        tokens: number of its words.
        unknown: how many of them are outside the vocabulary: `<UNK>` was predicted for them.
    """

    forward: float
    backward: float
    tokens: int
    unknown: int


def sentence_scores(
    model: LanguageModel,
    sentences: Iterable[str | bytes],
    vocabulary: Vocabulary,
    batch_size: int = 64,
) -> Iterator[SentenceScore]:
    """Log-probabilities of sentences, each read by itself from zero states.

    Args:
        model: a language model.
        sentences: tokens apart by white space. One without tokens is the end after the beginning.
        vocabulary: the model's.
        batch_size: int > 0. Sentences at once; of no effect on the result.

    Yields:
        A `SentenceScore` for every sentence, in their order.
    """

    @tf.function(
        input_signature=[tf.TensorSpec([None, None], tf.string), tf.TensorSpec([None], tf.int32)],
        autograph=False,
    )
    def score(tokens: tf.Tensor, lengths: tf.Tensor) -> tuple[tf.Tensor, ...]:
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        char_ids = sentences_to_char_ids(tokens, lengths, model.config.max_characters)
        output = model.bilm.contextualize(model.bilm.char_cnn(char_ids), mask)
        ids = vocabulary.ids(tokens)
        sums = []
        for vectors, targets in (
            (output.forward[-1][:, :-1], ids[:, 1:]),
            (output.backward[-1][:, 1:], ids[:, :-1]),
        ):
            features = vectors.shape[-1]
            losses = model.softmax(tf.reshape(vectors, [-1, features]), tf.reshape(targets, [-1]))
            losses = tf.where(mask[:, 1:], tf.reshape(losses, tf.shape(targets)), 0)
            sums.append(-tf.reduce_sum(losses, axis=1))
        is_unknown = mask & (ids == vocabulary.unknown_id)
        return *sums, tf.math.count_nonzero(is_unknown, axis=1)

    dataset = tf.data.Dataset.from_generator(
        lambda: iter(sentences), output_signature=tf.TensorSpec([], tf.string)
    )
    for batch in dataset.batch(batch_size):
        words = tf.strings.split(batch)
        rows = words.nrows()
        begin, end = (tf.fill([rows, 1], word) for word in (BEGIN_SENTENCE_WORD, END_SENTENCE_WORD))
        tokens = tf.concat([begin, words, end], axis=1)
        lengths = tf.cast(tokens.row_lengths(), tf.int32)
        results = score(tokens.to_tensor(), lengths)
        for forward, backward, unknown, length in zip(*results, lengths - 2, strict=True):
            yield SentenceScore(float(forward), float(backward), int(length), int(unknown))


def write_scores(
    model: LanguageModel,
    text: StrPath,
    vocabulary: Vocabulary,
    path: StrPath,
    *,
    overwrite: bool = False,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Writes a table with the `sentence_scores` of a text, tab-separated, a line a sentence.

    Args:
        model: a language model.
        text: file with a sentence a line, tokens apart by white space.
        vocabulary: the model's.
        path: the file to make.
        overwrite: whether an existing one may be replaced.
        on_progress: called with the number of sentences that are done, and that of all.

    Raises:
        FileExistsError: if there is such a file and it may not be replaced.
    """
    with open(text, "rb") as lines:
        total = sum(1 for _ in lines)
    with (
        open(text, "rb") as lines,
        completed(path, overwrite) as unfinished,
        open(unfinished, "w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, delimiter="\t", lineterminator="\n")
        writer.writerow(SentenceScore._fields)
        scores = sentence_scores(model, (line.rstrip(b"\r\n") for line in lines), vocabulary)
        for number, score in enumerate(scores, start=1):
            writer.writerow(score)
            on_progress(number, total)
