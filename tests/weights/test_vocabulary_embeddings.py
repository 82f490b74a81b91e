"""Files of word vectors for a whole vocabulary."""

import h5py
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import words_to_char_ids
from elmo_tf2.models import BiLM
from elmo_tf2.weights import (
    read_vocabulary_embeddings,
    write_vocabulary,
    write_vocabulary_embeddings,
)

VECTORS = np.arange(12).reshape(3, 4) / 8  # exact in float32


@pytest.fixture
def path(tmp_path):
    write_vocabulary_embeddings(tmp_path / "embeddings.hdf5", VECTORS)
    return tmp_path / "embeddings.hdf5"


def test_what_was_written_is_read(tmp_path, path):
    write_vocabulary(tmp_path / "vocab.txt", ["a", "b", "c"])
    embeddings, vocabulary = read_vocabulary_embeddings(path, tmp_path / "vocab.txt", 4)
    assert vocabulary == ("a", "b", "c")
    assert embeddings.dtype == np.float32
    np.testing.assert_array_equal(embeddings, VECTORS)


def test_a_bilm_takes_the_vectors_of_a_vocabulary_for_its_words(tmp_path, config):
    bilm = BiLM(config)
    bilm.build()
    vocabulary = ["the", "cat", "na\u00efve"]
    vectors = bilm.token_embedder(words_to_char_ids(tf.constant(vocabulary)))
    write_vocabulary_embeddings(tmp_path / "embeddings.hdf5", vectors.numpy())
    write_vocabulary(tmp_path / "vocab.txt", vocabulary)

    table, words = read_vocabulary_embeddings(
        tmp_path / "embeddings.hdf5", tmp_path / "vocab.txt", config.projection_dim
    )
    sentence = ["the", "na\u00efve", "cat", "the"]
    by_table = bilm(table[[words.index(word) for word in sentence]][np.newaxis])
    by_characters = bilm(words_to_char_ids(tf.constant([sentence])))
    # float32, and products over other numbers of words
    for found, wanted in zip(by_table.layers(), by_characters.layers(), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)


def test_the_words_need_not_be_known(path):
    embeddings, vocabulary = read_vocabulary_embeddings(path)
    assert embeddings.shape == (3, 4)
    assert vocabulary is None


def test_there_must_be_a_row_for_every_word(tmp_path, path):
    write_vocabulary(tmp_path / "vocab.txt", ["a", "b"])
    with pytest.raises(ValueError, match=r"must have the shape \(2, .*Found: \(3, 4\)"):
        read_vocabulary_embeddings(path, tmp_path / "vocab.txt")


def test_the_vectors_must_have_the_models_size(path):
    with pytest.raises(ValueError, match=r"must have the shape \(words, 5\).*Found: \(3, 4\)"):
        read_vocabulary_embeddings(path, projection_dim=5)


def test_other_datasets_are_refused(path):
    with h5py.File(path, "a") as file:
        file["other"] = np.ones(3, "f")
    with pytest.raises(ValueError, match="must hold one dataset, `embedding`. Found: .*other"):
        read_vocabulary_embeddings(path)


def test_a_claimed_shape_is_not_believed(tmp_path):
    with h5py.File(tmp_path / "huge.hdf5", "w") as file:
        file.create_dataset("embedding", (10**10, 512), "f", chunks=(1, 512))
    with pytest.raises(ValueError, match="`embedding` claims the shape"):
        read_vocabulary_embeddings(tmp_path / "huge.hdf5")


@pytest.mark.parametrize("shape", [(3,), (0, 4), (2, 3, 4)])
def test_only_a_matrix_is_written(tmp_path, shape):
    with pytest.raises(ValueError, match=r"must have the shape \(words, projection_dim\)"):
        write_vocabulary_embeddings(tmp_path / "embeddings.hdf5", np.zeros(shape))
    assert not list(tmp_path.iterdir())


def test_only_finite_numbers_are_written(path):
    before = path.read_bytes()
    with pytest.raises(ValueError, match="`embedding` must hold finite"):
        write_vocabulary_embeddings(path, np.full((2, 2), np.nan))
    assert path.read_bytes() == before


def test_an_interrupted_write_leaves_the_old_file(path, monkeypatch):
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(h5py.Group, "create_dataset", fail)
    with pytest.raises(KeyboardInterrupt):
        write_vocabulary_embeddings(path, np.ones((2, 2)))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
