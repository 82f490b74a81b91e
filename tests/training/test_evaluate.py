"""Perplexities and scores."""

import contextlib
import functools
import gzip
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.data import Vocabulary
from elmo_tf2.models import LanguageModel, MaskedLanguageModel
from elmo_tf2.training import language_model, perplexity, score, sentence_scores, write_scores
from elmo_tf2.weights import read_weights
from tests import numpy_reference as reference
from tests.training.conftest import MERGED, MODEL, TEXT, WORDS


@pytest.fixture(scope="module", autouse=True)
def graphs_made_once():
    """A model's graphs are made once: that takes longer than what most tests are about."""
    made_once = SimpleNamespace(function=functools.cache(tf.function), math=tf.math)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("elmo_tf2.training.evaluate.tf", made_once)
        patch.setattr(score, "_score_function", functools.cache(score._score_function))
        yield


@functools.cache
def made(of_class, config):
    return of_class(config, len(WORDS), batch_size=1, num_negatives=None)


@pytest.fixture
def model():
    model = made(LanguageModel, MODEL)
    model.softmax.bias.assign(np.linspace(-1, 1, len(WORDS)))
    return model


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary(WORDS)


@contextlib.contextmanager
def knowing_nothing(model):
    """All words are as likely in it as any other."""
    weights = model.softmax.get_weights()
    model.softmax.set_weights([np.zeros_like(weight) for weight in weights])
    yield
    model.softmax.set_weights(weights)


def test_bilms_checkpoint_has_the_perplexity_that_bilm_told(golden):
    model, vocabulary = language_model(read_weights(golden / "bilm_checkpoint/model.ckpt-400"))
    with open(golden / "bilm_checkpoint/heldout.txt", encoding="utf-8") as file:
        found = perplexity(model, file, vocabulary, batch_size=1, unroll_steps=500)
    assert abs(found.mean - 150.438) < 5e-3
    assert found.targets == 7593 + 300


def test_every_word_counts_once(model, vocabulary):
    words = sum(len(sentence.split()) + 1 for sentence in TEXT[:5])
    for batch_size, *unrolls in ((1, 50, 7), (3, 50, 7, 1), (8, 50, 1)):
        whole, *others = [
            perplexity(model, TEXT[:5], vocabulary, batch_size, steps) for steps in unrolls
        ]
        for steps, found in zip(unrolls, [whole, *others], strict=True):
            assert (found.targets, found.unknown) == (words, 1), (batch_size, steps)
            np.testing.assert_allclose(found, whole, rtol=1e-5, err_msg=f"{batch_size}, {steps}")


def test_perplexity_of_one_sentence_is_that_of_its_score(model, vocabulary):
    (score,) = sentence_scores(model, TEXT[:1], vocabulary)
    found = perplexity(model, TEXT[:1], vocabulary, batch_size=1)
    assert score.tokens == 10
    np.testing.assert_allclose(np.exp(-score.forward / 11), found.forward, rtol=1e-5)
    np.testing.assert_allclose(np.exp(-score.backward / 11), found.backward, rtol=1e-5)


def test_a_model_that_knows_nothing_has_the_vocabularys_size_as_perplexity(model, vocabulary):
    with knowing_nothing(model):
        found = perplexity(model, TEXT, vocabulary)
    np.testing.assert_allclose(found[:3], len(WORDS), rtol=1e-5)


def test_a_score_does_not_depend_on_other_sentences(model, vocabulary):
    together = list(sentence_scores(model, TEXT[:5], vocabulary))
    for number in (1, 4):
        (alone,) = sentence_scores(model, [TEXT[number]], vocabulary, batch_size=1)
        np.testing.assert_allclose(alone, together[number], rtol=1e-5)
    assert [score.unknown for score in together] == [0, 0, 0, 0, 1]


def test_empty_lines_are_scored_and_a_text_without_words_has_no_perplexity(model, vocabulary):
    assert [score.tokens for score in sentence_scores(model, ["", "cat", " "], vocabulary)] == [
        0,
        1,
        0,
    ]
    with pytest.raises(ValueError, match="no words"):
        perplexity(model, ["", " "], vocabulary)


def test_any_text_file_has_the_scores_of_its_sentences(model, vocabulary, tmp_path):
    text, table = tmp_path / "text.gz", tmp_path / "scores.tsv"
    text.write_bytes(gzip.compress("\r\n\r\n".join(TEXT[:3]).encode("utf-8-sig")))
    write_scores(model, text, vocabulary, table)
    scores = list(sentence_scores(model, [TEXT[0], "", TEXT[1], "", TEXT[2]], vocabulary))
    rows = [line.split("\t") for line in table.read_text().splitlines()[1:]]
    np.testing.assert_allclose(np.array(rows, float), scores, rtol=1e-5)


