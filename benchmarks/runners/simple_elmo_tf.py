"""Runner of simple_elmo on current TensorFlow.

`ElmoModel.get_elmo_vectors` opens a session, initialises every weight and runs the first batch
twice in each call, and gathers float64. Here one session is kept open and fed directly, which is
the fastest way to use the library.
"""

import os

os.environ["TF_USE_LEGACY_KERAS"] = "1"  # its LSTM cells are those of Keras 2

import tensorflow as tf
from protocol import serve
from simple_elmo import ElmoModel


class SimpleElmo:
    """One session, kept open; the LSTM states it carries are set to zero before every batch."""

    packages = ("simple_elmo", "tensorflow", "tf_keras", "numpy")

    def __init__(self, folder, max_batch_size):
        self._model = ElmoModel()
        self._model.load(folder, max_batch_size=max_batch_size, limit=None)
        self._layers = self._model.sentence_embeddings_op["lm_embeddings"]
        # Weights have names; the states are the variables made without one.
        variables = tf.compat.v1.global_variables()
        states = [v for v in variables if v.op.name.startswith("bilm/Variable")]
        self._reset_states = tf.compat.v1.variables_initializer(states)
        self._session = tf.compat.v1.Session()
        self._session.run(tf.compat.v1.global_variables_initializer())

    def embed(self, sentences):
        """Returns all layers of a batch, `(batch, layers, tokens, features)`."""
        character_ids = self._model.batcher.batch_sentences(sentences)
        self._session.run(self._reset_states)
        return self._session.run(self._layers, {self._model.sentence_character_ids: character_ids})

    @staticmethod
    def layers(result):
        """Returns the result as it is: boundaries are off already."""
        return result


if __name__ == "__main__":
    serve(SimpleElmo)
