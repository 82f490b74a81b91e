"""Conversion of published weights, and its check against a TF1 Hub module's own vectors."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2 import convert as module_of_convert
from elmo_tf2.config import ElmoConfig
from elmo_tf2.convert import SENTENCES, convert, load_weights, num_parameters
from elmo_tf2.data.tokenizers import split_at_spaces
from elmo_tf2.models import BiLM, ElmoEmbeddings
from elmo_tf2.weights import (
    ElmoWeights,
    Mix,
    read_model_folder,
    read_tf1_hub,
    read_weights,
    write_model_folder,
    write_tf1_checkpoint,
)
from tests import numpy_reference as reference
from tests.weights import helpers

# What a module's shapes can't tell, as published modules have it.
CONFIG = ElmoConfig(
    filters=((1, 3), (3, 5)),
    char_embedding_dim=3,
    num_highway_layers=1,
    units=7,
    projection_dim=4,
)
MIX = Mix((0.2, -0.1, 0.4), 1.3)


def made_up(config=CONFIG):
    # Large enough for the clips at 3 to bite, or a module with them would pass for one without.
    arrays = reference.random_arrays(config.to_options(), scale=1.5)
    return ElmoWeights(config, arrays, mix=MIX)


# --- a TF1 Hub module, made by TF1's graph mode ---------------------------------------------------


def module_char_ids(tokens, lengths):
    """Character ids of padded words, (batch, tokens, 50)."""
    ids = tf.cast(tf.io.decode_raw(tokens, tf.uint8, fixed_length=48), tf.int32) + 1
    num_bytes = tf.minimum(tf.strings.length(tokens), 48)
    for boundary, character in (("<S>", 257), ("</S>", 258)):
        is_boundary = tf.equal(tokens, boundary)
        num_bytes = tf.where(is_boundary, 1, num_bytes)
        ids = tf.where(is_boundary[..., tf.newaxis], character, ids)
    num_bytes = num_bytes[..., tf.newaxis]
    ids = tf.where(tf.range(48) < num_bytes, ids, 261)
    ids = tf.pad(ids, [[0, 0], [0, 0], [1, 1]], constant_values=261)
    ids = tf.where(tf.equal(tf.range(50), num_bytes + 1), 260, ids)
    ids = tf.where(tf.equal(tf.range(50), 0), 259, ids)
    return tf.where(tf.sequence_mask(lengths, tf.shape(tokens)[1])[..., tf.newaxis], ids, 0)


def module_lstm(x, lengths, config, weights, backwards, forget_bias):
    """One LSTM over padded sentences (batch, tokens, features)."""
    kernel, bias, projection = weights
    limit = config.cell_clip or 1e9

    def step(state, inputs):
        (h, c), (x_t, is_real) = state, inputs
        gates = tf.matmul(tf.concat([x_t, h], axis=1), kernel) + bias
        i, j, f, o = tf.split(gates, 4, axis=1)
        new_c = tf.sigmoid(f + forget_bias) * c + tf.sigmoid(i) * tf.tanh(j)
        new_c = tf.clip_by_value(new_c, -limit, limit)
        new_h = tf.matmul(tf.sigmoid(o) * tf.tanh(new_c), projection)
        new_h = tf.clip_by_value(new_h, -limit, limit)
        return tf.where(is_real, new_h, h), tf.where(is_real, new_c, c)

    reverse = (lambda v: tf.reverse_sequence(v, lengths, seq_axis=1)) if backwards else tf.identity
    is_real = tf.sequence_mask(lengths, tf.shape(x)[1])[..., tf.newaxis]
    steps = [tf.transpose(value, [1, 0, 2]) for value in (reverse(x), is_real)]
    batch = tf.shape(x)[0]
    zeros = tf.zeros([batch, config.projection_dim]), tf.zeros([batch, config.units])
    return reverse(tf.transpose(tf.scan(step, tuple(steps), zeros)[0], [1, 0, 2]))


def module_outputs(strings, config, of, forget_bias):
    """The outputs of the signature `default`; `of` gives a variable by the end of its name."""
    if config.sentence_boundaries:
        strings = tf.strings.join(["<S> ", strings, " </S>"])
    tokens, lengths = split_at_spaces(strings)
    characters = tf.gather(of("char_embed"), module_char_ids(tokens, lengths))
    activation = getattr(tf.nn, config.activation)
    convolved = [
        tf.reduce_max(tf.nn.conv2d(characters, of(f"CNN/W_cnn_{k}"), 1, "VALID"), axis=2)
        + of(f"CNN/b_cnn_{k}")
        for k in range(len(config.filters))
    ]
    words = activation(tf.concat(convolved, axis=2))
    carry = tf.sigmoid(tf.matmul(words, of("CNN_high_0/W_carry")) + of("CNN_high_0/b_carry"))
    transformed = tf.matmul(words, of("CNN_high_0/W_transform")) + of("CNN_high_0/b_transform")
    words = carry * tf.nn.relu(transformed) + (1.0 - carry) * words
    words = tf.matmul(words, of("CNN_proj/W_proj")) + of("CNN_proj/b_proj")
    stacks = []
    for direction in (0, 1):
        vectors, outputs = words, []
        for layer in range(config.num_layers):
            cell = f"RNN_{direction}/RNN/MultiRNNCell/Cell{layer}/rnn/lstm_cell"
            weights = [of(f"{cell}/{name}") for name in ("kernel", "bias", "projection/kernel")]
            found = module_lstm(vectors, lengths, config, weights, direction == 1, forget_bias)
            vectors = found + vectors if layer and config.use_skip_connections else found
            outputs.append(vectors)
        stacks.append(outputs)
    layers = [tf.concat(pair, axis=2) for pair in ((words, words), *zip(*stacks, strict=True))]
    shares = tf.unstack(tf.nn.softmax(of("aggregation/weights")))
    mixed = of("aggregation/scaling") * tf.add_n(
        [s * h for s, h in zip(shares, layers, strict=True)]
    )
    named = {
        "word_emb": words,
        "elmo": mixed,
        "lstm_outputs1": layers[1],
        "lstm_outputs2": layers[2],
    }
    bounded = config.sentence_boundaries
    return {name: value[:, 1:-1] if bounded else value for name, value in named.items()}


def write_module(
    folder, weights, signature="default", input_name="strings", outputs=None, forget_bias=1.0
):
    """A module whose graph computes what `weights.config` says; `outputs`: names and which."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {
            name: tf.compat.v1.get_variable(name, initializer=array, use_resource=True)
            for name, array in helpers.hub_variables(weights).items()
        }
        by_end = {name.removeprefix("bilm/"): variable for name, variable in variables.items()}
        strings = tf.compat.v1.placeholder(tf.string, [None])
        found = module_outputs(strings, weights.config, by_end.__getitem__, forget_bias)
        session.run(tf.compat.v1.global_variables_initializer())
        build_info = tf.compat.v1.saved_model.build_tensor_info
        definition = tf.compat.v1.saved_model.build_signature_def(
            {input_name: build_info(strings)},
            {
                name: build_info(found[of])
                for name, of in (outputs or {n: n for n in found}).items()
            },
            "any",
        )
        builder = tf.compat.v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, [], {signature: definition})
        builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")
    return folder


