"""Runner of bilm-tf, the original implementation: `bilm` on TensorFlow 1.15, Python 3.7."""

import os

import tensorflow as tf
from bilm import Batcher, BidirectionalLanguageModel
from protocol import serve

MAX_CHARACTERS = 50


class BilmTF:
    """One session, kept open; the LSTM states it carries are set to zero before every batch."""

    packages = ("bilm", "tensorflow", "numpy")

    def __init__(self, folder, max_batch_size):
        self._batcher = Batcher(os.path.join(folder, "vocab.txt"), MAX_CHARACTERS)
        self._character_ids = tf.placeholder("int32", shape=(None, None, MAX_CHARACTERS))
        model = BidirectionalLanguageModel(
            os.path.join(folder, "options.json"),
            os.path.join(folder, "weights.hdf5"),
            max_batch_size=max_batch_size,
        )
        self._layers = model(self._character_ids)["lm_embeddings"]
        # Weights have names; the states are the variables made without one.
        states = [v for v in tf.global_variables() if v.op.name.startswith("bilm/Variable")]
        self._reset_states = tf.variables_initializer(states)
        self._session = tf.Session()
        self._session.run(tf.global_variables_initializer())

    def embed(self, sentences):
        """Returns all layers of a batch, `(batch, layers, tokens, features)`."""
        character_ids = self._batcher.batch_sentences(sentences)
        self._session.run(self._reset_states)
        return self._session.run(self._layers, {self._character_ids: character_ids})

    @staticmethod
    def layers(result):
        """Returns the result as it is: boundaries are off already."""
        return result


if __name__ == "__main__":
    serve(BilmTF)
