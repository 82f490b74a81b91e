"""SavedModels that are no ELMo, or one that was changed: an error of one sentence each."""

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.features import embed_file
from elmo_tf2.features.encoder import encoder_of

TOKENS = tf.TensorSpec([None, None], tf.string, name="tokens")
LENGTHS = tf.TensorSpec([None], tf.int32, name="sequence_len")


def ones(tokens, dim=4):
    return tf.ones([*tf.unstack(tf.shape(tokens)), dim])


def elmo_like(tokens, sequence_len):
    """What an exported ELMo gives, by type and shape."""
    return {
        "word_emb": ones(tokens, 2),
        "lstm_outputs1": ones(tokens) + 1.0,
        "elmo": ones(tokens) + 2.0,
        "default": ones(tokens)[:, 0],
    }


def save(folder, function=elmo_like, specs=(TOKENS, LENGTHS), **attributes):
    """A SavedModel with a signature `tokens`."""
    module = tf.Module()
    module.function = tf.function(function, input_signature=specs, autograph=False)
    for name, value in attributes.items():
        setattr(module, name, value)
    tf.saved_model.save(module, str(folder), signatures={"tokens": module.function})
    return folder


def with_outputs(**outputs):
    """A function like `elmo_like` that has some outputs of its own."""
    return lambda tokens, sequence_len: {
        **elmo_like(tokens, sequence_len),
        **{name: make(tokens) for name, make in outputs.items()},
    }


def embed(folder, tmp_path, layers=None):
    """Embeds a short text and returns the error's message; nothing may be left of the output."""
    (tmp_path / "text.txt").write_bytes(b"a b\nc\n")
    with pytest.raises(ValueError) as error:
        embed_file(folder, tmp_path / "text.txt", tmp_path / "out.hdf5", layers=layers)
    assert not (tmp_path / "out.hdf5").exists()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("layers", [None, [1, 0], "mix"])
def test_one_that_others_made_is_taken(layers, tmp_path):
    (tmp_path / "text.txt").write_bytes(b"a b\nc\n")
    folder = save(tmp_path / "model")
    embed_file(folder, tmp_path / "text.txt", tmp_path / "out.hdf5", layers=layers)
    assert encoder_of(folder, layers).tokenizer == "spaces"
    encoder = encoder_of(folder, [1, 0])
    assert (encoder.layers, encoder.dim) == (["layer1", "layer0"], 4)


@pytest.mark.parametrize(
    "specs",
    [
        pytest.param((TOKENS, tf.TensorSpec([None], tf.int32, name="lengths")), id="name"),
        pytest.param((TOKENS, tf.TensorSpec([None], tf.int64, name="sequence_len")), id="type"),
        pytest.param((TOKENS, tf.TensorSpec([], tf.int32, name="sequence_len")), id="rank"),
        pytest.param((tf.TensorSpec([None], tf.string, name="tokens"), LENGTHS), id="sentences"),
        pytest.param((tf.TensorSpec([None, None], tf.int32, name="tokens"), LENGTHS), id="ids"),
        pytest.param((tf.TensorSpec(None, tf.string, name="tokens"), LENGTHS), id="any rank"),
    ],
)
def test_other_inputs_are_an_error(specs, tmp_path):
    def function(tokens, lengths):
        return elmo_like(tf.constant([["a"]]), tf.constant([1]))

    folder = save(tmp_path / "model", function, specs)
    message = embed(folder, tmp_path)
    assert "model is no ELMo that was exported: the inputs of its signature `tokens`" in message


@pytest.mark.parametrize(
    "outputs",
    [
        pytest.param({"lstm_outputs1": lambda t: ones(t)[0]}, id="rank of the first layer"),
        pytest.param({"lstm_outputs2": lambda t: ones(t)[0]}, id="rank of the second layer"),
        pytest.param({"lstm_outputs2": lambda t: ones(t, 6)}, id="another size"),
        pytest.param({"word_emb": lambda t: ones(t, 4)}, id="word vectors of the layers' size"),
        pytest.param({"elmo": lambda t: ones(t, 5)}, id="another size of the mix"),
        pytest.param({"elmo": lambda t: tf.cast(ones(t), tf.float64)}, id="float64"),
        pytest.param({"lstm_outputs1": tf.identity}, id="strings"),
    ],
)
def test_other_outputs_are_an_error(outputs, tmp_path):
    message = embed(save(tmp_path / "model", with_outputs(**outputs)), tmp_path)
    assert "model is no ELMo that was exported: the outputs of its signature `tokens`" in message


def test_vectors_of_other_words_are_an_error(tmp_path):
    transposed = with_outputs(lstm_outputs1=lambda t: tf.transpose(ones(t), [1, 0, 2])[:1])
    message = embed(save(tmp_path / "model", transposed), tmp_path, layers=[1])
    assert "model: the signature `tokens` fails for" in message
    assert "`lstm_outputs1`" in message


def failing(tokens):
    with tf.control_dependencies([tf.debugging.Assert(tf.size(tokens) < 0, ["it fails"])]):
        return ones(tokens)


@pytest.mark.parametrize("layers", [None, "mix"])
def test_an_operation_that_fails_is_an_error(layers, tmp_path):
    folder = save(tmp_path / "model", with_outputs(lstm_outputs1=failing, elmo=failing))
    assert "model: the signature `tokens` fails for" in embed(folder, tmp_path, layers)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("layers", [None, "mix"])
def test_nan_is_not_written(layers, value, tmp_path):
    function = with_outputs(lstm_outputs1=lambda t: ones(t) * value, elmo=lambda t: ones(t) * value)
    message = embed(save(tmp_path / "model", function), tmp_path, layers)
    assert "The model gives NaN or infinite numbers" in message


@pytest.mark.parametrize(
    "tokenizer",
    [
        pytest.param(lambda: tf.Variable("words"), id="a variable"),
        pytest.param(lambda: tf.function(lambda: tf.constant("bpe"), input_signature=[]), id="bpe"),
        pytest.param(
            lambda: tf.function(lambda: tf.constant(1), input_signature=[]), id="a number"
        ),
        pytest.param(
            lambda: tf.function(lambda x: x, input_signature=[tf.TensorSpec([])]), id="an argument"
        ),
    ],
)
def test_a_tokenizer_that_is_none_is_an_error(tokenizer, tmp_path):
    message = embed(save(tmp_path / "model", tokenizer=tokenizer()), tmp_path)
    assert "model is no ELMo that was exported: its `tokenizer` " in message


def test_a_graph_that_writes_files_is_not_run(tmp_path):
    def write(tokens):
        with tf.control_dependencies([tf.io.write_file(str(tmp_path / "written"), "x")]):
            return ones(tokens)

    folder = save(tmp_path / "model", with_outputs(elmo=write))
    for layers in (None, "mix"):
        assert "model was not loaded, for its graph has operations" in embed(
            folder, tmp_path, layers
        )
    assert not (tmp_path / "written").exists()
