"""The public names, held against a golden list: a name comes, goes or changes on purpose.

To take the present names as the golden ones: python -m tests.test_public_api
"""

import configparser
import importlib
import importlib.metadata
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import elmo_tf2

GOLDEN = Path(__file__).with_name("public_api.txt")
PACKAGES = (
    "elmo_tf2",
    "elmo_tf2.data",
    "elmo_tf2.demo",
    "elmo_tf2.features",
    "elmo_tf2.layers",
    "elmo_tf2.models",
    "elmo_tf2.plot",
    "elmo_tf2.training",
    "elmo_tf2.weights",
)


def public_api():
    """A line a name: where it is, what it is called, and with which arguments."""
    lines = []
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            lines.append(f"{package}.{name}{arguments_of(getattr(module, name))}")
    return sorted(lines)


def arguments_of(thing):
    """The names of a callable's arguments, with a mark at those that may be left out."""
    if not callable(thing):
        return ""
    arguments = []
    for parameter in inspect.signature(thing).parameters.values():
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            arguments.append("*" + parameter.name)
        elif parameter.kind is inspect.Parameter.VAR_KEYWORD:
            arguments.append("**" + parameter.name)
        else:
            optional = parameter.default is not inspect.Parameter.empty
            arguments.append(parameter.name + ("=" if optional else ""))
    return f"({', '.join(arguments)})"


def test_the_public_api_is_the_golden_one():
    assert public_api() == GOLDEN.read_text(encoding="utf-8").splitlines(), (
        "if this is meant, run: python -m tests.test_public_api"
    )


def test_every_public_name_is_there_once():
    for package in PACKAGES:
        module = importlib.import_module(package)
        assert len(module.__all__) == len(set(module.__all__)), package
        for name in module.__all__:
            assert getattr(module, name) is not None


def test_the_package_is_imported_without_tensorflow():
    # So that the command line's help does not wait for it.
    code = "import sys, elmo_tf2; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    root = Path(__file__).resolve().parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


def test_the_version_is_that_of_setup_cfg():
    try:
        installed = importlib.metadata.version("elmo_tf2")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("elmo_tf2 is not installed here, so nothing knows its version")
    settings = configparser.ConfigParser()
    settings.read(Path(__file__).resolve().parents[1] / "setup.cfg")
    assert elmo_tf2.__version__ == installed == settings["metadata"]["version"]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'elmo_tf2' has no attribute 'Emlo'"):
        elmo_tf2.Emlo  # noqa: B018


if __name__ == "__main__":
    GOLDEN.write_text("\n".join(public_api()) + "\n", encoding="utf-8")
