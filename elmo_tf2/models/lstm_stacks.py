"""The loop over the LSTMs of both directions, layer by layer."""

from collections.abc import Callable, Sequence
from typing import Any

import tensorflow as tf

from elmo_tf2.layers import LSTMWithProjection
from elmo_tf2.layers.lstm import Gradient
from elmo_tf2.layers.ragged import PackedSequence

Pair = tuple[tf.Tensor, tf.Tensor]
Stacks = Sequence[list[LSTMWithProjection]]  # of the forward and of the backward layers
State = Sequence[Any]  # pairs h and c of every forward, then of every backward layer
Drop = Callable[[tf.Tensor, int, int], tf.Tensor]
Merge = Callable[[tf.Tensor, tf.Tensor], Pair]


def run_stacks(
    stacks: Stacks,
    sequences: Sequence[PackedSequence],
    initial_state: State,
    gradient: Gradient,
    inputs_repeat: bool = False,
    merge: Merge | None = None,
    drop: Drop | None = None,
) -> tuple[list[list[PackedSequence]], list[Any]]:
    """Runs the forward and the backward stack of LSTMs over packed word vectors.

    Args:
        stacks: the forward and the backward layers.
        sequences: what the first layer of each direction takes.
        initial_state: h and c of every forward, then of every backward layer; one row for all
            sentences for inference.
        gradient: of `lstm_recurrence`, as the following.
        inputs_repeat: whether many word vectors are equal.
        merge: makes the inputs of the next layers from the outputs of a forward and a backward
            one, row by row. None: a layer takes the outputs of the one before in its direction.
        drop: dropout of packed vectors `(tokens, features)`, given the direction (0 forward, 1
            backward) and the number of the layer that takes them. None: nothing is dropped.

    Returns:
        The outputs of each direction's layers; and all final states, in the order of
        `initial_state`, which are empty for inference.
    """
    if drop is None:
        drop = _keep
    outputs: list[list[PackedSequence]] = [[], []]
    final_state: list[Any] = [None] * len(initial_state)
    for number, layers in enumerate(zip(*stacks, strict=True)):
        if number and merge is not None:
            merged = merge(*(sequence.values() for sequence in sequences))
            sequences = [
                sequence.with_values(values)
                for sequence, values in zip(sequences, merged, strict=True)
            ]
        for direction, layer in enumerate(layers):
            sequence = _dropped(sequences[direction], drop, direction, number)
            place = direction * len(stacks[0]) + number
            sequence, final_state[place] = layer.run(
                sequence, initial_state[place], gradient, inputs_repeat and number == 0
            )
            outputs[direction].append(sequence)
        sequences = [outputs[0][-1], outputs[1][-1]]
    for direction, sequence in enumerate(sequences):
        outputs[direction][-1] = _dropped(sequence, drop, direction, len(stacks[0]))
    return outputs, final_state


def _keep(vectors: tf.Tensor, direction: int, number: int) -> tf.Tensor:
    return vectors


def _dropped(sequence: PackedSequence, drop: Drop, direction: int, number: int) -> PackedSequence:
    return sequence._replace(data=drop(sequence.data, direction, number))


def filled_state(stacks: Stacks, state: State | None, rows: int | tf.Tensor) -> list[Any]:
    """The given state, with zeros for what is None."""
    layers = [layer for stack in stacks for layer in stack]
    state = state or [None] * len(layers)
    if len(state) != len(layers):
        raise ValueError(
            f"`initial_state` must have {len(layers)} pairs (h, c), one for each layer and "
            f"direction. Received: {len(state)}."
        )
    return [
        layer.zero_state(rows) if pair is None else pair
        for layer, pair in zip(layers, state, strict=True)
    ]


def add_layers(word_vectors: tf.Tensor, forward: tf.Tensor, backward: tf.Tensor) -> Pair:
    """[x; x] + [forward; backward], for both directions."""
    merged = tf.concat([word_vectors + forward, word_vectors + backward], axis=-1)
    return merged, merged


def concat_layers(word_vectors: tf.Tensor, forward: tf.Tensor, backward: tf.Tensor) -> Pair:
    """[x; forward; backward], for both directions."""
    merged = tf.concat([word_vectors, forward, backward], axis=-1)
    return merged, merged
