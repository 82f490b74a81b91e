"""The sentences of the demonstration, which need no TensorFlow."""

import importlib.resources
import json

SENTENCES_FILE = "senses.json"


def read_senses() -> dict[str, dict[str, list[str]]]:
    """The sentences of the demonstration by word and sense; a sense's first one is its query."""
    text = (importlib.resources.files(__package__) / SENTENCES_FILE).read_text(encoding="utf-8")
    return json.loads(text)
