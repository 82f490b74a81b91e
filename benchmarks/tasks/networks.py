"""The encoders that are compared, and what identifies a run."""

from importlib.metadata import version
from typing import Any

import numpy as np
from quality_vectors import make_encoders

from elmo_tf2 import ElmoEmbeddings
from elmo_tf2.weights import ElmoWeights

UNTRAINED_SEED = 1
PACKAGES = ("elmo_tf2", "tensorflow", "keras", "numpy", "scikit-learn", "scipy", "seqeval")


class Networks:
    """A model, and the same network before training.

    Args:
        name: what to call the model.
        weights: the model's.

    Attributes:
        trained: its encoder.
        untrained: that of the same network with random weights.
    """

    def __init__(self, name: str, weights: ElmoWeights) -> None:
        self.name, self._weights = name, weights
        encoders = make_encoders(weights, UNTRAINED_SEED)
        self.trained, self.untrained = encoders["trained"], encoders["untrained"]

    @property
    def variants(self) -> list[str]:
        """What the words may be given as."""
        return ["none", "mix", *self.trained.layers, "fine-tuned", "untrained"]

    def trainable(self, layer_weights: np.ndarray) -> ElmoEmbeddings:
        """Makes the encoder anew, to be trained with a task.

        Args:
            layer_weights: what the layers are multiplied by in their sum, at first.
        """
        gamma = layer_weights.sum()
        return ElmoEmbeddings.from_weights(
            self._weights,
            encoder_trainable=True,
            initial_weights=np.log(layer_weights / gamma),
            initial_gamma=gamma,
        )

    def identity(self, quick: bool) -> dict[str, Any]:
        """Returns the `IDENTITY` of results."""
        return {
            "model": self.name,
            "fingerprint": self.trained.fingerprint,
            "quick": quick,
            "versions": {package: version(package) for package in PACKAGES},
        }
