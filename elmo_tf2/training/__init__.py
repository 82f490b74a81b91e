"""Pretraining, and evaluation of language models."""

from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.training.evaluate import MaskedPerplexity, Perplexity, perplexity
from elmo_tf2.training.model import language_model
from elmo_tf2.training.pretrain import pretrain
from elmo_tf2.training.run_folder import RunFolder
from elmo_tf2.training.score import MaskedScore, SentenceScore, sentence_scores, write_scores

__all__ = [
    "MaskedPerplexity",
    "MaskedScore",
    "Perplexity",
    "PretrainingConfig",
    "RunFolder",
    "SentenceScore",
    "language_model",
    "perplexity",
    "pretrain",
    "sentence_scores",
    "write_scores",
]
