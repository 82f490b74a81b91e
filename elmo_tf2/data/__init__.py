"""Text: tokenizers, vocabularies, and windows for language models."""

from typing import TYPE_CHECKING

from elmo_tf2.lazy import lazy_names

if TYPE_CHECKING:
    from elmo_tf2.data.masking import Masking
    from elmo_tf2.data.vocabulary import Vocabulary
    from elmo_tf2.data.windows import Position, text_windows, training_windows

__all__ = ["Masking", "Position", "Vocabulary", "text_windows", "training_windows"]

__getattr__ = lazy_names(
    __name__,
    {
        "Masking": "elmo_tf2.data.masking",
        "Position": "elmo_tf2.data.windows",
        "Vocabulary": "elmo_tf2.data.vocabulary",
        "text_windows": "elmo_tf2.data.windows",
        "training_windows": "elmo_tf2.data.windows",
    },
)
