"""detect and read_weights: any published form, and help with what is none."""

import shutil
import tarfile

import h5py
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.weights import (
    KINDS,
    detect,
    read_weights,
    write_model_folder,
    write_vocabulary_embeddings,
)
from tests.weights.helpers import assert_same_arrays, assert_same_weights, random_weights


@pytest.fixture
def saved_model(tmp_path):
    module = tf.Module()
    module.v = tf.Variable(1.0)
    tf.saved_model.save(module, str(tmp_path / "saved"))
    return tmp_path / "saved"


def test_every_kind_is_detected(tmp_path, model_folder, checkpoint, hub_module, saved_model):
    pretraining_run = tmp_path / "run"
    (pretraining_run / "checkpoints").mkdir(parents=True)
    (pretraining_run / "config.yaml").touch()
    write_vocabulary_embeddings(tmp_path / "embeddings.hdf5", np.ones((2, 3)))
    kinds = [
        detect(model_folder),
        detect(model_folder / "weights.hdf5"),
        detect(tmp_path / "embeddings.hdf5"),
        detect(pretraining_run),
        detect(checkpoint),
        detect(hub_module),
        detect(saved_model),
    ]
    assert tuple(kinds) == KINDS


def test_a_checkpoint_is_detected_by_its_folder_and_files(checkpoint):
    assert detect(checkpoint.parent) == "tf1 checkpoint"
    assert detect(f"{checkpoint}.index") == "tf1 checkpoint"
    assert detect(f"{checkpoint}.data-00000-of-00001") == "tf1 checkpoint"
    checkpoint.with_name("checkpoint").unlink()
    assert detect(checkpoint.parent) == "tf1 checkpoint"


def test_a_hub_module_is_detected_without_its_marker(hub_module):
    (hub_module / "tfhub_module.pb").unlink()
    assert detect(hub_module) == "tf1 hub module"


