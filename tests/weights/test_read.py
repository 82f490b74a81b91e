"""detect and read_weights: any published form, and help with what is none."""

import io
import shutil
import tarfile
import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.sources import find_model
from elmo_tf2.weights import (
    KINDS,
    detect,
    read_model_folder,
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
    many_langs = tmp_path / "many"
    many_langs.mkdir()
    for name in ("config.json", "encoder.pkl", "token_embedder.pkl"):
        (many_langs / name).touch()
    kinds = [
        detect(model_folder),
        detect(many_langs),
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
    with pytest.raises(ValueError, match="whose own variables show its sizes. Received: options="):
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


@pytest.mark.parametrize("name", ["model.hdf5", "mimic_wiki.h5", "ELMO.HDF5", "weights", "a.bin"])
def test_weights_of_any_name_are_known_by_their_content(tmp_path, model_folder, weights, name):
    write_model_folder(weights, tmp_path / "other")
    other = tmp_path / "other"
    (other / "weights.hdf5").rename(other / name)
    write_vocabulary_embeddings(other / "vocabulary.hdf5", np.ones((2, 3)))
    assert detect(other) == "model folder"
    assert detect(other / name) == "bilm hdf5"
    for path in (other, other / name):
        assert_same_arrays(read_weights(path), weights)
    (other / "options.json").rename(other / "sizes.JSON")  # by its content, too
    (other / "others.json").write_text("[1]")
    for path in (other, other / name):
        assert_same_arrays(read_weights(path), weights)


def test_weights_of_any_name_that_are_damaged_are_told_so(model_folder):
    path = model_folder / "weights.hdf5"
    path.write_bytes(path.read_bytes()[:-100])
    path.rename(model_folder / "model.h5")
    with pytest.raises(ValueError, match="model.h5 can't be read as an HDF5 file"):
        read_weights(model_folder)


@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("fixture", ["model_folder", "checkpoint", "hub_module", "saved_model"])
def test_an_outer_folder_proposes_the_inner_one(tmp_path, request, fixture, depth):
    model = request.getfixturevalue(fixture)
    model = model.parent if fixture == "checkpoint" else model
    inner = tmp_path.joinpath("outer", *("download", "elmo")[:depth])
    (tmp_path / "outer" / "empty").mkdir(parents=True)
    shutil.copytree(model, inner)
    with pytest.raises(ValueError, match=f"The folder {inner} inside of it holds a model"):
        detect(tmp_path / "outer")


def test_a_tilde_is_the_users_own_folder(tmp_path, monkeypatch, model_folder, language_model):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert detect("~/model") == "model folder"
    files = {"options": "~/model/options.json", "vocab": "~/model/vocab.txt"}
    assert_same_weights(read_weights("~/model"), language_model)
    assert_same_arrays(read_weights("~/model/weights.hdf5", **files), language_model)
    assert_same_weights(read_model_folder("~/model"), language_model)
    assert find_model("~/model") == model_folder


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"x")
    return file.getvalue()


OTHER_PROGRAMS = {
    "model.th": (zipped("archive/data.pkl", "archive/version"), "is a file of PyTorch"),
    "old.pt": (b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M", "is a file of PyTorch"),
    "encoder.pkl": (
        zipped("encoder/data.pkl"),
        "is a part of a model of ELMoForManyLangs. Give its folder",
    ),
    "elmo.magnitude": (b"SQLite format 3\0", "is a file of Magnitude"),
    "elmo.db": (b"SQLite format 3\0", "is a file of Magnitude"),
    "arrays.npz": (zipped("a.npy", "b.npy"), "is a file of NumPy's arrays"),
    "model.zip": (zipped("elmo/weights.hdf5"), r"is packed \(zip\). Unpack it"),
    "cut.zip": (b"PK\x03\x04", r"is packed \(zip\). Unpack it"),
    "model.bz2": (b"BZh91AY", r"is packed \(bzip2\). Unpack it"),
    "model.7z": (b"7z\xbc\xaf\x27\x1c", r"is packed \(7z\). Unpack it"),
    "model.tar": (b"a".ljust(257, b"\0") + b"ustar\x0000", r"is packed \(tar\). Unpack it"),
}


@pytest.mark.parametrize("name", OTHER_PROGRAMS)
def test_files_of_other_programs_are_named(tmp_path, name):
    content, message = OTHER_PROGRAMS[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name} {message}"):
        read_weights(tmp_path / name)


@pytest.mark.parametrize("name", ["model.th", "elmo.magnitude"])
def test_a_folder_with_a_file_of_another_program_names_it(tmp_path, name):
    content, message = OTHER_PROGRAMS[name]
    (tmp_path / name).write_bytes(content)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=f"{tmp_path} holds no weights .* {message}"):
        detect(tmp_path)


def test_a_model_of_elmoformanylangs_is_named(golden):
    assert detect(golden / "elmoformanylangs" / "char") == "elmoformanylangs"
    with pytest.raises(ValueError, match="encoder.pkl is a part of a model of ELMoForManyLangs"):
        detect(golden / "elmoformanylangs" / "char_zip" / "encoder.pkl")


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
