"""ELMo in plain NumPy: slow, in float64, and as close to the equations as code can be.

It is what the tests compare with, and it is documentation: nothing here is batched, packed, cut or
cached. A function works on one word or one sentence, without padding; weights are arrays under the
names of bilm-tf's weight files, sizes are the dictionary of its `options.json`.

    words --char_ids--> ids --char_cnn--> word vectors --lstm, twice each layer--> 2L + 1 vectors
    a token --layers--> L + 1 layers --scalar_mix--> ELMo
"""

from typing import NamedTuple

import numpy as np

# --- characters


def char_ids(word, max_characters=50):
    """A word's ids: bytes between 258 and 259, padded with 260; then all shifted by +1."""
    data = word.encode("utf-8") if isinstance(word, str) else bytes(word)
    if data == b"<S>":
        characters = [256]
    elif data == b"</S>":
        characters = [257]
    else:
        characters = list(data)[: max_characters - 2]
    ids = [258] + characters + [259]
    ids = ids + [260] * (max_characters - len(ids))
    return np.array([1 + character for character in ids])


def sentence_char_ids(words, max_characters=50):
    """Ids of a sentence's words, `(tokens, max_characters)`."""
    ids = [char_ids(word, max_characters) for word in words]
    return np.array(ids, int).reshape(len(words), max_characters)


def batch_char_ids(sentences, max_characters=50):
    """Ids of several sentences, `(batch, tokens, max_characters)`, with zeros as padding."""
    tokens = max((len(words) for words in sentences), default=0)
    batch = np.zeros((len(sentences), tokens, max_characters), np.int32)
    for row, words in enumerate(sentences):
        batch[row, : len(words)] = sentence_char_ids(words, max_characters)
    return batch


# --- from characters to a word's vector


def sigmoid(x):
    """1 / (1 + e^-x)."""
    return 1.0 / (1.0 + np.exp(-x))


def relu(x):
    """max(x, 0)."""
    return np.maximum(x, 0.0)


ACTIVATIONS = {"relu": relu, "tanh": np.tanh}


def highway(x, w_transform, b_transform, w_carry, b_carry):
    """g relu(x W_t + b_t) + (1 - g) x, where g = sigmoid(x W_c + b_c)."""
    gate = sigmoid(x @ w_carry + b_carry)
    return gate * relu(x @ w_transform + b_transform) + (1.0 - gate) * x


def convolution(characters, kernel, bias, activation):
    """The maximum over all positions of a VALID convolution, then the activation.

    characters: (chars, dim); kernel: (width, dim, number). Returns (number,).
    """
    width = kernel.shape[0]
    responses = []
    for start in range(characters.shape[0] - width + 1):
        window = characters[start : start + width]  # (width, dim)
        responses.append(np.sum(window[:, :, np.newaxis] * kernel, axis=(0, 1)) + bias)
    return activation(np.max(responses, axis=0))


def char_cnn(ids, embedding, convolutions, highways, projection, activation):
    """One word's vector.

    ids: (chars,), shifted by +1. embedding: (261, dim), without a row for id 0. convolutions:
    pairs (kernel, bias). highways: arguments of `highway` after the first. projection: a pair
    (kernel, bias), or None. activation: "relu" or "tanh".
    """
    characters = embedding[ids - 1]  # (chars, dim)
    vector = np.concatenate(
        [
            convolution(characters, kernel, bias, ACTIVATIONS[activation])
            for kernel, bias in convolutions
        ]
    )
    for weights in highways:
        vector = highway(vector, *weights)
    if projection is not None:
        kernel, bias = projection
        vector = vector @ kernel + bias
    return vector


# --- from word vectors to context


def clip(x, bound):
    """Bounds |x|, if there is a bound."""
    return x if bound is None else np.clip(x, -bound, bound)


class LSTMResult(NamedTuple):
    """Outputs `(tokens, size)`, and the state after the last token that was read."""

    outputs: np.ndarray
    h: np.ndarray
    c: np.ndarray


