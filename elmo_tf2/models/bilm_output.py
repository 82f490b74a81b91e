"""BiLMOutput: what a biLM gives, padded or of real tokens alone."""

from collections.abc import Callable
from typing import NamedTuple

import keras
import tensorflow as tf

from elmo_tf2.layers.packing import padded


class BiLMOutput(NamedTuple):
    """All vectors of a batch, and the states its LSTMs ended in.

    Of `BiLM.encode` and `BiLM.contextualize` it may have the vectors of real tokens alone, row by
    row: `(real_tokens, projection_dim)` wherever `(batch, tokens, projection_dim)` is said here.

    Attributes:
        word_vectors: float tensor, `(batch, tokens, projection_dim)`; they know no context.
        forward: a tensor of that shape for every layer; they know the words up to this one. (Of a
            merged biLM only the first layer's do; the others know the whole sentence.)
        backward: likewise; they know the words from this one on.
        mask: bool tensor, `(batch, tokens)`; True marks a real token. Elsewhere vectors are 0.
        state: a pair h `(batch, projection_dim)`, c `(batch, units)` for every forward layer,
            then for every backward layer.
    """

    word_vectors: tf.Tensor
    forward: tuple[tf.Tensor, ...]
    backward: tuple[tf.Tensor, ...]
    mask: tf.Tensor
    state: tuple[tuple[tf.Tensor, tf.Tensor], ...]

    def layers(self) -> list[tf.Tensor]:
        """The L + 1 layers that are mixed, each `(batch, tokens, 2 * projection_dim)`.

        The word vector twice side by side, then [forward; backward] of each LSTM layer.
        """
        pairs = zip(self.forward, self.backward, strict=True)
        return [
            keras.ops.concatenate(pair, axis=-1)
            for pair in ((self.word_vectors, self.word_vectors), *pairs)
        ]

    def padded(self) -> "BiLMOutput":
        """An output of real tokens alone with each in its place, `(batch, tokens, …)`."""
        return self.with_vectors(lambda vectors: padded(vectors, self.mask))

    def with_vectors(self, change: Callable[[tf.Tensor], tf.Tensor]) -> "BiLMOutput":
        """What a function makes of the word vectors and of every layer; all else as it is."""
        return self._replace(
            word_vectors=change(self.word_vectors),
            forward=tuple(map(change, self.forward)),
            backward=tuple(map(change, self.backward)),
        )
