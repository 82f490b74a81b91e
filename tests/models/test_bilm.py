"""BiLM: equality with the NumPy reference and with other implementations; padding; states."""

import copy
import json
import logging

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import words_to_char_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.layers import ScalarMix
from elmo_tf2.models import BiLM, BiLMOutput, bilm_arrays, set_bilm_arrays
from tests import numpy_reference as reference

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


# --- the reference


@pytest.mark.parametrize("options", CONFIGS.values(), ids=CONFIGS)
def test_vectors_and_states_equal_the_reference(options):
    bilm, arrays = make_bilm(options)
    output = bilm(char_ids(SENTENCES, options))
    result = vectors(output)
    for row, words in enumerate(SENTENCES):
        expected, state = reference_vectors(words, options, arrays)
        # 1e-5 is the project's bound in float32.
        np.testing.assert_allclose(result[row, : len(words)], expected, rtol=0, atol=1e-5)
        for (h, c), (expected_h, expected_c) in zip(output.state, state, strict=True):
            np.testing.assert_allclose(h[row], expected_h, rtol=0, atol=1e-5)
            np.testing.assert_allclose(c[row], expected_c, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    ["small", "no LSTM projection", "no boundaries", "merged, added", "merged, concatenated"],
)
def test_in_float64_only_rounding_is_left(name):
    options = CONFIGS[name]
    bilm, arrays = make_bilm(options, dtype="float64")
    output = bilm(char_ids(SENTENCES, options))
    assert {tensor.dtype for tensor in (*output.forward, *output.backward)} == {tf.float64}
    result = vectors(output)
    for row, words in enumerate(SENTENCES):
        expected, _ = reference_vectors(words, options, arrays)
        np.testing.assert_allclose(result[row, : len(words)], expected, rtol=0, atol=1e-12)


def test_the_clips_of_these_tests_are_in_reach():
    arrays = reference.random_arrays(SMALL)
    result = reference.bilm(SENTENCES[0], SMALL, arrays)
    assert np.mean(np.abs(result.forward[0]) == 0.6) > 0.1
    assert np.mean([np.abs(c) == 0.8 for _, c in result.state]) > 0.1


def test_layers_are_the_word_twice_then_forward_beside_backward():
    bilm, arrays = make_bilm(SMALL)
    layers = bilm(char_ids(SENTENCES[:1])).layers()
    expected = reference.bilm(SENTENCES[0], SMALL, arrays).layers()
    assert len(layers) == len(expected) == 3
    for layer, value in zip(layers, expected, strict=True):
        np.testing.assert_allclose(layer[0], value, rtol=0, atol=1e-5)


def test_the_mask_marks_real_tokens():
    bilm, _ = make_bilm(SMALL)
    mask = bilm(char_ids([["the", ""], ["cat"], []])).mask
    np.testing.assert_array_equal(mask, [[True, True], [True, False], [False, False]])


# --- the same sentence, the same vectors


# An order of additions that varies with the shape of a batch may change the last bits of a float32
# and what follows from them; 1e-5 is the promise.
PROMISE = {"rtol": 0, "atol": 1e-5}


@pytest.fixture(scope="module")
def bilm():
    return make_bilm(SMALL)[0]


@pytest.fixture(scope="module")
def alone(bilm):
    """The first sentence's vectors when nothing is beside it."""
    return vectors(bilm(char_ids(SENTENCES[:1])))[0]


def random_sentences(number, rng, longest=30):
    letters = list("abcdefghijklmnopqrstuvwxyzéß日")
    return [
        ["".join(rng.choice(letters, rng.integers(1, 12))) for _ in range(rng.integers(0, longest))]
        for _ in range(number)
    ]


def test_a_sentence_has_the_same_vectors_in_a_batch_of_128(bilm, alone, rng):
    sentences = random_sentences(128, rng)
    for place in (0, 64, 127):
        sentences[place] = SENTENCES[0]
    result = vectors(bilm(char_ids(sentences)))
    for place in (0, 64, 127):
        np.testing.assert_allclose(result[place, :7], alone, **PROMISE)


