"""BiLM: equality with the NumPy reference; padding, states, word vectors; errors."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.layers.ragged import from_padded
from tests import numpy_reference as reference
from tests.models.bilm_cases import (
    CONFIGS,
    PROMISE,
    SENTENCES,
    SMALL,
    char_ids,
    make_bilm,
    merged,
    options,
    reference_vectors,
    vectors,
)

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
    words = bilm.token_embedder(ids).numpy()
    mask = np.any(ids != 0, axis=-1)
    np.testing.assert_allclose(vectors(bilm(words, mask=mask)), vectors(bilm(ids)), **PROMISE)


def test_word_vectors_without_a_mask_are_all_real(bilm, alone):
    words = bilm.token_embedder(char_ids(SENTENCES[:1])).numpy()
    np.testing.assert_allclose(vectors(bilm(words))[0], alone, **PROMISE)


def test_word_vectors_bring_the_mask_of_the_layer_that_made_them(bilm):
    ids = char_ids(SENTENCES)
    output = bilm(bilm.token_embedder(ids))
    np.testing.assert_array_equal(output.mask, np.any(ids != 0, axis=-1))
    np.testing.assert_allclose(vectors(output), vectors(bilm(ids)), **PROMISE)


# --- ragged


def ragged(sentences):
    """Character ids of sentences, a ragged batch, and the mask of the padded one."""
    ids = char_ids(sentences)
    mask = tf.constant(np.any(ids != 0, axis=-1))
    return from_padded(tf.constant(ids), mask), mask


def test_a_merged_bilm_has_no_state_at_the_start():
    bilm, _ = make_bilm(CONFIGS["merged, added"])
    assert bilm.start_state() is None


def test_boundaries_are_left_out_where_they_are_not_wanted(bilm):
    plain, _ = make_bilm(NO_BOUNDARIES)  # the same weights
    words, mask = ragged(SENTENCES)
    output = bilm.encode(words, add_bos_eos=False).padded(mask)
    np.testing.assert_allclose(vectors(output), vectors(plain(char_ids(SENTENCES))), **PROMISE)


@pytest.mark.parametrize("name", ["small", "no boundaries", "merged, added"])
def test_encode_takes_and_gives_the_real_tokens_of_a_call(name):
    bilm, _ = make_bilm(CONFIGS[name])
    words, mask = ragged(SENTENCES)
    output, expected = bilm.encode(words), bilm(char_ids(SENTENCES))
    assert output.mask is None
    for found, wanted in zip(output.layers(), expected.layers(), strict=True):
        np.testing.assert_array_equal(found.row_lengths(), [len(words) for words in SENTENCES])
        np.testing.assert_array_equal(found.values, wanted.numpy()[mask])
    tf.nest.map_structure(np.testing.assert_array_equal, output.state, expected.state)


@pytest.mark.parametrize("name", ["small", "no boundaries", "merged, added"])
def test_inference_gives_the_same_vectors_and_no_state(name):
    bilm, _ = make_bilm(CONFIGS[name])
    for sentences in (SENTENCES, [["alone"]], [[], ["two", "words"], []]):
        words, mask = ragged(sentences)
        expected = vectors(bilm.encode(words).padded(mask))
        word_vectors = words.with_values(bilm.token_embedder(words.values))
        for start in (None, bilm.start_state()):
            with tf.GradientTape() as tape:
                output = bilm.encode(
                    word_vectors, start, gradient="inference", add_bos_eos=start is None
                )
                layers = [layer.values for layer in (*output.forward, *output.backward)]
                loss = tf.reduce_sum(tf.stack(layers))
            np.testing.assert_allclose(vectors(output.padded(mask)), expected, **PROMISE)
            assert not output.state
            weights = [layer.kernel.value for layer in bilm.forward_layers + bilm.backward_layers]
            assert tape.gradient(loss, weights) == [None] * len(weights)


@pytest.mark.parametrize("shape", [(2, 3, 4), (6, 4)])
def test_encode_takes_ragged_tensors_alone(shape, bilm):
    message = r"`words` must be character ids \(int\) of shape \(batch, \(tokens\), 50\)"
    with pytest.raises(ValueError, match=message):
        bilm.encode(tf.zeros(shape))


@pytest.mark.parametrize("name", ["small", "no boundaries", "merged, added"])
def test_training_changes_no_vector_and_no_gradient(name):
    bilm, _ = make_bilm(CONFIGS[name])
    ids = tf.constant(char_ids(SENTENCES))
    answers = []
    for training in (False, True):
        with tf.GradientTape() as tape:
            output = bilm(ids, training=training)
            everything = [*output.layers(), *(part for pair in output.state for part in pair)]
            loss = tf.add_n([tf.reduce_sum(tf.sin(part)) for part in everything])
        answers.append([*everything, *tape.gradient(loss, bilm.trainable_weights)])
    for found, expected in zip(*answers, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("training", [False, True])
def test_the_gradient_has_a_gradient(training):
    bilm, _ = make_bilm(CONFIGS["small"])
    ids = tf.constant(char_ids(SENTENCES))
    kernel = bilm.forward_layers[0].kernel

    def gradient():
        with tf.GradientTape(persistent=True) as tape:
            loss = tf.reduce_sum(tf.sin(bilm(ids, training=training).layers()[-1]))
        return tape.gradient(loss, kernel.value)

    with tf.GradientTape() as tape:
        found = tf.reduce_sum(gradient() ** 2)
    direction = 1e-3 * tf.sin(tf.range(tf.size(kernel), dtype=tf.float32))
    direction = tf.reshape(direction, kernel.shape)
    change = tf.reduce_sum(tape.gradient(found, kernel.value) * direction)
    sums = []
    for sign in (1, -1):
        kernel.assign_add(sign * direction)
        sums.append(tf.reduce_sum(gradient() ** 2))
        kernel.assign_sub(sign * direction)
    np.testing.assert_allclose(change, (sums[0] - sums[1]) / 2, rtol=1e-2)  # of differences


@pytest.mark.parametrize("training", [False, True])
def test_of_equal_word_vectors_each_has_a_gradient_of_its_own(training):
    bilm, _ = make_bilm(CONFIGS["small"])
    words = bilm.token_embedder(char_ids([["the", "cat", "the", "cat"]]))
    direction = np.zeros((1, 4, 4), "float32")
    direction[0, 2] = [1e-3, -1e-3, 1e-3, 1e-3]  # of the second "the" alone

    def squared_gradient(words):
        with tf.GradientTape(persistent=True) as tape:
            tape.watch(words)
            loss = tf.reduce_sum(tf.sin(bilm(words, training=training).layers()[-1]))
        return tf.reduce_sum(tape.gradient(loss, words) ** 2)

    with tf.GradientTape() as tape:
        tape.watch(words)
        result = squared_gradient(words)
    slope = tf.reduce_sum(tape.gradient(result, words) * direction)
    change = squared_gradient(words + direction) - squared_gradient(words - direction)
    np.testing.assert_allclose(slope, change / 2, rtol=1e-2)  # of differences


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
