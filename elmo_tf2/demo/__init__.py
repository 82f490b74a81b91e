"""What ELMo is about, shown on a few words that have several senses."""

from elmo_tf2.demo.demo import PICTURE_FILE, Demonstration, demonstrate, read_senses
from elmo_tf2.demo.figures import VERDICTS, Query, WordFigures, layer_title
from elmo_tf2.demo.picture import draw_senses

__all__ = [
    "PICTURE_FILE",
    "VERDICTS",
    "Demonstration",
    "Query",
    "WordFigures",
    "demonstrate",
    "draw_senses",
    "layer_title",
    "read_senses",
]
