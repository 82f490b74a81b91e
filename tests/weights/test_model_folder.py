"""Model folders: read under any names, written wholly or not at all."""

import dataclasses
import json
import os
import stat
from pathlib import Path

import h5py
import numpy as np
import pytest

from elmo_tf2.config import ElmoConfig
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.weights import (
    expected_shapes,
    model_folder,
    read_bilm_hdf5,
    read_model_folder,
    write_model_folder,
)
from tests import numpy_reference as reference
from tests.weights.helpers import (
    assert_same_arrays,
    assert_same_weights,
    random_language_model,
    random_weights,
)

FILES = {"options.json", "weights.hdf5", "vocab.txt", "softmax.hdf5"}


def names_in(folder):
    return {path.name for path in folder.iterdir()}


def edit(folder, name="weights.hdf5"):
    return h5py.File(folder / name, "a")


CONFIGS = [
    ElmoConfig(filters=((1, 4), (3, 5)), char_embedding_dim=3, units=7, projection_dim=6),
    ElmoConfig(filters=((2, 4),), num_highway_layers=0, units=4, projection_dim=4, num_layers=1),
    ElmoConfig(
        filters=((1, 4),),
        max_characters=20,
        activation="tanh",
        units=8,
        projection_dim=3,
        num_layers=3,
        cell_clip=None,
        projection_clip=None,
        use_skip_connections=False,
        sentence_boundaries=False,
    ),
]
MERGED = [
    ElmoConfig(filters=((1, 4),), units=7, projection_dim=3, architecture="merged", merge=merge)
    for merge in ("add", "concat")
]


@pytest.mark.parametrize("config", [*CONFIGS, *MERGED])
def test_an_encoder_comes_back_as_it_was(tmp_path, rng, config):
    weights = random_weights(config, rng)
    write_model_folder(weights, tmp_path / "model")
    assert names_in(tmp_path / "model") == {"options.json", "weights.hdf5"}
    assert_same_weights(read_model_folder(tmp_path / "model"), weights)


@pytest.mark.parametrize("config", [*CONFIGS[:2], *MERGED])
def test_a_language_model_comes_back_as_it_was(tmp_path, rng, config):
    weights = random_language_model(config, rng)
    write_model_folder(weights, tmp_path / "model")
    assert names_in(tmp_path / "model") == FILES
    assert_same_weights(read_model_folder(tmp_path / "model"), weights)


def test_the_softmax_is_not_read_unless_wanted(model_folder, language_model):
    (model_folder / "softmax.hdf5").write_bytes(b"not opened")
    weights = read_model_folder(model_folder, read_softmax=False)
    assert_same_weights(weights, dataclasses.replace(language_model, softmax=None))


def test_the_files_are_those_that_bilm_tf_and_allennlp_read(model_folder, config):
    options = json.loads((model_folder / "options.json").read_text())
    assert options["char_cnn"]["n_characters"] == 262
    with h5py.File(model_folder / "weights.hdf5") as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: getattr(item, "shape", None)}))
    found = {name: shape for name, shape in found.items() if shape is not None}
    assert found.pop("aggregation/weights") == (3,)
    assert found.pop("aggregation/scaling") == ()
    assert found == expected_shapes(config)
    assert found["char_embed"] == (261, 3)


@pytest.mark.parametrize("config", MERGED)
def test_a_merged_model_is_not_taken_for_another(tmp_path, rng, config):
    write_model_folder(random_weights(config, rng), tmp_path / "model")
    path = tmp_path / "model" / "options.json"
    options = json.loads(path.read_text())
    del options["architecture"]  # which other programs do not look for
    path.write_text(json.dumps(options))
    if config.merge == "concat":
        with pytest.raises(ValueError, match='`merge` is of architecture="merged" alone'):
            read_model_folder(tmp_path / "model")
    path.write_text(json.dumps({key: options[key] for key in ("char_cnn", "lstm")}))
    rows = {"add": 9, "concat": 12}[config.merge]
    with pytest.raises(ValueError, match="does not fit") as error:
        read_model_folder(tmp_path / "model")
    assert f"Cell1/LSTMCell/W_0`: expected shape (6, 28), found ({rows}, 28)" in str(error.value)
    assert f'"architecture": "merged" and "merge": "{config.merge}"' in str(error.value)


