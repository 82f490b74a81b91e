"""BiLM: the bidirectional language model's encoder, characters in, all layers out."""

import functools
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.layers import CharCNN, LSTMWithProjection, TokenEmbedder
from elmo_tf2.layers.lstm import Gradient
from elmo_tf2.layers.ragged import from_padded, one_step, pack
from elmo_tf2.models.bilm_output import BiLMOutput
from elmo_tf2.models.bos_eos import with_bos_eos, without_bos_eos
from elmo_tf2.models.lstm_stacks import (
    Drop,
    Merge,
    State,
    add_layers,
    concat_layers,
    filled_state,
    run_stacks,
)
from elmo_tf2.models.preprocessor import check_words
from elmo_tf2.word_ids import bos_eos_ids


@keras.saving.register_keras_serializable(package="elmo_tf2")
class BiLM(keras.Model):
    """A token embedder under two stacks of LSTMs, one that reads forwards and one backwards.

    With f_l and b_l the outputs of layer l, x the word vector, an LSTM of layer l + 1 reads

        f_l or b_l, of its own direction      config.architecture "separate", the published one
        [x; x] + [f_l; b_l]                   "merged", config.merge "add"
        [x; f_l; b_l]                         "merged", config.merge "concat"

    A layer of "merged" but the first knows the whole sentence, so it can't learn from predicting
    the next word, which it sees: see `MaskedLanguageModel`.

    Each call starts from zero states unless it is given others; no state is kept between calls. The
    words `<S>` and `</S>` are added around every sentence (unless `config.sentence_boundaries` is
    False) and their vectors are not returned.

    Args:
        config: an `ElmoConfig`, or the dictionary of an `options.json`.
        **kwargs: of `keras.Model`.

    Call arguments:
        inputs: int tensor, `(batch, tokens, ids)`: ids as `elmo_tf2.word_ids` makes them, zeros
            where there is no word. Or float tensor, `(batch, tokens, projection_dim)`: word
            vectors, for example rows of a vocabulary's table.
        mask: bool tensor, `(batch, tokens)`; True marks a real token. None: for character ids
            where there is a word, for word vectors everywhere.
        initial_state: `state` of an earlier call's output with as many sentences. None: zeros.
        return_state: whether the final states are wanted. If not, the output's may be empty, and
            the words `</S>` of forward and `<S>` of backward LSTMs need not be read.
        training: of `LSTMWithProjection`: with True a gradient does not recompute the LSTMs.

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
        self.token_embedder = self._make_token_embedder()
        self.forward_layers = self._stack("forward", go_backwards=False)
        self.backward_layers = self._stack("backward", go_backwards=True)

    def _make_token_embedder(self) -> CharCNN | TokenEmbedder:
        config = self.config
        has_dictionaries = config.token_embedder != "char_cnn"
        if config.word_dim and not len(config.words):
            raise ValueError("`config.words` must be the words that have vectors. Received: none.")
        char_cnn = None
        if config.filters:
            char_cnn = CharCNN(
                config.filters,
                config.num_filters if has_dictionaries else config.projection_dim,
                char_embedding_dim=config.char_embedding_dim,
                num_highway_layers=config.num_highway_layers,
                activation=config.activation,
                num_characters=config.num_characters,
                padding=config.padding_id,
                name="char_cnn",
                dtype=self.dtype_policy,
            )
            if not has_dictionaries:
                return char_cnn
        return TokenEmbedder(
            len(config.words) + 1,
            config.word_dim,
            char_cnn,
            config.projection_dim if config.projects_words else None,
            name="token_embedder",
            dtype=self.dtype_policy,
        )

    @property
    def stacks(self) -> tuple[list[LSTMWithProjection], list[LSTMWithProjection]]:
        """The forward and the backward LSTMs."""
        return self.forward_layers, self.backward_layers

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
        if not self.token_embedder.built:  # as it is when it was called by itself before
            self.token_embedder.build((None, None, self.config.ids_per_word))
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
        check_words("inputs", inputs, "(batch, tokens", self.config)
        if mask is None:
            mask = (
                tf.reduce_any(inputs != 0, axis=-1)
                if inputs.dtype.is_integer
                else tf.fill(tf.shape(inputs)[:2], True)
            )
        gradient: Gradient = "store" if training else "recompute"
        words = from_padded(inputs, mask)
        return self.encode(words, initial_state, return_state, gradient).padded(mask)

    def encode(
        self,
        words: tf.RaggedTensor,
        initial_state: State | None = None,
        return_state: bool = True,
        gradient: Gradient = "recompute",
        add_bos_eos: bool = True,
        drop: Drop | None = None,
    ) -> BiLMOutput:
        """As a call, from and to ragged tensors: nothing is spent on padding.

        Args:
            words: ragged int tensor, `(batch, (tokens), ids)`: ids of words. Or ragged float
                tensor, `(batch, (tokens), projection_dim)`: word vectors.
            initial_state: as in a call. For inference one row for all sentences.
            return_state: as in a call.
            gradient: "store" or "recompute", what the LSTMs do for it; or "inference": there is
                no gradient, and no final state.
            add_bos_eos: whether `<S>` and `</S>` are added, as `config.sentence_boundaries` says.
                False: the words are taken as they are.
            drop: dropout of the LSTMs' inputs and of the last ones' outputs, see `run_stacks`.

        Returns:
            `BiLMOutput` of ragged tensors.

        Raises:
            ValueError: as for a call.
        """
        check_words("words", words, "(batch, (tokens)", self.config)
        # Equal word vectors are multiplied once, but where they are given and may want a gradient:
        # each has one of its own then.
        inputs_repeat = words.dtype.is_integer or gradient == "inference"
        run = functools.partial(
            self._run, gradient=gradient, inputs_repeat=inputs_repeat and drop is None, drop=drop
        )
        if not self.config.sentence_boundaries or not add_bos_eos:
            return run(self._word_vectors(words), initial_state)
        word_vectors, bos_eos = self._vectors_and_bos_eos(words)
        if self.config.is_merged:  # its upper layers read the vectors of <S> and </S> too
            word_vectors = with_bos_eos(word_vectors, bos_eos)
            return run(word_vectors, initial_state).map(without_bos_eos)
        # Only the states after <S> and </S> are wanted, and after the first one all sentences that
        # start from zeros have the same.
        bos, eos = tf.unstack(bos_eos, num=2)
        rows = words.nrows()
        state: State = filled_state(
            self.stacks, initial_state, 1 if initial_state is None else rows
        )
        state = self._state_after(bos, eos, state, gradient)
        if initial_state is None and gradient != "inference":
            state = [[tf.repeat(value, rows, axis=0) for value in pair] for pair in state]
        output = run(word_vectors, state)
        if not return_state or gradient == "inference":
            return output._replace(state=())
        return output._replace(state=self._state_after(eos, bos, output.state, gradient))

    def start_state(self) -> list[tuple[np.ndarray, np.ndarray]] | None:
        """The state in which a sentence's first and last word are read, if that is one for all.

        With it as `initial_state` and `add_bos_eos=False` `encode` gives the same vectors; computed
        once, it serves for all batches as long as the weights stay.

        Returns:
            h and c of one row, in the order of `BiLMOutput.state`; None for a merged biLM.
        """
        if self.config.is_merged:
            return None
        state: State = filled_state(self.stacks, None, 1)
        if self.config.sentence_boundaries:
            bos, eos = tf.unstack(self.token_embedder(bos_eos_ids(self.config)))
            state = self._state_after(bos, eos, state, "inference")
        return [(h.numpy(), c.numpy()) for h, c in state]

    def _word_vectors(self, words: tf.RaggedTensor) -> tf.RaggedTensor:
        """Those of character ids or of word vectors."""
        if words.dtype.is_integer:
            return words.with_values(self.token_embedder(words.values))
        return words.with_values(tf.cast(words.values, self.compute_dtype))

    def _vectors_and_bos_eos(self, words: tf.RaggedTensor) -> tuple[tf.RaggedTensor, tf.Tensor]:
        """The word vectors, and those of `<S>` and `</S>`, `(2, projection_dim)`."""
        ids = bos_eos_ids(self.config)
        if not words.dtype.is_integer:
            return self._word_vectors(words), self.token_embedder(tf.constant(ids))
        values = words.values
        if values.dtype.size < 4:
            values = tf.cast(values, tf.int32)  # 8 bits do not hold the ids of <S> and </S>
        vectors = self.token_embedder(tf.concat([values, tf.constant(ids, values.dtype)], axis=0))
        return words.with_values(vectors[:-2]), vectors[-2:]

    def _state_after(
        self,
        forward_word: tf.Tensor,
        backward_word: tf.Tensor,
        state: State,
        gradient: Gradient,
    ) -> tuple[tuple[tf.Tensor, tf.Tensor], ...]:
        """The states of all LSTMs after one more word; the words' vectors are `(dim,)`."""
        rows = tf.shape(state[0][0])[0]
        sequences = [
            one_step(tf.repeat(word[tf.newaxis], rows, axis=0))
            for word in (forward_word, backward_word)
        ]
        if gradient == "inference":  # which has no final state
            gradient = "recompute"
        return tuple(run_stacks(self.stacks, sequences, state, gradient)[1])

    def _run(
        self,
        word_vectors: tf.RaggedTensor,
        initial_state: State | None,
        gradient: Gradient,
        inputs_repeat: bool,
        drop: Drop | None,
    ) -> BiLMOutput:
        """Runs the LSTMs over word vectors as they are, without sentence boundaries."""
        is_inference = gradient == "inference"
        rows = 1 if is_inference else word_vectors.nrows()
        outputs, final_state = run_stacks(
            self.stacks,
            [pack(word_vectors, go_backwards) for go_backwards in (False, True)],
            filled_state(self.stacks, initial_state, rows),
            gradient,
            inputs_repeat,
            merge=self._merge(word_vectors.values),
            drop=drop,
        )
        forward, backward = (
            tuple(word_vectors.with_values(sequence.values()) for sequence in direction)
            for direction in outputs
        )
        state_after = () if is_inference else tuple(final_state)
        return BiLMOutput(word_vectors, forward, backward, None, state_after)

    def _merge(self, word_vectors: tf.Tensor) -> Merge | None:
        """What makes a merged biLM's next inputs; None for a separate one."""
        if not self.config.is_merged:
            return None
        merge = concat_layers if self.config.merge == "concat" else add_layers
        return functools.partial(merge, word_vectors)

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
