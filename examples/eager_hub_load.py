"""An exported ELMo in an eager script, with TensorFlow and tensorflow_hub alone.

elmo-tf2 export elmo_mini_en SAVED_MODEL
python examples/eager_hub_load.py SAVED_MODEL

Prints what a call gives, and what the vectors know without any training: for words that are of
several parts of speech in a file, as "like" and "that" are, how often the occurrence that is
nearest to another, by the cosine of their vectors, is of the same part of speech.
"""

from collections import defaultdict

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from tagging import TEST, batches, options, read_conllu


def embed(elmo, sentences):
    """All words of sentences, the numbers of their tags, and their vectors by layer."""
    found = defaultdict(list)
    for words, tags, _ in batches(sentences):
        is_word = words != ""
        lengths = tf.math.count_nonzero(is_word, axis=1, dtype=tf.int32)
        # One graph for all shapes; `elmo(…, signature="tokens")` makes one for each.
        outputs = elmo.embed_tokens({"tokens": words, "sequence_len": lengths})
        layers = {name: value for name, value in outputs.items() if value.shape.rank == 3}
        for name, values in {"words": tf.strings.lower(words), "tags": tags, **layers}.items():
            found[name].append(values[is_word].numpy())
    return [np.concatenate(found.pop(name)) for name in ("words", "tags")], {
        name: np.concatenate(vectors) for name, vectors in found.items()
    }


def nearest(vectors):
    """The row that is nearest to each of some rows."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -1)
    return cosines.argmax(axis=1)


def main(given):
    """Prints the outputs of one call, then the comparison."""
    elmo = hub.load(str(given.saved_model))
    text = ["I like to eat apple", "I like apple products"]
    print("Outputs for", text)
    for name, value in sorted(elmo(text, signature="default", as_dict=True).items()):
        print(f"  {name:13} {value.dtype.name:8} {value.shape}")

    (words, tags), layers = embed(elmo, read_conllu(given.test, given.sentences))
    places = [np.flatnonzero(words == word) for word in sorted(set(words))]
    places = [rows for rows in places if len(set(tags[rows])) > 1]
    count = sum(map(len, places))
    print(f"\n{len(places)} words of several parts of speech occur {count} times. The nearest")
    print("other occurrence is of the same part of speech, by layer:")
    for name, vectors in sorted(layers.items()):
        same = sum(np.sum(tags[rows][nearest(vectors[rows])] == tags[rows]) for rows in places)
        print(f"  {name:13} {same / count:.1%}")


if __name__ == "__main__":
    main(options(__doc__, "saved_model", test=TEST))
