"""How a stack of LSTMs reads a batch: packed once for all its layers."""

from collections.abc import Sequence

import tensorflow as tf

from elmo_tf2.layers import LSTMWithProjection
from elmo_tf2.layers.lstm_recurrence import Gradient
from elmo_tf2.layers.packing import packing

LSTMState = Sequence[tf.Tensor]


class Reading:
    """Real tokens alone, `(real_tokens, features)`, whatever the lengths of the sentences.

    Args:
        mask: bool tensor, `(batch, tokens)`; True marks a real token.
        go_backwards: whether a sentence's last token comes first.
        gradient: what becomes of it, see `lstm_recurrence`.
    """

    def __init__(self, mask: tf.Tensor, go_backwards: bool, gradient: Gradient) -> None:
        self._packing = packing(mask, go_backwards)
        self._gradient = gradient

    def arrange(self, tokens: tf.Tensor) -> tf.Tensor:
        """Tokens that are row by row in the order of reading."""
        return self._packing.pack(tokens)

    def run(
        self,
        layer: LSTMWithProjection,
        arranged: tf.Tensor,
        state: LSTMState,
        inputs_repeat: bool,
    ) -> tuple[tf.Tensor, LSTMState]:
        """A layer's outputs in that order, and its final state if there is a gradient."""
        if self._gradient != "none":
            state = [tf.gather(value, self._packing.order) for value in state]
        outputs, state = layer.run_packed(
            arranged, self._packing.active_rows, state, self._gradient, inputs_repeat
        )
        rank = tf.math.invert_permutation(self._packing.order)
        return outputs, [tf.gather(value, rank) for value in state]

    def put_back(self, arranged: tf.Tensor) -> tf.Tensor:
        """What is in the order of reading row by row."""
        return self._packing.unpack(arranged)


def read(
    reading: Reading,
    layers: Sequence[LSTMWithProjection],
    vectors: tf.Tensor,
    states: Sequence[LSTMState],
    inputs_repeat: bool,
) -> tuple[list[tf.Tensor], list[LSTMState]]:
    """Runs layers of one direction, each over the one before.

    Args:
        reading: of the batch in that direction.
        layers: one or more.
        vectors: what the first of them reads, `(real_tokens, features)`.
        states: h `(batch, projection_dim or units)` and c `(batch, units)` of each; without a
            gradient one row for all.
        inputs_repeat: whether the vectors are those of words, many of which are the same.

    Returns:
        The layers' outputs, which have `projection_dim or units` features, and their final states,
        which are empty without a gradient.
    """
    arranged = reading.arrange(vectors)
    outputs = []
    final_states = []
    for layer, state in zip(layers, states, strict=True):
        arranged, final_state = reading.run(layer, arranged, state, inputs_repeat)
        inputs_repeat = False
        outputs.append(reading.put_back(arranged))
        final_states.append(final_state)
    return outputs, final_states
