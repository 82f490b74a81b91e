"""ElmoEmbeddings: what it takes, what it gives, and its life in Keras models."""

import dataclasses
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import sentences_to_char_ids
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.weights import ElmoWeights, Mix, write_model_folder
from tests import numpy_reference as reference
from tests.conftest import REPOSITORY
from tests.layer_checks import to_float64
from tests.small_elmo import CONFIG, GAMMA, W, random_elmo

ARRAYS = reference.random_arrays(CONFIG.to_options())

TEXT = ["the cat is on the mat", "dogs", "na\u00efve \u65e5\u672c \U0001f355"]
WORDS = [text.split(" ") for text in TEXT]
PADDED = [[*words, *[""] * (6 - len(words))] for words in WORDS]

# The project's bound in float32.
BOUND = {"rtol": 0, "atol": 1e-5}


def make(**kwargs):
    """The layer with random weights, unless told otherwise with one mix that is not the initial."""
    if kwargs.get("output") != "layers":
        kwargs = {"initial_weights": W, "initial_gamma": GAMMA, **kwargs}
    return random_elmo(**kwargs)


@pytest.fixture(scope="module")
def elmo():
    """One layer for the tests that only call it."""
    return make()


@pytest.fixture(scope="module")
def expected_layers():
    """The layers of `TEXT` by the reference: of each sentence, each (tokens, 8)."""
    return [reference.bilm(words, CONFIG.to_options(), ARRAYS).layers() for words in WORDS]


@pytest.fixture(scope="module")
def expected(expected_layers):
    """The vectors of `TEXT` by the reference, padded."""
    return padded([reference.scalar_mix(layers, W, GAMMA) for layers in expected_layers])


def padded(sentences):
    batch = np.zeros((len(sentences), 6, 8))
    for row, vectors in enumerate(sentences):
        batch[row, : len(vectors)] = vectors
    return batch


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
    np.testing.assert_allclose(elmo(KINDS[kind]()), expected, **BOUND)


@pytest.mark.parametrize("kind", ["sentences", "padded words", "ragged words", "character ids"])
def test_a_graph_of_unknown_sizes_gives_what_eager_mode_gives(kind, elmo, expected):
    inputs = KINDS[kind]()
    if isinstance(inputs, tf.RaggedTensor):
        spec = tf.RaggedTensorSpec([None, None], tf.string)
    else:
        unknown = [None] * min(inputs.shape.rank, 2) + list(inputs.shape[2:])
        spec = tf.TensorSpec(unknown, inputs.dtype)
    graph = tf.function(elmo, input_signature=[spec])
    np.testing.assert_allclose(graph(inputs), expected, **BOUND)


def test_the_inputs_may_be_given_by_name(elmo, expected):
    np.testing.assert_allclose(elmo(inputs=TEXT), expected, **BOUND)


def test_spaces_at_the_ends_and_runs_of_spaces_are_no_words(elmo, expected):
    spaced = ["  the cat is on  the mat ", " dogs", TEXT[2] + "   "]
    np.testing.assert_allclose(elmo(spaced), expected, **BOUND)


def test_an_empty_word_before_the_last_one_is_a_word(elmo):
    output = elmo(tf.constant([["a", "", "b", ""]]))
    layers = reference.bilm(["a", "", "b"], CONFIG.to_options(), ARRAYS).layers()
    np.testing.assert_allclose(output[0, :3], reference.scalar_mix(layers, W, GAMMA), **BOUND)
    assert not np.any(output[0, 3:])


def test_words_of_a_ragged_tensor_are_words_even_when_empty_at_the_end(elmo):
    output = elmo([["a", ""], ["b"]])
    layers = reference.bilm(["a", ""], CONFIG.to_options(), ARRAYS).layers()
    np.testing.assert_allclose(output[0], reference.scalar_mix(layers, W, GAMMA), **BOUND)


def test_any_bytes_are_words(elmo):
    words = [b"\xff\xfe", b"\x00", b"y" * 10_000, "\u202eabc".encode(), b"<S>"]
    output = elmo([b" ".join(words)])
    layers = reference.bilm(words, CONFIG.to_options(), ARRAYS).layers()
    np.testing.assert_allclose(output[0], reference.scalar_mix(layers, W, GAMMA), **BOUND)


