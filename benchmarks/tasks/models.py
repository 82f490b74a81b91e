"""The model of a task: one small head, whatever the words are given as."""

from collections.abc import Mapping
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2 import ElmoEmbeddings
from elmo_tf2.layers import ScalarMix
from tasks.batches import Batches
from tasks.corpus import NUM_CHARS
from tasks.networks import Networks

WORD_DIM = 100
CHAR_DIM = 16
CHAR_WIDTHS = (2, 3, 4)
CHAR_FILTERS = 32
GRADIENT_NORM = 5.0


class Setting(NamedTuple):
    """What the search chooses.

    Attributes:
        learning_rate: of Adam.
        units: of the LSTM, in each direction.
        dropout: on what goes into it and what comes out.
        fine_tuning_rate: of Adam once the encoder learns, too.
    """

    learning_rate: float
    units: int
    dropout: float
    fine_tuning_rate: float = 0.0


class FineTuning(NamedTuple):
    """What it takes to go on with an encoder that learns, too.

    Attributes:
        batches: with the words' text.
        networks: the encoders.
        deviations: what each layer of the frozen encoder was divided by.
    """

    batches: Batches
    networks: Networks
    deviations: np.ndarray


def build_model(
    kind: str,
    tables: Mapping[str, np.ndarray],
    setting: Setting,
    num_labels: int,
    elmo: ElmoEmbeddings | None = None,
) -> keras.Model:
    """Makes the model: words, a bidirectional LSTM, and a layer that answers.

    Beside the trained vector of the word, E, comes what else the tables have: `chars` for a
    character CNN, `layer0` and so on for a trained mix of what was computed before, `text` for an
    encoder that trains too.

    Args:
        kind: of the task, as of `measure`.
        tables: what is looked up for a word, by name.
        setting: sizes and rates.
        num_labels: number of tags or classes; 1 for a score.
        elmo: the encoder that trains, if there is one.

    Returns:
        A compiled model from batches of the tables to logits `(batch, tokens, labels)` or
        `(batch, labels)`, or to scores; a pair of sentences is two rows, one after the other.

    Reference:
     - [Sentence-BERT](https://arxiv.org/abs/1908.10084): scores by the cosine of two sentences
    """
    inputs = {
        name: keras.Input(
            (None, *table.shape[1:]),
            name=name,
            dtype="string" if table.dtype == object else table.dtype.name,
        )
        for name, table in tables.items()
    }
    embedding = keras.layers.Embedding(int(tables["word"].max()) + 1, WORD_DIM)
    mask = inputs["word"] > 0
    vectors = [embedding(inputs["word"])]
    if "chars" in inputs:
        vectors.append(_char_cnn(inputs["chars"]))
    if layers := [inputs[name] for name in inputs if name.startswith("layer")]:
        vectors.append(ScalarMix(len(layers))(layers))
    if elmo is not None:
        vectors.append(elmo(inputs["text"]))
    hidden = keras.layers.Concatenate()(vectors)  # (batch, tokens, features)
    hidden = keras.layers.Dropout(setting.dropout)(hidden)
    lstm = keras.layers.LSTM(setting.units, return_sequences=True)
    hidden = keras.layers.Bidirectional(lstm)(hidden, mask=mask)
    if kind in ("class", "score"):
        hidden = keras.ops.max(
            keras.ops.where(mask[..., None], hidden, -1.0), axis=1
        )  # tanh is above -1
    if kind == "score":
        # From the first step on like sentences score high; what must learn that first overfits.
        pairs = keras.ops.normalize(keras.ops.reshape(hidden, (-1, 2, 2 * setting.units)))
        cosine = keras.ops.sum(pairs[:, 0] * pairs[:, 1], axis=-1, keepdims=True)
        outputs = keras.layers.Dense(1, kernel_initializer="ones")(cosine)
    else:
        hidden = keras.layers.Dropout(setting.dropout)(hidden)
        outputs = keras.layers.Dense(num_labels)(hidden)
    model = keras.Model(inputs, outputs)
    model.compile(
        keras.optimizers.Adam(setting.learning_rate, global_clipnorm=GRADIENT_NORM),
        _mean_squared_error if kind == "score" else _cross_entropy,
        jit_compile=False,  # XLA would compile anew for every length
    )
    return model


def unfreeze(model: keras.Model, setting: Setting, fine_tuning: FineTuning) -> keras.Model:
    """Makes the model that answers as another one does, and whose encoder learns, too.

    Args:
        model: of `build_model`, with the layers of a frozen encoder in its tables.
        setting: sizes and rates.
        fine_tuning: what is new.

    Returns:
        A compiled model.
    """
    batches, networks, deviations = fine_tuning
    (mix,) = (layer for layer in model.layers if isinstance(layer, ScalarMix))
    elmo = networks.trainable(float(mix.gamma) * mix.layer_weights / deviations)
    setting = setting._replace(learning_rate=setting.fine_tuning_rate)
    num_labels = model.output_shape[-1]
    unfrozen = build_model(batches.kind, batches.tables, setting, num_labels, elmo)
    for layer, frozen in zip(_head(unfrozen), _head(model), strict=True):
        layer.set_weights(frozen.get_weights())
    return unfrozen


def _head(model: keras.Model) -> list[keras.layers.Layer]:
    """Its layers with weights, without ELMo."""
    kinds = (keras.layers.Embedding, keras.layers.Bidirectional, keras.layers.Dense)
    return [layer for layer in model.layers if isinstance(layer, kinds)]


def _char_cnn(chars: keras.KerasTensor) -> keras.KerasTensor:
    """Maxima over a word's characters, `(batch, tokens, widths * filters)`."""
    embedded = keras.layers.Embedding(NUM_CHARS, CHAR_DIM)(chars)
    found = [
        keras.layers.Conv2D(CHAR_FILTERS, (1, width), padding="same", activation="relu")(embedded)
        for width in CHAR_WIDTHS
    ]  # (batch, tokens, chars, filters)
    return keras.ops.max(keras.ops.concatenate(found, axis=-1), axis=2)


def _cross_entropy(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Mean over all labels but -1, which is padding."""
    labels = tf.cast(labels, tf.int32)
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.maximum(labels, 0), logits)
    is_real = tf.cast(labels >= 0, losses.dtype)
    return tf.reduce_sum(losses * is_real) / tf.reduce_sum(is_real)


def _mean_squared_error(scores: tf.Tensor, answers: tf.Tensor) -> tf.Tensor:
    # Keras may have given one of them an axis that would make a square of the difference.
    difference = tf.reshape(scores, [-1]) - tf.reshape(answers, [-1])
    return tf.reduce_mean(tf.square(difference))
