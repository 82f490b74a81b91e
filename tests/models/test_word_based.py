"""bilm-tf's models without characters: a word's vector is a row of a table."""

import dataclasses
import json

import h5py
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2 import ElmoConfig, ElmoEmbeddings, export_saved_model
from elmo_tf2.convert import convert
from elmo_tf2.features import embed_file
from elmo_tf2.training import language_model, perplexity, pretrain
from elmo_tf2.weights import (
    detect,
    read_tf1_checkpoint,
    read_weights,
    write_model_folder,
    write_tf1_checkpoint,
)
from tests import numpy_reference as reference
from tests.cli_fixtures import CONFIG, run
from tests.training import conftest as training

WORDS = ["</S>", "the", "<UNK>", "cat", "<S>", "\u732b"]
SENTENCES = [["the", "cat", "zebra"], ["\u732b"], ["<S>", "the", "</S>", "cat", "the"]]


def write_word_based_folder(folder):
    """As bilm-tf writes one: no `char_cnn` in the options, a table in the weights."""
    arrays = reference.random_arrays(CONFIG.to_options(), seed=3)
    arrays = {name: array for name, array in arrays.items() if name.startswith("RNN")}
    arrays["embedding"] = np.random.default_rng(3).normal(size=(len(WORDS), 8))
    options = {"lstm": CONFIG.to_options()["lstm"], "n_tokens_vocab": len(WORDS), "dropout": 0.1}
    folder.mkdir()
    (folder / "options.json").write_text(json.dumps(options))
    (folder / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, array in arrays.items():
            file[name] = array.astype(np.float32)
    return folder, options, {name: array.astype(np.float32) for name, array in arrays.items()}


def layers_of(sentence, options, arrays):
    """`(layers, tokens, dim)`, by the NumPy reference."""
    numbers = [WORDS.index(word) if word in WORDS else 2 for word in ["<S>", *sentence, "</S>"]]
    vectors = arrays["embedding"][numbers]
    state = [(None, None)] * 2
    forward, _ = reference.stack(vectors, options, arrays, 0, state)
    backward, _ = reference.stack(vectors, options, arrays, 1, state)
    both = [np.concatenate([f, b], axis=1) for f, b in zip(forward, backward, strict=True)]
    layers = np.stack([np.concatenate([vectors, vectors], axis=1), *both])
    return layers[:, 1:-1]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return write_word_based_folder(tmp_path_factory.mktemp("words") / "model")


@pytest.fixture(scope="module")
def folder(made):
    return made[0]


@pytest.fixture(scope="module")
def expected(made):
    return [layers_of(sentence, *made[1:]) for sentence in SENTENCES]


def assert_layers(found, expected):
    for i, wanted in enumerate(expected):
        layers = np.stack([np.asarray(layer)[i, : wanted.shape[1]] for layer in found])
        np.testing.assert_allclose(layers, wanted, rtol=0, atol=1e-5)


def test_the_layer_and_a_saved_model_give_the_references_vectors(folder, expected, tmp_path):
    elmo = ElmoEmbeddings.from_folder(folder)
    ragged = tf.ragged.constant(SENTENCES, ragged_rank=1)
    of_layer = ElmoEmbeddings.from_folder(folder, output="layers")
    assert_layers(of_layer(ragged), expected)
    loaded = tf.saved_model.load(str(export_saved_model(elmo, tmp_path / "saved")))
    outputs = loaded.tokens(tokens=ragged.to_tensor(""), sequence_len=[3, 1, 5])
    word_emb = np.tile(outputs["word_emb"], (1, 1, 2))
    assert_layers([word_emb, outputs["lstm_outputs1"], outputs["lstm_outputs2"]], expected)
    convert(tmp_path / "saved", tmp_path / "back")
    assert read_weights(tmp_path / "back").config == read_weights(folder).config


def test_embed_convert_and_inspect_take_it(folder, expected, tmp_path):
    (tmp_path / "text.txt").write_text("the cat zebra\n\u732b\n", encoding="utf-8")
    convert(folder, tmp_path / "copy")
    embed_file(tmp_path / "copy", tmp_path / "text.txt", tmp_path / "vectors.hdf5")
    with h5py.File(tmp_path / "vectors.hdf5") as vectors:
        for i in range(2):
            np.testing.assert_allclose(vectors[str(i)], expected[i], rtol=0, atol=1e-5)
    assert "6 with vectors of 8" in run("inspect", folder)


def test_a_checkpoint_of_bilm_tf_keeps_the_table(folder, tmp_path):
    weights = read_weights(folder)
    write_tf1_checkpoint(weights, tmp_path / "model.ckpt")
    again = read_tf1_checkpoint(tmp_path / "model.ckpt")
    assert again.config == weights.config
    np.testing.assert_array_equal(again.arrays["embedding"], weights.arrays["embedding"])
    names = {name for name, _ in tf.train.list_variables(str(tmp_path / "model.ckpt"))}
    assert "lm/embedding" in names


def test_without_its_words_it_is_refused(folder, tmp_path):
    options, weights = folder / "options.json", folder / "weights.hdf5"
    (tmp_path / "options.json").write_bytes(options.read_bytes())
    (tmp_path / "weights.hdf5").write_bytes(weights.read_bytes())
    with pytest.raises(ValueError, match="word-based model, which needs its vocabulary"):
        read_weights(tmp_path)
    (tmp_path / "few.txt").write_text("<S>\n</S>\n<UNK>\n")
    with pytest.raises(ValueError, match=r"`embedding`: expected shape \(3, 8\), found \(6, 8\)"):
        read_weights(tmp_path, vocab=tmp_path / "few.txt")
    assert "word-based model" in run("embed", tmp_path, options, tmp_path / "o.hdf5", exit_code=1)
    assert read_weights(tmp_path, vocab=folder / "vocab.txt").config.words.index("cat") == 3
    assert detect(tmp_path) == "model folder"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"words": ["<S>", "</S>"]}, "Missing: <UNK>"),
        ({"words": ["<S>", "</S>", "<UNK>", "<S>"]}, "must not repeat an entry"),
        ({"words": ["<S>", "</S>", "<UNK>"], "architecture": "merged"}, "needs token_embedder="),
        ({"token_embedder": "char_cnn", "words": ["<S>"]}, "must be a dictionary with no entries"),
        ({"token_embedder": "bytes"}, "`token_embedder` must be one of"),
        ({"token_embedder": "elmoformanylangs", "filters": ()}, "must have `filters` or `words`"),
    ],
)
def test_configurations_that_do_not_fit_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        ElmoConfig(**{"token_embedder": "words", **values})