@pytest.mark.parametrize(
    ("inputs", "shape"),
    [
        ([], (0, 0, 8)),
        ([""], (1, 0, 8)),
        (["", "  "], (2, 0, 8)),
        ([[], []], (2, 0, 8)),
        (tf.zeros([0], tf.string), (0, 0, 8)),
        (tf.zeros([0, 5], tf.string), (0, 5, 8)),
        (tf.zeros([2, 0], tf.string), (2, 0, 8)),
        (tf.zeros([0, 5, 50], tf.int32), (0, 5, 8)),
        (tf.zeros([3, 0, 50], tf.int32), (3, 0, 8)),
    ],
)
def test_no_sentences_and_no_words_give_empty_vectors(inputs, shape, elmo):
    assert elmo(inputs).shape == shape


def test_a_batch_of_padding_alone_gives_zeros(elmo):
    for inputs in (tf.fill([2, 3], ""), tf.zeros([2, 3, 50], tf.int32)):
        output = elmo(inputs)
        assert output.shape == (2, 3, 8)
        assert not np.any(output)


def test_an_empty_sentence_among_others_gives_zeros(elmo, expected):
    output = elmo(["", *TEXT, ""])
    assert not np.any(output[0]) and not np.any(output[4])
    np.testing.assert_allclose(output[1:4], expected, **BOUND)


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


# --- arguments


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"output": "sum"}, r"`output` must be one of \['mix', 'layers'\].*output='sum'"),
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
        np.testing.assert_allclose(layer, wanted, **BOUND)


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
        np.testing.assert_allclose(output, wanted, **BOUND)


def test_layer_norm_is_over_the_real_tokens_of_the_batch(expected_layers):
    output = make(layer_norm=True)(TEXT)
    together = [np.concatenate(layers) for layers in zip(*expected_layers, strict=True)]
    wanted = reference.scalar_mix(together, W, GAMMA, layer_norm=True)
    real = np.arange(6) < np.array([[len(words)] for words in WORDS])
    np.testing.assert_allclose(output.numpy()[real], wanted, **BOUND)


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
    np.testing.assert_allclose(elmo(TEXT), expected, **BOUND)
    np.testing.assert_allclose(elmo(TEXT, training=False), expected, **BOUND)
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
        np.testing.assert_allclose(batch[row], alone[0], **BOUND)


# --- training

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


