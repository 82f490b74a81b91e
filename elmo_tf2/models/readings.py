"""The two ways in which a stack of LSTMs reads a batch: packed, or as windows of running text.

Either arranges the batch once, and any number of layers run before the outputs are put back in
their places.
"""

from collections.abc import Sequence

import tensorflow as tf

from elmo_tf2.layers import LSTMWithProjection
from elmo_tf2.layers.packing import packing

LSTMState = Sequence[tf.Tensor]


class PackedReading:
    """Real tokens alone, whatever the lengths of the sentences.

    Args:
        mask: bool tensor, `(batch, tokens)`; True marks a real token.
        go_backwards: whether a sentence's last token comes first.
    """

    def __init__(self, mask: tf.Tensor, go_backwards: bool) -> None:
        self._packing = packing(mask, go_backwards)

    def arrange(self, padded: tf.Tensor) -> tf.Tensor:
        """`(batch, tokens, features)` in the order of reading."""
        return self._packing.pack(padded)

    def run(
        self, layer: LSTMWithProjection, arranged: tf.Tensor, state: LSTMState
    ) -> tuple[tf.Tensor, LSTMState]:
        """A layer's outputs in that order, and its final state."""
        state = [tf.gather(value, self._packing.order) for value in state]
        outputs, state = layer.run_packed(arranged, self._packing.active_rows, state)
        rank = tf.math.invert_permutation(self._packing.order)
        return outputs, [tf.gather(value, rank) for value in state]

    def put_back(self, arranged: tf.Tensor) -> tf.Tensor:
        """What is in the order of reading as `(batch, tokens, features)`."""
        return self._packing.unpack(arranged)


class WindowReading:
    """Windows of running text, in which every token is real; a gradient costs less this way.

    Args:
        go_backwards: whether the last token comes first.
    """

    def __init__(self, go_backwards: bool) -> None:
        self._reversed = [1] if go_backwards else []

    def arrange(self, padded: tf.Tensor) -> tf.Tensor:
        """`(batch, tokens, features)` in the order of reading."""
        return tf.transpose(tf.reverse(padded, self._reversed), [1, 0, 2])

    def run(
        self, layer: LSTMWithProjection, arranged: tf.Tensor, state: LSTMState
    ) -> tuple[tf.Tensor, LSTMState]:
        """A layer's outputs in that order, and its final state."""
        return layer.run_window(arranged, state)

    def put_back(self, arranged: tf.Tensor) -> tf.Tensor:
        """What is in the order of reading as `(batch, tokens, features)`."""
        return tf.reverse(tf.transpose(arranged, [1, 0, 2]), self._reversed)


def read(
    reading: PackedReading | WindowReading,
    layers: Sequence[LSTMWithProjection],
    vectors: tf.Tensor,
    states: Sequence[LSTMState],
) -> tuple[list[tf.Tensor], list[tuple[tf.Tensor, tf.Tensor]]]:
    """Runs layers of one direction, each over the one before.

    Args:
        reading: of the batch in that direction.
        layers: one or more.
        vectors: `(batch, tokens, features)`, what the first of them reads.
        states: h `(batch, projection_dim or units)` and c `(batch, units)` of each.

    Returns:
        The layers' outputs, `(batch, tokens, projection_dim or units)`, and their final states.
    """
    arranged = reading.arrange(vectors)
    outputs = []
    final_states = []
    for layer, state in zip(layers, states, strict=True):
        arranged, (h, c) = reading.run(layer, arranged, state)
        outputs.append(reading.put_back(arranged))
        final_states.append((h, c))
    return outputs, final_states
