"""The models: the biLM's encoder, and what users put in a model of their own."""

from elmo_tf2.models.bilm import BiLM, BiLMOutput
from elmo_tf2.models.bilm_arrays import bilm_arrays, set_bilm_arrays

__all__ = ["BiLM", "BiLMOutput", "bilm_arrays", "set_bilm_arrays"]
