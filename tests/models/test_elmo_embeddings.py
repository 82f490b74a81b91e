"""ElmoEmbeddings: what it takes, and what it gives."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import sentences_to_char_ids, words_to_char_ids
from elmo_tf2.models import ElmoEmbeddings
from tests import numpy_reference as reference
from tests.layer_checks import to_float64
from tests.models.bilm_cases import PROMISE
from tests.models.elmo_cases import ARRAYS, PADDED, TEXT, WORDS, Subclassed, make, padded
from tests.small_elmo import CONFIG, GAMMA, W


def char_ids(dtype=tf.int32):
    lengths = tf.constant([len(words) for words in WORDS])
    return tf.cast(sentences_to_char_ids(tf.constant(PADDED), lengths), dtype)


# --- inputs

KINDS = {
    "sentences": lambda: tf.constant(TEXT),
    "sentences in an array": lambda: np.array(TEXT),
    "a list of sentences": lambda: TEXT,
    "a tuple of sentences": lambda: tuple(TEXT),
    "a list of bytes": lambda: [text.encode() for text in TEXT],
    "padded words": lambda: tf.constant(PADDED),
    "padded words in an array": lambda: np.array(PADDED),
    "ragged words": lambda: tf.ragged.constant(WORDS),
    "a list of lists of words": lambda: WORDS,
    "character ids": char_ids,
    "character ids of int64": lambda: char_ids(tf.int64),
    "character ids in an array": lambda: char_ids().numpy(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_input_gives_the_vectors_of_the_reference(kind, elmo, expected):
    np.testing.assert_allclose(elmo(KINDS[kind]()), expected, **PROMISE)


def test_a_graph_of_unknown_sizes_gives_what_eager_mode_gives(elmo, expected):
    # What the kinds differ in is a graph of unknown sizes in eager mode too.
    graph = tf.function(elmo, [tf.RaggedTensorSpec([None, None], tf.string)])
    np.testing.assert_allclose(graph(KINDS["ragged words"]()), expected, **PROMISE)


def test_the_inputs_may_be_given_by_name(elmo, expected):
    np.testing.assert_allclose(elmo(inputs=TEXT), expected, **PROMISE)


def test_spaces_at_the_ends_and_runs_of_spaces_are_no_words(elmo, expected):
    spaced = ["  the cat is on  the mat ", " dogs", TEXT[2] + "   "]
    np.testing.assert_allclose(elmo(spaced), expected, **PROMISE)


def test_an_empty_word_before_the_last_one_is_a_word(elmo):
    output = elmo(tf.constant([["a", "", "b", ""]]))
    layers = reference.bilm(["a", "", "b"], CONFIG.to_options(), ARRAYS).layers()
    np.testing.assert_allclose(output[0, :3], reference.scalar_mix(layers, W, GAMMA), **PROMISE)
    assert not np.any(output[0, 3:])


def test_words_of_a_ragged_tensor_are_words_even_when_empty_at_the_end(elmo):
    output = elmo([["a", ""], ["b"]])
    layers = reference.bilm(["a", ""], CONFIG.to_options(), ARRAYS).layers()
    np.testing.assert_allclose(output[0], reference.scalar_mix(layers, W, GAMMA), **PROMISE)


def test_any_bytes_are_words(elmo):
    words = [b"\xff\xfe", b"\x00", b"y" * 10_000, "\u202eabc".encode(), b"<S>"]
    output = elmo([b" ".join(words)])
    layers = reference.bilm(words, CONFIG.to_options(), ARRAYS).layers()
    np.testing.assert_allclose(output[0], reference.scalar_mix(layers, W, GAMMA), **PROMISE)


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        ([], (0, 1, 8)),
        ([""], (1, 1, 8)),
        (["", "  "], (2, 1, 8)),
        ([[], []], (2, 1, 8)),
        (tf.zeros([0], tf.string), (0, 1, 8)),
        (tf.zeros([0, 5], tf.string), (0, 5, 8)),
        (tf.zeros([2, 0], tf.string), (2, 1, 8)),
        (tf.zeros([0, 5, 50], tf.int32), (0, 5, 8)),
        (tf.zeros([3, 0, 50], tf.int32), (3, 1, 8)),
    ],
)
def test_no_sentences_and_no_words_give_one_place_at_least(inputs, shape, elmo):
    assert elmo(inputs).shape == shape
    assert elmo(keras.Input((0,), dtype="string")).shape == (None, 1, 8)


def test_a_batch_of_padding_alone_gives_zeros(elmo):
    for inputs in (tf.fill([2, 3], ""), tf.zeros([2, 3, 50], tf.int32)):
        output = elmo(inputs)
        assert output.shape == (2, 3, 8)
        assert not np.any(output)


def test_an_empty_sentence_among_others_gives_zeros(elmo, expected):
    output = elmo(["", *TEXT, ""])
    assert not np.any(output[0]) and not np.any(output[4])
    np.testing.assert_allclose(output[1:4], expected, **PROMISE)


# What is expected of inputs, as an error tells it.
EXPECTED_KINDS = (
    r"`inputs` must be strings of shape \(batch,\) or \(batch, tokens\), or character ids \(int\) "
    r"of shape \(batch, tokens, 50\). Received: "
)


@pytest.mark.parametrize(
    ("inputs", "found"),
    [
        (tf.constant("a b"), r"string, \(\)"),
        (tf.constant([[["a"]]]), r"string, \(1, 1, 1\)"),
        (np.array([[["a"]]]), r"string, \(1, 1, 1\)"),
        ([[["a"]]], r"ragged string, \(1, None, 1\)"),
        (tf.ragged.constant([[["a"], ["b"]]]), r"ragged string, \(1, None, None\)"),
        (tf.zeros([2, 50], tf.int32), r"int32, \(2, 50\)"),
        (tf.zeros([2, 3, 49], tf.int32), r"int32, \(2, 3, 49\)"),
        (tf.zeros([1, 2, 3, 50], tf.int32), r"int32, \(1, 2, 3, 50\)"),
        (tf.ragged.constant([[[1] * 50]]), r"ragged int32, \(1, None, None\) .*`to_tensor` pads"),
        (tf.zeros([2, 3, 5]), r"float32, \(2, 3, 5\)"),
        (np.zeros([2, 3, 50]), r"float64, \(2, 3, 50\)"),
        (tf.zeros([2, 3, 4]), r"float32, \(2, 3, 4\)"),  # word vectors, which the biLM takes
        (tf.zeros([2, 3, 50], tf.bool), r"bool, \(2, 3, 50\)"),
        (tf.sparse.from_dense([["a"]]), "SparseTensor"),
        (keras.Input((None, None), dtype="string"), r"string, \(None, None, None\)"),
        (keras.Input((49,), dtype="int32"), r"int32, \(None, 49\)"),
        (keras.Input((None, 49), dtype="int32"), r"int32, \(None, None, 49\)"),
        (keras.Input((None, 50)), r"float32, \(None, None, 50\)"),
        (None, "NoneType"),
        ("a b", "str"),
        (np.array(["a", "b"])[0], "str_"),
        (3, "int"),
    ],
)
def test_inputs_of_the_wrong_kind_are_an_error(inputs, found, elmo):
    with pytest.raises(ValueError, match=EXPECTED_KINDS + found):
        elmo(inputs)


def test_inputs_of_unknown_rank_are_an_error(elmo):
    with pytest.raises(ValueError, match=f"{EXPECTED_KINDS}string, <unknown>"):
        tf.function(elmo).get_concrete_function(tf.TensorSpec(None, tf.string))


@pytest.mark.parametrize(
    "inputs",
    [
        ["a", ["b"]],
        [["b"], "a"],
        [1, 2],
        [[1, 2]],
        [tf.constant("a")],
        [None],
        np.array(["a", None]),
    ],
)
def test_a_list_of_anything_but_strings_is_an_error(inputs, elmo):
    with pytest.raises(ValueError, match="`inputs` must be a tensor, a list of strings"):
        elmo(inputs)


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        (((), "string"), (None, None, 8)),
        (((None,), "string"), (None, None, 8)),
        (((7,), "string"), (None, 7, 8)),
        (((None, 50), "int32"), (None, None, 8)),
        (((7, 50), "int64"), (None, 7, 8)),
    ],
)
def test_a_symbolic_input_gives_the_shape_of_the_real_output(inputs, shape, elmo):
    output = elmo(keras.Input(inputs[0], dtype=inputs[1]))
    assert output.shape == shape
    assert output.dtype == "float32"


@pytest.mark.parametrize("value", [262, -1, 2**32 + 1])
def test_character_ids_that_are_none_are_an_error(value, elmo):
    ids = np.zeros((1, 3, 50), np.int64)
    ids[0, :2] = words_to_char_ids(tf.constant(["the", "cat"]))
    expected = elmo(ids.astype(np.int16))
    np.testing.assert_array_equal(elmo(ids), expected)
    ids[0, 1] = value
    for layer in (elmo, elmo.encoder):
        with pytest.raises(tf.errors.InvalidArgumentError, match="must be numbers from 0 to 261"):
            layer(ids)


# --- arguments


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"output": "sum"}, r"`output` must be one of \['mix', 'mean', 'layers'\].*output='sum'"),
        ({"encoder_trainable": "no"}, "`encoder_trainable` must be True or False.*='no'"),
        ({"num_mixes": 0}, "`num_mixes` must be a positive integer.*num_mixes=0"),
        ({"num_mixes": 1.5}, "`num_mixes` must be a positive integer.*num_mixes=1.5"),
        ({"dropout": 1.0}, r"`dropout` must be a number in \[0, 1\)"),
        ({"l2": -1.0}, "`l2` must be a finite number >= 0"),
        ({"initial_weights": [1.0, 2.0]}, "`initial_weights` must be 3 numbers"),
    ],
)
def test_a_bad_argument_is_an_error_that_names_it(kwargs, message):
    with pytest.raises(ValueError, match=message):
        ElmoEmbeddings(CONFIG, **kwargs)


def test_the_config_may_be_the_dictionary_of_options():
    assert ElmoEmbeddings(CONFIG.to_options()).config == CONFIG


def test_options_that_lack_a_key_are_an_error():
    with pytest.raises(ValueError, match="options has no `char_cnn`"):
        ElmoEmbeddings({"lstm": {}})


# --- outputs


def test_layers_are_those_of_the_reference(expected_layers):
    layers = make(output="layers")(TEXT)
    assert len(layers) == 3
    for index, layer in enumerate(layers):
        wanted = padded([of_sentence[index] for of_sentence in expected_layers])
        np.testing.assert_allclose(layer, wanted, **PROMISE)


def test_a_layer_that_gives_layers_has_no_mix():
    elmo = make(output="layers")
    assert elmo.mixes == []
    assert elmo.trainable_weights == []


def test_several_mixes_have_weights_of_their_own(expected_layers):
    elmo = make(num_mixes=2)
    elmo.mixes[1].w.assign([5.0, -1.0, 0.0])
    elmo.mixes[1].gamma.assign(0.5)
    first, second = elmo(TEXT)
    for output, w, gamma in ((first, W, GAMMA), (second, [5.0, -1.0, 0.0], 0.5)):
        wanted = padded([reference.scalar_mix(layers, w, gamma) for layers in expected_layers])
        np.testing.assert_allclose(output, wanted, **PROMISE)


def test_layer_norm_is_over_the_real_tokens_of_the_batch(expected_layers):
    output = make(layer_norm=True)(TEXT)
    together = [np.concatenate(layers) for layers in zip(*expected_layers, strict=True)]
    wanted = reference.scalar_mix(together, W, GAMMA, layer_norm=True)
    real = np.arange(6) < np.array([[len(words)] for words in WORDS])
    np.testing.assert_allclose(output.numpy()[real], wanted, **PROMISE)


def test_layer_weights_are_the_softmax_and_add_up_to_one(elmo):
    np.testing.assert_allclose(elmo.layer_weights, reference.softmax(np.array(W)), rtol=1e-6)
    assert np.sum(elmo.layer_weights) == pytest.approx(1.0)


def test_layer_weights_of_several_mixes_are_a_list():
    elmo = make(num_mixes=2)
    elmo.mixes[1].w.assign([0.0, 0.0, 0.0])
    first, second = elmo.layer_weights
    np.testing.assert_allclose(first, reference.softmax(np.array(W)), rtol=1e-6)
    np.testing.assert_allclose(second, [1 / 3] * 3, rtol=1e-6)


def test_dropout_acts_in_training_alone(expected):
    elmo = make(dropout=0.5)
    np.testing.assert_allclose(elmo(TEXT), expected, **PROMISE)
    np.testing.assert_allclose(elmo(TEXT, training=False), expected, **PROMISE)
    trained = elmo(["a b c d e f g h i j k"] * 50, training=True).numpy()
    # 4,400 numbers, of which half are 0 give or take four standard deviations (0.03).
    assert np.mean(trained == 0) == pytest.approx(0.5, abs=0.03)


def test_l2_is_a_loss_of_the_layer():
    elmo = make(l2=0.1)
    (loss,) = elmo.losses
    assert float(loss) == pytest.approx(0.1 * np.sum(np.square(W)), rel=1e-6)


def test_there_is_no_loss_without_l2(elmo):
    assert elmo.losses == []


@pytest.mark.parametrize(
    ("dtype", "output_dtype", "atol"),
    [
        # bfloat16 has 8 bits: 2^-8 a rounding, and some ten roundings one after another.
        ("mixed_bfloat16", "bfloat16", 0.1),
        # Rounding alone.
        ("float64", "float64", 1e-12),
    ],
)
def test_a_dtype_policy_changes_precision_only(dtype, output_dtype, atol, expected_layers):
    elmo = make(dtype=dtype)
    output = elmo(TEXT)
    assert output.dtype == output_dtype
    w, gamma = map(to_float64, elmo.mixes[0].weights)  # in float32 not quite W and GAMMA
    wanted = padded([reference.scalar_mix(layers, w, gamma) for layers in expected_layers])
    np.testing.assert_allclose(tf.cast(output, tf.float64), wanted, rtol=0, atol=atol)


# --- mask


def lengths_seen(outputs):
    """The number of tokens of each sentence by the mask that the layers after it see."""
    return np.sum(outputs._keras_mask, axis=1).tolist()


@pytest.mark.parametrize("kind", KINDS)
def test_the_mask_marks_the_words(kind, elmo):
    assert lengths_seen(elmo(KINDS[kind]())) == [6, 1, 3]


def test_the_mask_of_character_ids_is_that_of_the_encoder(elmo):
    ids = char_ids().numpy()
    ids[0, [0, 3]] = 0  # no words there
    mask = elmo(ids)._keras_mask
    np.testing.assert_array_equal(mask, elmo.encoder(ids).mask)
    np.testing.assert_array_equal(mask[0], [False, True, True, False, True, True])


def test_every_output_has_the_mask():
    for outputs in (make(output="layers")(TEXT), make(num_mixes=2)(TEXT)):
        assert [lengths_seen(output) for output in outputs] == [[6, 1, 3]] * len(outputs)


MODELS = {
    "functional": lambda inputs, elmo, lstm: keras.Model(inputs, lstm(elmo(inputs))),
    "sequential": lambda inputs, elmo, lstm: keras.Sequential([inputs, elmo, lstm]),
    "subclassed": lambda inputs, elmo, lstm: Subclassed(elmo, lstm),
}


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        ("functional", "sentences"),
        ("functional", "padded words"),
        ("functional", "character ids"),
        ("sequential", "sentences"),
        ("subclassed", "sentences"),
    ],
)
def test_a_layer_after_it_passes_over_the_padding(form, kind, elmo):
    inputs = KINDS[kind]()
    lstm = keras.layers.LSTM(3)
    symbolic = keras.Input((None, 50)[: len(inputs.shape) - 1], dtype=inputs.dtype.name)
    model = MODELS[form](symbolic, elmo, lstm)
    batch = model(inputs)
    for row, words in enumerate(WORDS):
        alone = lstm(elmo([words]))  # without any padding
        np.testing.assert_allclose(batch[row], alone[0], **PROMISE)
