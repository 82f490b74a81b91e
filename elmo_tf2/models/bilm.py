"""BiLM: the bidirectional language model's encoder, characters in, all layers out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.characters import BEGIN_SENTENCE_WORD, END_SENTENCE_WORD, word_to_char_ids
from elmo_tf2.config import ElmoConfig
from elmo_tf2.layers import CharCNN, LSTMWithProjection

State = Sequence[tuple[tf.Tensor, tf.Tensor] | None]


class BiLMOutput(NamedTuple):
    """All vectors of a batch, and the states its LSTMs ended in.

    Attributes:
        word_vectors: float tensor, `(batch, tokens, projection_dim)`; they know no context.
        forward: a tensor of that shape for every layer; they know the words up to this one.
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


@keras.saving.register_keras_serializable(package="elmo_tf2")
class BiLM(keras.Model):
    """A character CNN under two stacks of LSTMs, one that reads forwards and one backwards.

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
        has_projection = config.projection_dim < config.units
        return [
            LSTMWithProjection(
                config.units,
                config.projection_dim if has_projection else None,
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
        for layer in (*self.forward_layers, *self.backward_layers):
            layer.build((None, None, self.config.projection_dim))
        self.built = True

    def call(
        self,
        inputs: tf.Tensor,
        mask: tf.Tensor | None = None,
        initial_state: State | None = None,
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
        if not is_characters:
            inputs = tf.cast(inputs, self.compute_dtype)
        if mask is None:
            mask = (
                tf.reduce_any(inputs > 0, axis=-1)
                if is_characters
                else tf.fill(tf.shape(inputs)[:2], True)
            )
        bounded = self.config.sentence_boundaries
        if bounded:
            boundaries = self._boundary_char_ids()
            if not is_characters:
                boundaries = self.char_cnn(boundaries)
            inputs, mask_inside, mask = *_add_boundaries(inputs, mask, boundaries), mask
        else:
            mask_inside = mask
        word_vectors = self.char_cnn(inputs) if is_characters else inputs
        output = self.contextualize(word_vectors, mask_inside, initial_state)
        return _without_boundaries(output, mask) if bounded else output

    def contextualize(
        self, word_vectors: tf.Tensor, mask: tf.Tensor, initial_state: State | None = None
    ) -> BiLMOutput:
        """Runs the LSTMs over word vectors as they come, without sentence boundaries.

        Args:
            word_vectors: float tensor, `(batch, tokens, projection_dim)`.
            mask: bool tensor, `(batch, tokens)`; True marks a real token.
            initial_state: as in `call`.

        Returns:
            `BiLMOutput`.

        Raises:
            ValueError: if there are more or fewer states than LSTMs.
        """
        num_layers = self.config.num_layers
        states_in: State = initial_state or [None] * (2 * num_layers)
        if len(states_in) != 2 * num_layers:
            raise ValueError(
                f"`initial_state` must have {2 * num_layers} pairs (h, c), one a layer and "
                f"direction. Received: {len(states_in)}."
            )
        outputs, states = [], []
        for stack, stack_state in (
            (self.forward_layers, states_in[:num_layers]),
            (self.backward_layers, states_in[num_layers:]),
        ):
            vectors = word_vectors
            for layer, state in zip(stack, stack_state, strict=True):
                vectors, h, c = layer(vectors, mask=mask, initial_state=state)
                outputs.append(vectors)
                states.append((h, c))
        word_vectors = tf.where(mask[..., tf.newaxis], word_vectors, tf.zeros_like(word_vectors))
        return BiLMOutput(
            word_vectors=word_vectors,
            forward=tuple(outputs[:num_layers]),
            backward=tuple(outputs[num_layers:]),
            mask=mask,
            state=tuple(states),
        )

    def _boundary_char_ids(self) -> tf.Tensor:
        words = (BEGIN_SENTENCE_WORD, END_SENTENCE_WORD)
        ids = [word_to_char_ids(word, self.config.max_characters) for word in words]
        return tf.constant(np.stack(ids))  # (2, chars)

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


def _add_boundaries(
    inputs: tf.Tensor, mask: tf.Tensor, boundaries: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor]:
    """Puts `<S>` before a sentence's first place and `</S>` after its last real token.

    Args:
        inputs: `(batch, tokens, features)`.
        mask: bool, `(batch, tokens)`.
        boundaries: `(2, features)`; those of `<S>` and of `</S>`.

    Returns:
        Inputs and mask with two more tokens: `(batch, tokens + 2, features)` and without features.
    """
    begin, end = tf.unstack(tf.cast(boundaries, inputs.dtype))
    inputs = tf.pad(inputs, [[0, 0], [1, 1], [0, 0]])
    mask = tf.pad(mask, [[0, 0], [1, 1]])
    place = tf.range(tf.shape(mask)[1])
    last = tf.reduce_max(tf.where(mask, place, 0), axis=1, keepdims=True)  # 0 if there is none
    is_begin = tf.equal(place, 0)[tf.newaxis]
    is_end = tf.equal(place, last + 1)
    inputs = tf.where(is_begin[..., tf.newaxis], begin, inputs)
    inputs = tf.where(is_end[..., tf.newaxis], end, inputs)
    return inputs, mask | is_begin | is_end


def _without_boundaries(output: BiLMOutput, mask: tf.Tensor) -> BiLMOutput:
    """Drops the places that `_add_boundaries` added, and the vectors of `</S>`."""

    def real_tokens(vectors: tf.Tensor) -> tf.Tensor:
        vectors = vectors[:, 1:-1]
        return tf.where(mask[..., tf.newaxis], vectors, tf.zeros_like(vectors))

    return BiLMOutput(
        word_vectors=real_tokens(output.word_vectors),
        forward=tuple(real_tokens(vectors) for vectors in output.forward),
        backward=tuple(real_tokens(vectors) for vectors in output.backward),
        mask=mask,
        state=output.state,
    )
