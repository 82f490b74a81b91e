"""LanguageModel: a BiLM that learns from text by predicting neighbours."""

from collections.abc import Sequence

import keras
import tensorflow as tf

from elmo_tf2.data.windows import Window
from elmo_tf2.layers.ragged import pack
from elmo_tf2.models.lstm_stacks import run_stacks
from elmo_tf2.models.pretraining_model import PretrainingModel, WindowLoss

States = Sequence[tf.Tensor]


@keras.saving.register_keras_serializable(package="elmo_tf2")
class LanguageModel(PretrainingModel):
    """A bidirectional language model: each word is predicted from those before, and those after.

        loss = mean_t (-log p(w_t | w_1 … w_(t-1)) - log p(w_t | w_(t+1) … w_n)) / 2

    The two directions share the character CNN and the softmax; each has its own LSTMs. The LSTMs'
    states go from window to window, the gradient does not. The states are untrained weights of the
    model, so that every checkpoint has them.

    It learns in `fit`, from the windows of `elmo_tf2.data.training_windows`, as every
    `PretrainingModel` does.

    Args:
        config: an `ElmoConfig`, or the dictionary of an `options.json`; not a merged one.
        vocabulary_size: int > 1. Words that can be predicted.
        batch_size: int > 0. Rows of a window, over all devices.
        dropout: float in [0, 1). Dropout rate of the LSTMs' inputs and the last one's outputs.
        num_negatives: int > 0, or None. Words sampled as negatives in training, see
            `SampledSoftmax`; None for all words.
        seed: int >= 0. Of dropout and negatives.
        **kwargs: of `keras.Model`.

    Call arguments:
        inputs: a window, the dictionary that the datasets of `elmo_tf2.data` have.
        training: bool. Whether to apply dropout and sample negatives.

    Returns:
        float tensor, `(2, batch, tokens)`: negative log-likelihoods of the forward and of the
        backward targets, from zero states.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
    >>> _ = Path("train.txt").write_text("the cat sat on the mat")
    >>> vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "the", "cat"])
    >>> config = ElmoConfig(filters=((1, 8), (2, 8)), units=16, projection_dim=4)
    >>> model = LanguageModel(config, len(vocabulary), batch_size=2, num_negatives=None)
    >>> windows = training_windows(["train.txt"], vocabulary, batch_size=2, unroll_steps=3)
    >>> model.compile(keras.optimizers.Adagrad(0.2, initial_accumulator_value=1.0))
    >>> history = model.fit(windows, steps_per_epoch=2, shuffle=False, verbose=0)

    Reference:
     - [Peters et al., 2018](https://arxiv.org/abs/1802.05365)
    """

    def _check_config(self) -> None:
        if self.config.is_merged:
            raise ValueError(
                '`config` must have architecture="separate": a merged biLM sees the next word, '
                'which it must predict. Take `MaskedLanguageModel`. Received: "merged".'
            )

    def _make_states(self) -> list[keras.Variable]:
        return [
            self._state_variable(
                f"{stack}_{index}_{name}", (self.batch_size, size), layer.state_dtype
            )
            for stack, layers in zip(("forward", "backward"), self.bilm.stacks, strict=True)
            for index, layer in enumerate(layers)
            for name, size in (("h", layer.output_dim), ("c", layer.units))
        ]

    def zero_states(self, batch_size: int | tf.Tensor) -> list[tf.Tensor]:
        """States before the first word: h and c of every forward, then of every backward LSTM.

        Each is `(batch_size, projection_dim or units)`.
        """
        forward, backward = self.bilm.stacks
        return [part for layer in forward + backward for part in layer.zero_state(batch_size)]

    def call(self, inputs: Window, training: bool = False) -> tf.Tensor:
        batch = tf.shape(inputs["forward_targets"])[0]
        return self.window_losses(inputs, self.zero_states(batch), training)[0]

    def window_losses(
        self, window: Window, states: States, training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """A window's losses `(2, batch, tokens)`, forward and backward, and its new states.

        `states` are those after the window before, see `zero_states`.
        """
        directions = ("forward", "backward")
        # one call, so that a word of both directions is computed once
        char_ids = tf.concat([window[f"{name}_char_ids"] for name in directions], axis=0)
        vectors = self.bilm.token_embedder(char_ids)  # (2 * batch, tokens, projection_dim)
        sequences = [
            pack(tf.RaggedTensor.from_tensor(stream, row_splits_dtype=tf.int32))
            for stream in tf.split(vectors, 2)  # the backward text is reversed already
        ]
        outputs, new_states = run_stacks(
            self.bilm.stacks,
            sequences,
            list(zip(states[::2], states[1::2], strict=True)),
            "store" if training else "recompute",
            drop=self._drop if training else None,
        )
        targets = tf.stack([window[f"{name}_targets"] for name in directions])
        losses = self.softmax(
            tf.concat([direction[-1].values() for direction in outputs], axis=0),
            tf.reshape(targets, [-1]),
            seed=self._seed(0),
            training=training,
        )
        return tf.reshape(losses, tf.shape(targets)), [part for pair in new_states for part in pair]

    def _training_loss(self, window: Window) -> WindowLoss:
        first, rows = self._rows_of_replica()
        states = [state[first : first + rows] for state in self.states]
        losses, states = self.window_losses(window, states, training=True)
        loss = tf.reduce_mean(losses)
        return WindowLoss(loss, tf.ones_like(loss), states)
