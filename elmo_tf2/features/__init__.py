"""A corpus to a feature file: all layers' vectors of every word, in bilm-tf's HDF5 layout."""

from elmo_tf2.features.embed import FeatureFile, embed_file

__all__ = ["FeatureFile", "embed_file"]