def test_a_sentence_has_the_same_vectors_beside_one_of_5000_tokens(bilm, alone, rng):
    long = [str(number) for number in rng.integers(0, 3000, size=5000)]
    result = vectors(bilm(char_ids([long, SENTENCES[0]])))
    np.testing.assert_allclose(result[1, :7], alone, **PROMISE)
    assert not np.any(result[1, 7:])
    assert np.all(np.isfinite(result))


def test_a_sentence_has_the_same_vectors_in_any_order(bilm, rng):
    sentences = random_sentences(16, rng)
    result = vectors(bilm(char_ids(sentences)))
    order = rng.permutation(16)
    np.testing.assert_allclose(
        vectors(bilm(char_ids([sentences[row] for row in order]))), result[order], **PROMISE
    )


def test_a_sentence_has_the_same_vectors_on_the_first_and_the_hundredth_call(rng):
    bilm, _ = make_bilm(SMALL)
    graph = tf.function(bilm, input_signature=[tf.TensorSpec([None, None, 50], tf.int32)])
    others = [char_ids(random_sentences(number, rng, 5)) for number in (1, 2, 3)]
    first = vectors(graph(char_ids(SENTENCES[:1])))
    for call in range(98):
        graph(others[call % 3])
    np.testing.assert_array_equal(vectors(graph(char_ids(SENTENCES[:1]))), first)


@pytest.mark.parametrize("places", [1, 2, 40])
def test_more_padding_changes_nothing(places, bilm):
    ids = char_ids(SENTENCES)
    more = np.pad(ids, [(0, 0), (0, places), (0, 0)])
    result = vectors(bilm(more))
    np.testing.assert_allclose(result[:, : ids.shape[1]], vectors(bilm(ids)), **PROMISE)
    assert not np.any(result[:, ids.shape[1] :])


def test_vectors_at_padding_are_zero(bilm):
    result = vectors(bilm(char_ids(SENTENCES)))
    for row, words in enumerate(SENTENCES):
        assert not np.any(result[row, len(words) :])


def test_words_under_a_mask_are_padding(bilm, alone):
    ids = char_ids([[*SENTENCES[0], "more", "words"]])
    result = vectors(bilm(ids, mask=np.array([[True] * 7 + [False] * 2])))
    np.testing.assert_allclose(result[0, :7], alone, **PROMISE)
    assert not np.any(result[0, 7:])


@pytest.mark.parametrize("places", [(1, 3, 4, 5, 6, 8, 11), (5, 6, 7, 8, 9, 10, 11)])
def test_padding_may_stand_anywhere(places, bilm, alone):
    places = list(places)
    ids = np.zeros((1, 14, 50), np.int32)
    ids[0, places] = char_ids(SENTENCES[:1])[0]
    result = vectors(bilm(ids))[0]
    np.testing.assert_allclose(result[places], alone, **PROMISE)
    assert not np.any(np.delete(result, places, axis=0))


# --- empty batches


@pytest.mark.parametrize("boundaries", [True, False])
@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (0, 0)])
def test_an_empty_batch_has_no_vectors(shape, boundaries):
    bilm, _ = make_bilm(options(sentence_boundaries=boundaries))
    output = bilm(np.zeros((*shape, 50), np.int32))
    assert vectors(output).shape == (*shape, 5 * 4)
    assert [layer.shape for layer in output.layers()] == [(*shape, 8)] * 3
    assert output.mask.shape == shape
    assert [(h.shape, c.shape) for h, c in output.state] == [((shape[0], 4), (shape[0], 6))] * 4


@pytest.mark.parametrize("boundaries", [True, False])
def test_a_batch_of_empty_sentences_has_vectors_of_zero(boundaries):
    bilm, _ = make_bilm(options(sentence_boundaries=boundaries))
    result = vectors(bilm(np.zeros((2, 3, 50), np.int32)))
    np.testing.assert_array_equal(result, np.zeros((2, 3, 20)))


def test_an_empty_batch_is_taken_in_a_graph_too(bilm):
    graph = tf.function(
        lambda ids: bilm(ids).forward[1],
        input_signature=[tf.TensorSpec([None, None, 50], tf.int32)],
    )
    for shape in [(0, 3), (2, 0), (0, 0)]:
        assert graph(tf.zeros((*shape, 50), tf.int32)).shape == (*shape, 4)


