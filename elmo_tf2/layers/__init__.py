"""The layers of ELMo, one per file."""

import elmo_tf2.keras_backend  # noqa: F401, before any file imports keras
from elmo_tf2.layers.char_cnn import CharCNN
from elmo_tf2.layers.highway import Highway
from elmo_tf2.layers.lstm_with_projection import LSTMWithProjection
from elmo_tf2.layers.sampled_softmax import SampledSoftmax
from elmo_tf2.layers.scalar_mix import ScalarMix
from elmo_tf2.layers.token_embedder import TokenEmbedder

__all__ = [
    "CharCNN",
    "Highway",
    "LSTMWithProjection",
    "SampledSoftmax",
    "ScalarMix",
    "TokenEmbedder",
]
