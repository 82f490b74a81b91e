"""Text: tokenizers, vocabularies, and windows for language models."""

from elmo_tf2.data.masking import Masking
from elmo_tf2.data.vocabulary import Vocabulary
from elmo_tf2.data.windows import Position, text_windows, training_windows

__all__ = ["Masking", "Position", "Vocabulary", "text_windows", "training_windows"]
