"""Training a loaded model without Keras, and saving it again."""

from functools import cache

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from consumer import FOLDER, HUB_MODULE_TEXT, assert_outputs_close, changed, loaded, values

TEXT = tf.constant([*HUB_MODULE_TEXT, "x", ""])


@cache
def fine_tuned(name):
    """A loaded model after two steps, and the names of the variables that moved."""
    elmo = loaded(name)
    before = values(elmo.variables)
    for _ in range(2):
        with tf.GradientTape() as tape:
            vectors = elmo(TEXT, training=True, signature="elmo")
            loss = tf.reduce_sum((vectors - 1.0) ** 2)
            loss += sum(regularization() for regularization in elmo.regularization_losses)
        gradients = tape.gradient(loss, elmo.trainable_variables)
        for variable, gradient in zip(elmo.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.01 * tf.convert_to_tensor(gradient))
    return elmo, changed(elmo.variables, before)


@cache
def fine_tuned_and_saved_again():
    """A model that was trained, and what is loaded after saving it."""
    elmo, moved = fine_tuned("mix")
    assert moved
    folder = str(FOLDER / "fine_tuned")
    tf.saved_model.save(elmo, folder, signatures=elmo.signatures)
    return elmo, hub.load(folder)


def test_the_gradients_of_the_weighted_sum_are_those_of_its_equation():
    elmo = loaded("mix")
    w, gamma = sorted(elmo.trainable_variables, key=lambda variable: -variable.shape.rank)
    outputs = elmo(tf.constant(HUB_MODULE_TEXT), as_dict=True)
    word = np.concatenate([outputs["word_emb"]] * 2, axis=-1)
    layers = [word, outputs["lstm_outputs1"].numpy()]
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(elmo(tf.constant(HUB_MODULE_TEXT), signature="elmo"))
    of_w, of_gamma = tape.gradient(loss, [w, gamma])
    shares = np.exp(w) / np.exp(w).sum()
    sums = np.array([layer.sum() for layer in layers])
    mean = shares @ sums
    # y = gamma sum_j s_j h_j with s = softmax(w); float32 sums of some hundred numbers
    np.testing.assert_allclose(of_gamma, mean, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(of_w, gamma * shares * (sums - mean), rtol=1e-4, atol=1e-4)


def test_only_the_weighted_sum_moves_when_nothing_else_is_trainable():
    elmo, moved = fine_tuned("mix")
    assert moved == {variable.name for variable in elmo.trainable_variables}
    assert len(moved) == 2


def test_every_weight_moves_when_all_are_trainable():
    elmo, moved = fine_tuned("all")
    assert moved == {variable.name for variable in elmo.variables}


def test_the_row_of_no_character_stays_zero_in_training():
    elmo, _ = fine_tuned("all")
    (table,) = [variable for variable in elmo.variables if variable.shape[:1] == (262,)]
    assert not np.any(table[0])
    assert np.any(table[1:])


def test_the_loss_of_the_weights_is_l2_times_their_squares():
    elmo = loaded("all")
    (regularization,) = elmo.regularization_losses
    (w,) = [variable for variable in elmo.variables if variable.name.endswith("/w:0")]
    for value in (w.numpy(), np.array([1.0, 3.0])):
        w.assign(value)
        np.testing.assert_allclose(regularization(), 0.1 * np.sum(value**2), rtol=1e-6)


def test_a_fine_tuned_model_saved_again_gives_the_same_vectors():
    elmo, again = fine_tuned_and_saved_again()
    wanted = elmo.signatures["default"](strings=TEXT)
    for outputs in (again(TEXT, as_dict=True), again.signatures["default"](strings=TEXT)):
        assert_outputs_close(outputs, wanted)


def test_a_fine_tuned_model_saved_again_has_the_same_signatures():
    elmo, again = fine_tuned_and_saved_again()
    assert set(again.signatures) == set(elmo.signatures)
    for name, signature in elmo.signatures.items():
        of_again = again.signatures[name]
        assert of_again.structured_outputs == signature.structured_outputs
        assert of_again.structured_input_signature == signature.structured_input_signature


def test_a_fine_tuned_model_saved_again_takes_lists_by_name_and_tensors_by_position():
    elmo, again = fine_tuned_and_saved_again()
    texts = [text.decode() for text in TEXT.numpy()]
    signature = again.signatures["default"]
    for outputs in (signature(strings=texts), signature(TEXT), again.default(texts)):
        assert_outputs_close(outputs, elmo.signatures["default"](texts))


def test_a_fine_tuned_model_saved_again_can_be_trained_again():
    _, again = fine_tuned_and_saved_again()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(again(TEXT, signature="elmo") ** 2)
    gradients = tape.gradient(loss, again.trainable_variables)
    assert len(gradients) == 2
    assert all(gradient is not None for gradient in gradients)
