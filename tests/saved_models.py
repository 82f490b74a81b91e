"""SavedModels that many tests read and none changes: each is made once in a run."""

import contextlib
import dataclasses
import os
import shutil
import tempfile
from pathlib import Path

from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.saved_model import export_saved_model
from tests.cli_fixtures import write_model_folder
from tests.small_elmo import CONFIG, GAMMA, W, random_elmo

MIX = {"initial_weights": W[:2], "initial_gamma": GAMMA}  # of `one_layer`


def one_layer(**kwargs):
    """A small ELMo of one layer."""
    return random_elmo(dataclasses.replace(CONFIG, num_layers=1), **kwargs)


def _of_folder(tokenizer):
    """The model of `cli_fixtures.write_model_folder`."""
    with tempfile.TemporaryDirectory() as folder:
        model = write_model_folder(Path(folder) / "model")
        return ElmoEmbeddings.from_folder(model, tokenizer=tokenizer)


_MODELS = {
    "spaces": lambda: _of_folder("spaces"),
    "words": lambda: _of_folder("words"),
    "one_layer": lambda: one_layer(**MIX),
}


def made_once(shared, name):
    """A SavedModel in a folder of all processes; the first that wants it makes it."""
    folder = shared / "exports" / name
    if not folder.exists():
        folder.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent) as own:
            made = export_saved_model(_MODELS[name](), Path(own) / name)
            with contextlib.suppress(OSError):  # another process was faster
                os.rename(made, folder)
    return folder


def copied(saved_model):
    """What stands for `export_saved_model` where its result is not what a test is about."""

    def export(elmo, path, overwrite=False, **_):
        return shutil.copytree(saved_model, path, dirs_exist_ok=overwrite)

    return export