def moved_by_fit(elmo, form="functional"):
    """The names of the layer's weights that `fit` changes."""
    model = model_of(elmo, form)
    before = [to_float64(weight) for weight in elmo.weights]
    model.compile(keras.optimizers.SGD(0.01), loss="mse")
    history = model.fit(SENTENCES, TARGETS, batch_size=5, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    pairs = zip(elmo.weights, before, strict=True)
    return {weight.path for weight, old in pairs if np.any(to_float64(weight) != old)}


def test_only_the_weighted_sum_is_trainable(elmo):
    assert [weight.path.split("/", 1)[1] for weight in elmo.trainable_weights] == [
        "mix_0/w",
        "mix_0/gamma",
    ]
    assert sum(np.size(weight) for weight in elmo.trainable_weights) == 4


@pytest.mark.parametrize("form", ["functional", "sequential", "subclassed"])
def test_fit_moves_the_weighted_sum_alone(form):
    elmo = make()
    assert moved_by_fit(elmo, form) == {weight.path for weight in elmo.trainable_weights}


def test_fit_moves_every_weight_of_a_trainable_encoder():
    elmo = make(encoder_trainable=True)
    assert moved_by_fit(elmo) == {weight.path for weight in elmo.weights}


def test_fit_leaves_the_row_of_no_character_zero():
    elmo = make(encoder_trainable=True)
    moved_by_fit(elmo)
    assert not np.any(elmo.encoder.char_cnn.embedding[0])


def test_the_encoder_can_be_made_trainable_later():
    elmo = make()
    elmo.encoder.trainable = True
    assert len(elmo.trainable_weights) == len(elmo.weights)


def test_a_layer_that_is_not_trainable_has_no_trainable_weights():
    for elmo in (make(trainable=False), make(trainable=False, encoder_trainable=True)):
        assert elmo.trainable_weights == []


def test_each_of_several_mixes_trains_for_its_own_task():
    elmo = make(num_mixes=2)
    for index, other in ((0, 1), (1, 0)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(elmo(TEXT)[index])
        gradients = tape.gradient(loss, [mix.w.value for mix in elmo.mixes])
        assert np.any(gradients[index])
        assert gradients[other] is None


def test_a_tagger_of_own_embedding_beside_elmo_learns_its_tags():
    vocabulary = sorted({word for words in WORDS for word in words})
    words = keras.Input((None,), dtype="string")
    ids = keras.layers.StringLookup(vocabulary=vocabulary, mask_token="")(words)
    own = keras.layers.Embedding(len(vocabulary) + 2, 16, mask_zero=True)(ids)
    both = keras.layers.Concatenate()([own, make()(words)])
    assert both.shape == (None, None, 24)
    tags = keras.layers.Dense(3, activation="softmax")(both)
    model = keras.Model(words, tags)
    model.compile(
        keras.optimizers.Adam(0.1),
        loss="sparse_categorical_crossentropy",
        weighted_metrics=["accuracy"],
    )
    targets = np.array([[0, 1, 2, 0, 0, 1], [1, 0, 0, 0, 0, 0], [2, 2, 2, 0, 0, 0]])
    model.fit(tf.constant(PADDED), targets, epochs=40, verbose=0)
    result = model.evaluate(tf.constant(PADDED), targets, verbose=0, return_dict=True)
    # A word's tag hangs on the word, so the loss on the words (not the padding) can go to 0.
    assert result["accuracy"] == 1.0


# --- configuration and saving

ARGUMENTS = {
    "output": "mix",
    "num_mixes": 2,
    "encoder_trainable": True,
    "layer_norm": True,
    "l2": 0.1,
    "dropout": 0.2,
    "initial_weights": W,
    "initial_gamma": GAMMA,
}


def test_a_config_makes_the_same_layer_again():
    elmo = ElmoEmbeddings(CONFIG, name="a_name", dtype="mixed_bfloat16", **ARGUMENTS)
    config = json.loads(json.dumps(elmo.get_config()))
    assert {name: config[name] for name in ARGUMENTS} == ARGUMENTS
    again = ElmoEmbeddings.from_config(config)
    assert again.get_config() == elmo.get_config()
    assert again.config == CONFIG
    assert again.dtype_policy.name == "mixed_bfloat16"


def test_keras_serializes_the_layer_without_being_told_of_it():
    elmo = ElmoEmbeddings(CONFIG, output="layers", trainable=False)
    serialized = json.loads(json.dumps(keras.saving.serialize_keras_object(elmo)))
    again = keras.saving.deserialize_keras_object(serialized)
    assert type(again) is ElmoEmbeddings
    assert again.get_config() == elmo.get_config()


@pytest.mark.parametrize("encoder_trainable", [False, True])
def test_a_saved_model_gives_the_same_when_loaded(encoder_trainable, tmp_path):
    model = model_of(make(encoder_trainable=encoder_trainable))
    model.layers[1].mixes[0].gamma.assign(2.0)  # not the initial value, which loading would repeat
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(SENTENCES), model(SENTENCES))
    assert len(loaded.trainable_weights) == len(model.trainable_weights)


@pytest.mark.slow
def test_a_saved_model_gives_the_same_in_a_new_process(tmp_path):
    model = model_of(make())
    model.save(tmp_path / "model.keras")
    script = f"""
import keras, numpy, tensorflow
import elmo_tf2.models
model = keras.models.load_model("model.keras")
text = tensorflow.constant({[text.decode() for text in SENTENCES.numpy()]!r})
numpy.save("output.npy", model(text))
"""
    subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r})\n{script}"],
        cwd=tmp_path,
        check=True,
    )
    np.testing.assert_allclose(np.load(tmp_path / "output.npy"), model(SENTENCES), **BOUND)


def test_an_exported_model_gives_the_same(tmp_path):
    model = model_of(make())
    model.export(tmp_path / "exported", verbose=False)
    exported = tf.saved_model.load(str(tmp_path / "exported"))
    np.testing.assert_allclose(exported.serve(SENTENCES), model(SENTENCES), **BOUND)
    one = exported.serve(SENTENCES[:1])  # the batch is not fixed
    np.testing.assert_allclose(one, model(SENTENCES[:1]), **BOUND)


