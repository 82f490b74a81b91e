"""MaskedLanguageModel: a merged BiLM that learns from text by predicting masked words."""

import keras
import tensorflow as tf

from elmo_tf2.data.windows import Window
from elmo_tf2.layers.ragged import from_padded, to_padded
from elmo_tf2.models.pretraining_model import PretrainingModel, WindowLoss


@keras.saving.register_keras_serializable(package="elmo_tf2")
class MaskedLanguageModel(PretrainingModel):
    """A masked language model: each chosen word is predicted from all others of its window.

        loss = mean over the chosen t of -log p(w_t | the window, the chosen words masked)

    with one softmax over [forward; backward] of the last layer. A merged biLM needs this objective:
    if it predicted the next word, its second layer would see that word through the first's backward
    LSTM. No layer sees a masked word.

    It learns in `fit`, from the windows of `elmo_tf2.data.training_windows` with a `Masking`. Both
    directions start every window from zero states.

    Args:
        config: a merged `ElmoConfig`, or the dictionary of an `options.json`.
        vocabulary_size: int > 1. Words that can be predicted.
        batch_size: int > 0. Rows of a window, over all devices.
        dropout: float in [0, 1). Dropout rate of the LSTMs' inputs and the last one's outputs.
        num_negatives: int > 0, or None. Words sampled as negatives in training, see
            `SampledSoftmax`; None for all words.
        seed: int >= 0. Of dropout and negatives.
        **kwargs: of `keras.Model`.

    Call arguments:
        inputs: a window: `char_ids`, int `(batch, tokens, chars)`, with the chosen words masked;
            `targets`, int `(batch, tokens)`, the original words; `is_chosen`, bool
            `(batch, tokens)`; and optionally `mask`, bool `(batch, tokens)`, True at real tokens.
        training: bool. Whether to apply dropout and sample negatives.

    Returns:
        float tensor, `(chosen,)`: negative log-likelihoods of the chosen words, row by row.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
    >>> _ = Path("train.txt").write_text("the cat sat on the mat")
    >>> vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "the", "cat"])
    >>> sizes = dict(filters=((1, 8), (2, 8)), units=16, projection_dim=4)
    >>> config = ElmoConfig(**sizes, architecture="merged")
    >>> model = MaskedLanguageModel(config, len(vocabulary), batch_size=2, num_negatives=None)
    >>> windows = training_windows(["train.txt"], vocabulary, 2, 3, masking=Masking(0.5))
    >>> model.compile(keras.optimizers.Adagrad(0.2, initial_accumulator_value=1.0))
    >>> history = model.fit(windows, steps_per_epoch=2, shuffle=False, verbose=0)

    Reference:
     - [Senay and Salin, 2020](https://arxiv.org/abs/2010.04302)
     - [Baevski et al., 2019](https://arxiv.org/abs/1903.07785)
    """

    def _check_config(self) -> None:
        if not self.config.is_merged:
            raise ValueError(
                '`config` must have architecture="merged"; for the published one take '
                f"`LanguageModel`. Received: {self.config.architecture!r}."
            )

    def call(self, inputs: Window, training: bool = False) -> tf.Tensor:
        targets, is_chosen = inputs["targets"], inputs["is_chosen"]
        char_ids = inputs["char_ids"]
        mask = inputs.get("mask", tf.fill(tf.shape(char_ids)[:2], True))
        vectors = self._last_layer(char_ids, mask, training)
        return self.softmax(
            tf.boolean_mask(vectors, is_chosen),
            tf.boolean_mask(targets, is_chosen),
            seed=self._seed(0),
            training=training,
        )

    def _last_layer(self, char_ids: tf.Tensor, mask: tf.Tensor, training: bool) -> tf.Tensor:
        """[forward; backward] of the last layer, `(batch, tokens, 2 * projection_dim)`."""
        output = self.bilm.encode(
            from_padded(char_ids, mask),
            gradient="store" if training else "recompute",
            add_bos_eos=False,
            drop=self._drop if training else None,
        )
        return to_padded(output.layers()[-1].values, mask)

    def _training_loss(self, window: Window) -> WindowLoss:
        losses = self(window, training=True)
        number = tf.cast(tf.size(losses), losses.dtype)
        return WindowLoss(tf.math.divide_no_nan(tf.reduce_sum(losses), number), number)
