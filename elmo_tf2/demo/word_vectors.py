"""Vectors of a word in different sentences, with TensorFlow and tensorflow_hub alone.

python word_vectors.py SAVED_MODEL SENTENCES.json VECTORS.npz

SAVED_MODEL is an ELMo that `elmo-tf2 export` made. SENTENCES.json holds sentences by word and
sense. VECTORS.npz gets an array for every word and layer, for example "apple/lstm_outputs1", of
shape (sentences, dimensions), in the order of the sentences. Keep this file: it is all that one
needs to use ELMo.
"""

import json
import os
import sys
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub


def word_vectors(elmo: Any, word: str, sentences: list[str]) -> dict[str, np.ndarray]:
    """The vectors of a word's first occurrence in every sentence, by layer.

    A word of several tokens, as Chinese words are, has the mean of their vectors.
    """
    strings = tf.constant(sentences)
    tokens = elmo.tokenize(strings)["tokens"].numpy().tolist()  # (sentences, tokens)
    (parts,) = elmo.tokenize(tf.constant([word]))["tokens"].numpy().tolist()
    starts = [
        next(start for start in range(len(row)) if row[start : start + len(parts)] == parts)
        for row in tokens
    ]
    rows = np.arange(len(sentences))[:, np.newaxis]
    columns = np.add.outer(starts, np.arange(len(parts)))  # (sentences, parts)
    outputs = elmo.default(strings)
    return {
        name: value.numpy()[rows, columns].mean(axis=1)  # (sentences, dimensions)
        for name, value in sorted(outputs.items())
        if value.shape.rank == 3
    }


def main() -> None:
    """Writes the vectors, and prints what is nearest to the first sentence of every word."""
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    elmo = hub.load(sys.argv[1])
    with open(sys.argv[2], "rb") as file:
        words = json.load(file)
    arrays: dict[str, Any] = {}
    for word, senses in words.items():
        sentences = [sentence for sense in senses.values() for sentence in sense]
        vectors = word_vectors(elmo, word, sentences)
        arrays |= {f"{word}/{layer}": array for layer, array in vectors.items()}
        unit = vectors["elmo"] / np.linalg.norm(vectors["elmo"], axis=1, keepdims=True)
        cosines = unit[1:] @ unit[0]
        print(f"{word}: {sentences[0]!r} is nearest to {sentences[1 + cosines.argmax()]!r}")
    np.savez(sys.argv[3], **arrays)


if __name__ == "__main__":
    main()
