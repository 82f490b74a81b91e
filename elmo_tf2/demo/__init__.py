"""What ELMo is about, shown on a few words that have several senses."""

from elmo_tf2.demo.demo import PICTURE_FILE, Demonstration, demonstrate, read_senses
from elmo_tf2.demo.figures import VERDICTS, Query, WordFigures
from elmo_tf2.demo.picture import draw_senses

__all__ = [
    "PICTURE_FILE",
    "VERDICTS",
    "Demonstration",
    "Query",
    "WordFigures",
    "demonstrate",
    "draw_senses",
    "read_senses",
]
