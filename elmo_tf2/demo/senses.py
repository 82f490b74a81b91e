"""The sentences of the demonstration, which need no TensorFlow."""

import importlib.resources
import json

from elmo_tf2.validation import check_choice

LANGUAGES = ("en", "zh")
"""Languages that there are sentences in: English and simplified Chinese."""


def read_senses(language: str = "en") -> dict[str, dict[str, list[str]]]:
    """Reads the sentences of the demonstration.

    Args:
        language: one of `LANGUAGES`.

    Returns:
        Sentences by word and sense; a sense's first one is its query.

    Raises:
        ValueError: if there are none in this language.
    """
    return json.loads(senses_text(language))


def senses_text(language: str) -> str:
    """The same as the text of a JSON file."""
    check_choice("language", language, LANGUAGES)
    file = importlib.resources.files(__package__) / f"senses_{language}.json"
    return file.read_text(encoding="utf-8")
