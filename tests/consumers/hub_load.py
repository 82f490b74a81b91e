"""Code written for TF1's `hub.Module`, tf.data, and what users feed a model by mistake."""

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from consumer import (
    HUB_MODULE_TEXT,
    assert_close,
    assert_outputs_close,
    expected,
    path,
    token_inputs,
)

elmo = hub.load(path("mix"))
TEXT, OF_TEXT = expected("text")
TOKEN_INPUTS, OF_TOKENS = token_inputs()


def test_the_line_written_for_hub_module_runs_word_for_word():
    # The second of these two lines is TF1 code; it must stay as it is.
    elmo = hub.load(path("mix"))
    vectors = elmo(["the cat is on the mat", "dogs are in the fog"], signature="default", as_dict=True)["elmo"]  # fmt: skip # noqa: E501
    rows = [TEXT.index(sentence) for sentence in HUB_MODULE_TEXT]
    assert_close(vectors, OF_TEXT["elmo"][rows, :6])


def test_default_gives_what_the_layer_gives():
    assert_outputs_close(elmo(tf.constant(TEXT), as_dict=True), OF_TEXT)
    assert_outputs_close(elmo.signatures["default"](strings=tf.constant(TEXT)), OF_TEXT)


def test_serving_default_gives_what_default_gives():
    strings = tf.constant(TEXT)
    assert_outputs_close(elmo.signatures["serving_default"](strings=strings), OF_TEXT)
    assert_outputs_close(elmo(strings, signature="serving_default", as_dict=True), OF_TEXT)
    assert_close(elmo(strings, signature="serving_default"), OF_TEXT["default"])


def test_elmo_gives_the_weighted_sum_and_the_lengths_alone():
    wanted = {name: OF_TEXT[name] for name in ("elmo", "sequence_len")}
    assert_outputs_close(elmo(tf.constant(TEXT), signature="elmo", as_dict=True), wanted)
    assert_outputs_close(elmo.signatures["elmo"](strings=tf.constant(TEXT)), wanted)


def test_tokens_gives_what_the_layer_gives():
    assert_outputs_close(elmo(TOKEN_INPUTS, signature="tokens", as_dict=True), OF_TOKENS)
    assert_outputs_close(elmo.signatures["tokens"](**TOKEN_INPUTS), OF_TOKENS)
    assert_outputs_close(elmo.embed_tokens(TOKEN_INPUTS), OF_TOKENS)


def test_tokens_may_be_a_dictionary_of_lists():
    tokens, _ = expected("tokens")
    lists = {"tokens": tokens, "sequence_len": OF_TOKENS["sequence_len"].tolist()}
    assert_outputs_close(elmo(lists, signature="tokens", as_dict=True), OF_TOKENS)


def test_lengths_may_be_of_int64():
    lengths = tf.cast(TOKEN_INPUTS["sequence_len"], tf.int64)  # as `row_lengths` gives them
    inputs = {**TOKEN_INPUTS, "sequence_len": lengths}
    assert_outputs_close(elmo(inputs, signature="tokens", as_dict=True), OF_TOKENS)
    assert_close(elmo(inputs, signature="tokens"), OF_TOKENS["default"])


def test_without_as_dict_there_is_one_tensor():
    assert_close(elmo(tf.constant(TEXT)), OF_TEXT["default"])
    assert_close(elmo(tf.constant(TEXT), signature="elmo"), OF_TEXT["elmo"])
    assert_close(elmo(TOKEN_INPUTS, signature="tokens"), OF_TOKENS["default"])


def test_a_list_an_array_and_a_tensor_give_the_same():
    for inputs in (TEXT, tuple(TEXT), np.array(TEXT), tf.constant(TEXT)):
        assert_close(elmo(inputs), OF_TEXT["default"])
    assert_close(elmo(inputs=TEXT), OF_TEXT["default"])


def test_many_calls_with_lists_and_arrays_share_one_graph():
    for batch in range(30):
        texts = [f"the cat {batch}", "dogs"] * (1 + batch % 3)
        lists = {"tokens": [["the", "cat"] * (1 + batch % 3)], "sequence_len": [1]}
        arrays = {name: np.array(value) for name, value in lists.items()}
        for strings in (texts, tuple(texts), np.array(texts), tf.constant(texts)):
            assert len(elmo.default(strings)["elmo"]) == len(texts)
            assert len(elmo.elmo(strings)["elmo"]) == len(texts)
        for tokens in (lists, arrays):
            assert len(elmo.embed_tokens(tokens)["elmo"]) == 1
    for function in (elmo.default, elmo.elmo, elmo.embed_tokens):
        assert function.experimental_get_tracing_count() == 1


