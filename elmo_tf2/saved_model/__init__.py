"""ELMo as a SavedModel, for people who have neither this package nor Keras.

`contract.py` says what such a model is, as data; it and this package need no TensorFlow.
"""

from typing import TYPE_CHECKING

import elmo_tf2.keras_backend  # noqa: F401, before any file imports keras
from elmo_tf2.lazy import lazy_names
from elmo_tf2.saved_model.contract import SAVED_MODEL_PARTS, TRAINABLE

if TYPE_CHECKING:
    from elmo_tf2.saved_model.export import export_saved_model
    from elmo_tf2.saved_model.exported import ExportedElmo

__all__ = ["SAVED_MODEL_PARTS", "TRAINABLE", "ExportedElmo", "export_saved_model"]

__getattr__ = lazy_names(
    __name__,
    {
        "ExportedElmo": "elmo_tf2.saved_model.exported",
        "export_saved_model": "elmo_tf2.saved_model.export",
    },
)
