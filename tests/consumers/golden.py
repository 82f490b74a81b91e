"""Exports of published models, compared with what other implementations gave for them."""

import numpy as np
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


def forms(signatures, text, tokens, lengths):
    """Results of many ways to call signatures; None for those that are errors."""
    strings = (text, tuple(text), np.array(text), np.array(text, object), tf.constant(text))
    lists, one = {"tokens": tokens, "sequence_len": lengths}, text[0]
    arrays = {name: np.array(value) for name, value in lists.items()}
    by_position = [((value,), {}) for value in (*strings, one, [text])]
    by_name = [((), {"strings": value}) for value in (*strings, one)]
    calls = [("default", *call) for call in (*by_position, *by_name)]
    of_tokens = [((), lists), ((), arrays), ((lengths, tokens), {}), ((tokens, lengths), {})]
    calls += [("tokens", *call) for call in of_tokens]
    for name, args, kwargs in calls:
        try:
            yield signatures[name](*args, **kwargs)["elmo"].shape
        except TypeError:
            yield None


def test_signatures_take_every_form_that_the_tf1_module_takes():
    text, of_text = expected("text", "tf1_hub.npz")
    text = [one for one in text if one.strip()]  # of no words the module's mean is an error
    tokens, of_tokens = expected("tokens", "tf1_hub.npz")
    inputs = text, tokens, of_tokens["sequence_len"].tolist()
    module, elmo = hub.load(path("tf1_module")), hub.load(path("tf1_hub"))
    taken, found = list(forms(module.signatures, *inputs)), list(forms(elmo.signatures, *inputs))
    assert found == taken
    assert taken.count(None) == 4


def test_tokens_gives_what_bilm_tf_gave():
    inputs, wanted = token_inputs("mini.npz")
    elmo = hub.load(path("mini"))
    outputs = elmo.signatures["tokens"](**inputs)
    for name, value in wanted.items():
        assert_close(outputs[name], value)