def test_the_source_is_the_weight_file(model_folder):
    assert read_model_folder(model_folder).source == str(model_folder / "weights.hdf5")


def test_the_published_file_names_are_found(model_folder, language_model):
    name = "elmo_2x4096_512_2048cnn_2xhighway"
    (model_folder / "options.json").rename(model_folder / f"{name}_options.json")
    (model_folder / "weights.hdf5").rename(model_folder / f"{name}_weights.hdf5")
    (model_folder / "._weights.hdf5").write_bytes(b"what some file systems leave behind")
    assert_same_weights(read_model_folder(model_folder), language_model)


def test_any_file_names_may_be_given(tmp_path, model_folder, language_model):
    options, weights, vocabulary, softmax = (tmp_path / name for name in "owvs")
    (model_folder / "options.json").rename(options)
    (model_folder / "weights.hdf5").rename(weights)
    (model_folder / "vocab.txt").rename(vocabulary)
    (model_folder / "softmax.hdf5").rename(softmax)
    read = read_bilm_hdf5(options, weights, vocabulary, softmax)
    assert_same_weights(read, language_model)
    assert_same_arrays(read_bilm_hdf5(str(options), str(weights)), language_model)
    assert read_bilm_hdf5(options, weights).vocabulary is None


def test_weights_of_allennlp_have_a_projection_also_to_the_same_size(tmp_path, config, rng):
    config = dataclasses.replace(config, units=6, projection_clip=0.5, always_project=True)
    weights = random_weights(config, rng)
    write_model_folder(weights, tmp_path / "model")
    path = tmp_path / "model" / "options.json"
    options = json.loads(path.read_text())
    assert options["lstm"].pop("always_project")
    path.write_text(json.dumps(options))  # as AllenNLP has it
    read = read_model_folder(tmp_path / "model")
    assert_same_weights(read, weights)
    words = ["the", "cat", "sat"]
    expected = reference.bilm(words, options, weights.arrays).layers()
    layers = ElmoEmbeddings.from_weights(read, output="layers")([words])
    for found, wanted in zip(layers, expected, strict=True):
        np.testing.assert_allclose(found[0], wanted, atol=1e-5)


def test_other_options_and_words_may_be_given(tmp_path, model_folder):
    (tmp_path / "words").write_text("a\nb\n")
    options = json.loads((model_folder / "options.json").read_text())
    options["char_cnn"]["activation"] = "tanh"
    (tmp_path / "o.json").write_text(json.dumps(options))
    weights = read_model_folder(
        model_folder, tmp_path / "o.json", tmp_path / "words", read_softmax=False
    )
    assert weights.config.activation == "tanh"
    assert weights.vocabulary == ("a", "b")


@pytest.mark.parametrize("suffix", ["options.json", "weights.hdf5"])
def test_several_candidates_are_listed(model_folder, suffix):
    (model_folder / suffix).rename(model_folder / f"a_{suffix}")
    (model_folder / f"b_{suffix}").write_text("")
    with pytest.raises(ValueError, match=f"several files .*: a_{suffix}, b_{suffix}"):
        read_model_folder(model_folder)


@pytest.mark.parametrize("name", ["options.json", "weights.hdf5"])
def test_a_missing_file_is_named(model_folder, name):
    (model_folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"model has no {name} and no other file like"):
        read_model_folder(model_folder)


def test_a_missing_folder_or_given_file_is_named(tmp_path, model_folder):
    with pytest.raises(FileNotFoundError, match="There is no folder '.*nowhere'"):
        read_model_folder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="There is no options file '.*nowhere'"):
        read_bilm_hdf5(tmp_path / "nowhere", model_folder / "weights.hdf5")
    with pytest.raises(FileNotFoundError, match="There is no softmax file '.*nowhere'"):
        read_bilm_hdf5(
            model_folder / "options.json",
            model_folder / "weights.hdf5",
            softmax_file=tmp_path / "nowhere",
        )


