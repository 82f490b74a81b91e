"""BiLM: equality with what other implementations gave."""

import json
import logging

import h5py
import numpy as np
import pytest

from elmo_tf2.characters import words_to_char_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.layers import ScalarMix
from elmo_tf2.models import BiLM, set_bilm_arrays
from tests import numpy_reference as reference
from tests.models.bilm_cases import char_ids

# float32, and the two reference implementations differ from each other by up to 2e-6.
GOLDEN = {"rtol": 0, "atol": 1e-5}


def golden_bilm(folder, weights, **kwargs):
    bilm = BiLM(ElmoConfig.from_file(folder / "options.json"), **kwargs)
    bilm.build()
    arrays = {}
    with h5py.File(folder / weights) as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    set_bilm_arrays(bilm, arrays)
    return bilm, arrays


# A model of random weights, run by bilm-tf on TensorFlow 1.15 in batches of 8.


@pytest.fixture(scope="module")
def mini(golden):
    with np.load(golden / "mini" / "expected_bilm.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def mini_bilm(golden):
    return golden_bilm(golden / "mini", "weights.hdf5")[0]


def mini_sentences(mini):
    """The sentences, and where each one's tokens start among all tokens."""
    sentences = json.loads(str(mini["sentences_json"]))
    return sentences, np.cumsum([0] + [len(words) for words in sentences])


@pytest.mark.parametrize("batch_size", [8, 41])
def test_mini_layers_are_bilm_tfs(batch_size, mini, mini_bilm):
    sentences, starts = mini_sentences(mini)
    for first in range(0, len(sentences), batch_size):
        batch = sentences[first : first + batch_size]
        layers = np.stack(mini_bilm(char_ids(batch)).layers())
        for row, words in enumerate(batch):
            start = starts[first + row]
            expected = mini["layers"][:, start : start + len(words)]
            np.testing.assert_allclose(layers[:, row, : len(words)], expected, **GOLDEN)


def test_mini_layers_of_the_numpy_reference_are_bilm_tfs(golden, mini):
    _, arrays = golden_bilm(golden / "mini", "weights.hdf5")
    options = json.loads((golden / "mini" / "options.json").read_text())
    sentences, starts = mini_sentences(mini)
    for index in (0, 1, 11, 12, 27, 28, 29, 30):  # long words, empty ones, none, and <S>
        words, start = sentences[index], starts[index]
        layers = np.stack(reference.bilm(words, options, arrays).layers())
        expected = mini["layers"][:, start : start + len(words)]
        np.testing.assert_allclose(layers, expected, **GOLDEN)


def test_mini_layers_with_carried_states_are_bilm_tfs(mini, mini_bilm):
    sentences, _ = mini_sentences(mini)
    state = None
    for layers in mini["stateful_layers"]:
        output = mini_bilm(char_ids(sentences[:4]), initial_state=state)
        state = output.state
        result = np.stack(output.layers(), axis=1)
        for row, words in enumerate(sentences[:4]):
            expected = layers[row, :, : len(words)]
            np.testing.assert_allclose(result[row, :, : len(words)], expected, **GOLDEN)


@pytest.mark.parametrize(("name", "layer_norm"), [("mix", False), ("mix_layernorm", True)])
def test_mini_mixes_are_bilm_tfs(name, layer_norm, mini, mini_bilm):
    sentences, starts = mini_sentences(mini)
    mix = ScalarMix(
        3,
        layer_norm=layer_norm,
        initial_weights=mini["mix_W"],
        initial_gamma=float(mini["mix_gamma"][0]),
    )
    for first in range(0, len(sentences), 8):  # layer norm needs the same batches
        batch = sentences[first : first + 8]
        output = mini_bilm(char_ids(batch))
        mixed = mix(output.layers(), mask=output.mask)
        for row, words in enumerate(batch):
            start = starts[first + row]
            expected = mini[name][start : start + len(words)]
            np.testing.assert_allclose(mixed[row, : len(words)], expected, **GOLDEN)


@pytest.mark.parametrize(
    ("folder", "sentences_file"),
    [("bilm_published", "lm_embeddings_sentences.json"), ("allennlp_published", "sentences.json")],
)
def test_published_models_give_their_published_vectors(folder, sentences_file, golden):
    # They were made three sentences at a time, with the states of one batch given to the next.
    folder = golden / folder
    bilm, _ = golden_bilm(folder, "lm_weights.hdf5")
    lists = json.loads((folder / sentences_file).read_text())
    state = None
    for batch in range(10):
        sentences = [sentences[batch].split() for sentences in lists]
        output = bilm(char_ids(sentences), initial_state=state)
        state = output.state
        for row, words in enumerate(sentences):
            with h5py.File(folder / f"lm_embeddings_{row}.hdf5") as file:
                forward, backward = file[str(batch)][()]
            assert forward.shape == (len(words), 16)
            np.testing.assert_allclose(output.forward[1][row, : len(words)], forward, **GOLDEN)
            np.testing.assert_allclose(output.backward[1][row, : len(words)], backward, **GOLDEN)


def test_allennlps_word_vectors_are_the_char_cnns(golden):
    folder = golden / "allennlp_published"
    bilm, _ = golden_bilm(folder, "lm_weights.hdf5")
    vocabulary = (folder / "vocab_test.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = [word for word in vocabulary if word]
    with h5py.File(folder / "elmo_token_embeddings.hdf5") as file:
        expected = file["embedding"][()]
    words = bilm.token_embedder(words_to_char_ids(vocabulary))
    assert len(vocabulary) == len(expected)
    np.testing.assert_allclose(words, expected, **GOLDEN)


def test_no_warning_is_logged_when_a_published_config_is_read(golden, caplog):
    with caplog.at_level(logging.WARNING):
        for folder in ("mini", "bilm_published", "allennlp_published", "bilm_checkpoint"):
            ElmoConfig.from_file(golden / folder / "options.json")
    assert not caplog.records
