"""LanguageModel: its losses, its states, and what an update does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.characters import sentences_to_char_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.data import Vocabulary, text_windows, training_windows
from elmo_tf2.layers.ragged import from_padded
from elmo_tf2.models import LanguageModel

CONFIG = ElmoConfig(filters=((1, 4), (2, 8)), num_highway_layers=1, units=12, projection_dim=6)
WORDS = ["<S>", "</S>", "<UNK>", *"the cat sat on a mat dog ran and it was".split()]
TEXT = ["the cat sat on a mat", "a dog ran", "it was the dog and the cat", "cat sat"] * 3


@pytest.fixture
def vocabulary():
    return Vocabulary(WORDS)


@pytest.fixture(scope="module")
def model():
    """For tests that do not change its weights."""
    return LanguageModel(CONFIG, len(WORDS), batch_size=2, num_negatives=5)


@pytest.fixture
def train_file(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("\n".join(TEXT), encoding="utf-8")
    return path


def first_window(dataset):
    return next(iter(dataset))


def log_softmax(logits):
    logits = np.asarray(logits, np.float64)
    top = logits.max(axis=-1, keepdims=True)
    return logits - top - np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))


def test_losses_are_those_of_the_bilms_vectors(model, vocabulary):
    words = ["the", "cat", "flew"]
    window = first_window(text_windows([" ".join(words)], vocabulary, 1, 4))
    losses = model(window).numpy()  # (2, 1, 4)

    tokens = tf.constant([["<S>", *words, "</S>"]])
    ids = vocabulary.ids(tokens).numpy()[0]
    char_ids = sentences_to_char_ids(tokens, tf.constant([5]))
    mask = tf.fill([1, 5], True)
    words = from_padded(char_ids, mask)
    output = model.bilm.encode(words, add_bos_eos=False).padded(mask)
    forward, backward = (
        log_softmax(layers[-1][0] @ tf.transpose(model.softmax.kernel) + model.softmax.bias)
        for layers in (output.forward, output.backward)
    )
    expected_forward = [-forward[place, ids[place + 1]] for place in range(4)]
    expected_backward = [-backward[place, ids[place - 1]] for place in (4, 3, 2, 1)]
    np.testing.assert_allclose(losses[0, 0], expected_forward, atol=1e-5)
    np.testing.assert_allclose(losses[1, 0], expected_backward, atol=1e-5)


def test_states_go_from_window_to_window(model, vocabulary):
    whole = first_window(text_windows(TEXT[:2], vocabulary, 1, 11))
    expected, last_states = model.window_losses(whole, model.zero_states(1))
    states, found = model.zero_states(1), []
    for window in text_windows(TEXT[:2], vocabulary, 1, 1):
        losses, states = model.window_losses(window, states)
        found.append(losses)
    np.testing.assert_allclose(np.concatenate(found, axis=2), expected, atol=1e-5)
    for state, last in zip(states, last_states, strict=True):
        np.testing.assert_allclose(state, last, atol=1e-5)


def test_dropout_and_sampling_are_for_training_alone(model, vocabulary):
    window = first_window(text_windows(TEXT, vocabulary, 2, 5))
    np.testing.assert_array_equal(model(window), model(window))
    assert (np.asarray(model(window)) != np.asarray(model(window, training=True))).any()


def test_dropout_keeps_the_mean_and_drops_its_share():
    model = LanguageModel(CONFIG, len(WORDS), batch_size=200, dropout=0.3, num_negatives=None)
    dropped = model._drop(tf.ones([20 * 200, 6]), 0, 0).numpy()
    assert abs((dropped == 0).mean() - 0.3) < 0.02
    np.testing.assert_allclose(dropped[dropped > 0], 1 / 0.7, rtol=1e-6)


def test_fit_learns_a_text(train_file, vocabulary):
    model = LanguageModel(CONFIG, len(WORDS), batch_size=2, num_negatives=None)
    model.compile(keras.optimizers.Adam(0.02))
    windows = training_windows([train_file], vocabulary, 2, 5)
    history = model.fit(windows, epochs=8, steps_per_epoch=20, shuffle=False, verbose=0)
    losses = history.history["loss"]
    # to know the text by heart and not to know anything but the words' frequencies
    assert losses[-1] < 0.7 * losses[0]


def test_fit_keeps_states_and_position(model, train_file, vocabulary):
    model.compile(keras.optimizers.SGD(0.0), run_eagerly=True)
    windows = training_windows([train_file], vocabulary, 2, 5)
    model.fit(windows, steps_per_epoch=3, shuffle=False, verbose=0)
    window = list(windows.take(3))[-1]
    np.testing.assert_array_equal(model.position, window["position"][0])
    assert all(np.any(state) for state in model.states)


OPTIMIZERS = {
    "adagrad, clipped": lambda: keras.optimizers.Adagrad(
        0.2, initial_accumulator_value=1.0, global_clipnorm=0.5
    ),
    "adam": lambda: keras.optimizers.Adam(0.01, epsilon=1e-3),
    "momentum": lambda: keras.optimizers.SGD(0.01, momentum=0.9),
    "accumulated": lambda: keras.optimizers.SGD(0.01, gradient_accumulation_steps=2),
}


@pytest.fixture(scope="module")
def two_windows(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "train.txt"
    path.write_text("\n".join(TEXT), encoding="utf-8")
    return list(training_windows([path], Vocabulary(WORDS), 2, 5).take(2))


@pytest.fixture(scope="module")
def model_and_weights():
    """A model, and the weights that it begins with."""
    model = LanguageModel(CONFIG, len(WORDS), batch_size=2, num_negatives=5, dropout=0.0)
    return model, model.get_weights()


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_sparse_updates_equal_dense_ones(two_windows, model_and_weights, monkeypatch, name):
    model, before = model_and_weights

    def weights_after_updates():
        model.set_weights(before)
        model.compile(OPTIMIZERS[name](), run_eagerly=True)  # to make a graph takes longer
        model.optimizer.build(model.trainable_variables)
        for window in two_windows:
            model.train_step(window)
        return model.get_weights()

    sparse = weights_after_updates()
    sampled = tf.nn.sampled_softmax_loss

    def dense_loss(kernel, bias, *arguments, **kwargs):
        # the gradient of what is computed from a whole variable is dense
        return sampled(kernel * 1.0, bias * 1.0, *arguments, **kwargs)

    monkeypatch.setattr(tf.nn, "sampled_softmax_loss", dense_loss)
    for found, expected in zip(sparse, weights_after_updates(), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)


def test_adagrad_touches_only_the_rows_of_sampled_words(train_file):
    words = [*WORDS, *(f"word{number}" for number in range(2_000))]
    model = LanguageModel(CONFIG, len(words), batch_size=2, num_negatives=5)
    optimizer = keras.optimizers.Adagrad(0.2, initial_accumulator_value=1.0)
    model.compile(optimizer, run_eagerly=True)
    before = model.softmax.kernel.numpy()
    windows = training_windows([train_file], Vocabulary(words), 2, 5)
    model.fit(windows, steps_per_epoch=1, shuffle=False, verbose=0)
    is_changed = (model.softmax.kernel.numpy() != before).any(axis=1)
    assert 0 < is_changed.sum() <= 5 + 2 * 10


def test_bfloat16_losses_are_near_those_of_float32(vocabulary):
    window = first_window(text_windows(TEXT, vocabulary, 2, 5))
    losses = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(3)
        losses.append(LanguageModel(CONFIG, len(WORDS), 2, num_negatives=5, dtype=policy)(window))
    assert losses[1].dtype == tf.float32
    np.testing.assert_allclose(losses[1], losses[0], atol=0.05)


def test_its_config_gives_the_same_model(model):
    again = LanguageModel.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in model.weights]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"vocabulary_size": 0}, "`vocabulary_size`"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"dropout": 1.0}, "`dropout`"),
        ({"num_negatives": 1_000}, "`num_negatives`"),
    ],
)
def test_wrong_arguments_are_told(arguments, message):
    good = {"vocabulary_size": 14, "batch_size": 2, "num_negatives": 5}
    with pytest.raises(ValueError, match=message):
        LanguageModel(CONFIG, **{**good, **arguments})
