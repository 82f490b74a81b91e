"""Sentence breaking and normal forms."""

import sys

import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from elmo_tf2.data.sentences import break_sentences, normalize

pytest.importorskip("tensorflow_text", reason="sentence breaking needs tensorflow_text")


def broken(text):
    """The sentences of a text, without the space between them."""
    return [sentence.decode().strip() for sentence in break_sentences(tf.constant([text]))]


# Expected sentences are given with | between them.


@pytest.mark.parametrize(
    "text",
    [
        "The cat sat.| The dog ran!| Who cares?| I do",
        "Mr. Smith met Dr. Jones and Mrs. Brown vs. Prof. Green.| They left.",
        "He lives in the U.S. Army base.| He likes the U.S.| The end.",
        "J. R. R. Tolkien and George W. Bush wrote.| It was plan B.| Then it failed.",
        "So did my wife and I.| Overall it was good.",
        "Fruit, e.g. Apples, i.e. Malus, etc. is here.| At 5 p.m. he left.",
        "Apple Inc. Chief Cook spoke.| He left Apple Inc.| The board met.",
        "See No. 5 and p. 7 on Jan. 3.| No.| He won't.",
        "1. First point.| 2. Second point.",
        "It cost $3.14 at example.com at 10:30.| Fine.",
        "OK :) Then XD came (plan B) and Bob.| So.",
        "Wait... what?| Wait...| What?! Really.".replace("! R", "!| R"),
        "“No.”| Then he said: “Go!”| She went.",
        "\"Really?\" she asked.| 'Yes!' he said.",
        "(It was so.)| Good (very good!) indeed.",
        "The end.Next is one sentence.",
        "i went home. then i slept.",
        "he left .| She came !| Why ?",
    ],
)
def test_english(text):
    assert broken(text.replace("|", "")) == text.split("| ")


@pytest.mark.parametrize(
    "text",
    [
        "他来了。|你好吗？|“好！”|他说。|（对。）|好",
        "日本語です。|はい！|そう。|\u3000次です。",
        "用TensorFlow。|abc好。",
    ],
)
def test_chinese_and_japanese_need_no_space(text):
    expected = [sentence.strip() for sentence in text.split("|")]
    assert broken(text.replace("|", "")) == expected


@pytest.mark.parametrize(
    "text",
    [
        "Am 1. Juli kam Dr. Müller z.B. nach Berlin.| Er blieb.",
        "¿Qué?| ¡Sí!| Él vino.",
        "Она пришла.| Он ушёл!",
        "كيف حالك؟| أنا بخير.",
        "मैं हूँ।| तुम हो।",
    ],
)
def test_other_languages(text):
    assert broken(text.replace("|", "")) == text.split("| ")


def test_a_text_without_an_end_is_a_sentence():
    assert broken("no end") == ["no end"]
    assert broken("") == [""]


def test_each_text_is_broken_by_itself():
    texts = tf.constant(["One. Two.", "Three", "Four! Five"])
    expected = [b"One. ", b"Two.", b"Three", b"Four! ", b"Five"]
    assert list(break_sentences(texts)) == expected


@given(
    st.lists(st.text(st.one_of(st.sampled_from("aB .!?。！”\"'()\u3000\t:DU…"), st.characters())))
)
def test_nothing_is_lost_and_no_character_is_cut(texts):
    texts = [text.encode("utf-8", "ignore") for text in texts]
    found = list(break_sentences(tf.constant(texts, tf.string, [len(texts)])))
    assert b"".join(found) == b"".join(texts)
    for sentence in found:
        sentence.decode()


@pytest.mark.parametrize("text", [". " * 20_000, "a. " * 20_000, "?" * 20_000, "“" * 20_000])
def test_odd_texts_take_no_longer_than_others(text):
    assert "".join(s.decode() for s in break_sentences(tf.constant([text]))) == text


# Normal forms.


@pytest.mark.parametrize(
    ("form", "expected"), [("none", "e\u0301ﬁ"), ("nfc", "éﬁ"), ("nfkc", "éfi")]
)
def test_texts_are_brought_into_a_normal_form(form, expected):
    assert normalize(tf.constant(["e\u0301ﬁ"]), form).numpy()[0].decode() == expected


def test_no_tensorflow_text_is_an_error_that_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_text", None)
    with pytest.raises(ValueError, match="need tensorflow_text.*`one_sentence_per_line=True`"):
        broken("a")
    with pytest.raises(ValueError, match="need tensorflow_text"):
        normalize(tf.constant(["a"]), "nfc")
    assert normalize(tf.constant(["a"]), "none").numpy() == [b"a"]
