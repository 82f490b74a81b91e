"""ELMo on TensorFlow 2 and Keras 3.

The names below are found when they are first used, so that `import elmo_tf2`, and with it the
command line's help, does not wait for TensorFlow.
"""

from importlib.metadata import version
from typing import Any

from elmo_tf2.lazy import lazy_names

_find = lazy_names(
    __name__,
    {
        "BiLM": "elmo_tf2.models",
        "ElmoConfig": "elmo_tf2.config",
        "ElmoEmbeddings": "elmo_tf2.models",
        "ElmoWeights": "elmo_tf2.weights",
        "export_saved_model": "elmo_tf2.saved_model",
        "read_weights": "elmo_tf2.weights",
    },
)

__all__ = [
    "BiLM",
    "ElmoConfig",
    "ElmoEmbeddings",
    "ElmoWeights",
    "export_saved_model",
    "read_weights",
]


def __getattr__(name: str) -> Any:
    return version("elmo_tf2") if name == "__version__" else _find(name)
