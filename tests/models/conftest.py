"""A small BiLM and ElmoEmbeddings, of random weights."""

import pytest

from tests import numpy_reference as reference
from tests.models.bilm_cases import SENTENCES, SMALL, char_ids, make_bilm, vectors
from tests.models.elmo_cases import ARRAYS, WORDS, make, padded
from tests.small_elmo import CONFIG, GAMMA, W


@pytest.fixture(scope="module")
def bilm():
    return make_bilm(SMALL)[0]


@pytest.fixture(scope="module")
def alone(bilm):
    """The first sentence's vectors when nothing is beside it."""
    return vectors(bilm(char_ids(SENTENCES[:1])))[0]


@pytest.fixture(scope="module")
def elmo():
    """One layer for the tests that only call it."""
    return make()


@pytest.fixture(scope="module")
def expected_layers():
    """The layers of `TEXT` by the reference: of each sentence, each (tokens, 8)."""
    return [reference.bilm(words, CONFIG.to_options(), ARRAYS).layers() for words in WORDS]


@pytest.fixture(scope="module")
def expected(expected_layers):
    """The vectors of `TEXT` by the reference, padded."""
    return padded([reference.scalar_mix(layers, W, GAMMA) for layers in expected_layers])