def test_a_tab_is_no_space_and_a_line_break_no_part_of_a_word(model, vocabulary):
    scores = list(sentence_scores(model, ["the\tcat sat", "the cat\r\n", "the cat"], vocabulary))
    assert [(score.tokens, score.unknown) for score in scores] == [(2, 1), (2, 0), (2, 0)]
    np.testing.assert_allclose(scores[1], scores[2], rtol=1e-5)


def test_scores_are_written_as_a_table(model, vocabulary, tmp_path):
    text, table = tmp_path / "text.txt", tmp_path / "scores.tsv"
    text.write_text("\n".join(TEXT[:3]), encoding="utf-8")
    write_scores(model, text, vocabulary, table)
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "forward\tbackward\ttokens\tunknown"
    assert [line.split("\t")[2] for line in lines[1:]] == ["10", "6", "9"]


def test_more_rows_than_words_take_no_memory(model, vocabulary):
    found = perplexity(model, TEXT[:2], vocabulary, batch_size=2**31 - 1)
    number = sum(len(sentence.split()) + 1 for sentence in TEXT[:2])
    assert found.targets == number
    np.testing.assert_allclose(found, perplexity(model, TEXT[:2], vocabulary, number), rtol=1e-6)


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, None, 10**23])
def test_the_batch_size_must_be_a_positive_integer(batch_size, model, vocabulary):
    with pytest.raises(ValueError, match="`batch_size` must be"):
        perplexity(model, TEXT, vocabulary, batch_size)
    with pytest.raises(ValueError, match="`batch_size` must be"):
        list(sentence_scores(model, TEXT, vocabulary, batch_size))


# --- masked words


@pytest.fixture
def masked_model():
    model = made(MaskedLanguageModel, MERGED)
    model.softmax.bias.assign(np.linspace(-1, 1, len(WORDS)))
    return model


def test_every_word_is_masked_once_with_every_seventh(masked_model, vocabulary):
    sentence = TEXT[0].split()
    (score,) = sentence_scores(masked_model, TEXT[:1], vocabulary)
    words, expected = ["<S>", *sentence, "</S>"], 0.0
    for turn in range(7):
        is_chosen = [0 < place < len(words) - 1 and place % 7 == turn for place in range(12)]
        seen = [b"\xff" if chosen else word for word, chosen in zip(words, is_chosen, strict=True)]
        window = {
            "char_ids": reference.batch_char_ids([seen]),
            "targets": vocabulary.ids(tf.constant([words])),
            "is_chosen": tf.constant([is_chosen]),
        }
        expected -= np.sum(masked_model(window))
    assert (score.tokens, score.unknown) == (10, 0)
    np.testing.assert_allclose(score.masked, expected, rtol=1e-5)


def test_masked_perplexity_is_that_of_the_scores_in_any_batch(masked_model, vocabulary):
    scores = list(sentence_scores(masked_model, ["", *TEXT[:5]], vocabulary, batch_size=4))
    assert scores[0] == (0.0, 0, 0)
    for number in (1, 4):
        (alone,) = sentence_scores(masked_model, [TEXT[number]], vocabulary)
        np.testing.assert_allclose(alone, scores[number + 1], rtol=1e-5)
    done = []
    found = perplexity(masked_model, TEXT[:5], vocabulary, batch_size=2, report=done.append)
    assert (found.targets, found.unknown) == (sum(done), 1) == (34, 1)
    total = sum(score.masked for score in scores)
    np.testing.assert_allclose(found.mean, np.exp(-total / 34), rtol=1e-5)


def test_a_masked_model_that_knows_nothing_has_the_vocabularys_size_as_perplexity(
    masked_model, vocabulary
):
    with knowing_nothing(masked_model):
        found = perplexity(masked_model, TEXT, vocabulary)
    np.testing.assert_allclose(found.mean, len(WORDS), rtol=1e-5)


def test_masked_scores_are_written_as_a_table(masked_model, vocabulary, tmp_path):
    text, table = tmp_path / "text.txt", tmp_path / "scores.tsv"
    text.write_text("\n".join(TEXT[:3]), encoding="utf-8")
    write_scores(masked_model, text, vocabulary, table)
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "masked\ttokens\tunknown"
    assert [line.split("\t")[1] for line in lines[1:]] == ["10", "6", "9"]


def test_a_masked_model_needs_words_too(masked_model, vocabulary):
    with pytest.raises(ValueError, match="no words"):
        perplexity(masked_model, ["", " "], vocabulary)


def test_weights_that_are_no_language_model_are_told(golden):
    with pytest.raises(ValueError, match="has no softmax, so it is an encoder"):
        language_model(read_weights(golden / "mini"))
