"""BiLM: the bidirectional language model's encoder, characters in, all layers out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD, word_to_char_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.layers import CharCNN, LSTMWithProjection
from elmo_tf2.layers.lstm_recurrence import gradient_in
from elmo_tf2.models.bilm_output import BiLMOutput
from elmo_tf2.models.boundaries import add_boundaries, without_boundaries
from elmo_tf2.models.readings import Reading, read

State = Sequence[tuple[tf.Tensor, tf.Tensor] | None]
Drop = Callable[[tf.Tensor, int, int], tf.Tensor]


@keras.saving.register_keras_serializable(package="elmo_tf2")
class BiLM(keras.Model):
    """A character CNN under two stacks of LSTMs, one that reads forwards and one backwards.

    With f_l and b_l the outputs of layer l, x the word vector, an LSTM of layer l + 1 reads

        f_l or b_l, of its own direction      config.architecture "separate", the published one
        [x; x] + [f_l; b_l]                   "merged", config.merge "add"
        [x; f_l; b_l]                         "merged", config.merge "concat"

    A layer of "merged" but the first knows the whole sentence, so it can't learn from predicting
    the next word, which it sees: see `MaskedLanguageModel`.

    Each call starts from zero states, unless it is given others: nothing is carried from call to
    call behind the caller's back. The words `<S>` and `</S>` are put round every sentence inside
    (unless `config.sentence_boundaries` is False) and their vectors are not returned.

    Args:
        config: an `ElmoConfig`, or the dictionary of an `options.json`.
        **kwargs: of `keras.Model`.

    Call arguments:
        inputs: int tensor, `(batch, tokens, chars)`: character ids as `elmo_tf2.characters` makes
            them, zeros where there is no word. Or float tensor, `(batch, tokens,
            projection_dim)`: word vectors, rows of a vocabulary's table say.
        mask: bool tensor, `(batch, tokens)`; True marks a real token. None: for character ids
            where there is a word, for word vectors everywhere.
        initial_state: `state` of an earlier call's output with as many sentences. None: zeros.
        return_state: whether the final states are wanted. If not, the output's may be empty, and
            the words `</S>` of forward and `<S>` of backward LSTMs need not be read.
        training: as `LSTMWithProjection` has it: True spares a gradient to compute the LSTMs again.

    Returns:
        `BiLMOutput`.

    Raises:
        ValueError: if the inputs are neither of both, or there are more or fewer states than
            LSTMs.

    Example:
    >>> bilm = BiLM(ElmoConfig(filters=((1, 8), (2, 8)), units=16, projection_dim=4))
    >>> output = bilm(words_to_char_ids(tf.constant([["the", "cat"]])))
    >>> [layer.shape for layer in output.layers()]
    [TensorShape([1, 2, 8]), TensorShape([1, 2, 8]), TensorShape([1, 2, 8])]

    Reference:
     - [Peters et al., 2018](https://arxiv.org/abs/1802.05365)
     - [Senay and Salin, 2020](https://arxiv.org/abs/2010.04302), of "merged"
    """

    def __init__(self, config: ElmoConfig | Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # Keras would round the states to the type of the inputs: `call` casts what is to be cast.
        self.autocast = False
        self.supports_jit = False  # XLA takes no shapes that the data decide
        if not isinstance(config, ElmoConfig):
            config = ElmoConfig.from_options(config)
        self.config = config
        self.char_cnn = CharCNN(
            config.filters,
            config.projection_dim,
            char_embedding_dim=config.char_embedding_dim,
            num_highway_layers=config.num_highway_layers,
            activation=config.activation,
            name="char_cnn",
            dtype=self.dtype_policy,
        )
        self.forward_layers = self._stack("forward", go_backwards=False)
        self.backward_layers = self._stack("backward", go_backwards=True)

    def _stack(self, direction: str, go_backwards: bool) -> list[LSTMWithProjection]:
        config = self.config
        return [
            LSTMWithProjection(
                config.units,
                config.projection_dim if config.has_projection else None,
                cell_clip=config.cell_clip,
                projection_clip=config.projection_clip,
                use_skip_connection=config.use_skip_connections and index > 0,
                go_backwards=go_backwards,
                return_state=True,
                name=f"{direction}_{index}",
                dtype=self.dtype_policy,
            )
            for index in range(config.num_layers)
        ]

    def build(self, input_shape: Any = None) -> None:
        if not self.char_cnn.built:  # as it is when it was called by itself before
            self.char_cnn.build((None, None, self.config.max_characters))
        for stack in (self.forward_layers, self.backward_layers):
            for index, layer in enumerate(stack):
                layer.build((None, None, self.config.lstm_input_dim(index)))
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor | None = None,
        initial_state: State | None = None,
        return_state: bool = True,
        training: bool | None = None,
    ) -> BiLMOutput:
        inputs = tf.convert_to_tensor(inputs)
        is_characters = inputs.dtype.is_integer
        size = self.config.max_characters if is_characters else self.config.projection_dim
        if inputs.shape.rank != 3 or inputs.shape[-1] != size:
            raise ValueError(
                "`inputs` must be character ids (int) of shape (batch, tokens, "
                f"{self.config.max_characters}) or word vectors (float) of shape (batch, tokens, "
                f"{self.config.projection_dim}). Received: {inputs.dtype.name}, {inputs.shape}."
            )
        if mask is None:
            mask = (
                tf.reduce_any(inputs != 0, axis=-1)
                if is_characters
                else tf.fill(tf.shape(inputs)[:2], True)
            )
        real = tf.boolean_mask(inputs, mask)
        return self.encode(real, mask, initial_state, return_state, training).padded()

    def encode(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor,
        initial_state: State | None = None,
        return_state: bool = True,
        training: bool | None = None,
    ) -> BiLMOutput:
        """As a call, of and with real tokens alone: nothing is spent on padding.

        Args:
            inputs: int tensor, `(real_tokens, chars)`, or float tensor, `(real_tokens,
                projection_dim)`: the real tokens of a call's inputs, row by row.
            mask: as in a call.
            initial_state: as in a call.
            return_state: as in a call.
            training: as in a call.

        Returns:
            `BiLMOutput` of real tokens alone.

        Raises:
            ValueError: if there are more or fewer states than LSTMs.
        """
        is_characters = inputs.dtype.is_integer
        if not is_characters:
            inputs = tf.cast(inputs, self.compute_dtype)
        elif inputs.dtype.size < 4:
            inputs = tf.cast(inputs, tf.int32)  # 8 bits do not hold the boundaries' ids
        if not self.config.sentence_boundaries:
            word_vectors = self.char_cnn(inputs) if is_characters else inputs
            return self.contextualize(word_vectors, mask, initial_state, training=training)
        word_vectors, begin, end = self._with_boundaries(inputs, is_characters)
        if self.config.is_merged:
            return self._contextualize_bounded(
                word_vectors, mask, begin, end, initial_state=initial_state, training=training
            )
        # Not the vectors of the boundaries are wanted but the states they leave behind, and after
        # the first one all sentences that start from zeros have the same.
        rows = tf.shape(mask)[0]
        state = self._states(initial_state, 1 if initial_state is None else rows)
        state = self._state_after(begin, end, state, training)
        if initial_state is None:
            state = [[tf.repeat(value, rows, axis=0) for value in pair] for pair in state]
        output = self.contextualize(word_vectors, mask, state, training=training)
        final_state = self._state_after(end, begin, output.state, training) if return_state else ()
        return output._replace(state=tuple(final_state))

    def encode_without_gradient(
        self, word_vectors: tf.Tensor, mask: tf.Tensor, start: State | None
    ) -> BiLMOutput:
        """As `encode`, but nothing is spent on a gradient or a final state: there are none.

        Args:
            word_vectors: float tensor, `(real_tokens, projection_dim)`, row by row.
            mask: as in a call.
            start: what `state_at_start` gives; computed once, it serves for all batches.

        Returns:
            `BiLMOutput` of real tokens alone, without states.

        Raises:
            ValueError: as `contextualize` has it.
        """
        word_vectors = tf.cast(word_vectors, self.compute_dtype)
        if start is not None or not self.config.sentence_boundaries:
            return self.contextualize(word_vectors, mask, start, has_gradient=False)
        _, begin, end = self._with_boundaries(word_vectors, is_characters=False)
        return self._contextualize_bounded(word_vectors, mask, begin, end, has_gradient=False)

    def _contextualize_bounded(
        self,
        word_vectors: tf.Tensor,
        mask: tf.Tensor,
        begin: tf.Tensor,
        end: tf.Tensor,
        **arguments: Any,
    ) -> BiLMOutput:
        """`contextualize` with the boundaries' vectors, which upper merged layers read too."""
        bounded, mask_inside = add_boundaries(word_vectors, mask, begin, end)
        return without_boundaries(self.contextualize(bounded, mask_inside, **arguments), mask)

    def state_at_start(self) -> list[tuple[tf.Tensor, tf.Tensor]] | None:
        """The state in which a sentence's first and last word are read, if that is one for all.

        Returns:
            h and c of one row, as `BiLMOutput.state`; None of a merged biLM, whose upper layers
            read a sentence's vectors at the boundaries too.
        """
        if self.config.is_merged:
            return None
        state = self._states(None, 1)
        if not self.config.sentence_boundaries:
            return state
        words = tf.zeros([0, self.config.projection_dim])
        _, begin, end = self._with_boundaries(words, is_characters=False)
        return self._state_after(begin, end, state)

    def _with_boundaries(
        self, inputs: tf.Tensor, is_characters: bool
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Word vectors `(real_tokens, dim)` of the inputs, and `(dim,)` of `<S>` and `</S>`."""
        words = (BEGIN_SENTENCE_WORD, END_SENTENCE_WORD)
        ids = np.stack([word_to_char_ids(word, self.config.max_characters) for word in words])
        if not is_characters:
            return inputs, *tf.unstack(self.char_cnn(tf.constant(ids)))
        vectors = self.char_cnn(tf.concat([inputs, tf.constant(ids, inputs.dtype)], axis=0))
        return vectors[:-2], vectors[-2], vectors[-1]

    def _states(self, state: State | None, rows: int | tf.Tensor) -> list[Any]:
        """The given states, with zeros for those that are None."""
        layers = (*self.forward_layers, *self.backward_layers)
        state = state or [None] * len(layers)
        if len(state) != len(layers):
            raise ValueError(
                f"`initial_state` must have {len(layers)} pairs (h, c), one a layer and "
                f"direction. Received: {len(state)}."
            )
        return [
            layer.zero_state(rows) if pair is None else pair
            for layer, pair in zip(layers, state, strict=True)
        ]

    def _state_after(
        self,
        forward_word: tf.Tensor,
        backward_word: tf.Tensor,
        state: Sequence[Any],
        training: bool | None = None,
    ) -> list[tuple[tf.Tensor, tf.Tensor]]:
        """The states of all LSTMs after another word; the words' vectors are `(dim,)`."""
        layers = (*self.forward_layers, *self.backward_layers)
        states = []
        for index, (layer, (h, c)) in enumerate(zip(layers, state, strict=True)):
            if index % self.config.num_layers == 0:  # the first layer of its direction
                word = backward_word if layer.go_backwards else forward_word
                inputs = tf.repeat(word[tf.newaxis], tf.shape(h)[0], axis=0)
            inputs, (h, c) = layer.run_packed(
                inputs, tf.shape(h)[:1], (h, c), gradient_in(training)
            )
            states.append((h, c))
        return states

    def contextualize(
        self,
        word_vectors: tf.Tensor,
        mask: tf.Tensor,
        initial_state: State | None = None,
        drop: Drop | None = None,
        training: bool | None = None,
        has_gradient: bool = True,
    ) -> BiLMOutput:
        """Runs the LSTMs over word vectors as they come, without sentence boundaries.

        Args:
            word_vectors: float tensor, `(real_tokens, projection_dim)`, row by row.
            mask: bool tensor, `(batch, tokens)`; True marks a real token.
            initial_state: as in `call`.
            drop: what dropout makes of the inputs of an LSTM, given its direction (0 forward, 1
                backward) and the number of its layer. None: nothing is dropped.
            training: as in a call.
            has_gradient: False where neither a gradient nor a final state will be wanted: nothing
                is spent on them then. The initial state is None or one row for all sentences.

        Returns:
            `BiLMOutput` of real tokens alone.

        Raises:
            ValueError: if the word vectors have not the shape that is told, or there are more or
                fewer states than LSTMs.
        """
        if word_vectors.shape.rank != 2:
            raise ValueError(
                "`word_vectors` must be those of the real tokens, of shape (real_tokens, "
                f"{self.config.projection_dim}). Received: {word_vectors.shape}."
            )
        stacks = self.forward_layers, self.backward_layers
        gradient = gradient_in(training) if has_gradient else "none"
        readings = [Reading(mask, backwards, gradient) for backwards in (False, True)]
        states = self._states(initial_state, tf.shape(mask)[0] if has_gradient else 1)
        num_layers = self.config.num_layers
        # Layers that nothing happens between are run at once.
        size = 1 if drop is not None or self.config.is_merged else num_layers
        outputs: tuple[list, list] = ([], [])
        final_states: tuple[list, list] = ([], [])
        inputs = word_vectors, word_vectors
        for first in range(0, num_layers, size):
            if first:
                inputs = self._inputs_above(word_vectors, outputs[0][-1], outputs[1][-1])
            for direction in range(2):
                vectors = inputs[direction]
                if drop is not None:
                    vectors = drop(vectors, direction, first)
                place = direction * num_layers + first
                read_outputs, read_states = read(
                    readings[direction],
                    stacks[direction][first : first + size],
                    vectors,
                    states[place : place + size],
                    inputs_repeat=first == 0 and drop is None,
                )
                outputs[direction].extend(read_outputs)
                final_states[direction].extend(read_states)
        return BiLMOutput(
            word_vectors=word_vectors,
            forward=tuple(outputs[0]),
            backward=tuple(outputs[1]),
            mask=mask,
            state=(*final_states[0], *final_states[1]) if has_gradient else (),
        )

    def _inputs_above(
        self, word_vectors: tf.Tensor, forward: tf.Tensor, backward: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """What the forward and the backward LSTM over a layer read."""
        if not self.config.is_merged:
            return forward, backward
        if self.config.merge == "concat":
            merged = tf.concat([word_vectors, forward, backward], axis=-1)
        else:
            merged = tf.concat([word_vectors + forward, word_vectors + backward], axis=-1)
        return merged, merged

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """None: the mask is a part of the output."""
        return None

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "config": self.config.to_options(),
        }
