"""What models of ELMoForManyLangs become: a layer, a SavedModel, features, model folders."""

import json

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2 import ElmoEmbeddings, export_saved_model
from elmo_tf2.convert import convert
from elmo_tf2.features import embed_file
from elmo_tf2.weights import detect, read_weights, write_tf1_checkpoint
from elmo_tf2.weights.elmoformanylangs import read_many_langs_model
from elmo_tf2.word_ids import words_to_ids
from tests import elmoformanylangs_reference as reference
from tests.cli_fixtures import run
from tests.weights.many_langs_folder import random_tensors, write_many_langs_folder

GOOD = ("both", "char", "word", "lstm", "tanh3", "noclip", "cuda")
SENTENCES = [
    ["cat", "tac", "\u732b"],
    ["<bos>", "", "<eos>", "<pad>", "a\u3000c"],
    ["c" * 60],
    ["\ufeffcat", "c\0t"],
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    rng = np.random.default_rng(7)
    return write_many_langs_folder(tmp_path_factory.mktemp("many") / "many", random_tensors(rng))


@pytest.fixture(scope="module")
def expected(folder):
    """The layers of every sentence, `(layers, tokens, dim)`."""
    model = read_many_langs_model(folder)
    return [reference.layers(model, sentence) for sentence in SENTENCES]


@pytest.fixture(scope="module")
def exported(folder, tmp_path_factory):
    elmo = ElmoEmbeddings.from_folder(folder)
    return export_saved_model(elmo, tmp_path_factory.mktemp("many") / "saved", words=["cat"])


def ragged():
    return tf.ragged.constant(SENTENCES, ragged_rank=1)


def assert_layers(found, expected, atol=1e-5):
    """`found` has padded layers `(batch, tokens, dim)`."""
    for i, wanted in enumerate(expected):
        layers = np.stack([np.asarray(layer)[i, : wanted.shape[1]] for layer in found])
        np.testing.assert_allclose(layers, wanted, rtol=0, atol=atol, err_msg=SENTENCES[i])


def test_the_layer_gives_the_references_vectors(folder, expected):
    elmo = ElmoEmbeddings.from_folder(folder, output="layers")
    assert_layers(elmo(ragged()), expected)
    assert_layers(tf.function(elmo)(ragged()), expected)
    words = keras.Input((None,), dtype="string")
    padded = ragged().to_tensor("")
    # an empty word at a sentence's end would be padding; there is none
    assert_layers(keras.Model(words, elmo(words)).predict(padded, verbose=0), expected)


def test_ids_are_the_references(folder):
    model, config = read_many_langs_model(folder), read_weights(folder).config
    for sentence in SENTENCES:
        found = words_to_ids(tf.constant(sentence), config).numpy() - 1
        for token, ids in zip(sentence, found, strict=True):
            wanted = [*reference.char_ids(model, token), reference.word_id(model, token)]
            assert ids.tolist() == wanted, repr(token)


def test_what_is_no_utf8_is_read_as_a_character(folder):
    config = read_weights(folder).config
    broken, replaced = words_to_ids(tf.constant([b"c\xfft", "c\ufffdt"]), config).numpy()
    np.testing.assert_array_equal(broken, replaced)
    assert words_to_ids(tf.zeros([0], tf.string), config).shape == (0, config.ids_per_word)


def test_a_saved_model_gives_the_same(exported, expected):
    loaded = tf.saved_model.load(str(exported))
    outputs = loaded.tokens(
        tokens=ragged().to_tensor(""), sequence_len=[len(sentence) for sentence in SENTENCES]
    )
    word_emb = np.tile(outputs["word_emb"], (1, 1, 2))
    assert_layers([word_emb, outputs["lstm_outputs1"], outputs["lstm_outputs2"]], expected)


@pytest.mark.parametrize("of", ["folder", "exported"])
def test_embed_gives_the_same(of, request, expected, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("cat tac \u732b\n" + "c" * 60 + "\n", encoding="utf-8")
    embed_file(request.getfixturevalue(of), text, tmp_path / "vectors.hdf5")
    with h5py.File(tmp_path / "vectors.hdf5") as vectors:
        for name, wanted in (("0", expected[0]), ("1", expected[2])):
            np.testing.assert_allclose(vectors[name], wanted, rtol=0, atol=1e-5)


def test_a_model_folder_of_our_own_says_what_it_is(folder, exported, expected, tmp_path):
    for number, source in enumerate((folder, exported)):
        made = tmp_path / f"model{number}"
        convert(source, made)
        assert detect(made) == "model folder"
        options = json.loads((made / "options.json").read_text(encoding="utf-8"))
        assert options["token_embedder"] == "elmoformanylangs"
        assert read_weights(made).config == read_weights(folder).config
        assert_layers(ElmoEmbeddings.from_folder(made, output="layers")(ragged()), expected)
    with pytest.raises(ValueError, match="ELMoForManyLangs, which bilm-tf's checkpoints can't"):
        write_tf1_checkpoint(read_weights(folder), tmp_path / "model.ckpt")


def test_inspect_names_the_sizes(folder):
    said = run("inspect", folder)
    assert "ELMoForManyLangs" in said and "6 with vectors of 2" in said
    assert "words cut to 48 of them" in said and "<bos> and <eos> added inside" in said


def test_all_weights_of_a_trainable_encoder_learn(folder):
    elmo = ElmoEmbeddings.from_folder(folder, encoder_trainable=True)
    before = [weight.numpy() for weight in elmo.encoder.trainable_weights]
    model = keras.Sequential([keras.Input((None,), dtype="string"), elmo, keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    words = tf.constant([["cat", "tac", "\u732b", "acc"]])
    model.fit(words, tf.ones([1, 4, 1]), verbose=0)
    for weight, old in zip(elmo.encoder.trainable_weights, before, strict=True):
        assert np.abs(weight.numpy() - old).max() > 0, weight.path


def test_unknown_words_share_a_rows_gradient(folder):
    elmo = ElmoEmbeddings.from_folder(folder)
    embedder = elmo.encoder.token_embedder
    ids = words_to_ids(tf.constant(["acc", "tac", "cat", "acc"]), elmo.config)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(embedder(ids))
    gradient = tape.gradient(loss, embedder.word_embedding.value)
    assert len(np.unique(gradient.indices)) == len(gradient.indices)
    per_word = embedder.projection_kernel.numpy()[:2].sum(axis=1)
    wanted = np.zeros(embedder.word_embedding.shape)
    wanted[1], wanted[5] = 3 * per_word, per_word
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), wanted, atol=1e-5)


def test_a_saved_keras_model_keeps_its_dictionaries(folder, tmp_path):
    words = keras.Input((None,), dtype="string")
    model = keras.Model(words, ElmoEmbeddings.from_folder(folder)(words))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    inputs = tf.constant([["cat", "\u732b", "?"]])
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


@pytest.mark.parametrize("name", [*GOOD, "both_zip"])
def test_golden_models_give_the_originals_vectors(golden, name, tmp_path):
    folder = golden / "elmoformanylangs" / name
    source = folder.with_name(name.removesuffix("_zip"))
    elmo = ElmoEmbeddings.from_folder(folder)
    exported = tf.saved_model.load(str(export_saved_model(elmo, tmp_path / "saved")))
    for prefix, letter, atol in (("", "s", 2e-5), ("edge_", "e", 5e-5)):
        text = (source / f"{prefix}sentences.json").read_text(encoding="utf-8")
        sentences = json.loads(text)
        with np.load(source / f"{prefix}expected.npz") as file:
            wanted = [file[f"{letter}{i}"] for i in range(len(sentences))]
        tokens = tf.ragged.constant(sentences, ragged_rank=1, dtype=tf.string)
        lengths = [len(sentence) for sentence in sentences]
        outputs = exported.tokens(tokens=tokens.to_tensor(""), sequence_len=lengths)
        layers = [np.tile(outputs["word_emb"], (1, 1, 2))]
        layers += [outputs[f"lstm_outputs{i}"].numpy() for i in range(1, len(wanted[0]))]
        of_layer = elmo.encoder.encode(
            tokens.with_values(words_to_ids(tokens.values, elmo.config))
        ).layers()
        of_layer = [layer.to_tensor().numpy() for layer in of_layer]
        for i, (expected, length) in enumerate(zip(wanted, lengths, strict=True)):
            for found in (layers, of_layer):
                found = np.stack([layer[i, :length] for layer in found])
                np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=str(i))
