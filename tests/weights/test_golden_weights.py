"""Weights that other programs wrote: bilm-tf, AllenNLP and TensorFlow 1."""

import dataclasses

import numpy as np
import pytest

from elmo_tf2.weights import (
    expected_shapes,
    read_model_folder,
    read_tf1_checkpoint,
    read_vocabulary_embeddings,
    read_weights,
    write_model_folder,
    write_tf1_checkpoint,
)
from tests.weights.helpers import assert_same_arrays, assert_same_weights


@pytest.mark.parametrize(
    ("path", "sizes"),
    [
        ("bilm_published", (64, 16, 2, False)),
        ("allennlp_published", (64, 16, 2, True)),
        ("mini", (64, 32, 2, True)),
        ("tf1_hub", (64, 16, 2, True)),
        ("bilm_checkpoint/model.ckpt-400", (96, 32, 2, True)),
        ("bilm_checkpoint/weights.hdf5", (96, 32, 2, True)),
    ],
)
def test_every_golden_model_is_read_and_comes_back_from_a_model_folder(
    golden, tmp_path, path, sizes
):
    weights = read_weights(golden / path)
    config = weights.config
    assert sizes == (
        config.units,
        config.projection_dim,
        config.num_layers,
        config.use_skip_connections,
    )
    assert list(weights.arrays) == list(expected_shapes(config))
    write_model_folder(weights, tmp_path / "model")
    assert_same_weights(read_weights(tmp_path / "model"), weights)


def test_bilm_tfs_checkpoint_equals_its_dump(golden):
    checkpoint = read_tf1_checkpoint(golden / "bilm_checkpoint")
    dump = read_model_folder(golden / "bilm_checkpoint")
    assert checkpoint.config == dump.config
    assert_same_arrays(checkpoint, dump)


def test_bilm_tfs_checkpoint_has_its_softmax_and_words(golden, tmp_path):
    weights = read_tf1_checkpoint(golden / "bilm_checkpoint")
    assert weights.softmax.kernel.shape == (3003, 32)
    assert len(weights.vocabulary) == 3003
    write_tf1_checkpoint(weights, tmp_path / "model.ckpt-0")
    assert_same_weights(read_tf1_checkpoint(tmp_path), weights)


def test_the_hub_modules_mix_is_read(golden):
    mix = read_weights(golden / "tf1_hub").mix
    # Given as decimals, stored as float32.
    np.testing.assert_allclose(mix.weights, [0.2, -0.1, 0.4], rtol=1e-7)
    np.testing.assert_allclose(mix.gamma, 1.3, rtol=1e-7)


def test_allennlps_word_vectors_are_read(golden):
    folder = golden / "allennlp_published"
    embeddings, vocabulary = read_vocabulary_embeddings(
        folder / "elmo_token_embeddings.hdf5", folder / "vocab_test.txt", projection_dim=16
    )
    assert embeddings.shape == (len(vocabulary), 16)


def test_options_and_weights_of_two_golden_models_are_refused(golden):
    with pytest.raises(ValueError, match="does not fit .*mini/options.json"):
        read_weights(
            golden / "bilm_published" / "lm_weights.hdf5", golden / "mini" / "options.json"
        )


def test_the_golden_models_are_not_all_the_same(golden):
    """Reading one under the name of another would show."""
    published = [read_weights(golden / name) for name in ("bilm_published", "allennlp_published")]
    assert published[0].config == dataclasses.replace(
        published[1].config, use_skip_connections=False
    )
    tables = [weights.arrays["char_embed"] for weights in published]
    assert not np.array_equal(*tables)