# --- states


NO_BOUNDARIES = options(sentence_boundaries=False)


def test_carried_states_make_parts_one_sentence_forwards():
    bilm, _ = make_bilm(NO_BOUNDARIES)
    ids = char_ids([["The", "cat", "is", "on", "the", "mat"], ["a", "b", "c", "d", "e", "f"]])
    whole = bilm(ids)
    state, parts = None, []
    for part in (ids[:, :1], ids[:, 1:4], ids[:, 4:]):
        output = bilm(part, initial_state=state)
        state = output.state
        parts.append(output)
    for layer, expected in enumerate(whole.forward):
        joined = np.concatenate([output.forward[layer] for output in parts], axis=1)
        np.testing.assert_allclose(joined, expected, **PROMISE)
    for pair, expected in zip(state[:2], whole.state[:2], strict=True):
        for value, expected_value in zip(pair, expected, strict=True):
            np.testing.assert_allclose(value, expected_value, **PROMISE)


def test_carried_states_make_parts_one_sentence_backwards():
    bilm, _ = make_bilm(NO_BOUNDARIES)
    ids = char_ids([["The", "cat", "is", "on", "the", "mat"]])
    whole = bilm(ids)
    last = bilm(ids[:, 2:])
    first = bilm(ids[:, :2], initial_state=last.state)
    for layer, expected in enumerate(whole.backward):
        joined = np.concatenate([first.backward[layer], last.backward[layer]], axis=1)
        np.testing.assert_allclose(joined, expected, **PROMISE)


@pytest.mark.parametrize(
    "options",
    [SMALL, NO_BOUNDARIES, merged("add")],
    ids=["boundaries", "no boundaries", "merged"],
)
def test_given_states_equal_the_reference(options, rng):
    bilm, arrays = make_bilm(options)
    state = [(rng.normal(size=(5, 4)), rng.normal(size=(5, 6))) for _ in range(4)]
    output = bilm(char_ids(SENTENCES), initial_state=state)
    for row, words in enumerate(SENTENCES):
        row_state = [(h[row], c[row]) for h, c in state]
        expected, expected_state = reference_vectors(words, options, arrays, row_state)
        np.testing.assert_allclose(vectors(output)[row, : len(words)], expected, rtol=0, atol=1e-5)
        for pair, expected_pair in zip(output.state, expected_state, strict=True):
            for value, expected_value in zip(pair, expected_pair, strict=True):
                np.testing.assert_allclose(value[row], expected_value, rtol=0, atol=1e-5)


def test_vectors_are_the_same_if_states_are_not_wanted(bilm):
    ids = char_ids(SENTENCES)
    output = bilm(ids, return_state=False)
    assert output.state == ()
    np.testing.assert_array_equal(vectors(output), vectors(bilm(ids)))


def test_none_stands_for_the_zero_state_of_one_lstm(bilm):
    ids = char_ids(SENTENCES)
    state = [None, bilm(ids).state[1], None, None]
    zeros = (np.zeros((5, 4), "float32"), np.zeros((5, 6), "float32"))
    filled = [zeros, state[1], zeros, zeros]
    np.testing.assert_array_equal(
        vectors(bilm(ids, initial_state=state)), vectors(bilm(ids, initial_state=filled))
    )


def test_a_carried_state_keeps_float32_beside_bfloat16():
    # Of 1 + 2^-12 bfloat16 keeps the 1 alone. No token is read, so nothing else may change it.
    bilm, _ = make_bilm(NO_BOUNDARIES, dtype="mixed_bfloat16")
    state = [(np.full((2, 4), 1 + 2**-12, "float32"), np.full((2, 6), 1 + 2**-12, "float32"))] * 4
    output = bilm(np.zeros((2, 1, 50), "int32"), initial_state=state)
    for pair, expected in zip(output.state, state, strict=True):
        for value, expected_value in zip(pair, expected, strict=True):
            np.testing.assert_array_equal(value, expected_value)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_there_must_be_a_state_a_layer_and_direction(number, bilm):
    state = [(np.zeros((1, 4)), np.zeros((1, 6)))] * number
    with pytest.raises(ValueError, match=f"`initial_state` must have 4 pairs .*Received: {number}"):
        bilm(char_ids([["a"]]), initial_state=state)


