"""What the tests of ElmoEmbeddings share: sentences, the layer, models that it is a part of."""

import keras
import numpy as np
import tensorflow as tf

from tests import numpy_reference as reference
from tests.small_elmo import CONFIG, GAMMA, W, random_elmo

ARRAYS = reference.random_arrays(CONFIG.to_options())

TEXT = ["the cat is on the mat", "dogs", "na\u00efve \u65e5\u672c \U0001f355"]
WORDS = [text.split(" ") for text in TEXT]
PADDED = [[*words, *[""] * (6 - len(words))] for words in WORDS]


def make(**kwargs):
    """The layer with random weights, unless told otherwise with one mix that is not the initial."""
    if kwargs.get("output") != "layers":
        kwargs = {"initial_weights": W, "initial_gamma": GAMMA, **kwargs}
    return random_elmo(**kwargs)


def padded(sentences):
    batch = np.zeros((len(sentences), 6, 8))
    for row, vectors in enumerate(sentences):
        batch[row, : len(vectors)] = vectors
    return batch


class Subclassed(keras.Model):
    """A subclassed model, that leaves the mask to Keras."""

    def __init__(self, elmo, *after):
        super().__init__()
        self.elmo = elmo
        self.after = after

    def call(self, inputs):
        vectors = self.elmo(inputs)
        for layer in self.after:
            vectors = layer(vectors)
        return vectors


# None of them empty: the mean of no words, which the models here take, is NaN in Keras.
SENTENCES = tf.constant([*TEXT, "the mat", "fog"])
TARGETS = np.linspace(-1.0, 1.0, 5)[:, np.newaxis]


def model_of(elmo, form="functional"):
    inputs = keras.Input((), dtype="string")
    layers = [keras.layers.GlobalAveragePooling1D(), keras.layers.Dense(1)]
    if form == "sequential":
        return keras.Sequential([inputs, elmo, *layers])
    if form == "subclassed":
        return Subclassed(elmo, *layers)
    pool, dense = layers
    return keras.Model(inputs, dense(pool(elmo(inputs))))
