"""MaskedLanguageModel: its losses, and that it never sees what it predicts."""

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data import Masking, Vocabulary, training_windows
from elmo_tf2.models import LanguageModel, MaskedLanguageModel, PretrainingModel, bilm_arrays
from tests import numpy_reference as reference
from tests.models.test_language_model import TEXT, WORDS, log_softmax

CONFIG = ElmoConfig(
    filters=((1, 4), (2, 8)),
    num_highway_layers=1,
    units=12,
    projection_dim=6,
    architecture="merged",
)
CONCAT = dataclasses.replace(CONFIG, merge="concat")


@pytest.fixture(scope="module")
def vocabulary():
    return Vocabulary(WORDS)


@pytest.fixture(scope="module", params=[CONFIG, CONCAT], ids=["add", "concat"])
def model(request):
    return MaskedLanguageModel(request.param, len(WORDS), batch_size=2, num_negatives=5)


@pytest.fixture
def train_file(tmp_path):
    path = tmp_path / "train.txt"
    path.write_text("\n".join(TEXT), encoding="utf-8")
    return path


MASK = b"\xff"


def window_of(words, places, put=MASK):
    """A window of one row in which `put` stands at the chosen places."""
    is_chosen = np.isin(np.arange(len(words)), places)
    seen = [put if chosen else word for word, chosen in zip(words, is_chosen, strict=True)]
    ids = [WORDS.index(word) for word in words]
    return {
        "char_ids": tf.constant(reference.batch_char_ids([seen])),
        "targets": tf.constant([ids]),
        "is_chosen": tf.constant([is_chosen]),
    }


SENTENCE = ["<S>", "the", "cat", "sat", "on", "a", "mat", "</S>"]


def test_losses_are_those_of_the_masked_words_by_the_reference(model):
    model.softmax.bias.assign(np.linspace(-1, 1, len(WORDS)))
    places = [1, 4, 6]
    losses = model(window_of(SENTENCE, places)).numpy()
    options = {**model.config.to_options(), "sentence_boundaries": False}
    arrays = {name: array.astype("float64") for name, array in bilm_arrays(model.bilm).items()}
    seen = [MASK if place in places else word for place, word in enumerate(SENTENCE)]
    last = reference.bilm(seen, options, arrays).layers()[-1]
    logits = last @ model.softmax.kernel.numpy().T + model.softmax.bias.numpy()
    expected = [-log_softmax(logits)[place, WORDS.index(SENTENCE[place])] for place in places]
    np.testing.assert_allclose(losses, expected, rtol=0, atol=1e-5)


def test_padding_changes_no_loss(model):
    window = window_of(SENTENCE, [1, 4])
    more = {
        name: tf.pad(value, [[0, 0], [0, 3]] + [[0, 0]] * (value.shape.rank - 2))
        for name, value in window.items()
    }
    more["mask"] = tf.sequence_mask([len(SENTENCE)], len(SENTENCE) + 3)
    np.testing.assert_allclose(model(more), model(window), rtol=0, atol=1e-5)


# --- the gradient probe


def probe(model, words, places, put=MASK):
    """Of every place, on which places' own words the logit of its word depends: a list of lists.

    The gradient is taken to the vectors of the words as they are in the text; where a window shows
    another word instead, that one's vector is what the biLM reads.
    """
    window = window_of(words, places, put)
    original = tf.constant(reference.batch_char_ids([words]))
    is_shown = tf.reduce_all(window["char_ids"] == original, axis=-1)[..., tf.newaxis]
    word_vectors = model.bilm.token_embedder(original)
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(word_vectors)
        read = tf.where(is_shown, word_vectors, model.bilm.token_embedder(window["char_ids"]))
        output = model.bilm.encode(
            tf.RaggedTensor.from_tensor(read, row_splits_dtype=tf.int32), add_bos_eos=False
        )
        logits = model.softmax.logits(output.layers()[-1].values)
        own = [logits[place, WORDS.index(words[place])] for place in places]
    # it is the model's own loss that is probed
    losses = -log_softmax(logits.numpy())[places, [WORDS.index(words[place]) for place in places]]
    np.testing.assert_allclose(model(window), losses, rtol=0, atol=1e-5)
    gradients = [tape.gradient(logit, word_vectors)[0] for logit in own]
    return [np.flatnonzero(np.any(gradient != 0, axis=-1)).tolist() for gradient in gradients]


@pytest.mark.parametrize(
    ("places", "put"), [([3], MASK), ([1, 4, 5], "dog"), ([1, 2, 3, 4, 5, 6], MASK)]
)
def test_a_masked_word_is_seen_by_nothing_and_every_other_word_is(model, places, put):
    others = [place for place in range(len(SENTENCE)) if place not in places]
    assert probe(model, SENTENCE, places, put) == [others] * len(places)