# --- word vectors instead of characters


@pytest.mark.parametrize("options", [SMALL, NO_BOUNDARIES], ids=["boundaries", "no boundaries"])
def test_word_vectors_give_what_their_characters_give(options):
    bilm, _ = make_bilm(options)
    ids = char_ids(SENTENCES)
    words = bilm.char_cnn(ids).numpy()
    mask = np.any(ids != 0, axis=-1)
    np.testing.assert_allclose(vectors(bilm(words, mask=mask)), vectors(bilm(ids)), **PROMISE)


def test_word_vectors_without_a_mask_are_all_real(bilm, alone):
    words = bilm.char_cnn(char_ids(SENTENCES[:1])).numpy()
    np.testing.assert_allclose(vectors(bilm(words))[0], alone, **PROMISE)


def test_word_vectors_bring_the_mask_of_the_layer_that_made_them(bilm):
    ids = char_ids(SENTENCES)
    output = bilm(bilm.char_cnn(ids))
    np.testing.assert_array_equal(output.mask, np.any(ids != 0, axis=-1))
    np.testing.assert_allclose(vectors(output), vectors(bilm(ids)), **PROMISE)


def test_contextualize_adds_no_boundaries(bilm):
    plain, _ = make_bilm(NO_BOUNDARIES)  # the same weights
    ids = char_ids(SENTENCES)
    words, mask = bilm.char_cnn(ids), tf.constant(np.any(ids != 0, axis=-1))
    np.testing.assert_allclose(
        vectors(bilm.contextualize(words, mask)), vectors(plain(ids)), **PROMISE
    )


