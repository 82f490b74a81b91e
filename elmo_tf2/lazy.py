"""Names of a package that are found when they are first used.

A file of the package that needs no TensorFlow can be imported without it, and a mistake is
printed at once.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Makes the `__getattr__` of a package.

    Example:
    >>> lazy_names("elmo_tf2.data", {"Vocabulary": "elmo_tf2.data.vocabulary"})("Vocabulary")
    <class 'elmo_tf2.data.vocabulary.Vocabulary'>
    """

    def find(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(places[name]), name)

    return find
