"""ElmoEmbeddings: texts as Python, NumPy and pandas have them, and sentences taken as words."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.models.bilm_cases import PROMISE
from tests.models.elmo_cases import PADDED, TEXT, WORDS, make


class LikeSeries:
    """What a pandas Series and its `values` have in common: a NumPy array of objects inside."""

    def __init__(self, items):
        self._items = np.empty(len(items), object)
        self._items[:] = items

    def __array__(self, dtype=None, copy=None):
        return self._items


SENTENCES = {
    "an array of objects": lambda: np.array(TEXT, object),
    "an array of bytes": lambda: np.array([text.encode() for text in TEXT]),
    "an array of strings of any length": lambda: np.array(TEXT, np.dtypes.StringDType()),
    "a series": lambda: LikeSeries(TEXT),
    "NumPy's strings": lambda: list(np.array(TEXT)),
    "strings and bytes": lambda: [TEXT[0], *(text.encode() for text in TEXT[1:])],
}
LISTS = {
    "tuples of words": lambda: tuple(map(tuple, WORDS)),
    "arrays of words": lambda: [np.array(words) for words in WORDS],
    "arrays of objects": lambda: [np.array(words, object) for words in WORDS],
    "a series of lists": lambda: LikeSeries(WORDS),
    "a series of arrays": lambda: LikeSeries([np.array(words) for words in WORDS]),
    "an array of lists": lambda: LikeSeries(WORDS).__array__(),
}
TABLES = {
    "padded words as objects": lambda: np.array(PADDED, object),
    "padded words of any length": lambda: np.array(PADDED, np.dtypes.StringDType()),
}


@pytest.mark.parametrize("kind", [*SENTENCES, *LISTS, *TABLES])
def test_containers_of_text_give_the_vectors_of_the_reference(kind, elmo, expected):
    inputs = {**SENTENCES, **LISTS, **TABLES}[kind]()
    np.testing.assert_allclose(elmo(inputs), expected, **PROMISE)


@pytest.mark.parametrize("dtype", [None, "object", "string", "category"])
def test_a_series_and_its_values_give_the_vectors_of_the_reference(dtype, elmo, expected):
    pandas = pytest.importorskip("pandas")
    series = pandas.Series(TEXT, dtype=dtype)
    for inputs in (series, series.values, series.array, pandas.Index(series)):
        np.testing.assert_allclose(elmo(inputs), expected, **PROMISE)
    with pytest.raises(ValueError, match=r'missing text: texts.fillna\(""\).tolist\(\)'):
        elmo(pandas.Series(["a", None], dtype=dtype))


MISSING = {
    "None": None,
    "nan": float("nan"),
    "NumPy's nan": np.float64("nan"),
}


@pytest.mark.parametrize("missing", MISSING)
def test_a_missing_text_is_an_error_that_names_the_remedy(missing, elmo):
    value = MISSING[missing]
    for inputs in (
        ["a", value],
        (value, "a"),
        [["a"], ["b", value]],
        [["a"], value],
        np.array(["a", value], object),
        np.array([["a"], [value]], object),
        LikeSeries(["a", value]),
        LikeSeries([["a"], value]),
    ):
        with pytest.raises(ValueError, match=rf'{value}, .*texts.fillna\(""\).tolist\(\)'):
            elmo(inputs)


@pytest.mark.parametrize("text", ["a b", b"a b", np.str_("a b"), np.array("a b")])
def test_a_single_text_is_an_error_that_names_the_remedy(text, elmo):
    with pytest.raises(ValueError, match=r"\(a single text goes in a list, \[text\]\)"):
        elmo(text)


@pytest.mark.parametrize(
    ("inputs", "found"),
    [(["a", 3], r"3 \(int\) among them"), ([["a"], [2.5]], r"2.5 \(float\) among them")],
)
def test_what_is_no_text_is_named(inputs, found, elmo):
    with pytest.raises(ValueError, match=found):
        elmo(inputs)


# --- a sentence taken as a word


def test_sentences_of_width_one_are_warned_of_once():
    elmo = make()
    text = keras.Input((1,), dtype="string")
    with pytest.warns(UserWarning, match=r'keras.Input\(\(\), dtype="string"\)') as caught:
        model = keras.Model(text, elmo(text))
        model(tf.constant([["the cat"], ["dogs"]]))
        elmo(tf.constant([["the cat"], ["dogs"]]))
    assert [warning.category for warning in caught] == [UserWarning]


@pytest.mark.parametrize(
    "inputs",
    [
        tf.constant([["the cat"], ["dogs"]]),
        np.array([["the cat"], ["dogs"]], object),
        [["the cat"], ["dogs"]],
    ],
)
def test_words_with_spaces_one_a_row_are_warned_of(inputs):
    with pytest.warns(UserWarning, match=r"a sentence is taken as one word"):
        make()(inputs)


@pytest.mark.parametrize(
    "inputs",
    [
        ["the cat"],
        tf.constant(["the cat"]),
        tf.constant([["cat"], ["dogs"]]),
        [["cat"], ["dogs"]],
        [["New York", "is"], ["large"]],
        tf.constant([["New York", ""]]),
        keras.Input((), dtype="string"),
        keras.Input((None,), dtype="string"),
        keras.Input((2,), dtype="string"),
        keras.Input((1, 50), dtype="int32"),
    ],
)
def test_nothing_else_is_warned_of(inputs):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make()(inputs)


def test_the_remedies_of_the_warning_give_the_sentences_vectors(elmo, expected):
    text = keras.Input((1,), dtype="string")
    model = keras.Model(text, elmo(keras.ops.squeeze(text, axis=1)))
    column = tf.constant(TEXT)[:, tf.newaxis]
    np.testing.assert_allclose(model(column), expected, **PROMISE)
