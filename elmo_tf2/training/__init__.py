"""Pretraining, and how well a language model predicts."""

from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.training.evaluate import MaskedPerplexity, Perplexity, perplexity
from elmo_tf2.training.pretrain import language_model, pretrain
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