def test_a_kept_word_is_seen_so_the_probe_can_fail(model):
    window = window_of(SENTENCE, [3])
    kept = window_of(SENTENCE, [3], put="sat")
    assert (window["char_ids"] != kept["char_ids"]).numpy().any()
    assert probe(model, SENTENCE, [3], put="sat") == [list(range(len(SENTENCE)))]


def test_another_word_in_a_masked_place_changes_no_logit(tmp_path, vocabulary):
    model = MaskedLanguageModel(CONFIG, len(WORDS), batch_size=2, num_negatives=5)
    # the whole way, from the text: "zebra" and "horse" are both outside the vocabulary
    windows = []
    for word in ("zebra", "horse"):
        path = tmp_path / f"{word}.txt"
        path.write_text("\n".join(TEXT).replace("dog", word), encoding="utf-8")
        dataset = training_windows([path], vocabulary, 2, 8, masking=Masking(0.9))
        windows.append(list(dataset.take(4)))
    unseen = 0
    for zebra, horse in zip(*windows, strict=True):
        if np.array_equal(zebra["char_ids"], horse["char_ids"]):
            unseen += np.sum(zebra["is_chosen"] & (zebra["targets"] == 2))
            np.testing.assert_array_equal(model(zebra), model(horse))
    assert unseen


# --- training


def test_fit_learns_a_text(train_file, vocabulary):
    model = MaskedLanguageModel(CONFIG, len(WORDS), batch_size=8, num_negatives=None, dropout=0.0)
    masking = Masking(0.3, random_rate=0.0)
    windows = training_windows([train_file], vocabulary, 8, 8, masking=masking)
    model.compile(keras.optimizers.Adam(0.02))
    history = model.fit(windows, epochs=16, steps_per_epoch=10, shuffle=False, verbose=0)
    losses = history.history["loss"]
    # to know the text by heart and not to know anything but the words' frequencies
    assert np.mean(losses[-3:]) < 0.6 * losses[0]


def test_dropout_and_sampling_are_for_training_alone(model):
    window = window_of(SENTENCE, [1, 4])
    window = {name: tf.repeat(value, 2, axis=0) for name, value in window.items()}
    np.testing.assert_array_equal(model(window), model(window))
    assert (np.asarray(model(window)) != np.asarray(model(window, training=True))).any()


def test_bfloat16_losses_are_near_those_of_float32():
    losses = []
    for policy in ("float32", "mixed_bfloat16"):
        keras.utils.set_random_seed(3)
        model = MaskedLanguageModel(CONFIG, len(WORDS), 2, num_negatives=5, dtype=policy)
        losses.append(model(window_of(SENTENCE, [1, 4])))
    assert losses[1].dtype == tf.float32
    np.testing.assert_allclose(losses[1], losses[0], atol=0.05)


def test_a_window_without_masked_words_teaches_nothing_and_does_no_harm(vocabulary, model):
    window = window_of(SENTENCE, [])
    window = {name: tf.repeat(value, 2, axis=0) for name, value in window.items()}
    window["position"] = tf.zeros([2, 2], tf.int64)
    before = [weight.numpy() for weight in model.trainable_weights]
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    windows = model.num_windows
    model.fit(tf.data.Dataset.from_tensors(window).repeat(2), shuffle=False, verbose=0)
    assert model.num_windows == windows + 2
    for weight, value in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_its_config_gives_the_same_model(model):
    again = MaskedLanguageModel.from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [weight.shape for weight in again.weights] == [weight.shape for weight in model.weights]


def test_each_architecture_has_its_own_objective():
    separate = dataclasses.replace(CONFIG, architecture="separate")
    with pytest.raises(ValueError, match='architecture="merged".* take `LanguageModel`'):
        MaskedLanguageModel(separate, 10, 2, num_negatives=None)
    with pytest.raises(ValueError, match="sees the next word.* Take `MaskedLanguageModel`"):
        LanguageModel(CONFIG, 10, 2, num_negatives=None)


def test_a_class_without_a_loss_can_not_be_trained(train_file, vocabulary):
    model = PretrainingModel(CONFIG, len(WORDS), 2, num_negatives=None)
    windows = training_windows([train_file], vocabulary, 2, 5, masking=Masking())
    model.compile("sgd", run_eagerly=True)
    with pytest.raises(NotImplementedError, match="has no `_training_loss`"):
        model.fit(windows, steps_per_epoch=1, shuffle=False, verbose=0)