def lstm(
    x,
    kernel,
    bias,
    projection=None,
    cell_clip=None,
    projection_clip=None,
    skip=False,
    backwards=False,
    h=None,
    c=None,
):
    """An LSTM with projection over one sentence, token by token.

    x: (tokens, features). kernel: (features + size, 4 units), its columns the gates i, j, f, o.
    projection: (units, size) or None. h, c: the state to start from; None for zeros.
    """
    units = kernel.shape[1] // 4
    size = units if projection is None else projection.shape[1]
    h = np.zeros(size) if h is None else h
    c = np.zeros(units) if c is None else c
    outputs = np.zeros((len(x), size))
    places = range(len(x))
    for t in reversed(places) if backwards else places:
        i, j, f, o = np.split(np.concatenate([x[t], h]) @ kernel + bias, 4)
        c = clip(sigmoid(f + 1.0) * c + sigmoid(i) * np.tanh(j), cell_clip)
        h = sigmoid(o) * np.tanh(c)
        if projection is not None:
            h = clip(h @ projection, projection_clip)
        outputs[t] = h + x[t] if skip else h
    return LSTMResult(outputs, h, c)


# --- the biLM


class BiLMResult(NamedTuple):
    """The 2L + 1 vectors of a sentence's tokens, and the states of its 2L LSTMs.

    `word_vectors` is (tokens, projection); `forward` and `backward` have one such array a layer;
    `state` has a pair (h, c) for every forward layer, then for every backward layer.
    """

    word_vectors: np.ndarray
    forward: list
    backward: list
    state: list

    def layers(self):
        """The L + 1 layers, each (tokens, 2 projection)."""
        word_layer = np.concatenate([self.word_vectors, self.word_vectors], axis=1)
        context = zip(self.forward, self.backward, strict=True)
        return [word_layer] + [np.concatenate(pair, axis=1) for pair in context]


def word_vector(word, options, arrays):
    """The vector of one word."""
    options = options["char_cnn"]
    sizes = [number for _, number in options["filters"]]
    highways = [
        [arrays[f"CNN_high_{k}/{name}"] for name in HIGHWAY_NAMES]
        for k in range(options.get("n_highway") or 0)
    ]
    has_projection = "CNN_proj/W_proj" in arrays
    return char_cnn(
        char_ids(word, options["max_characters_per_token"]),
        embedding=arrays["char_embed"],
        convolutions=[
            (arrays[f"CNN/W_cnn_{k}"][0], arrays[f"CNN/b_cnn_{k}"]) for k in range(len(sizes))
        ],
        highways=highways,
        projection=(
            (arrays["CNN_proj/W_proj"], arrays["CNN_proj/b_proj"]) if has_projection else None
        ),
        activation=options["activation"],
    )


HIGHWAY_NAMES = ("W_transform", "b_transform", "W_carry", "b_carry")


def bilm(words, options, arrays, state=None):
    """All vectors of one sentence, given as a list of words.

    Unless `options["sentence_boundaries"]` is False the sentence is read between <S> and </S>,
    whose own vectors are left out at the end.
    """
    bounded = options.get("sentence_boundaries", True)
    words = ["<S>", *words, "</S>"] if bounded else list(words)
    vectors = np.array([word_vector(word, options, arrays) for word in words])
    vectors = vectors.reshape(len(words), options["lstm"]["projection_dim"])
    num_layers = options["lstm"].get("n_layers", 1)
    state = [(None, None)] * (2 * num_layers) if state is None else state
    states = state[:num_layers], state[num_layers:]
    if options.get("architecture") == "merged":
        (forward, forward_state), (backward, backward_state) = merged_stacks(
            vectors, options, arrays, states
        )
    else:
        forward, forward_state = stack(vectors, options, arrays, 0, states[0])
        backward, backward_state = stack(vectors, options, arrays, 1, states[1])
    real = slice(1, -1) if bounded else slice(None)
    return BiLMResult(
        word_vectors=vectors[real],
        forward=[outputs[real] for outputs in forward],
        backward=[outputs[real] for outputs in backward],
        state=forward_state + backward_state,
    )


def stack(vectors, options, arrays, direction, state):
    """The LSTMs of one direction (0 forward, 1 backward), each over the one before."""
    outputs, states = [], []
    for layer, layer_state in enumerate(state):
        result = bilm_lstm(vectors, options, arrays, direction, layer, layer_state)
        vectors = result.outputs
        outputs.append(vectors)
        states.append((result.h, result.c))
    return outputs, states


