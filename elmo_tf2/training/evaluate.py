"""How well a language model predicts a text."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, cast

import numpy as np
import tensorflow as tf

from elmo_tf2.data import Vocabulary, text_windows
from elmo_tf2.models import MaskedLanguageModel, PretrainingModel
from elmo_tf2.training.score import MaskedScore, sentence_scores
from elmo_tf2.validation import check_integer

SENTENCES_AT_ONCE = 50_000
_NO_WORDS = "The text has no words, so there is no perplexity."


class Perplexity(NamedTuple):
    """Perplexities of a text, by the full softmax.

    Attributes:
        forward: of every word given those before it.
        backward: of every word given those after it.
        mean: exp of the mean of both directions' losses, as bilm-tf defines it.
        targets: number of words predicted in each direction, one more per sentence than it has
            tokens: its end, or its beginning.
        unknown: how many of them were outside the vocabulary, counted in the forward direction.
    """

    forward: float
    backward: float
    mean: float
    targets: int
    unknown: int


class MaskedPerplexity(NamedTuple):
    """Perplexity of a text by a masked language model, by the full softmax.

    Attributes:
        mean: of every word given those of its sentence that were not masked with it.
        targets: number of words, each of which was masked once.
        unknown: how many of them were outside the vocabulary.
    """

    mean: float
    targets: int
    unknown: int


def perplexity(
    model: PretrainingModel,
    sentences: Iterable[str | bytes],
    vocabulary: Vocabulary,
    batch_size: int = 32,
    unroll_steps: int = 20,
    report: Callable[[int], None] = lambda targets: None,
) -> Perplexity | MaskedPerplexity:
    """Perplexities of a text; every word counts once, for any batch size.

    The text is read as in training: in `batch_size` parts, each from zero states, which are
    carried from sentence to sentence. With batch size 1 it is read as a whole (50,000 sentences at
    a time).

    A masked language model reads each sentence by itself, as in `sentence_scores`. Its perplexity
    is that of words given both sides, and not comparable with the other.

    Args:
        model: a `LanguageModel` or `MaskedLanguageModel`.
        sentences: tokens separated by spaces.
        vocabulary: the model's.
        batch_size: int > 0. Parts, or sentences, of a batch.
        unroll_steps: int > 0. Tokens of a window; does not change the result.
        report: called with the number of targets done since the last call.

    Returns:
        A `Perplexity`, or a `MaskedPerplexity` for a masked language model.

    Raises:
        ValueError: if there are no words, or an argument is out of its range.
    """
    check_integer("batch_size", batch_size)
    if isinstance(model, MaskedLanguageModel):
        return _masked_perplexity(model, sentences, vocabulary, batch_size, report)
    losses_of_window = tf.function(model.window_losses, reduce_retracing=True, autograph=False)
    sums, targets, unknown = np.zeros(2), 0, 0
    for chunk in _chunks(sentences):
        # With more rows than words some would be empty.
        rows = min(batch_size, sum(len(sentence.split()) + 1 for sentence in chunk))
        states = model.zero_states(rows)
        windows = text_windows(chunk, vocabulary, rows, unroll_steps, model.config)
        for window in windows:
            mask = window.pop("mask")
            losses, states = losses_of_window(window, states)
            sums += np.sum(losses.numpy(), axis=(1, 2), where=mask.numpy(), dtype=np.float64)
            is_unknown = mask & (window["forward_targets"] == vocabulary.unknown_id)
            unknown += int(tf.math.count_nonzero(is_unknown))
            done = int(tf.math.count_nonzero(mask))
            targets += done
            report(done)
    if not targets:
        raise ValueError(_NO_WORDS)
    forward, backward = np.exp(sums / targets)
    return Perplexity(
        float(forward), float(backward), float(np.exp(sums.mean() / targets)), targets, unknown
    )


def _masked_perplexity(
    model: MaskedLanguageModel,
    sentences: Iterable[str | bytes],
    vocabulary: Vocabulary,
    batch_size: int,
    report: Callable[[int], None],
) -> MaskedPerplexity:
    total, targets, unknown = 0.0, 0, 0
    scores = sentence_scores(model, sentences, vocabulary, batch_size)
    for score in cast(Iterator[MaskedScore], scores):
        total += score.masked
        targets += score.tokens
        unknown += score.unknown
        report(score.tokens)
    if not targets:
        raise ValueError(_NO_WORDS)
    return MaskedPerplexity(float(np.exp(-total / targets)), targets, unknown)


def _chunks(sentences: Iterable[str | bytes]) -> Iterator[Sequence[str | bytes]]:
    iterator = iter(sentences)
    while chunk := list(itertools.islice(iterator, SENTENCES_AT_ONCE)):
        if any(sentence.split() for sentence in chunk):
            yield chunk
