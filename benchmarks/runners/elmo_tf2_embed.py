"""Runner of what `elmo-tf2 embed` computes with: a whole corpus, in batches of its own choice.

elmo_tf2_embed.py            in float32
elmo_tf2_embed.py bfloat16
"""

import sys

import numpy as np
from protocol import serve

from elmo_tf2.features.encoder import encoder_of
from elmo_tf2.features.text import BATCH_SIZE, Sentence, batches, windows


class ElmoEmbed:
    """The encoder of `elmo_tf2.features.embed_file`, without the file that it writes."""

    packages = ("tensorflow", "numpy")

    def __init__(self, folder, max_batch_size):
        del max_batch_size  # it takes its own
        self._encoder = encoder_of(folder, dtype=sys.argv[1] if sys.argv[1:] else None)

    def embed(self, sentences):
        """Returns the vectors of every sentence, `(layers, words, features)`."""
        vectors = [None] * len(sentences)
        numbered = (
            Sentence(number, [word.encode() for word in words], b"")
            for number, words in enumerate(sentences)
        )
        for window in windows(numbered):
            for batch in batches(window, BATCH_SIZE):
                for sentence, array in zip(batch, self._encoder.encode(batch), strict=True):
                    vectors[sentence.number] = array
        return vectors

    @staticmethod
    def layers(result):
        """Returns the layers, zeros past a sentence's end."""
        layers, _, features = result[0].shape
        longest = max(array.shape[1] for array in result)
        padded = np.zeros((len(result), layers, longest, features), np.float32)
        for row, array in zip(padded, result, strict=True):
            row[:, : array.shape[1]] = array
        return padded


if __name__ == "__main__":
    serve(ElmoEmbed)
