"""What the tests of BiLM share: shapes, sentences, networks of random weights."""

import copy

import numpy as np

from elmo_tf2.models import BiLM, set_bilm_arrays
from tests import numpy_reference as reference

# An order of additions that varies with the shape of a batch may change the last bits of a float32
# and what follows from them; 1e-5 is the promise.
PROMISE = {"rtol": 0, "atol": 1e-5}

SMALL = {
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 3},
        "filters": [[1, 3], [2, 4]],
        "max_characters_per_token": 50,
        "n_characters": 262,
        "n_highway": 1,
    },
    "lstm": {
        "cell_clip": 0.8,
        "dim": 6,
        "n_layers": 2,
        "proj_clip": 0.6,
        "projection_dim": 4,
        "use_skip_connections": True,
    },
}


def options(**changes):
    """`SMALL` with other values; a name's first part is the section it stands in."""
    changed = copy.deepcopy(SMALL)
    for name, value in changes.items():
        if name in ("sentence_boundaries", "architecture", "merge"):
            changed[name] = value
        else:
            section = "char_cnn" if name in SMALL["char_cnn"] else "lstm"
            changed[section][name] = value
    return changed


def merged(merge, **changes):
    """Those of a model whose directions are merged."""
    changes = {"use_skip_connections": False, **changes}
    return options(architecture="merged", merge=merge, **changes)


CONFIGS = {
    "small": options(),
    "tanh": options(activation="tanh"),
    "no highway": options(n_highway=0),
    "three highways": options(n_highway=3),
    "no CNN projection": options(filters=[[1, 1], [3, 3]]),
    "no LSTM projection": options(projection_dim=6),
    "neither projection": options(projection_dim=6, filters=[[2, 6]]),
    "one layer": options(n_layers=1),
    "three layers": options(n_layers=3),
    "no skip connections": options(use_skip_connections=False),
    "three layers, no skip connections": options(n_layers=3, use_skip_connections=False),
    "no clips": options(cell_clip=None, proj_clip=None),
    "cell clip only": options(proj_clip=None),
    "projection clip only": options(cell_clip=None),
    "filters as wide as a word": options(filters=[[1, 2], [49, 3], [50, 4]]),
    "short words": options(max_characters_per_token=8),
    "long words": options(max_characters_per_token=80),
    "no boundaries": options(sentence_boundaries=False),
    "no boundaries, three layers": options(sentence_boundaries=False, n_layers=3),
    "merged, added": merged("add"),
    "merged, concatenated": merged("concat"),
    "merged, no boundaries": merged("add", sentence_boundaries=False),
    "merged, three layers": merged("concat", n_layers=3),
    "merged, no LSTM projection": merged("add", projection_dim=6),
}

SENTENCES = [
    ["The", "cat", "is", "on", "the", "mat", "."],
    [],
    ["日本語", "x" * 60, ""],
    ["a"],
    ["<S>", "é" * 24, "</S>", "\0"],
]


def make_bilm(options, seed=0, **kwargs):
    """A BiLM of random weights, and the weights."""
    arrays = reference.random_arrays(options, seed)
    bilm = BiLM(options, **kwargs)
    bilm.build()
    set_bilm_arrays(bilm, arrays)
    return bilm, arrays


def vectors(output):
    """All 2L + 1 vectors of every token, `(batch, tokens, vectors)` with the last two axes flat."""
    return np.concatenate([output.word_vectors, *output.forward, *output.backward], axis=-1)


def reference_vectors(words, options, arrays, state=None):
    """The same of one sentence by the reference, and its final states."""
    result = reference.bilm(words, options, arrays, state)
    return (
        np.concatenate([result.word_vectors, *result.forward, *result.backward], axis=-1),
        result.state,
    )


def char_ids(sentences, options=SMALL):
    return reference.batch_char_ids(sentences, options["char_cnn"]["max_characters_per_token"])
