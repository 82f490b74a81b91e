"""The models: the biLM's encoder, and what users put in a model of their own."""

import elmo_tf2.keras_backend  # noqa: F401, before any file imports keras
from elmo_tf2.models.bilm import BiLM
from elmo_tf2.models.bilm_arrays import bilm_arrays, named_variables, set_bilm_arrays
from elmo_tf2.models.bilm_output import BiLMOutput
from elmo_tf2.models.elmo_embeddings import ElmoEmbeddings
from elmo_tf2.models.language_model import LanguageModel
from elmo_tf2.models.masked_language_model import MaskedLanguageModel
from elmo_tf2.models.pretraining_model import PretrainingModel

__all__ = [
    "BiLM",
    "BiLMOutput",
    "ElmoEmbeddings",
    "LanguageModel",
    "MaskedLanguageModel",
    "PretrainingModel",
    "bilm_arrays",
    "named_variables",
    "set_bilm_arrays",
]
