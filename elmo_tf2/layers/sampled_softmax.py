"""SampledSoftmax: the output layer of a language model."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.validation import check_integer, check_static_last_dim


@keras.saving.register_keras_serializable(package="elmo_tf2")
class SampledSoftmax(keras.layers.Layer):
    """Losses of predicted words, in training against a sample of the vocabulary.

        loss = log(sum_w exp(x kernel_w + bias_w)) - (x kernel_t + bias_t)

    where w runs through the whole vocabulary. In training it runs through the target t and
    `num_negatives` words drawn without repetition from the log-uniform distribution

        p(w) = log((w + 2) / (w + 1)) / log(vocabulary_size + 1)

    which is that of words sorted by falling count. From every logit the logarithm of the number of
    times that its word is expected in the sample is subtracted, and a negative that is the target
    itself is left out.

    The words are drawn as the first to arrive where word w arrives after an exponential time of
    rate p(w): the same distribution as drawing until enough different words are found, and all of
    it is decided by `seed`. The gradients of kernel and bias are `tf.IndexedSlices` then.

    Weights: `kernel` `(vocabulary_size, features)`, `bias` `(vocabulary_size,)`, in float32 at
    least.

    Args:
        vocabulary_size: int > 1.
        num_negatives: int > 0 and less than `vocabulary_size`, or None for the full softmax in
            training, too.
        **kwargs: of `keras.layers.Layer`.

    Call arguments:
        inputs: float tensor, `(tokens, features)`.
        targets: int tensor, `(tokens,)`.
        seed: int tensor, `(2,)`; what the sample depends on. Needed if one is drawn.
        training: bool. Whether to sample.

    Returns:
        float tensor, `(tokens,)`: the negative log-likelihoods, natural logarithm.

    Raises:
        ValueError: if an argument is out of its range, or a seed is missing.

    Example:
    >>> SampledSoftmax(100)(np.ones((2, 3), "float32"), targets=[7, 8]).shape
    TensorShape([2])

    Reference:
     - [Jean et al., 2015](https://arxiv.org/abs/1412.2007)
     - [Jozefowicz et al., 2016](https://arxiv.org/abs/1602.02410)
    """

    def __init__(
        self, vocabulary_size: int, num_negatives: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.vocabulary_size = check_integer("vocabulary_size", vocabulary_size, 2)
        if num_negatives is not None:
            check_integer("num_negatives", num_negatives)
            if num_negatives >= vocabulary_size:
                raise ValueError(
                    "`num_negatives` must be less than the vocabulary's size, or None for the full "
                    f"softmax. Received: num_negatives={num_negatives}, "
                    f"vocabulary_size={vocabulary_size}."
                )
        self.num_negatives = num_negatives

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        features = check_static_last_dim(self.name, input_shape)
        # Cast, the whole table would be read in every step, and its gradient would be dense.
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.vocabulary_size, features),
            initializer=keras.initializers.RandomNormal(stddev=features**-0.5),
            autocast=False,
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.vocabulary_size,), initializer="zeros", autocast=False
        )

    def call(
        self,
        inputs: tf.Tensor,
        targets: tf.Tensor,
        seed: tf.Tensor | None = None,
        training: bool = False,
    ) -> tf.Tensor:
        inputs = tf.cast(inputs, self.variable_dtype)
        targets = tf.convert_to_tensor(targets)
        if training and self.num_negatives is not None:
            if seed is None:
                raise ValueError("`seed` must be given to draw negatives. Received: seed=None.")
            return self._sampled_losses(
                inputs, tf.cast(targets, tf.int64), self._draw(seed, self.num_negatives)
            )
        return tf.nn.sparse_softmax_cross_entropy_with_logits(targets, self.logits(inputs))

    def logits(self, inputs: tf.Tensor) -> tf.Tensor:
        """Logits of all words.

        Args:
            inputs: float tensor, `(tokens, features)`.

        Returns:
            float tensor, `(tokens, vocabulary_size)`.
        """
        inputs = tf.cast(inputs, self.variable_dtype)
        return tf.matmul(inputs, self.kernel, transpose_b=True) + self.bias

    def log_uniform(self) -> tf.Tensor:
        """The logarithms of the probabilities that words are drawn with.

        A bias that begins so predicts rare words seldom from the first update on, though few
        samples have met them.

        Returns:
            float tensor, `(vocabulary_size,)`.
        """
        words = tf.range(self.vocabulary_size)
        return tf.math.log(_log_uniform(words, self.vocabulary_size))

    def _sampled_losses(
        self, inputs: tf.Tensor, targets: tf.Tensor, drawn: tuple[tf.Tensor, tf.Tensor]
    ) -> tf.Tensor:
        negatives, time = drawn

        def expected_count(words: tf.Tensor) -> tf.Tensor:
            count = -tf.math.expm1(-time * _log_uniform(words, self.vocabulary_size))
            return tf.cast(count, inputs.dtype)

        targets = targets[:, tf.newaxis]  # (tokens, 1)
        return tf.nn.sampled_softmax_loss(
            self.kernel.value,
            self.bias.value,
            targets,
            inputs,
            self.num_negatives,
            self.vocabulary_size,
            sampled_values=(negatives, expected_count(targets), expected_count(negatives)),
        )

    def _draw(self, seed: tf.Tensor, number: int) -> tuple[tf.Tensor, tf.Tensor]:
        """The first words to arrive, `(number,)`, and when the next one would."""
        words = tf.range(self.vocabulary_size, dtype=tf.int64)
        uniform = tf.random.stateless_uniform(
            [self.vocabulary_size], seed, minval=np.finfo(np.float32).tiny
        )
        arrival = -tf.math.log(uniform) / _log_uniform(words, self.vocabulary_size)
        times, first = tf.math.top_k(-arrival, number + 1, index_type=tf.int64)
        return first[:-1], -times[-1]

    def compute_output_shape(self, input_shape: tuple[int | None, ...], **_: Any) -> Any:
        return input_shape[:-1]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "num_negatives": self.num_negatives,
        }


def _log_uniform(words: tf.Tensor, vocabulary_size: int) -> tf.Tensor:
    """Probabilities of words, float32; exact for rare ones, too."""
    return tf.math.log1p(1.0 / (tf.cast(words, tf.float32) + 1.0)) / np.log(vocabulary_size + 1)