def test_signatures_take_lists_and_arrays_by_position_and_by_name():
    arrays = (np.array(TEXT), np.array(TEXT, object), np.array([t.encode() for t in TEXT]))
    wanted = {name: OF_TEXT[name] for name in ("elmo", "sequence_len")}
    for name in ("default", "serving_default", "elmo"):
        signature = elmo.signatures[name]
        for strings in (TEXT, tuple(TEXT), *arrays, tf.constant(TEXT)):
            for outputs in (signature(strings), signature(strings=strings)):
                assert_outputs_close(outputs, wanted if name == "elmo" else OF_TEXT)


def test_the_signature_tokens_takes_lists_and_arrays():
    tokens, _ = expected("tokens")
    lengths = OF_TOKENS["sequence_len"].tolist()
    signature = elmo.signatures["tokens"]
    assert_outputs_close(signature(tokens=tokens, sequence_len=lengths), OF_TOKENS)
    arrays = {"tokens": np.array(tokens, object), "sequence_len": np.array(lengths)}
    assert_outputs_close(signature(**arrays), OF_TOKENS)
    # by position in the order of their names, as of the TF1 module
    assert_outputs_close(signature(lengths, tokens), OF_TOKENS)


def test_one_string_alone_is_an_error_of_a_signature():
    for name in ("default", "elmo"):
        try:
            elmo.signatures[name]("the cat")
        except TypeError as error:
            assert "shape=(None,)" in str(error), error
        else:
            raise AssertionError("one string was taken")


def test_training_changes_nothing():
    for training in (True, False, None, tf.constant(True)):
        assert_close(elmo(tf.constant(TEXT), training=training), OF_TEXT["default"])


def test_it_runs_inside_a_function():
    embed = tf.function(lambda strings: elmo(strings, signature="elmo"))
    assert_close(embed(tf.constant(TEXT)), OF_TEXT["elmo"])


def test_a_dataset_maps_batches():
    dataset = tf.data.Dataset.from_tensor_slices(TEXT).batch(3)
    batches = dataset.map(lambda strings: elmo(strings), num_parallel_calls=2)
    assert_close(np.concatenate(list(batches.as_numpy_iterator())), OF_TEXT["default"])


def test_a_dataset_maps_sentences_that_are_batched_afterwards():
    dataset = tf.data.Dataset.from_tensor_slices(TEXT)
    vectors = dataset.map(lambda text: elmo(text[tf.newaxis], signature="elmo")[0])
    (batch,) = vectors.padded_batch(len(TEXT))
    assert_close(batch, OF_TEXT["elmo"])


def test_a_dataset_maps_padded_tokens():
    dataset = tf.data.Dataset.from_tensor_slices(TOKEN_INPUTS).batch(2)
    batches = dataset.map(lambda inputs: elmo(inputs, signature="tokens", as_dict=True)["elmo"])
    assert_close(np.concatenate(list(batches.as_numpy_iterator())), OF_TOKENS["elmo"])


def test_an_empty_string_has_no_words_and_zeros_as_its_default():
    outputs = elmo(tf.constant(["", "   "]), as_dict=True)
    assert_close(outputs["default"], np.zeros_like(OF_TEXT["default"][:2]))
    assert outputs["sequence_len"].numpy().tolist() == [0, 0]
    assert outputs["elmo"].shape[:2] == (2, 0)


def test_a_batch_of_no_sentences_gives_no_vectors():
    for outputs in (
        elmo(tf.constant([], tf.string), as_dict=True),
        elmo([], as_dict=True),
        elmo.signatures["tokens"](
            tokens=tf.zeros([0, 3], tf.string), sequence_len=tf.zeros([0], tf.int32)
        ),
    ):
        assert {len(value) for value in outputs.values()} == {0}
        assert outputs["elmo"].shape[2] == OF_TEXT["elmo"].shape[2]


def test_a_sentence_of_5000_words_leaves_its_neighbours_alone():
    long = " ".join(["the cat is in the"] * 1000)
    outputs = elmo.signatures["default"](strings=tf.constant([HUB_MODULE_TEXT[0], long]))
    assert outputs["sequence_len"].numpy().tolist() == [6, 5000]
    assert np.isfinite(outputs["elmo"]).all()
    assert_close(outputs["elmo"][0, :6], OF_TEXT["elmo"][TEXT.index(HUB_MODULE_TEXT[0]), :6])
    assert not np.any(outputs["elmo"][0, 6:])


def test_a_long_sentence_has_the_same_vectors_alone():
    long = " ".join(["dogs are in the fog"] * 1000)
    beside = elmo.signatures["elmo"](strings=tf.constant(["x", long, ""]))["elmo"][1]
    assert_close(beside, elmo.signatures["elmo"](strings=tf.constant([long]))["elmo"][0])


def test_the_hundredth_call_gives_what_the_first_gave():
    embed = elmo.signatures["default"]
    for _ in range(99):
        embed(strings=tf.constant(["something", "else , quite"]))
    assert_outputs_close(embed(strings=tf.constant(TEXT)), OF_TEXT)
