"""What a model of ELMoForManyLangs computes, in plain NumPy and float64, one sentence at a time.

It takes a `ManyLangsModel`, whose weights have the names and layouts of bilm-tf's files.

    words --word_ids, char_ids--> ids --token_vector--> vectors --lstm, twice each layer--> layers
"""

import numpy as np

from tests.numpy_reference import relu, sigmoid

ACTIVATIONS = {"relu": relu, "tanh": np.tanh}


def cut(token, max_characters):
    """Code points, of which two are left for the marks."""
    return token[: max_characters - 2]


def word_id(model, token):
    token = cut(token, model.config["max_characters"])
    words = model.words
    return words.index(token) if token in words else words.index("<oov>")


def char_ids(model, token):
    """The beginning is marked by `<eow>`, the end by `<bow>`: swapped, as in the original."""
    characters, size = model.characters, model.config["max_characters"]
    inner = [token] if token in ("<bos>", "<eos>") else cut(token, size)
    spelt = ["<eow>", *(c if c in characters else "<oov>" for c in inner), "<bow>"]
    spelt += ["<pad>"] * (size - len(spelt))
    return [characters.index(c) for c in spelt]


def cnn(model, ids):
    """The highways' output of a token's characters."""
    arrays, config = model.arrays, model.config
    x = arrays["char_embed"].astype(np.float64)[ids]  # (chars, dim)
    parts = []
    for i, (width, _) in enumerate(config["filters"]):
        kernel = arrays[f"CNN/W_cnn_{i}"][0].astype(np.float64)  # (width, dim, number)
        windows = [x[t : t + width] for t in range(len(x) - width + 1)]
        over_time = np.einsum("twd,wdn->tn", windows, kernel)
        parts.append(np.max(over_time, axis=0) + arrays[f"CNN/b_cnn_{i}"])
    u = ACTIVATIONS[config["activation"]](np.concatenate(parts))
    for i in range(config["num_highway_layers"]):
        w = {k: arrays[f"CNN_high_{i}/{k}"] for k in ("W_carry", "W_transform")}
        b = {k: arrays[f"CNN_high_{i}/{k}"] for k in ("b_carry", "b_transform")}
        gate = sigmoid(u @ w["W_carry"] + b["b_carry"])
        u = gate * relu(u @ w["W_transform"] + b["b_transform"]) + (1 - gate) * u
    return u


def token_vector(model, token):
    """The projection of [word; characters]."""
    parts = []
    if model.config["word_dim"]:
        parts.append(model.arrays["embedding"][word_id(model, token)])
    if model.config["filters"]:
        parts.append(cnn(model, char_ids(model, token)))
    projection = model.arrays["CNN_proj/W_proj"].astype(np.float64)
    return np.concatenate(parts) @ projection + model.arrays["CNN_proj/b_proj"]


def clipped(x, bound):
    return x if bound is None else np.clip(x, -bound, bound)


def lstm(model, inputs, direction, layer):
    """The outputs of one layer and direction, `(tokens, projection_dim)`, without a skip."""
    name = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
    kernel, bias, projection = (
        model.arrays[f"{name}/{part}"].astype(np.float64) for part in ("W_0", "B", "W_P_0")
    )
    h, c = np.zeros(model.config["projection_dim"]), np.zeros(model.config["units"])
    outputs = []
    for x in inputs:
        i, j, f, o = np.split(np.concatenate([x, h]) @ kernel + bias, 4)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(j)
        c = clipped(c, model.config["cell_clip"])
        h = clipped((sigmoid(o) * np.tanh(c)) @ projection, model.config["projection_clip"])
        outputs.append(h)
    return np.array(outputs)


def layers(model, sentence):
    """All layers of a sentence's tokens, `(layers, tokens, 2 projection_dim)`."""
    tokens = ["<bos>", *sentence, "<eos>"]
    vectors = {token: token_vector(model, token) for token in tokens}
    forward = np.array([vectors[token] for token in tokens])
    backward = forward[::-1]
    found = [np.concatenate([forward, forward], -1)]
    for layer in range(model.config["num_layers"]):
        skips = (forward, backward) if layer else (0, 0)
        forward = lstm(model, forward, 0, layer) + skips[0]
        backward = lstm(model, backward, 1, layer) + skips[1]
        found.append(np.concatenate([forward, backward[::-1]], -1))
    return np.array(found)[:, 1:-1]
