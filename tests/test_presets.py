"""Presets: models that come with the package, named by the API and by every command."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2 import presets
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.presets import DEFAULT_PRESET, preset_folder, preset_names
from elmo_tf2.sources import find_model
from elmo_tf2.weights import read_weights
from elmo_tf2.weights import write_model_folder as write_weights
from tests.cli_fixtures import CONFIG, expected_vectors, read_features, run, write_model_folder
from tests.weights.helpers import random_language_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of presets: a tiny encoder, a tiny language model, and one without its weights."""
    folder = tmp_path_factory.mktemp("presets")
    write_model_folder(folder / "tiny_xx")
    write_weights(random_language_model(CONFIG, np.random.default_rng(0)), folder / "tiny_lm")
    (folder / "empty_xx").mkdir()
    (folder / "empty_xx" / "config.yaml").write_text("seed: 1\n")
    (folder / "__pycache__").mkdir()
    (folder / "__init__.py").write_text("")
    return folder


@pytest.fixture
def own(folder, monkeypatch, tmp_path):
    """The package has these presets; the current folder is empty."""
    monkeypatch.setattr(presets, "_presets_folder", lambda: folder)
    monkeypatch.chdir(tmp_path)
    return folder


# What there is.


def test_presets_are_listed_with_their_sizes(own):
    presets = ElmoEmbeddings.presets
    assert list(presets) == ["tiny_lm", "tiny_xx"]
    assert presets["tiny_lm"].softmax_words == len(read_weights(own / "tiny_lm").vocabulary)
    tiny = presets["tiny_xx"]
    assert (tiny.language, tiny.num_layers, tiny.softmax_words) == ("xx", 2, 0)
    assert tiny.vector_dim == 2 * tiny.projection_dim == 2 * CONFIG.projection_dim
    assert tiny.num_bytes == sum(file.stat().st_size for file in (own / "tiny_xx").iterdir())
    said = run("presets")
    assert "empty_xx" not in said
    (line,) = (line for line in said.splitlines() if line.split()[:2] == ["tiny_xx", "xx"])
    assert line.split()[2:7] == ["2", str(CONFIG.units), str(CONFIG.projection_dim), "16", "none"]


# By name.


def test_a_preset_is_found_by_its_name(own):
    assert preset_names() == ("empty_xx", "tiny_lm", "tiny_xx")
    assert preset_folder("tiny_xx") == own / "tiny_xx"


@pytest.mark.usefixtures("own")
def test_the_layer_is_made_of_a_preset():
    elmo = ElmoEmbeddings.from_preset("tiny_xx", output="layers", name="vectors")
    vectors = tf.stack(elmo(["the cat"]), axis=1)[0]
    np.testing.assert_allclose(vectors, expected_vectors(["the", "cat"]), atol=1e-5)
    assert elmo.name == "vectors"


@pytest.mark.usefixtures("own")
def test_an_unknown_preset_is_an_error_that_names_the_known_ones():
    with pytest.raises(ValueError, match="no preset 'tiny'. Presets: empty_xx, tiny_lm, tiny_xx"):
        ElmoEmbeddings.from_preset("tiny")


@pytest.mark.usefixtures("own")
def test_a_preset_without_weights_is_an_error_that_says_so():
    with pytest.raises(FileNotFoundError, match="'empty_xx' did not come with this copy.*weights"):
        ElmoEmbeddings.from_preset("empty_xx")


def test_a_package_without_presets_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr(presets, "_presets_folder", lambda: tmp_path / "nothing")
    with pytest.raises(ValueError, match="'tiny'. This copy of the package has no presets"):
        preset_folder("tiny")


# A model that is named by its path or as a preset.


def test_a_name_that_is_no_path_is_a_preset(own):
    assert find_model("tiny_xx") == own / "tiny_xx"