def test_options_and_weights_of_two_models_are_refused_with_both_named(model_folder):
    options = json.loads((model_folder / "options.json").read_text())
    options["lstm"]["n_layers"] = 3
    (model_folder / "options.json").write_text(json.dumps(options))
    with pytest.raises(ValueError, match="weights.hdf5 does not fit .*options.json") as error:
        read_model_folder(model_folder)
    missing = [line for line in str(error.value).splitlines() if "found no such key" in line]
    assert len(missing) == 6
    assert all("/Cell2/" in line for line in missing)


def test_a_superfluous_dataset_is_refused(model_folder):
    with edit(model_folder) as file:
        file["extra/thing"] = np.ones(2, "f")
    with pytest.raises(ValueError, match=r"`extra/thing`: found shape \(2,\), but nothing takes"):
        read_model_folder(model_folder)


def test_262_character_rows_are_explained(model_folder):
    with edit(model_folder) as file:
        del file["char_embed"]
        file["char_embed"] = np.zeros((262, 3), "f")
    with pytest.raises(ValueError, match="`char_embed` must have 261 rows"):
        read_model_folder(model_folder)


def test_an_enormous_dataset_is_refused_before_it_is_read(model_folder, monkeypatch):
    with edit(model_folder) as file:
        del file["CNN/b_cnn_0"]
        file.create_dataset("CNN/b_cnn_0", (10**15,), "f", chunks=(1000,))
    monkeypatch.setattr(h5py.Dataset, "__getitem__", None)
    with pytest.raises(ValueError, match=r"`CNN/b_cnn_0`: .* found \(1000000000000000,\)"):
        read_model_folder(model_folder)


def test_an_enormous_softmax_is_refused_before_it_is_read(model_folder):
    (model_folder / "vocab.txt").unlink()
    with edit(model_folder, "softmax.hdf5") as file:
        del file["softmax"]
        file.create_dataset("softmax/W", (10**12, 6), "f", chunks=(1000, 6))
        file.create_dataset("softmax/b", (10**12,), "f", chunks=(1000,))
    with pytest.raises(ValueError, match="softmax.hdf5: `softmax/W` claims the shape"):
        read_model_folder(model_folder)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_refused(model_folder, value):
    with edit(model_folder) as file:
        file["CNN_proj/b_proj"][2] = value
    with pytest.raises(ValueError, match="weights.hdf5: `CNN_proj/b_proj` must hold finite"):
        read_model_folder(model_folder)


@pytest.mark.parametrize("dtype", ["f2", "f8"])
def test_other_float_types_are_read(model_folder, language_model, dtype):
    with edit(model_folder) as file:
        for name, array in language_model.arrays.items():
            del file[name]
            file[name] = array.astype(dtype)
    arrays = read_model_folder(model_folder).arrays
    for name, array in language_model.arrays.items():
        assert arrays[name].dtype == np.float32
        np.testing.assert_array_equal(arrays[name], array.astype(dtype).astype("f"))


def test_a_dump_of_a_model_of_one_layer_is_read(tmp_path, rng):
    config = dataclasses.replace(CONFIGS[0], num_layers=1)
    weights = random_weights(config, rng)
    write_model_folder(weights, tmp_path / "model")
    with edit(tmp_path / "model") as file:  # bilm-tf's dump names its LSTMs so
        for direction in ("RNN_0/RNN", "RNN_1/RNN"):
            file.move(f"{direction}/MultiRNNCell/Cell0/LSTMCell", f"{direction}/LSTMCell")
    assert_same_weights(read_model_folder(tmp_path / "model"), weights)


def test_an_lstm_under_both_its_names_is_refused(model_folder):
    with edit(model_folder) as file:
        file["RNN_0/RNN/LSTMCell/B"] = np.ones(28, "f")
    with pytest.raises(ValueError, match="weights.hdf5: `RNN_0/RNN/LSTMCell/B` and .*would both"):
        read_model_folder(model_folder)


