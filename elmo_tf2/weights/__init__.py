"""Weights of ELMo models in every published form, read and written.

`schema` has every weight once, with its name and layout in each format. A file for each format
finds its files and renames what they hold; `assemble` checks that and makes `ElmoWeights` of it.
"""

from elmo_tf2.data.vocabulary_file import read_vocabulary, write_vocabulary
from elmo_tf2.weights.check import check_shapes
from elmo_tf2.weights.elmo_weights import ElmoWeights, Mix, Softmax
from elmo_tf2.weights.elmoformanylangs import read_elmoformanylangs
from elmo_tf2.weights.kinds import KINDS, Kind, detect
from elmo_tf2.weights.model_folder import read_bilm_hdf5, read_model_folder, write_model_folder
from elmo_tf2.weights.read import read_weights
from elmo_tf2.weights.schema import expected_shapes
from elmo_tf2.weights.tf1_checkpoint import read_tf1_checkpoint, write_tf1_checkpoint
from elmo_tf2.weights.tf1_hub import read_tf1_hub
from elmo_tf2.weights.vocabulary_embeddings import (
    VocabularyEmbeddings,
    read_vocabulary_embeddings,
    write_vocabulary_embeddings,
)

__all__ = [
    "KINDS",
    "ElmoWeights",
    "Kind",
    "Mix",
    "Softmax",
    "VocabularyEmbeddings",
    "check_shapes",
    "detect",
    "expected_shapes",
    "read_bilm_hdf5",
    "read_elmoformanylangs",
    "read_model_folder",
    "read_tf1_checkpoint",
    "read_tf1_hub",
    "read_vocabulary",
    "read_vocabulary_embeddings",
    "read_weights",
    "write_model_folder",
    "write_tf1_checkpoint",
    "write_vocabulary",
    "write_vocabulary_embeddings",
]
