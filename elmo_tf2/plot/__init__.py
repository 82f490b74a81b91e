"""Pictures of a word in its sentences, layer by layer, and pages that show both."""

from elmo_tf2.plot.quotes import Group, Quote
from elmo_tf2.plot.word import WordPlot, plot_word

__all__ = ["Group", "Quote", "WordPlot", "plot_word"]
