"""Runner of a SavedModel that `elmo-tf2 export` wrote, with TensorFlow and tensorflow_hub alone."""

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from protocol import serve


class ElmoSavedModel:
    """The `tokens` signature of a loaded SavedModel. It has no state to reset."""

    packages = ("tensorflow", "tensorflow-hub", "numpy")

    def __init__(self, folder, max_batch_size):
        del max_batch_size  # any batch size goes
        self._model = hub.load(folder)  # its signatures live as long as it does
        self._tokens = self._model.signatures["tokens"]

    def embed(self, sentences):
        """Returns the output dictionary of a batch as NumPy arrays."""
        lengths = [len(words) for words in sentences]
        padded = [words + [""] * (max(lengths) - len(words)) for words in sentences]
        outputs = self._tokens(
            tokens=tf.constant(padded), sequence_len=tf.constant(lengths, tf.int32)
        )
        return {name: tensor.numpy() for name, tensor in outputs.items()}

    @staticmethod
    def layers(result):
        """Returns the word vector twice side by side, then the LSTM layers."""
        word = result["word_emb"]  # (batch, tokens, projection)
        num_layers = sum(name.startswith("lstm_outputs") for name in result)
        lstm = [result[f"lstm_outputs{i + 1}"] for i in range(num_layers)]
        return np.stack([np.concatenate([word, word], axis=-1), *lstm], axis=1)


if __name__ == "__main__":
    serve(ElmoSavedModel)
