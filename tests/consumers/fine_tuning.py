"""Training a loaded model without Keras, and saving it again."""

import numpy as np
import tensorflow as tf
import tensorflow_hub as hub
from consumer import FOLDER, HUB_MODULE_TEXT, assert_outputs_close, changed, path, values

SENTENCES = tf.constant([*HUB_MODULE_TEXT, "x", ""])


def fine_tuned(name):
    """A loaded model after three steps, and the names of the variables that moved."""
    elmo = hub.load(path(name))
    before = values(elmo.variables)
    for _ in range(3):
        with tf.GradientTape() as tape:
            vectors = elmo(SENTENCES, training=True, signature="elmo")
            loss = tf.reduce_sum((vectors - 1.0) ** 2)
            loss += sum(regularization() for regularization in elmo.regularization_losses)
        gradients = tape.gradient(loss, elmo.trainable_variables)
        for variable, gradient in zip(elmo.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.01 * tf.convert_to_tensor(gradient))
    return elmo, changed(elmo.variables, before)


def saved_again(elmo, name):
    folder = str(FOLDER / name)
    tf.saved_model.save(elmo, folder, signatures=elmo.signatures)
    return hub.load(folder)


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
    elmo = hub.load(path("all"))
    (regularization,) = elmo.regularization_losses
    (w,) = [variable for variable in elmo.variables if variable.name.endswith("/w:0")]
    np.testing.assert_allclose(regularization(), 0.1 * np.sum(np.square(w)), rtol=1e-6)
    w.assign([1.0, 2.0, 3.0])
    np.testing.assert_allclose(regularization(), 0.1 * 14, rtol=1e-6)


def test_a_fine_tuned_model_saved_again_gives_the_same_vectors():
    elmo, _ = fine_tuned("mix")
    again = saved_again(elmo, "again")
    wanted = elmo(SENTENCES, as_dict=True)
    for outputs in (again(SENTENCES, as_dict=True), again.signatures["default"](strings=SENTENCES)):
        assert_outputs_close(outputs, wanted)


def test_a_fine_tuned_model_saved_again_has_the_same_signatures():
    elmo, _ = fine_tuned("mix")
    again = saved_again(elmo, "again_for_signatures")
    assert set(again.signatures) == set(elmo.signatures)
    for name, signature in elmo.signatures.items():
        of_again = again.signatures[name]
        assert of_again.structured_outputs == signature.structured_outputs
        assert of_again.structured_input_signature == signature.structured_input_signature


def test_a_fine_tuned_model_saved_again_can_be_trained_again():
    elmo, _ = fine_tuned("all")
    again = saved_again(elmo, "again_for_training")
    assert len(again.trainable_variables) == len(elmo.trainable_variables)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(again(SENTENCES, signature="elmo") ** 2)
        loss += again.regularization_losses[0]()
    assert all(gradient is not None for gradient in tape.gradient(loss, again.trainable_variables))
