"""Docstrings: there is one wherever a user looks, in one order, and its examples run."""

import doctest
import importlib
import inspect
import json
import pkgutil
import re
import tempfile
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

import elmo_tf2
from elmo_tf2.config import ElmoConfig
from tests import numpy_reference as reference
from tests.test_public_api import PACKAGES

MODULES = [
    module.name
    for module in pkgutil.walk_packages(elmo_tf2.__path__, "elmo_tf2.")
    if not module.name.endswith("__main__")
]
SECTIONS = [
    "Args",
    "Attributes",
    "Call arguments",
    "Returns",
    "Raises",
    "Example",
    "Reference",
]


def public_things():
    """Every public class and function, and every public method of a class, where it is defined."""
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for name, thing in vars(module).items():
            if name.startswith("_") or getattr(thing, "__module__", None) != module_name:
                continue
            if inspect.isfunction(inspect.unwrap(thing)) or inspect.isclass(thing):
                yield f"{module_name}.{name}", thing
            if inspect.isclass(thing):
                for method_name, method in vars(thing).items():
                    if not method_name.startswith("_"):
                        yield f"{module_name}.{name}.{method_name}", method


THINGS = dict(public_things())
CLASSES_AND_FUNCTIONS = {
    name: thing
    for name, thing in THINGS.items()
    if inspect.isclass(thing) or name.rpartition(".")[0] in MODULES
}
KERAS_LAYERS = {
    name: thing
    for name, thing in CLASSES_AND_FUNCTIONS.items()
    if inspect.isclass(thing) and issubclass(thing, keras.Layer)
}

# Overridden methods of Keras, which documents them.
OF_KERAS = {
    "build",
    "call",
    "compute_mask",
    "compute_output_shape",
    "compute_output_spec",
    "from_config",
    "get_build_config",
    "build_from_config",
    "compile",
    "get_config",
    "load_own_variables",
    "metrics",
    "save_own_variables",
    "train_step",
}


def sections(thing):
    """The titles of a docstring's sections, in order."""
    docstring = inspect.getdoc(thing) or ""
    return re.findall(rf"^({'|'.join(SECTIONS)}):$", docstring, re.MULTILINE)


@pytest.mark.parametrize("name", ["elmo_tf2", *MODULES])
def test_every_module_says_what_it_is(name):
    assert (importlib.import_module(name).__doc__ or "").strip()


@pytest.mark.parametrize("name", CLASSES_AND_FUNCTIONS)
def test_every_public_class_and_function_is_documented(name):
    thing = CLASSES_AND_FUNCTIONS[name]
    # A class's own: `__doc__` would otherwise be its parent's.
    docstring = (vars(thing).get("__doc__") if inspect.isclass(thing) else thing.__doc__) or ""
    assert re.match(r"\S.*[.:]$", docstring.partition("\n")[0]), "one line that says what it does"


def is_public(thing):
    """Whether it is in the public API, by which users meet it."""
    return any(
        thing is getattr(importlib.import_module(package), name)
        for package in PACKAGES
        for name in importlib.import_module(package).__all__
    )


@pytest.mark.parametrize(
    "name",
    [name for name in THINGS if is_public(CLASSES_AND_FUNCTIONS.get(name.rpartition(".")[0]))],
)
def test_every_public_method_is_documented(name):
    method = THINGS[name]
    method = getattr(method, "__func__", getattr(method, "fget", method))
    if name.rpartition(".")[2] not in OF_KERAS and (
        inspect.isfunction(method) or isinstance(THINGS[name], property)
    ):
        assert (method.__doc__ or "").strip()


@pytest.mark.parametrize("name", KERAS_LAYERS)
def test_a_layer_tells_its_arguments_what_it_returns_and_an_example(name):
    found = sections(KERAS_LAYERS[name])
    assert {"Args", "Call arguments", "Returns", "Example"} <= set(found)


@pytest.mark.parametrize("name", CLASSES_AND_FUNCTIONS)
def test_sections_come_in_one_order_and_once(name):
    found = sections(CLASSES_AND_FUNCTIONS[name])
    assert found == [section for section in SECTIONS if section in found]


@pytest.mark.parametrize("name", KERAS_LAYERS)
def test_a_layer_documents_each_of_its_arguments(name):
    docstring = inspect.getdoc(KERAS_LAYERS[name])
    documented = re.search(r"^Args:\n((?: {4}.*\n|\n)*)", docstring, re.MULTILINE).group(1)
    names = re.findall(r"^ {4}(\**\w+):", documented, re.MULTILINE)
    signature = inspect.signature(KERAS_LAYERS[name].__init__)
    arguments = [
        f"**{parameter.name}" if parameter.kind is parameter.VAR_KEYWORD else parameter.name
        for parameter in signature.parameters.values()
    ]
    assert names == arguments[1:]


def doctests():
    """Every docstring with an example in it."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module_name in MODULES:
        module = importlib.import_module(module_name)
        for test in finder.find(module, module_name):
            if test.examples:
                yield test


DOCTESTS = {test.name: test for test in doctests()}


def test_there_are_examples():
    assert {"elmo_tf2.layers.char_cnn.CharCNN", "elmo_tf2.models.bilm.BiLM"} <= set(DOCTESTS)


@pytest.fixture
def model_folder(tmp_path, monkeypatch):
    """A current folder to write to, and in it what examples call "model_folder"."""
    monkeypatch.chdir(tmp_path)
    options = ElmoConfig(filters=((1, 8), (2, 8)), units=16, projection_dim=4).to_options()
    folder = tmp_path / "model_folder"
    folder.mkdir()
    (folder / "options.json").write_text(json.dumps(options))
    with h5py.File(folder / "weights.hdf5", "w") as file:
        for name, array in reference.random_arrays(options).items():
            file[name] = array.astype("float32")


@pytest.mark.parametrize("name", DOCTESTS)
@pytest.mark.usefixtures("model_folder")
def test_an_example_gives_what_it_says(name):
    public = {name.rpartition(".")[2]: thing for name, thing in CLASSES_AND_FUNCTIONS.items()}
    test = DOCTESTS[name]
    libraries = {"np": np, "tf": tf, "keras": keras, "Path": Path, "tempfile": tempfile}
    test.globs = {**public, **libraries}
    runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
    report = []
    failed, attempted = runner.run(test, out=report.append, clear_globs=False)
    assert attempted > 0
    assert failed == 0, "".join(report)
