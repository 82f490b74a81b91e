"""Exports of published models, compared with what other implementations gave for them."""

import tensorflow as tf
import tensorflow_hub as hub
from consumer import assert_close, assert_outputs_close, expected, path, token_inputs


def test_every_signature_gives_what_the_tf1_module_gave_for_strings():
    text, wanted = expected("text", "tf1_hub.npz")
    elmo = hub.load(path("tf1_hub"))
    strings = tf.constant(text)
    for outputs in (
        elmo.signatures["default"](strings=strings),
        elmo.signatures["serving_default"](strings=strings),
        elmo(strings, as_dict=True),
    ):
        assert_outputs_close(outputs, wanted)
    short = {name: wanted[name] for name in ("elmo", "sequence_len")}
    assert_outputs_close(elmo.signatures["elmo"](strings=strings), short)


def test_tokens_gives_what_the_tf1_module_gave_for_tokens():
    inputs, wanted = token_inputs("tf1_hub.npz")
    elmo = hub.load(path("tf1_hub"))
    assert_outputs_close(elmo.signatures["tokens"](**inputs), wanted)
    assert_outputs_close(elmo.embed_tokens(inputs), wanted)


def test_tokens_gives_what_bilm_tf_gave():
    inputs, wanted = token_inputs("mini.npz")
    elmo = hub.load(path("mini"))
    outputs = elmo.signatures["tokens"](**inputs)
    for name, value in wanted.items():
        assert_close(outputs[name], value)