@pytest.mark.parametrize("name", ["small", "merged, added"])
def test_contextualize_without_a_mask_learns_as_with_every_token_real(name, rng):
    bilm, _ = make_bilm(CONFIGS[name])
    words = tf.constant(rng.normal(size=(3, 7, bilm.config.projection_dim)), tf.float32)
    state = [
        tuple(tf.constant(rng.normal(size=part.shape), tf.float32) for part in pair)
        for pair in bilm.contextualize(words, None).state
    ]
    stacks = bilm.forward_layers + bilm.backward_layers
    sources = [words, *(weight for layer in stacks for weight in layer.trainable_weights)]
    answers = []
    for mask in (None, tf.fill([3, 7], True)):
        with tf.GradientTape() as tape:
            tape.watch(words)
            output = bilm.contextualize(words, mask, state)
            everything = [*output.layers(), *(part for pair in output.state for part in pair)]
            loss = tf.add_n([tf.reduce_sum(tf.sin(part)) for part in everything])
        answers.append([output.mask, *everything, *tape.gradient(loss, sources)])
    for found, expected in zip(*answers, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


# --- in graphs and models


def test_a_graph_of_unknown_batch_and_time_gives_what_eager_mode_gives(bilm):
    graph = tf.function(bilm, input_signature=[tf.TensorSpec([None, None, 50], tf.int32)])
    ids = char_ids(SENTENCES)
    output = graph(ids)
    assert isinstance(output, BiLMOutput)
    np.testing.assert_allclose(vectors(output), vectors(bilm(ids)), **PROMISE)


def test_it_runs_on_strings_in_a_tf_data_pipeline(bilm, alone):
    dataset = tf.data.Dataset.from_tensors([SENTENCES[0]])
    dataset = dataset.map(lambda words: bilm(words_to_char_ids(words)).layers())
    layers = next(dataset.as_numpy_iterator())
    np.testing.assert_allclose(
        layers[2][0], np.concatenate([alone[:, 8:12], alone[:, 16:]], 1), **PROMISE
    )


def test_a_functional_model_gives_what_the_bilm_gives(bilm):
    inputs = keras.Input((None, 50), dtype="int32")
    output = bilm(inputs)
    model = keras.Model(inputs, [output.word_vectors, *output.forward, *output.backward])
    ids = char_ids(SENTENCES)
    np.testing.assert_allclose(np.concatenate(model(ids), axis=-1), vectors(bilm(ids)), **PROMISE)
    predicted = np.concatenate(model.predict(ids, verbose=0), axis=-1)
    np.testing.assert_allclose(predicted, vectors(bilm(ids)), **PROMISE)


def test_a_functional_model_can_be_built_of_the_layers(bilm):
    inputs = keras.Input((None, 50), dtype="int32")
    model = keras.Model(inputs, bilm(inputs).layers())
    ids = char_ids(SENTENCES)
    for layer, expected in zip(model(ids), bilm(ids).layers(), strict=True):
        np.testing.assert_allclose(layer, expected, **PROMISE)


def test_symbolic_outputs_have_the_shapes_and_dtypes_of_real_ones():
    for policy in ("float32", "mixed_bfloat16", "float64"):
        bilm = BiLM(SMALL, dtype=policy)
        symbolic = keras.tree.flatten(bilm(keras.Input((7, 50), dtype="int32")))
        real = keras.tree.flatten(bilm(char_ids(SENTENCES)))
        assert len(symbolic) == len(real) == 5 + 1 + 8
        for promised, given in zip(symbolic, real, strict=True):
            assert promised.shape[1:] == tuple(given.shape[1:])
            assert promised.dtype == keras.backend.standardize_dtype(given.dtype)


def test_a_step_of_fit_lowers_a_loss_and_moves_every_weight():
    bilm, _ = make_bilm(options(cell_clip=5.0, proj_clip=5.0))
    inputs = keras.Input((None, 50), dtype="int32")
    output = bilm(inputs)
    model = keras.Model(inputs, [output.forward[1], output.backward[1]])
    model.compile(keras.optimizers.SGD(0.01), loss=["mse", "mse"])
    ids = char_ids(SENTENCES[:1] * 2)
    rng = np.random.default_rng(0)
    targets = [rng.normal(size=(2, 7, 4)) for _ in range(2)]
    before = [keras.ops.convert_to_numpy(weight) for weight in bilm.trainable_weights]
    first, second = model.fit(ids, targets, epochs=2, verbose=0).history["loss"]
    assert second < first
    for weight, old in zip(bilm.trainable_weights, before, strict=True):
        assert np.any(keras.ops.convert_to_numpy(weight) != old), weight.path


def test_a_frozen_bilm_has_no_trainable_weights():
    bilm, _ = make_bilm(SMALL)
    number = len(bilm.trainable_weights)
    bilm.trainable = False
    assert bilm.trainable_weights == []
    assert len(bilm.non_trainable_weights) == number


# --- gradients


@pytest.mark.parametrize(
    "name", ["small", "no LSTM projection", "no clips", "one layer", "no boundaries"]
)
def test_gradients_reach_every_weight(name):
    bilm, _ = make_bilm(CONFIGS[name])
    with tf.GradientTape() as tape:
        output = bilm(char_ids(SENTENCES, CONFIGS[name]))
        loss = tf.add_n([tf.reduce_sum(layer**2) for layer in output.layers()])
    variables = [weight.value for weight in bilm.trainable_weights]
    assert len(variables) == len(bilm.weights) == len(bilm_arrays(bilm))
    for weight, gradient in zip(
        bilm.trainable_weights, tape.gradient(loss, variables), strict=True
    ):
        gradient = tf.convert_to_tensor(gradient).numpy()
        assert np.all(np.isfinite(gradient)), weight.path
        assert np.any(gradient), weight.path


def test_gradients_equal_finite_differences_of_the_reference():
    small = options(
        filters=[[1, 2], [2, 2]],
        projection_dim=2,
        dim=3,
        embedding={"dim": 2},
        n_layers=2,
        max_characters_per_token=6,
    )
    bilm, arrays = make_bilm(small, dtype="float64")
    sentences = [["ab", "a"], ["b"]]
    rng = np.random.default_rng(1)
    probes = [[rng.normal(size=(len(words), 4)) for _ in range(3)] for words in sentences]
    with tf.GradientTape() as tape:
        layers = bilm(char_ids(sentences, small)).layers()
        loss = tf.add_n(
            [
                tf.reduce_sum(layer[row, : len(words)] * probes[row][j])
                for row, words in enumerate(sentences)
                for j, layer in enumerate(layers)
            ]
        )
    names = named_weights(bilm)
    gradients = tape.gradient(loss, [weight.value for weight in names.values()])

    def reference_loss(_):
        return sum(
            np.sum(layer * probe)
            for words, sentence_probes in zip(sentences, probes, strict=True)
            for layer, probe in zip(
                reference.bilm(words, small, arrays).layers(), sentence_probes, strict=True
            )
        )

    for name, gradient in zip(names, gradients, strict=True):
        gradient = tf.convert_to_tensor(gradient)
        expected = reference.finite_differences(reference_loss, arrays[name])
        np.testing.assert_allclose(
            gradient, np.reshape(expected, gradient.shape), rtol=0, atol=1e-5, err_msg=name
        )


def named_weights(bilm):
    """Some weights of each kind by their names in the files."""
    cnn, first, second = bilm.char_cnn, bilm.forward_layers[0], bilm.backward_layers[1]
    return {
        "CNN/W_cnn_1": cnn.kernels[1],
        "CNN/b_cnn_0": cnn.biases[0],
        "CNN_high_0/W_carry": cnn.highways[0].carry_kernel,
        "CNN_proj/W_proj": cnn.projection_kernel,
        "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_0": first.kernel,
        "RNN_0/RNN/MultiRNNCell/Cell0/LSTMCell/W_P_0": first.projection_kernel,
        "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/B": second.bias,
        "RNN_1/RNN/MultiRNNCell/Cell1/LSTMCell/W_P_0": second.projection_kernel,
    }


def test_padding_has_no_gradient(bilm):
    ids = char_ids(SENTENCES)
    words, mask = tf.Variable(bilm.char_cnn(ids)), np.any(ids != 0, axis=-1)
    with tf.GradientTape() as tape:
        output = bilm(words, mask=mask)
        loss = tf.add_n([tf.reduce_sum(layer**2) for layer in output.layers()])
    gradient = tf.convert_to_tensor(tape.gradient(loss, words)).numpy()
    assert not np.any(gradient[~mask])
    assert np.all(np.any(gradient[mask] != 0, axis=-1))


def test_a_forward_vector_knows_no_later_word_and_a_backward_one_no_earlier(bilm):
    words = tf.Variable(bilm.char_cnn(char_ids(SENTENCES[:1])))
    with tf.GradientTape(persistent=True) as tape:
        output = bilm(words)
        forward = tf.reduce_sum(output.forward[1][0, 3])
        backward = tf.reduce_sum(output.backward[1][0, 3])
    seen_forwards = np.any(tf.convert_to_tensor(tape.gradient(forward, words))[0] != 0, axis=-1)
    seen_backwards = np.any(tf.convert_to_tensor(tape.gradient(backward, words))[0] != 0, axis=-1)
    np.testing.assert_array_equal(seen_forwards, [True] * 4 + [False] * 3)
    np.testing.assert_array_equal(seen_backwards, [False] * 3 + [True] * 4)


# --- configuration and weights


def test_a_config_makes_the_same_bilm_again():
    bilm = BiLM(CONFIGS["no boundaries"], name="encoder", dtype="mixed_bfloat16", trainable=False)
    config = bilm.get_config()
    again = BiLM.from_config(json.loads(json.dumps(config)))
    assert again.get_config() == config
    assert again.config == bilm.config == ElmoConfig.from_options(CONFIGS["no boundaries"])
    assert again.dtype_policy.name == "mixed_bfloat16"
    assert not again.trainable


def test_keras_serializes_it_without_being_told_of_it():
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(BiLM(SMALL))))
    assert type(keras.saving.deserialize_keras_object(serialized)) is BiLM


