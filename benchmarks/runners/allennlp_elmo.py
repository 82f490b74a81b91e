"""Runner of AllenNLP's ELMo on current PyTorch.

`import allennlp.modules` and `import allennlp.data` load the whole library, vision included, and
so need torchvision, whose published builds do not go with every build of PyTorch. Two empty
packages take their place while AllenNLP's own files of ELMo are imported from below them.
"""

import os
import sys
import types

import allennlp
import torch
from protocol import serve

for _name in ("data", "modules"):
    _package = types.ModuleType("allennlp." + _name)
    _package.__path__ = [os.path.join(allennlp.__path__[0], _name)]
    sys.modules[_package.__name__] = _package

from allennlp.modules.elmo import _ElmoBiLm, batch_to_ids  # noqa: E402


class AllenNLPElmo:
    """The language model under `Elmo`, whose states are set to zero before every batch."""

    packages = ("allennlp", "torch", "numpy")

    def __init__(self, folder, max_batch_size):
        del max_batch_size  # states grow with the batch
        self._model = _ElmoBiLm(
            os.path.join(folder, "options.json"), os.path.join(folder, "weights.hdf5")
        ).eval()

    def embed(self, sentences):
        """Returns the layers of a batch, each `(batch, tokens + 2, features)`."""
        with torch.inference_mode():
            character_ids = batch_to_ids(sentences)
            self._model._elmo_lstm.reset_states()
            return self._model(character_ids)["activations"]

    @staticmethod
    def layers(result):
        """Returns the layers without the two boundaries; the last of the longest is cut off."""
        return torch.stack(result, dim=1)[:, :, 1:].numpy()


if __name__ == "__main__":
    serve(AllenNLPElmo)