def test_a_saved_model_without_variables_is_detected(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    assert detect(tmp_path) == "saved model"


def test_every_form_of_a_model_is_read(model_folder, checkpoint, hub_module, language_model):
    for path in (model_folder, str(model_folder), checkpoint, checkpoint.parent, hub_module):
        assert_same_arrays(read_weights(path), language_model)
    assert_same_arrays(read_weights(model_folder / "weights.hdf5"), language_model)
    assert_same_weights(read_weights(model_folder), language_model)


def test_the_softmax_is_not_read_unless_wanted(model_folder, checkpoint):
    for path in (model_folder, checkpoint):
        assert read_weights(path).softmax is not None
        assert read_weights(path, read_softmax=False).softmax is None


def test_options_and_words_may_be_given(tmp_path, model_folder, checkpoint, hub_module):
    (tmp_path / "words").write_text("a\nb\n")
    shutil.move(model_folder / "options.json", tmp_path / "o")
    checkpoint.with_name("options.json").unlink()
    for path in (model_folder, model_folder / "weights.hdf5", checkpoint):
        weights = read_weights(path, tmp_path / "o", tmp_path / "words", read_softmax=False)
        assert weights.vocabulary == ("a", "b")
    assert read_weights(hub_module, vocab=tmp_path / "words").vocabulary == ("a", "b")


def test_a_hub_modules_sizes_are_its_own(hub_module, model_folder):
    with pytest.raises(ValueError, match="whose sizes its own variables tell. Received: options="):
        read_weights(hub_module, options=model_folder / "options.json")


def test_the_options_of_the_same_name_belong_to_a_weight_file(tmp_path, config, rng):
    models = {name: random_weights(config, rng) for name in ("small", "medium")}
    for name, weights in models.items():
        write_model_folder(weights, tmp_path / name)
        shutil.move(tmp_path / name / "options.json", tmp_path / f"elmo_{name}_options.json")
        shutil.move(tmp_path / name / "weights.hdf5", tmp_path / f"elmo_{name}_weights.hdf5")
    for name, weights in models.items():
        assert_same_weights(read_weights(tmp_path / f"elmo_{name}_weights.hdf5"), weights)
    shutil.move(tmp_path / "elmo_small_weights.hdf5", tmp_path / "weights.hdf5")
    with pytest.raises(ValueError, match="elmo_medium_options.json, elmo_small_options.json"):
        read_weights(tmp_path / "weights.hdf5")


def test_nothing_at_all_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file, folder or checkpoint '.*nothing'"):
        read_weights(tmp_path / "nothing")


@pytest.mark.parametrize("address", ["https://tfhub.dev/google/elmo/3", "gs://bucket/elmo"])
def test_an_address_is_to_be_downloaded(address):
    with pytest.raises(ValueError, match="is an address. Download it"):
        detect(address)


def test_an_empty_folder_is_explained(tmp_path):
    with pytest.raises(ValueError, match="Expected: options.json and .*Found: nothing"):
        detect(tmp_path)


def test_a_folder_of_other_files_is_explained(tmp_path):
    for index in range(11):
        (tmp_path / f"{index:02}.txt").write_text("")
    with pytest.raises(ValueError, match="Found: 00.txt, .*09.txt, …"):
        detect(tmp_path)


def test_a_model_folder_with_checkpoints_could_be_both(model_folder, checkpoint):
    for path in checkpoint.parent.glob("model.*"):
        shutil.copy(path, model_folder)
    with pytest.raises(ValueError, match="too: weights.hdf5, model.ckpt-400.index. Name the"):
        detect(model_folder)
    assert detect(model_folder / "weights.hdf5") == "bilm hdf5"
    assert detect(model_folder / "model.ckpt-400") == "tf1 checkpoint"


def test_an_archive_is_to_be_unpacked(tmp_path, model_folder):
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        archive.add(model_folder)
    with pytest.raises(ValueError, match=r"model.tar.gz is packed \(gzip\). Unpack it"):
        read_weights(tmp_path / "model.tar.gz")


def test_a_keras_model_is_explained(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04")
    with pytest.raises(ValueError, match="is a Keras model. Load it with keras.saving"):
        detect(tmp_path / "model.keras")


@pytest.mark.parametrize("content", [b"", b"some text\n", b"\x80\x02}q\x00."])
def test_a_file_of_another_kind_is_explained(tmp_path, content):
    (tmp_path / "model.th").write_bytes(content)
    with pytest.raises(ValueError, match="holds no weights that can be read. Expected: an HDF5"):
        read_weights(tmp_path / "model.th")


def test_a_saved_model_of_tensorflow_2_is_explained(saved_model):
    with pytest.raises(ValueError, match="is a SavedModel of TensorFlow 2, from which weights"):
        read_weights(saved_model)


def test_word_vectors_are_no_weights(tmp_path):
    write_vocabulary_embeddings(tmp_path / "embeddings.hdf5", np.ones((2, 3)))
    with pytest.raises(ValueError, match="holds word vectors of a vocabulary, not a model's"):
        read_weights(tmp_path / "embeddings.hdf5")


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["softmax/W"], "It is the softmax.hdf5 of a model folder: give the folder"),
        (["0", "1", "17"], "seems to hold the embeddings of sentences"),
        (["layers/dense"], "Found: layers"),
        ([], "Found: nothing"),
    ],
)
def test_an_hdf5_file_of_something_else_is_explained(tmp_path, names, hint):
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        for name in names:
            file[name] = np.ones(2)
    with pytest.raises(ValueError, match=f"HDF5 file, but not of bilm-tf's weights. .*{hint}"):
        read_weights(tmp_path / "file.hdf5")


def test_a_truncated_hdf5_file_is_explained(model_folder):
    path = model_folder / "weights.hdf5"
    path.write_bytes(path.read_bytes()[:3000])
    for given in (path, model_folder):
        with pytest.raises(ValueError, match="weights.hdf5 can't be read as an HDF5 file"):
            read_weights(given)
