"""Keras on TensorFlow: imported before `keras`, it says what to do where Keras runs on another."""

import json
import os
import sys
from pathlib import Path


def keras_backend() -> str:
    """The backend that Keras has, or will have as soon as it is imported."""
    keras = sys.modules.get("keras")
    if keras is not None:
        return keras.config.backend()
    if os.environ.get("KERAS_BACKEND"):
        return os.environ["KERAS_BACKEND"]
    home = os.path.expanduser("~")
    folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")  # Keras' own rule
    settings = Path(os.environ.get("KERAS_HOME", folder), "keras.json")
    try:
        return json.loads(settings.read_text(encoding="utf-8"))["backend"]
    except (OSError, ValueError, KeyError, TypeError):
        return "tensorflow"


def check_keras_backend() -> None:
    """Checks that Keras runs on TensorFlow."""
    backend = keras_backend()
    if backend != "tensorflow":
        raise ImportError(
            f"elmo_tf2 needs Keras on TensorFlow. Received: {backend!r}, from the variable "
            "KERAS_BACKEND or the file ~/.keras/keras.json. Set KERAS_BACKEND=tensorflow before "
            "Keras is imported, in the environment or at the program's start: "
            'os.environ["KERAS_BACKEND"] = "tensorflow".'
        )


check_keras_backend()