def test_half_a_mix_is_refused(model_folder):
    with edit(model_folder) as file:
        del file["aggregation/scaling"]
    with pytest.raises(ValueError, match="weights.hdf5: the layers' mix must have a weight"):
        read_model_folder(model_folder)


def test_a_mix_of_other_layers_is_refused(model_folder):
    with edit(model_folder) as file:
        del file["aggregation/weights"]
        file["aggregation/weights"] = np.zeros(4, "f")
    with pytest.raises(ValueError, match=r"mix must have .*\(3,\).*Found: .*\(4,\)"):
        read_model_folder(model_folder)


def test_a_softmax_that_does_not_fit_the_words_is_refused(model_folder):
    with open(model_folder / "vocab.txt", "a") as file:
        file.write("one more\n")
    with pytest.raises(ValueError, match="softmax.hdf5: .* 8 rows, one per word of the vocabulary"):
        read_model_folder(model_folder)


def test_a_softmax_file_of_other_datasets_is_refused(model_folder):
    with edit(model_folder, "softmax.hdf5") as file:
        del file["softmax/b"]
    with pytest.raises(ValueError, match="softmax.hdf5: a language model's output layer must"):
        read_model_folder(model_folder)


def test_parent_folders_are_made(tmp_path, weights):
    write_model_folder(weights, tmp_path / "a" / "b" / "model")
    assert_same_weights(read_model_folder(tmp_path / "a" / "b" / "model"), weights)


def test_a_relative_folder_is_written(tmp_path, weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_model_folder(weights, "model")
    assert_same_weights(read_model_folder("model"), weights)


def test_the_folder_has_the_usual_permissions(tmp_path, weights):
    (tmp_path / "usual").mkdir()
    write_model_folder(weights, tmp_path / "model")
    modes = [stat.S_IMODE(os.stat(tmp_path / name).st_mode) for name in ("usual", "model")]
    assert modes[0] == modes[1]


def test_an_empty_folder_is_filled(tmp_path, weights):
    (tmp_path / "model").mkdir()
    write_model_folder(weights, tmp_path / "model")
    assert_same_weights(read_model_folder(tmp_path / "model"), weights)


def test_a_folder_with_something_in_it_is_refused(model_folder, weights, language_model):
    with pytest.raises(FileExistsError, match="model exists already. Choose another name"):
        write_model_folder(weights, model_folder)
    assert_same_weights(read_model_folder(model_folder), language_model)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, weights):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(FileExistsError, match="model is a file. Expected: the name of a folder"):
        write_model_folder(weights, tmp_path / "model", overwrite=True)


def test_overwriting_replaces_the_whole_folder(model_folder, weights):
    write_model_folder(weights, model_folder, overwrite=True)
    assert names_in(model_folder) == {"options.json", "weights.hdf5"}
    assert_same_weights(read_model_folder(model_folder), weights)
    assert names_in(model_folder.parent) == {"model"}


def test_overwriting_never_loses_files_of_another_kind(model_folder, weights):
    (model_folder / "thesis.tex").write_text("all of it")
    with pytest.raises(FileExistsError, match="can't be overwritten: .*thesis.tex"):
        write_model_folder(weights, model_folder, overwrite=True)
    assert names_in(model_folder) == FILES | {"thesis.tex"}


def test_a_write_that_fails_midway_leaves_nothing(tmp_path, language_model, monkeypatch):
    monkeypatch.setattr(model_folder, "write_vocabulary", _fail)
    with pytest.raises(OSError, match="no space left"):
        write_model_folder(language_model, tmp_path / "model")
    assert not names_in(tmp_path)


