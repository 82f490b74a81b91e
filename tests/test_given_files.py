"""Files that people give to commands: those that are none, may not be read, or have odd names."""

import os
import shutil
import signal
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from elmo_tf2.features import FeatureReader, embed_file, write_projector
from elmo_tf2.saved_model import export_saved_model
from elmo_tf2.weights import detect, read_weights
from tests.cli_fixtures import run, write_model_folder
from tests.small_elmo import random_elmo

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with a name here")

TEXT = "the cat on the bank\nthe bank of dogs\n" * 30


@pytest.fixture(scope="module")
def made(tmp_path_factory, shared_export):
    """A folder with a model, its SavedModel and a text, which tests leave as they are."""
    folder = tmp_path_factory.mktemp("given")
    write_model_folder(folder / "model")
    (folder / "model" / "vocab.txt").write_text("the\n")
    shutil.copytree(shared_export("one_layer"), folder / "saved_model")
    (folder / "text.txt").write_text(TEXT)
    open_to_all(folder)
    return folder


def open_to_all(folder):
    """Lets other users into a folder that pytest has made for this one alone."""
    top = Path(tempfile.gettempdir())
    for parent in (folder, *folder.parents):
        if top in parent.parents:
            parent.chmod(0o755)


@contextmanager
def seconds(number):
    """Raises an error if it takes longer: what waits for a pipe never ends."""

    def stop(*_):
        raise TimeoutError(f"It took more than {number} seconds.")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(number)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


# What is no file.


@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize(
    "arguments",
    [
        ["embed", "{model}", "{bad}", "{out}.h5"],
        ["embed", "{model}", "{bad}", "{out}", "--projector"],
        ["embed", "{bad}", "{text}", "{out}.h5"],
        ["inspect", "{bad}"],
        ["convert", "{bad}", "{out}"],
        ["convert", "{model}", "{out}", "--options", "{bad}"],
        ["convert", "{model}", "{out}", "--vocab", "{bad}"],
        ["export", "{model}", "{out}", "--vocab", "{bad}"],
        ["plot", "bank", "{bad}", "--model", "{model}", "--out", "{out}.svg"],
        ["plot", "bank", "{text}", "--model", "{bad}", "--out", "{out}.svg"],
        ["prepare", "{bad}", "{out}"],
        ["evaluate", "{model}", "{bad}"],
        ["evaluate", "{bad}", "{text}"],
        ["demo", "{out}", "--model", "{bad}"],
        ["pretrain", "{out}", "--data", "{model}", "--config", "{bad}"],
        ["pretrain", "{out}", "--data", "{model}", "--initial", "{bad}"],
    ],
)
def test_pipes_and_devices_are_no_files(made, tmp_path, kind, arguments):
    os.mkfifo(tmp_path / "pipe")
    places = {
        "model": made / "model",
        "text": made / "text.txt",
        "out": tmp_path / "out",
        "bad": tmp_path / "pipe" if kind == "pipe" else "/dev/zero",
    }
    with seconds(20):
        said = run(*(argument.format(**places) for argument in arguments), exit_code=1)
    assert f"Error: {places['bad']} is not a file. Expected: a" in said
    assert not list(tmp_path.glob("out*"))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("model", "options.json"),
        ("model", "weights.hdf5"),
        ("model", "vocab.txt"),
        ("saved_model", "saved_model.pb"),
        ("saved_model", "variables/variables.index"),
        ("saved_model", "variables/variables.data-00000-of-00001"),
    ],
)
def test_pipes_inside_of_models_are_no_files(made, tmp_path, model, name):
    folder = tmp_path / "model"
    shutil.copytree(made / model, folder)
    (folder / name).unlink()
    os.mkfifo(folder / name)
    with seconds(20), pytest.raises(ValueError, match=f"{name} is not a file"):
        read_weights(folder)


@pytest.mark.parametrize(
    "name", ["checkpoint", "model.ckpt-400.data-00000-of-00001", "options.json"]
)
def test_pipes_among_checkpoints_are_no_files(golden, tmp_path, name):
    folder = tmp_path / "checkpoints"
    hidden = shutil.ignore_patterns("weights.hdf5", name)
    shutil.copytree(golden / "bilm_checkpoint", folder, ignore=hidden)
    os.mkfifo(folder / name)
    with seconds(20), pytest.raises(ValueError, match=f"{name} is not a file"):
        read_weights(folder)


@pytest.mark.parametrize("ending", [".h5", ".npy", ".tfrecord"])
def test_a_pipe_is_no_feature_file(tmp_path, ending):
    os.mkfifo(tmp_path / f"x{ending}")
    with seconds(20), pytest.raises(ValueError, match="is not a file. Expected: a feature file"):
        FeatureReader(tmp_path / f"x{ending}")