def test_weights_are_saved_and_loaded_by_keras(tmp_path):
    model = model_of(make())
    model.save_weights(tmp_path / "model.weights.h5")
    other = model_of(ElmoEmbeddings(CONFIG))
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other(SENTENCES), model(SENTENCES))


# --- model folders


@pytest.fixture
def folder(tmp_path):
    """A model folder with a mix."""
    weights = ElmoWeights(CONFIG, ARRAYS, mix=Mix(tuple(W), GAMMA))
    write_model_folder(weights, tmp_path / "model")
    return tmp_path / "model"


def test_from_folder_gives_sizes_weights_and_mix(folder, expected):
    elmo = ElmoEmbeddings.from_folder(folder)
    assert elmo.config == CONFIG
    np.testing.assert_allclose(elmo(TEXT), expected, **BOUND)


@pytest.mark.parametrize("merge", ["add", "concat"])
def test_a_merged_model_comes_from_a_folder_is_saved_and_loaded(merge, tmp_path):
    config = dataclasses.replace(CONFIG, architecture="merged", merge=merge)
    options = config.to_options()
    arrays = reference.random_arrays(options)
    weights = ElmoWeights(config, arrays, mix=Mix(tuple(W), GAMMA))
    write_model_folder(weights, tmp_path / "model")
    elmo = ElmoEmbeddings.from_folder(tmp_path / "model")
    layers = [reference.bilm(words, options, arrays).layers() for words in WORDS]
    expected = padded([reference.scalar_mix(each, W, GAMMA) for each in layers])
    np.testing.assert_allclose(elmo(TEXT), expected, **BOUND)
    model = model_of(elmo)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(SENTENCES), model(SENTENCES))


def test_from_folder_takes_the_path_as_a_string(folder, expected):
    np.testing.assert_allclose(ElmoEmbeddings.from_folder(str(folder))(TEXT), expected, **BOUND)


def test_from_folder_prefers_a_mix_that_is_given(folder):
    elmo = ElmoEmbeddings.from_folder(folder, initial_weights=[0, 0, 5], initial_gamma=2.0)
    np.testing.assert_array_equal(elmo.mixes[0].w, [0, 0, 5])
    assert float(elmo.mixes[0].gamma) == 2.0


def test_from_folder_keeps_what_is_not_given_of_the_mix(folder):
    elmo = ElmoEmbeddings.from_folder(folder, initial_gamma=2.0)
    np.testing.assert_allclose(elmo.mixes[0].w, W, rtol=1e-6)
    assert float(elmo.mixes[0].gamma) == 2.0


def test_from_folder_gives_every_mix_the_folders(folder):
    elmo = ElmoEmbeddings.from_folder(folder, num_mixes=2)
    np.testing.assert_array_equal(elmo.mixes[0].w, elmo.mixes[1].w)


def test_from_folder_passes_arguments_on(folder):
    elmo = ElmoEmbeddings.from_folder(folder, encoder_trainable=True, dropout=0.3, name="mine")
    assert elmo.name == "mine"
    assert elmo.get_config()["dropout"] == 0.3
    assert len(elmo.trainable_weights) == len(elmo.weights)


def test_from_folder_gives_layers_without_a_mix(folder):
    assert len(ElmoEmbeddings.from_folder(folder, output="layers")(TEXT)) == 3


def test_weights_without_a_mix_start_at_equal_shares():
    elmo = ElmoEmbeddings.from_weights(ElmoWeights(CONFIG, ARRAYS))
    np.testing.assert_array_equal(elmo.mixes[0].w, [0, 0, 0])
    assert float(elmo.mixes[0].gamma) == 1.0


def test_from_folder_of_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        ElmoEmbeddings.from_folder(tmp_path / "nothing")


def test_the_golden_mini_model_gives_the_mix_of_bilm_tf(golden):
    with np.load(golden / "mini" / "expected_bilm.npz") as bilm:
        sentences = json.loads(str(bilm["sentences_json"]))
        lengths, wanted = bilm["lengths"], bilm["mix"]
        mix = {
            "initial_weights": bilm["mix_W"].tolist(),
            "initial_gamma": float(bilm["mix_gamma"][0]),
        }
    output = ElmoEmbeddings.from_folder(golden / "mini", **mix)(sentences).numpy()
    real = np.arange(output.shape[1]) < lengths[:, np.newaxis]
    np.testing.assert_allclose(output[real], wanted, **BOUND)
