"""Pictures of a word in its sentences, layer by layer, and pages that show both."""

from typing import TYPE_CHECKING

from elmo_tf2.lazy import lazy_names

if TYPE_CHECKING:
    from elmo_tf2.plot.quotes import Group, Quote
    from elmo_tf2.plot.word import WordPlot, plot_word

__all__ = ["Group", "Quote", "WordPlot", "plot_word"]

__getattr__ = lazy_names(
    __name__,
    {
        "Group": "elmo_tf2.plot.quotes",
        "Quote": "elmo_tf2.plot.quotes",
        "WordPlot": "elmo_tf2.plot.word",
        "plot_word": "elmo_tf2.plot.word",
    },
)
