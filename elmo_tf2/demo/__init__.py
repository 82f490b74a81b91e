"""What ELMo is about, shown on a few words that have several senses."""

from typing import TYPE_CHECKING

from elmo_tf2.lazy import lazy_names

if TYPE_CHECKING:
    from elmo_tf2.demo.demo import PICTURE_FILE, Demonstration, demonstrate
    from elmo_tf2.demo.figures import VERDICTS, Query, WordFigures, layer_title
    from elmo_tf2.demo.picture import draw_senses
    from elmo_tf2.demo.senses import LANGUAGES, read_senses

__all__ = [
    "LANGUAGES",
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

__getattr__ = lazy_names(
    __name__,
    {
        "LANGUAGES": "elmo_tf2.demo.senses",
        "Demonstration": "elmo_tf2.demo.demo",
        "PICTURE_FILE": "elmo_tf2.demo.demo",
        "Query": "elmo_tf2.demo.figures",
        "VERDICTS": "elmo_tf2.demo.figures",
        "WordFigures": "elmo_tf2.demo.figures",
        "demonstrate": "elmo_tf2.demo.demo",
        "draw_senses": "elmo_tf2.demo.picture",
        "layer_title": "elmo_tf2.demo.figures",
        "read_senses": "elmo_tf2.demo.senses",
    },
)