def bilm_lstm(vectors, options, arrays, direction, layer, state):
    """One of the biLM's LSTMs."""
    options = options["lstm"]
    prefix = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
    h, c = state
    return lstm(
        vectors,
        arrays[f"{prefix}/W_0"],
        arrays[f"{prefix}/B"],
        projection=arrays.get(f"{prefix}/W_P_0"),
        cell_clip=options.get("cell_clip"),
        projection_clip=options.get("proj_clip"),
        skip=options.get("use_skip_connections", False) and layer > 0,
        backwards=direction == 1,
        h=h,
        c=c,
    )


def merged_stacks(vectors, options, arrays, states):
    """The LSTMs of both directions; both of a layer read both below and the word vectors."""
    outputs, new_states = ([], []), ([], [])
    inputs = vectors
    for layer in range(options["lstm"]["n_layers"]):
        for direction in (0, 1):
            state = states[direction][layer]
            result = bilm_lstm(inputs, options, arrays, direction, layer, state)
            outputs[direction].append(result.outputs)
            new_states[direction].append((result.h, result.c))
        both = np.concatenate([outputs[0][layer], outputs[1][layer]], axis=1)
        if options["merge"] == "add":
            inputs = np.concatenate([vectors, vectors], axis=1) + both
        else:
            inputs = np.concatenate([vectors, both], axis=1)
    return zip(outputs, new_states, strict=True)


# --- the mix


def softmax(w):
    """e^w_j / sum_k e^w_k."""
    exponentials = np.exp(w - np.max(w))
    return exponentials / np.sum(exponentials)


def scalar_mix(layers, w, gamma, layer_norm=False):
    """gamma sum_j softmax(w)_j h_j.

    layers: arrays of which every row is a real token of the batch. With `layer_norm` each layer is
    first centred and scaled by one mean and one variance over all of them, as bilm-tf does.
    """
    if layer_norm:
        layers = [(h - np.mean(h)) / np.sqrt(np.var(h) + 1e-12) for h in layers]
    return gamma * sum(share * h for share, h in zip(softmax(w), layers, strict=True))


# --- random models


def random_arrays(options, seed=0, scale=1.0):
    """Weights of a biLM under the names of a bilm-tf file.

    Large enough for clips of about 1 to bite, and exactly representable in float32.
    """
    rng = np.random.default_rng(seed)

    def normal(*shape, fan_in=1.0):
        values = rng.normal(size=shape) * scale / np.sqrt(fan_in)
        return values.astype(np.float32).astype(np.float64)

    cnn, rnn = options["char_cnn"], options["lstm"]
    dim, units, projection = cnn["embedding"]["dim"], rnn["dim"], rnn["projection_dim"]
    arrays = {"char_embed": normal(261, dim)}
    for k, (width, number) in enumerate(cnn["filters"]):
        arrays[f"CNN/W_cnn_{k}"] = normal(1, width, dim, number, fan_in=width * dim)
        arrays[f"CNN/b_cnn_{k}"] = normal(number)
    features = sum(number for _, number in cnn["filters"])
    for k in range(cnn.get("n_highway") or 0):
        for name in HIGHWAY_NAMES:
            shape = (features, features) if name[0] == "W" else (features,)
            arrays[f"CNN_high_{k}/{name}"] = normal(*shape, fan_in=features)
    if features != projection:
        arrays["CNN_proj/W_proj"] = normal(features, projection, fan_in=features)
        arrays["CNN_proj/b_proj"] = normal(projection)
    for direction in (0, 1):
        for layer in range(rnn.get("n_layers", 1)):
            prefix = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/LSTMCell"
            rows = 2 * projection
            if options.get("architecture") == "merged" and layer > 0:
                rows = (3 if options["merge"] == "add" else 4) * projection
            arrays[f"{prefix}/W_0"] = normal(rows, 4 * units, fan_in=rows / 2)
            arrays[f"{prefix}/B"] = normal(4 * units)
            if projection != units:
                arrays[f"{prefix}/W_P_0"] = normal(units, projection, fan_in=units / 4)
    return arrays


# --- gradients


def finite_differences(function, x, step=1e-5):
    """Gradient of a function of one array to a number, by central differences.

    In float64 the error is about step² from the third derivative and 1e-16 / step from rounding:
    some 1e-10 here. `function` sees `x` itself, changed in place one entry at a time.
    """
    x = np.asarray(x)
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + step
        above = function(x)
        x[index] = value - step
        below = function(x)
        x[index] = value
        gradient[index] = (above - below) / (2.0 * step)
    return gradient