OTHERWISE = {
    "sentence_boundaries": False,
    "use_skip_connections": False,
    "cell_clip": None,
    "projection_clip": None,
    "activation": "tanh",
}
NO_CLIPS = {"cell_clip": None, "projection_clip": None}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A module as published ones are, and the model folder that it was converted to."""
    folder = tmp_path_factory.mktemp("published")
    module = write_module(folder / "module", made_up())
    return module, convert(module, folder / "model")


def assert_converted(converted, weights):
    assert converted.config == weights.config
    # float32, and two ways to compute the same
    assert 0 <= converted.max_difference < 1e-5
    helpers.assert_same_weights(read_model_folder(converted.folder), weights)


def test_a_published_module_is_converted(published):
    assert_converted(published[1], made_up())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(
            {"use_skip_connections": False}, id="no skip connections", marks=pytest.mark.slow
        ),
        pytest.param(NO_CLIPS, id="no clips", marks=pytest.mark.slow),
        pytest.param({"activation": "tanh"}, id="tanh", marks=pytest.mark.slow),
        pytest.param(OTHERWISE, id="everything otherwise"),
    ],
)
def test_a_module_is_converted_as_what_it_computes(changes, tmp_path):
    weights = made_up(dataclasses.replace(CONFIG, **changes))
    module = write_module(tmp_path / "module", weights)
    assert_converted(convert(module, tmp_path / "model"), weights)


def test_loaded_weights_of_a_module_have_the_settings_that_were_found(tmp_path):
    weights = made_up(dataclasses.replace(CONFIG, sentence_boundaries=False))
    module = write_module(tmp_path / "module", weights)
    helpers.assert_same_weights(load_weights(module), weights)
    assert read_tf1_hub(module).config.sentence_boundaries  # what is assumed if it is not run


def test_a_converted_module_gives_the_vectors_of_the_reference(published):
    output = ElmoEmbeddings.from_folder(published[1].folder)(["the cat is on the mat"])
    words = "the cat is on the mat".split()
    layers = reference.bilm(words, CONFIG.to_options(), made_up().arrays).layers()
    wanted = reference.scalar_mix(layers, np.array(MIX.weights), MIX.gamma)
    np.testing.assert_allclose(output[0], wanted, rtol=0, atol=1e-5)


def test_the_clips_of_these_tests_are_in_reach():
    weights = made_up()
    found = [
        np.abs(layer)
        for sentence in SENTENCES
        for layer in reference.bilm(sentence.split(), CONFIG.to_options(), weights.arrays).forward
    ]
    assert any(np.any(layer == 3.0) for layer in found)


def test_a_module_that_computes_something_else_is_an_error(tmp_path):
    module = write_module(tmp_path / "module", made_up(), forget_bias=0.0)
    message = "the weights do not give the module's own vectors. Smallest difference: .*nothing was"
    with pytest.raises(ValueError, match=message):
        convert(module, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_module_without_the_signature_default_is_an_error(tmp_path):
    module = write_module(tmp_path / "module", made_up(), signature="other")
    with pytest.raises(ValueError, match=r"a signature `default` .*Found: signatures \['other'\]"):
        convert(module, tmp_path / "model")


def test_a_module_needs_one_input_of_any_name_and_one_output(tmp_path):
    weights = made_up()
    outputs = {"elmo": "elmo"}
    module = write_module(tmp_path / "module", weights, input_name="text", outputs=outputs)
    assert_converted(convert(module, tmp_path / "model"), weights)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({"vectors": "elmo"}, r"no output to compare with.* Found: \['vectors'\]"),
        (
            {"elmo": "word_emb"},
            r"`elmo` has another shape than .* Expected \(6, 24, 8\). Found: \(6, 24, 4\)",
        ),
        ({"elmo": "nan"}, "`elmo` must be finite numbers of float32. Found: float32, or NaN"),
    ],
)
def test_a_module_of_other_outputs_is_an_error(published, outputs, message, tmp_path, monkeypatch):
    module, _ = published
    vectors = module_of_convert._vectors_of_module(str(module), tf.constant(SENTENCES))
    vectors["nan"] = np.full_like(vectors["elmo"], np.nan)
    changed = {name: vectors[of] for name, of in outputs.items()}
    monkeypatch.setattr(module_of_convert, "_vectors_of_module", lambda *_: changed)
    with pytest.raises(ValueError, match=f"module.*{message}"):
        convert(module, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_modules_graph_is_not_run_unless_wanted(tmp_path):
    weights = made_up()
    variables = helpers.hub_variables(weights)
    module = helpers.write_hub_module(tmp_path / "module", variables)  # its graph is no graph
    converted = convert(module, tmp_path / "model", prove=False)
    assert converted.max_difference is None
    helpers.assert_same_weights(read_model_folder(tmp_path / "model"), weights)
    helpers.assert_same_weights(load_weights(module, prove=False), weights)


def test_a_module_whose_graph_is_damaged_is_an_error(tmp_path):
    module = helpers.write_hub_module(tmp_path / "module", helpers.hub_variables(made_up()))
    with pytest.raises(ValueError, match="saved_model.pb"):
        convert(module, tmp_path / "model")


# --- the other forms


@pytest.fixture
def weights(rng):
    return helpers.random_language_model(CONFIG, rng)


@pytest.fixture
def folder(weights, tmp_path):
    write_model_folder(weights, tmp_path / "source")
    return tmp_path / "source"


def test_a_model_folder_becomes_the_same_again(folder, weights, tmp_path):
    converted = convert(folder, tmp_path / "model")
    assert converted.kind == "model folder"
    assert converted.folder == tmp_path / "model"
    assert converted.config == CONFIG
    assert converted.max_difference is None
    helpers.assert_same_weights(read_model_folder(tmp_path / "model"), weights)


@pytest.mark.parametrize("merge", ["add", "concat"])
def test_a_merged_model_becomes_the_same_again(merge, rng, tmp_path):
    config = dataclasses.replace(CONFIG, architecture="merged", merge=merge)
    weights = helpers.random_language_model(config, rng)
    write_model_folder(weights, tmp_path / "source")
    converted = convert(tmp_path / "source", tmp_path / "model")
    assert converted.config == config
    helpers.assert_same_weights(read_model_folder(tmp_path / "model"), weights)
    assert converted.parameters == ElmoEmbeddings.from_weights(weights).encoder.count_params()


def test_a_checkpoint_becomes_a_model_folder_with_softmax_and_words(weights, tmp_path):
    prefix = tmp_path / "training" / "model.ckpt-5"
    write_tf1_checkpoint(weights, prefix)
    assert convert(prefix, tmp_path / "model").kind == "tf1 checkpoint"
    wanted = dataclasses.replace(weights, mix=None)  # bilm-tf's training has none
    helpers.assert_same_weights(read_model_folder(tmp_path / "model"), wanted)


def test_options_and_words_may_be_elsewhere(folder, weights, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (folder / "options.json").rename(elsewhere / "sizes.json")
    (folder / "vocab.txt").rename(elsewhere / "words.txt")
    (folder / "softmax.hdf5").unlink()
    convert(
        folder / "weights.hdf5",
        tmp_path / "model",
        options=elsewhere / "sizes.json",
        vocab=elsewhere / "words.txt",
    )
    wanted = dataclasses.replace(weights, softmax=None)
    helpers.assert_same_weights(read_model_folder(tmp_path / "model"), wanted)


def test_weights_to_embed_with_come_without_softmax(folder, weights):
    loaded = load_weights(folder)
    assert loaded.softmax is None
    helpers.assert_same_weights(loaded, dataclasses.replace(weights, softmax=None))


def test_what_is_in_the_way_is_told_before_anything_is_read(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights.hdf5").write_text("precious")
    with pytest.raises(FileExistsError, match="exists already"):
        convert(tmp_path / "no such source", tmp_path / "model")
    assert (tmp_path / "model" / "weights.hdf5").read_text() == "precious"


def test_a_model_folder_is_overwritten_when_that_is_allowed(folder, weights, rng, tmp_path):
    write_model_folder(helpers.random_weights(CONFIG, rng), tmp_path / "model")
    convert(folder, tmp_path / "model", overwrite=True)
    helpers.assert_same_weights(read_model_folder(tmp_path / "model"), weights)


def test_other_things_are_never_overwritten(folder, tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.tex").write_text("precious")
    with pytest.raises(FileExistsError, match="would be lost: chapter.tex"):
        convert(folder, tmp_path / "thesis", overwrite=True)


def test_a_source_that_is_not_there_is_an_error(tmp_path):
    for function in (load_weights, lambda source: convert(source, tmp_path / "model")):
        with pytest.raises(FileNotFoundError, match="no file, folder or checkpoint"):
            function(tmp_path / "nothing")
    assert not (tmp_path / "model").exists()


def test_broken_weights_leave_nothing_behind(folder, tmp_path):
    (folder / "weights.hdf5").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="weights.hdf5"):
        convert(folder, tmp_path / "model")
    assert {path.name for path in tmp_path.iterdir()} == {"source"}


# --- the number of parameters


@pytest.mark.parametrize(
    ("config", "parameters"),
    [
        (ElmoConfig(units=1024, projection_dim=128, num_highway_layers=1), 13_593_312),
        (ElmoConfig(units=2048, projection_dim=256, num_highway_layers=1), 28_027_744),
        (ElmoConfig(), 93_600_864),
    ],
    ids=["small", "medium", "original"],
)
def test_the_published_sizes_have_their_published_parameters(config, parameters):
    assert num_parameters(config) == parameters


def test_the_number_of_parameters_is_what_keras_counts(folder, tmp_path):
    bilm = BiLM(CONFIG)
    bilm.build()
    assert convert(folder, tmp_path / "model").parameters == bilm.count_params()


# --- what others published


GOLDEN_SOURCES = {
    "mini": ("mini", "model folder"),
    "bilm-tf's test model": ("bilm_published", "model folder"),
    "AllenNLP's test model": ("allennlp_published", "model folder"),
    "a checkpoint": ("bilm_checkpoint/model.ckpt-400", "tf1 checkpoint"),
    "a dump of a checkpoint": ("bilm_checkpoint/weights.hdf5", "bilm hdf5"),
}


@pytest.mark.parametrize("source", GOLDEN_SOURCES)
def test_every_golden_source_is_converted_without_a_change(source, golden, tmp_path):
    name, kind = GOLDEN_SOURCES[source]
    converted = convert(golden / name, tmp_path / "model")
    assert converted.kind == kind
    helpers.assert_same_weights(read_model_folder(tmp_path / "model"), read_weights(golden / name))


def test_the_golden_module_gives_what_it_gave_in_tensorflow_1(golden, tmp_path):
    converted = convert(golden / "tf1_hub", tmp_path / "model")
    assert converted.kind == "tf1 hub module"
    assert converted.config.sentence_boundaries
    # float32, and two ways to compute the same
    assert converted.max_difference < 1e-5
    mix = read_model_folder(tmp_path / "model").mix
    np.testing.assert_allclose([*mix.weights, mix.gamma], [0.2, -0.1, 0.4, 1.3], rtol=1e-6)
    with np.load(golden / "tf1_hub.expected.npz") as module:
        text = json.loads(str(module["text"]))
        wanted, lengths = module["default__elmo"], module["default__sequence_len"]
    output = ElmoEmbeddings.from_folder(tmp_path / "model")(text).numpy()
    is_real = np.arange(wanted.shape[1]) < lengths[:, np.newaxis]
    np.testing.assert_allclose(output[is_real], wanted[is_real], rtol=0, atol=1e-5)


# --- float16 -------------------------------------------------------------------------------------


def test_in_float16_a_folder_is_rounded_and_the_change_of_its_vectors_told(rng, tmp_path):
    weights = helpers.random_language_model(CONFIG, rng)
    write_model_folder(weights, tmp_path / "source")
    report = convert(tmp_path / "source", tmp_path / "out", dtype="float16")
    found = read_model_folder(tmp_path / "out")
    for name, array in weights.arrays.items():
        wanted = array if array.ndim == 1 else array.astype(np.float16)
        np.testing.assert_array_equal(found.arrays[name], wanted)
        assert found.arrays[name].dtype == np.float32
    np.testing.assert_array_equal(found.softmax.kernel, weights.softmax.kernel.astype(np.float16))
    assert found.mix == weights.mix and found.vocabulary == weights.vocabulary
    # Rounding is to one part in 2048; these weights are large, so the gates multiply it.
    assert 1e-5 < report.rounding < 0.1


def test_in_float32_nothing_is_rounded(folder, tmp_path):
    assert convert(folder, tmp_path / "out").rounding is None


def test_weights_that_float16_does_not_hold_leave_nothing_behind(rng, tmp_path):
    weights = helpers.random_weights(CONFIG, rng)
    weights.arrays["CNN_proj/W_proj"][0, 0] = 70000.0
    write_model_folder(weights, tmp_path / "source")
    with pytest.raises(ValueError, match="`CNN_proj/W_proj` can't be written in float16.* 70000"):
        convert(tmp_path / "source", tmp_path / "out", dtype="float16")
    assert {path.name for path in tmp_path.iterdir()} == {"source"}


def test_a_type_that_is_none_of_both_is_an_error_before_the_work(folder, tmp_path):
    with pytest.raises(ValueError, match="`dtype` must be one of"):
        convert(folder, tmp_path / "out", dtype="int8")
    assert not (tmp_path / "out").exists()