@pytest.mark.parametrize("step", ["write_options", "write_vocabulary"])
def test_a_write_that_fails_midway_leaves_the_old_folder(tmp_path, rng, monkeypatch, step):
    old, new = (random_language_model(config, rng) for config in CONFIGS[:2])
    write_model_folder(old, tmp_path / "model")
    if step == "write_options":
        monkeypatch.setattr(Path, "write_text", _fail)
    else:
        monkeypatch.setattr(model_folder, step, _fail)
    with pytest.raises(OSError, match="no space left"):
        write_model_folder(new, tmp_path / "model", overwrite=True)
    assert_same_weights(read_model_folder(tmp_path / "model"), old)
    assert names_in(tmp_path) == {"model"}


def test_if_the_new_folder_can_not_be_put_in_place_the_old_one_comes_back(
    tmp_path, rng, monkeypatch
):
    old, new = (random_language_model(config, rng) for config in CONFIGS[:2])
    folder = tmp_path / "model"
    write_model_folder(old, folder)
    rename, failures = Path.rename, [_fail]

    def fail_once_for_the_folder(path, target):
        if target == folder and failures:
            failures.pop()()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_once_for_the_folder)
    with pytest.raises(OSError, match="no space left"):
        write_model_folder(new, folder, overwrite=True)
    assert_same_weights(read_model_folder(folder), old)
    assert names_in(tmp_path) == {"model"}


def _fail(*args, **kwargs):
    raise OSError("no space left")


SPARSE = {"chunks": (1, 512), "dtype": "f"}


def test_sizes_that_are_gigabytes_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    # The options agree with the file, of which a few values are there.
    config = ElmoConfig(
        filters=((1, 4),), char_embedding_dim=2, num_highway_layers=0, units=200_000
    )
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "options.json").write_text(json.dumps(config.to_options()))
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, shape in expected_shapes(config).items():
            if np.prod(shape) > 10**6 and len(shape) == 2:
                file.create_dataset(name, shape, **SPARSE)[0, 0] = 1
            else:
                file[name] = np.zeros(shape, "f")
    assert (folder / "weights.hdf5").stat().st_size < 10**8
    monkeypatch.setattr(h5py.Dataset, "__getitem__", _fails_if_large(h5py.Dataset.__getitem__))
    with pytest.raises(ValueError, match=r"weights.hdf5: `.*W_.*` claims the shape .* bytes, but"):
        read_model_folder(folder)


def _fails_if_large(getitem):
    def get(dataset, key):
        assert dataset.size * 4 < 10**8, f"{dataset.name} was read"
        return getitem(dataset, key)

    return get


def another_softmax(path, case):
    if case == "a folder":
        path.unlink()
        path.mkdir()
    elif case == "text":
        path.write_text("no HDF5")
    elif case == "the weights":
        path.write_bytes(path.with_name("weights.hdf5").read_bytes())
    else:
        with h5py.File(path, "w") as file:
            rows = {"another size": 3}.get(case, 8)
            file["softmax/W"] = np.ones((rows, 7 if case == "another model's" else 6), "f")
            if case == "a group":
                file["softmax/b/c"] = np.ones(rows, "f")
            elif case == "a scalar":
                file["softmax/b"] = np.float32(1)
            elif case == "integers":
                file["softmax/b"] = np.ones(rows, int)
            elif case != "no bias":
                file["softmax/b"] = np.ones(rows, "f")
            if case == "more":
                file["more"] = np.ones(rows, "f")


@pytest.mark.parametrize(
    "case",
    [
        "a folder",
        "text",
        "the weights",
        "another size",
        "another model's",
        "a group",
        "a scalar",
        "integers",
        "no bias",
        "more",
    ],
)
@pytest.mark.parametrize("has_vocabulary", [True, False])
def test_a_softmax_file_that_is_another_is_told_in_a_line(model_folder, case, has_vocabulary):
    if not has_vocabulary:
        (model_folder / "vocab.txt").unlink()
    another_softmax(model_folder / "softmax.hdf5", case)
    if case == "another size" and not has_vocabulary:
        return  # nothing tells
    with pytest.raises(ValueError, match="softmax.hdf5") as error:
        read_model_folder(model_folder)
    assert "\n" not in str(error.value) and len(str(error.value)) < 900
    assert read_model_folder(model_folder, read_softmax=False).softmax is None