# What may not be read.


@contextmanager
def another_user():
    """Root may read everything; so the test is another user for a while."""
    if os.geteuid():
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.parametrize("name", ["weights.hdf5", "options.json", "vocab.txt"])
def test_a_file_of_a_model_that_may_not_be_read_is_named(made, tmp_path, name):
    folder = tmp_path / "model"
    shutil.copytree(made / "model", folder)
    (folder / name).chmod(0)
    open_to_all(tmp_path)
    with another_user(), pytest.raises(PermissionError, match=name):
        read_weights(folder)
    (folder / "weights.hdf5").rename(folder / "model.h5")
    missing = "model.h5" if name == "weights.hdf5" else name
    with another_user(), pytest.raises(PermissionError, match=missing):
        read_weights(folder)


@pytest.mark.usefixtures("cached_encoder")
def test_a_text_that_may_not_be_read_is_told_in_a_line(made, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    text.chmod(0)
    open_to_all(tmp_path)
    for command in (
        ["embed", made / "model", text, tmp_path / "out.h5"],
        ["prepare", text, tmp_path / "out"],
        ["plot", "bank", text, "--model", made / "model", "--out", tmp_path / "out.svg"],
    ):
        # The other user may not be able to import what a command imports late.
        run(*(tmp_path / "missing" if part == text else part for part in command), exit_code=1)
        with another_user():
            said = run(*command, exit_code=1)
        assert "text.txt: Permission denied" in said


# Names.

NAMES = ["a[b]", "back\\slash", "new\nline", "n" * 240, "*?", "%s {x}"]


@pytest.mark.usefixtures("cached_encoder")
@pytest.mark.parametrize("name", NAMES)
def test_texts_and_models_may_have_any_name(made, tmp_path, name):
    model, text = tmp_path / "models" / name, tmp_path / "texts" / name
    shutil.copytree(made / "model", model)
    text.parent.mkdir()
    text.write_text(TEXT)
    assert detect(model) == "model folder"
    run("convert", model, tmp_path / "converted" / name)
    run("prepare", text, tmp_path / "prepared" / name, "--tokenized", "--min-count", 1)
    run("inspect", tmp_path / "converted" / name)
    (tmp_path / "o").mkdir()
    run("embed", model, text, tmp_path / "o" / f"{name[:230]}.h5")
    assert len(FeatureReader(tmp_path / "o" / f"{name[:230]}.h5")) == 60


@pytest.mark.parametrize("name", ["a[b]", "back\\slash"])
def test_tensorflow_finds_no_checkpoint_under_some_names(golden, tmp_path, name):
    folder = tmp_path / name
    shutil.copytree(golden / "tf1_hub", folder)
    with pytest.raises(ValueError, match="TensorFlow finds no checkpoint whose path has a"):
        read_weights(folder)


def test_names_that_are_not_utf8_are_told_where_tensorflow_takes_none(made, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    model, text = made / "model", made / "text.txt"
    shutil.copytree(model, tmp_path / name)
    shutil.copytree(made / "saved_model", tmp_path / "s" / name)
    assert read_weights(tmp_path / name).config.units == 12
    for work in (
        lambda: embed_file(tmp_path / name, text, tmp_path / f"{name}.tfrecord"),
        lambda: embed_file(tmp_path / "s" / name, text, tmp_path / "out.h5"),
        lambda: write_projector(model, text, tmp_path / f"{name}p"),
        lambda: export_saved_model(random_elmo(), tmp_path / f"{name}e"),
    ):
        with pytest.raises(ValueError, match="TensorFlow takes no path that is not UTF-8"):
            work()


@pytest.mark.parametrize("command", ["export", "convert"])
@pytest.mark.parametrize("out", ["/", ".."])
def test_what_is_never_an_output_is_told_in_a_line(made, monkeypatch, command, out):
    monkeypatch.chdir(made / "model")
    assert "exists already" in run(command, made / "model", out, exit_code=1)
    said = run(command, made / "model", out, "--overwrite", exit_code=1)
    assert "would be lost" in said


def test_the_export_of_a_parent_folder_has_its_name(made, tmp_path, monkeypatch):
    sources = []
    monkeypatch.setattr(
        "elmo_tf2.saved_model.export_saved_model",
        lambda elmo, path, source, **_: sources.append(source) or path,
    )
    shutil.copytree(made / "model", tmp_path / "elmo_of_mine")
    (tmp_path / "elmo_of_mine" / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "elmo_of_mine" / "inner")
    run("export", "..", tmp_path / "out")
    assert sources == ["elmo_of_mine"]