def test_ids_of_no_word_are_refused_as_they_are(folder):
    embedder = ElmoEmbeddings.from_folder(folder).encoder.token_embedder
    for number in (-1, len(WORDS) + 1, 2**32 + 1):  # the last is 1 in 32 bits
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be numbers from 0 to 6"):
            embedder(tf.constant([[number]], tf.int64))


def test_a_model_without_words_is_refused():
    config = ElmoConfig(token_embedder="words", units=4, projection_dim=2)
    with pytest.raises(ValueError, match="`config.words` must be the words"):
        ElmoEmbeddings(config)


def test_a_run_trains_the_table_resumes_and_is_a_model(tmp_path):
    model = ElmoConfig(token_embedder="words", units=12, projection_dim=6)
    config = dataclasses.replace(training.CONFIG, model=model, updates=2)
    text = training.write_text(tmp_path)
    folder = training.create_run(tmp_path / "run", text, config, is_measured=True)
    trained = pretrain(folder.path, save_every=2)
    assert folder.read_config().model == trained.config
    weights = read_weights(folder.path)
    assert tuple(weights.config.words) == weights.vocabulary == tuple(training.WORDS)
    table = trained.bilm.token_embedder.word_embedding.numpy()[1:]
    np.testing.assert_array_equal(weights.arrays["embedding"], table)
    write_model_folder(weights, tmp_path / "model")
    lm, vocabulary = language_model(read_weights(tmp_path / "model"))
    result = perplexity(lm, text[2].read_text().splitlines(), vocabulary)
    last = float(folder.read_history()[-1]["heldout_perplexity"])
    np.testing.assert_allclose(result.mean, last, rtol=1e-4)


def test_a_run_of_elmoformanylangs_is_refused(tmp_path):
    words = ["<bos>", "<eos>", "<oov>"]
    model = ElmoConfig(
        filters=(), token_embedder="elmoformanylangs", word_dim=2, words=words, projection_dim=6
    )
    config = dataclasses.replace(training.CONFIG, model=model)
    with pytest.raises(ValueError, match="can be fine-tuned as an `ElmoEmbeddings`, but not"):
        training.create_run(tmp_path / "run", training.write_text(tmp_path), config)