def test_a_path_goes_before_a_preset(own, tmp_path):
    (tmp_path / "tiny_xx").mkdir()
    assert str(find_model("tiny_xx")) == "tiny_xx"
    (tmp_path / "tiny_lm.index").touch()  # a checkpoint's prefix
    assert str(find_model("tiny_lm")) == "tiny_lm"


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("path", ["folder/tiny_xx", "./tiny_xx/", "/x"])
def test_what_is_no_bare_name_is_a_path(path):
    assert find_model(path).name == path.rstrip("/").rpartition("/")[2]
    assert not find_model(path).exists()


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("name", ["tiny", "tiny_x?", "t[iny", "*"])
def test_a_name_of_neither_is_an_error_that_names_the_presets(name):
    with pytest.raises(FileNotFoundError, match="There is no file, folder or .* Presets: empty"):
        find_model(name)


# The commands.


@pytest.mark.usefixtures("own", "cached_encoder")
def test_every_command_takes_a_preset(tmp_path):
    assert "2 a direction, 12 units" in run("inspect", "tiny_xx")
    run("convert", "tiny_xx", "copy")
    assert read_weights("copy").mix is not None
    (tmp_path / "text.txt").write_text("the cat\n")
    run("embed", "tiny_xx", "text.txt", "vectors.hdf5")
    (vectors,) = read_features("vectors.hdf5")
    np.testing.assert_allclose(vectors, expected_vectors(["the", "cat"]), atol=1e-5)
    assert "perplexity" in run("evaluate", "tiny_lm", "text.txt")


@pytest.mark.usefixtures("own")
def test_export_takes_a_preset_and_names_it_as_the_source(monkeypatch):
    received = []

    def export(elmo, path, source, **_):
        received.append((elmo.config, source))
        return path

    monkeypatch.setattr("elmo_tf2.saved_model.export_saved_model", export)
    run("export", "tiny_xx", "out")
    assert received == [(CONFIG, "tiny_xx")]


@pytest.mark.usefixtures("own", "fit_eagerly")
def test_pretraining_begins_with_a_preset(tmp_path):
    (tmp_path / "data" / "train").mkdir(parents=True)
    (tmp_path / "data" / "train" / "shard-00000.txt").write_text("the cat sat\n" * 50)
    (tmp_path / "data" / "vocab.txt").write_text("<S>\n</S>\n<UNK>\nthe\n")
    changes = ["batch_size=2", "unroll_steps=3", "updates=1", "num_negatives=2"]
    arguments = [part for change in changes for part in ("--set", change)]
    said = run("pretrain", "run", "--data", "data", "--initial", "tiny_lm", *arguments)
    assert "7 words" in said and "Done after 1 updates." in said


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "tiny"],
        ["convert", "tiny", "out"],
        ["export", "tiny", "out"],
        ["embed", "tiny", "text.txt", "out"],
        ["evaluate", "tiny", "text.txt"],
        ["pretrain", "out", "--data", "data", "--initial", "tiny"],
    ],
)
def test_every_command_tells_an_unknown_name_in_a_line(arguments, tmp_path):
    (line,) = run(*arguments, exit_code=1).splitlines()
    assert line == (
        "Error: There is no file, folder or checkpoint 'tiny', and no preset of that name. "
        "Presets: empty_xx, tiny_lm, tiny_xx."
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["inspect", "convert", "export", "embed", "evaluate"])
def test_help_says_that_a_path_goes_before_a_preset(command):
    told = " ".join(run(command, "--help").split())
    assert "A local path of that name takes precedence." in told


# The real one.


def test_the_default_preset_is_known():
    assert DEFAULT_PRESET in preset_names()


def test_the_real_preset_gives_finite_vectors_of_the_words_it_was_trained_on():
    try:
        preset_folder(DEFAULT_PRESET)
    except FileNotFoundError:
        pytest.skip(f"the weights of {DEFAULT_PRESET} are not in the package yet")
    elmo = ElmoEmbeddings.from_preset(DEFAULT_PRESET)
    assert elmo.config.tokenizer == "words"
    vectors = elmo(["I don't like apples.", "Rain!"])
    assert vectors.shape == (2, 6, elmo.config.layer_dim)
    assert np.isfinite(vectors).all() and np.any(vectors[1, :2]) and not np.any(vectors[1, 2:])
