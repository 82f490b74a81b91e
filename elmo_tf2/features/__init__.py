"""A corpus to a file of vectors, in bilm-tf's HDF5 layout or another, and back to TensorFlow."""

from elmo_tf2.features.embed import FeatureFile, embed_file
from elmo_tf2.features.projector import ProjectorFolder, write_projector
from elmo_tf2.features.reader import FeatureReader

__all__ = ["FeatureFile", "FeatureReader", "ProjectorFolder", "embed_file", "write_projector"]