def test_a_config_object_and_its_options_make_the_same():
    assert BiLM(ElmoConfig.from_options(SMALL)).config == BiLM(SMALL).config


def test_the_first_call_builds_what_build_builds():
    called, built = BiLM(SMALL), BiLM(SMALL)
    called(char_ids([["a"]]))
    built.build()
    shapes = [[tuple(weight.shape) for weight in bilm.weights] for bilm in (called, built)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("options", CONFIGS.values(), ids=CONFIGS)
def test_weights_leave_as_they_came(options):
    bilm, arrays = make_bilm(options)
    taken = bilm_arrays(bilm)
    assert set(taken) == set(arrays)
    for name, value in taken.items():
        np.testing.assert_array_equal(value, arrays[name], err_msg=name)
        assert value.dtype == np.float32


def test_a_missing_weight_is_a_key_error():
    arrays = reference.random_arrays(SMALL)
    del arrays["CNN_proj/W_proj"]
    bilm = BiLM(SMALL)
    bilm.build()
    with pytest.raises(KeyError, match="CNN_proj/W_proj"):
        set_bilm_arrays(bilm, arrays)


FILTERS = ((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024))


@pytest.mark.parametrize(
    ("units", "projection_dim", "num_highway_layers", "parameters"),
    [
        pytest.param(1024, 128, 1, 13_593_312, id="small"),
        pytest.param(2048, 256, 1, 28_027_744, id="medium"),
        # 93,600,848 with the 261 rows of characters that the published file has.
        pytest.param(4096, 512, 2, 93_600_864, id="original", marks=pytest.mark.slow),
    ],
)
def test_published_sizes_have_their_published_parameters(
    units, projection_dim, num_highway_layers, parameters
):
    config = ElmoConfig(
        filters=FILTERS,
        units=units,
        projection_dim=projection_dim,
        num_highway_layers=num_highway_layers,
    )
    bilm = BiLM(config)
    bilm.build()
    assert bilm.count_params() == parameters


# --- errors


@pytest.mark.parametrize(
    "inputs",
    [
        np.zeros((2, 3, 49), "int32"),
        np.zeros((2, 50), "int32"),
        np.zeros((2, 3, 5), "float32"),
        np.zeros((2, 3, 50), "float32"),
        np.zeros((2, 1, 3, 50), "int32"),
    ],
    ids=lambda inputs: f"{inputs.dtype}{list(inputs.shape)}",
)
def test_inputs_must_be_characters_or_word_vectors(inputs, bilm):
    message = (
        r"`inputs` must be character ids \(int\) of shape \(batch, tokens, 50\) or word vectors "
        rf"\(float\) of shape \(batch, tokens, 4\). Received: {inputs.dtype}"
    )
    with pytest.raises(ValueError, match=message):
        bilm(inputs)


def test_inputs_of_unknown_rank_are_an_error(bilm):
    with pytest.raises(ValueError, match="`inputs` must be character ids"):
        tf.function(bilm).get_concrete_function(tf.TensorSpec(None, tf.int32))


# --- what other implementations gave


# float32, and the two reference implementations differ from each other by up to 2e-6.
GOLDEN = {"rtol": 0, "atol": 1e-5}


def golden_bilm(folder, weights, **kwargs):
    bilm = BiLM(ElmoConfig.from_file(folder / "options.json"), **kwargs)
    bilm.build()
    arrays = {}
    with h5py.File(folder / weights) as file:
        file.visititems(
            lambda name, item: (
                arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    set_bilm_arrays(bilm, arrays)
    return bilm, arrays


# A model of random weights, run by bilm-tf on TensorFlow 1.15 in batches of 8.


@pytest.fixture(scope="module")
def mini(golden):
    with np.load(golden / "mini" / "expected_bilm.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def mini_bilm(golden):
    return golden_bilm(golden / "mini", "weights.hdf5")[0]


def mini_sentences(mini):
    """The sentences, and where each one's tokens start among all tokens."""
    sentences = json.loads(str(mini["sentences_json"]))
    return sentences, np.cumsum([0] + [len(words) for words in sentences])


@pytest.mark.parametrize("batch_size", [8, 41])
def test_mini_layers_are_bilm_tfs(batch_size, mini, mini_bilm):
    sentences, starts = mini_sentences(mini)
    for first in range(0, len(sentences), batch_size):
        batch = sentences[first : first + batch_size]
        layers = np.stack(mini_bilm(char_ids(batch)).layers())
        for row, words in enumerate(batch):
            start = starts[first + row]
            expected = mini["layers"][:, start : start + len(words)]
            np.testing.assert_allclose(layers[:, row, : len(words)], expected, **GOLDEN)


def test_mini_layers_of_the_numpy_reference_are_bilm_tfs(golden, mini):
    _, arrays = golden_bilm(golden / "mini", "weights.hdf5")
    options = json.loads((golden / "mini" / "options.json").read_text())
    sentences, starts = mini_sentences(mini)
    for index in (0, 1, 11, 12, 27, 28, 29, 30):  # long words, empty ones, none, and <S>
        words, start = sentences[index], starts[index]
        layers = np.stack(reference.bilm(words, options, arrays).layers())
        expected = mini["layers"][:, start : start + len(words)]
        np.testing.assert_allclose(layers, expected, **GOLDEN)


def test_mini_layers_with_carried_states_are_bilm_tfs(mini, mini_bilm):
    sentences, _ = mini_sentences(mini)
    state = None
    for layers in mini["stateful_layers"]:
        output = mini_bilm(char_ids(sentences[:4]), initial_state=state)
        state = output.state
        result = np.stack(output.layers(), axis=1)
        for row, words in enumerate(sentences[:4]):
            expected = layers[row, :, : len(words)]
            np.testing.assert_allclose(result[row, :, : len(words)], expected, **GOLDEN)


@pytest.mark.parametrize(("name", "layer_norm"), [("mix", False), ("mix_layernorm", True)])
def test_mini_mixes_are_bilm_tfs(name, layer_norm, mini, mini_bilm):
    sentences, starts = mini_sentences(mini)
    mix = ScalarMix(
        3,
        layer_norm=layer_norm,
        initial_weights=mini["mix_W"],
        initial_gamma=float(mini["mix_gamma"][0]),
    )
    for first in range(0, len(sentences), 8):  # layer norm needs the same batches
        batch = sentences[first : first + 8]
        output = mini_bilm(char_ids(batch))
        mixed = mix(output.layers(), mask=output.mask)
        for row, words in enumerate(batch):
            start = starts[first + row]
            expected = mini[name][start : start + len(words)]
            np.testing.assert_allclose(mixed[row, : len(words)], expected, **GOLDEN)


@pytest.mark.parametrize(
    ("folder", "sentences_file"),
    [("bilm_published", "lm_embeddings_sentences.json"), ("allennlp_published", "sentences.json")],
)
def test_published_models_give_their_published_vectors(folder, sentences_file, golden):
    # They were made three sentences at a time, with the states of one batch given to the next.
    folder = golden / folder
    bilm, _ = golden_bilm(folder, "lm_weights.hdf5")
    lists = json.loads((folder / sentences_file).read_text())
    state = None
    for batch in range(10):
        sentences = [sentences[batch].split() for sentences in lists]
        output = bilm(char_ids(sentences), initial_state=state)
        state = output.state
        for row, words in enumerate(sentences):
            with h5py.File(folder / f"lm_embeddings_{row}.hdf5") as file:
                forward, backward = file[str(batch)][()]
            assert forward.shape == (len(words), 16)
            np.testing.assert_allclose(output.forward[1][row, : len(words)], forward, **GOLDEN)
            np.testing.assert_allclose(output.backward[1][row, : len(words)], backward, **GOLDEN)


def test_allennlps_word_vectors_are_the_char_cnns(golden):
    folder = golden / "allennlp_published"
    bilm, _ = golden_bilm(folder, "lm_weights.hdf5")
    vocabulary = (folder / "vocab_test.txt").read_text(encoding="utf-8").split("\n")
    vocabulary = [word for word in vocabulary if word]
    with h5py.File(folder / "elmo_token_embeddings.hdf5") as file:
        expected = file["embedding"][()]
    words = bilm.char_cnn(words_to_char_ids(vocabulary))
    assert len(vocabulary) == len(expected)
    np.testing.assert_allclose(words, expected, **GOLDEN)


def test_no_warning_is_logged_when_a_published_config_is_read(golden, caplog):
    with caplog.at_level(logging.WARNING):
        for folder in ("mini", "bilm_published", "allennlp_published", "bilm_checkpoint"):
            ElmoConfig.from_file(golden / folder / "options.json")
    assert not caplog.records
