"""BiLMOutput: what a biLM gives, padded or ragged."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from elmo_tf2.layers.ragged import to_padded


class BiLMOutput(NamedTuple):
    """All vectors of a batch, and the final states of its LSTMs.

    `BiLM.encode` gives ragged tensors, `(batch, (tokens), projection_dim)`, and no mask.

    Attributes:
        word_vectors: float tensor, `(batch, tokens, projection_dim)`; they know no context.
        forward: a tensor of that shape for every layer; they know the words up to this one. (Of a
            merged biLM only the first layer's do; the others know the whole sentence.)
        backward: the same backwards; they know the words from this one on.
        mask: bool tensor, `(batch, tokens)`; True marks a real token. Elsewhere vectors are 0.
        state: a pair h `(batch, projection_dim)`, c `(batch, units)` for every forward layer,
            then for every backward layer.
    """

    word_vectors: tf.Tensor | tf.RaggedTensor
    forward: tuple[tf.Tensor | tf.RaggedTensor, ...]
    backward: tuple[tf.Tensor | tf.RaggedTensor, ...]
    mask: tf.Tensor | None
    state: tuple[tuple[tf.Tensor, tf.Tensor], ...]

    def layers(self) -> list[Any]:
        """The L + 1 layers that are mixed, each `(batch, tokens, 2 * projection_dim)`.

        The word vector twice side by side, then [forward; backward] of each LSTM layer.
        """
        pairs = (
            (self.word_vectors, self.word_vectors),
            *zip(self.forward, self.backward, strict=True),
        )
        return [
            tf.ragged.map_flat_values(keras.ops.concatenate, list(pair), axis=-1) for pair in pairs
        ]

    def padded(self, mask: tf.Tensor) -> "BiLMOutput":
        """A ragged output, padded: its tokens are where a mask `(batch, tokens)` is True."""
        output = self.map(lambda vectors: to_padded(vectors.values, mask))
        return output._replace(mask=mask)

    def map(self, change: Callable[[Any], Any]) -> "BiLMOutput":
        """The output with a function applied to the word vectors and to every layer."""
        return self._replace(
            word_vectors=change(self.word_vectors),
            forward=tuple(map(change, self.forward)),
            backward=tuple(map(change, self.backward)),
        )
