"""Keras on another backend than TensorFlow: one clear sentence, and none of the command line."""

import os
import sys

import pytest

from elmo_tf2 import keras_backend
from elmo_tf2.cli import commands
from tests.processes import run_new_interpreter


@pytest.fixture
def no_keras(monkeypatch, tmp_path):
    """As before `import keras`, with a home folder of its own."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".keras").mkdir()
    return tmp_path


def test_the_backend_of_an_imported_keras_counts(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # too late
    assert keras_backend.keras_backend() == "tensorflow"
    keras_backend.check_keras_backend()


def test_the_backend_is_what_keras_would_take(no_keras, monkeypatch):
    assert keras_backend.keras_backend() == "tensorflow"
    settings = no_keras / ".keras" / "keras.json"
    for text in ("{broken", "[]", "{}"):
        settings.write_text(text)
        assert keras_backend.keras_backend() == "tensorflow"
    settings.write_text('{"backend": "torch"}')
    assert keras_backend.keras_backend() == "torch"
    monkeypatch.setenv("KERAS_HOME", str(no_keras / "elsewhere"))
    assert keras_backend.keras_backend() == "tensorflow"
    monkeypatch.delenv("KERAS_HOME")
    monkeypatch.setenv("KERAS_BACKEND", "")
    assert keras_backend.keras_backend() == "torch"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(ImportError, match="'jax', .* Set KERAS_BACKEND=tensorflow before Keras"):
        keras_backend.check_keras_backend()


@pytest.mark.parametrize(
    "statement",
    [
        "from elmo_tf2 import ElmoEmbeddings",
        "import elmo_tf2; elmo_tf2.export_saved_model",
        "import elmo_tf2.saved_model",
        "import elmo_tf2.layers",
        "from elmo_tf2.models import BiLM",
    ],
)
def test_an_import_says_what_to_do(statement):
    result = run_new_interpreter("-c", statement, KERAS_BACKEND="jax")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith(
        "ImportError: elmo_tf2 needs Keras on TensorFlow. Received: 'jax'"
    )
    assert 'os.environ["KERAS_BACKEND"] = "tensorflow"' in result.stderr


def test_the_command_line_sets_tensorflow_itself(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "1")  # which `main` sets, too
    monkeypatch.setattr(commands, "app", lambda **_: None)
    commands.main()
    assert os.environ["KERAS_BACKEND"] == "tensorflow"
