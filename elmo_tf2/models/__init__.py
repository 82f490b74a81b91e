"""The models: the biLM's encoder, and what users put in a model of their own."""

from elmo_tf2.models.bilm import BiLM, BiLMOutput
from elmo_tf2.models.bilm_arrays import bilm_arrays, set_bilm_arrays
from elmo_tf2.models.elmo_embeddings import ElmoEmbeddings

__all__ = ["BiLM", "BiLMOutput", "ElmoEmbeddings", "bilm_arrays", "set_bilm_arrays"]
