"""ElmoEmbeddings: ELMo's vectors as a layer of a Keras model."""

import dataclasses
import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from elmo_tf2.config import MAX_LAYERS, ElmoConfig
from elmo_tf2.layers import ScalarMix
from elmo_tf2.layers.lstm import Gradient
from elmo_tf2.layers.ragged import mean_of_rows, to_padded
from elmo_tf2.models.bilm import BiLM
from elmo_tf2.models.bilm_arrays import set_bilm_arrays
from elmo_tf2.models.eager_encoding import encode_eagerly
from elmo_tf2.models.elmo_weights_of import weights_of
from elmo_tf2.models.preprocessor import (
    SENTENCES_AS_WORDS,
    WordMask,
    are_sentences_as_words,
    as_tensor,
    check_inputs,
    num_tokens,
    ragged_ids,
)
from elmo_tf2.presets import PresetsAttribute, preset_folder, preset_names
from elmo_tf2.validation import check_bool, check_choice, check_integer
from elmo_tf2.weights import (
    ElmoWeights,
    read_elmoformanylangs,
    read_model_folder,
    write_model_folder,
)
from elmo_tf2.weights.elmoformanylangs import is_elmoformanylangs


@keras.saving.register_keras_serializable(package="elmo_tf2")
class ElmoEmbeddings(keras.layers.Layer):
    """Text in, contextual word vectors out: a biLM and the trainable weighted sum of its layers.

    The biLM is frozen unless `encoder_trainable`; the few numbers of the weighted sum train with
    the task. The output carries a mask of the real tokens to the layers after it.

    `keras.models.clone_model` makes layers with new random weights, this one as any other:
    `clone.set_weights(model.get_weights())` makes it ELMo again.

    Args:
        config: an `ElmoConfig`, or the dictionary of an `options.json`. `from_preset` and
            `from_folder` make the layer with sizes and weights.
        output: "mix" for weighted sums, "mean" for the mean of each over a sentence's words, which
            is 0 where there is none, "layers" for the biLM's `num_layers + 1` layers.
        num_mixes: int > 0. Number of weighted sums, each with weights of its own.
        encoder_trainable: bool. Whether the biLM trains too. Freezing the whole layer by its
            attribute `trainable`, and thawing it, changes nothing about that.
        layer_norm: bool, of `ScalarMix`, as the following.
        l2: float >= 0.
        dropout: float in [0, 1).
        initial_weights: floats, one per layer of the biLM, or None for zeros.
        initial_gamma: float.
        tokenizer: "spaces" or "words", see `elmo_tf2.data.tokenizers`: what makes words of
            sentences, as the text must be split that the model was trained on. None: the one of
            `config`.
        **kwargs: of `keras.layers.Layer`. With `dtype="bfloat16"`, for inference, the encoder's
            weights are stored so and the mixes stay float32; about two digits are right, and as
            many are the same in another batch.

    Call arguments:
        inputs: one of
            - string tensor, `(batch,)`: sentences, split by the tokenizer;
            - string tensor, `(batch, tokens)`: words, padded with "" (an empty string before the
              last word is a word); sentences must not come as `(batch, 1)`, of which there is a
              warning;
            - ragged string tensor, `(batch, (tokens))`: words;
            - int tensor, `(batch, tokens, ids)`: ids of `elmo_tf2.word_ids`, zeros where there is
              no word;
            - a list of strings or of lists of strings, an array or a pandas Series of either.
            Word vectors are taken by `encoder`, the `BiLM` inside, and not here.
        training: bool. Whether dropout is on, and a trainable encoder stores what its gradient
            needs, which otherwise recomputes the LSTMs.

    Returns:
        float tensor, `(batch, tokens, 2 * projection_dim)`, 0 past a sentence's end, with one
        token at least; of "mean" `(batch, 2 * projection_dim)`. A list of such tensors for several
        mixes or for layers.

    Raises:
        ValueError: if an argument is out of its range or the inputs are of no such kind.

    Example:
    >>> config = ElmoConfig(filters=((1, 8), (2, 8)), units=16, projection_dim=4)
    >>> elmo = ElmoEmbeddings(config)
    >>> elmo(["the cat is on the mat", "dogs are in the fog"]).shape
    TensorShape([2, 6, 8])

    Beside a task's own word embedding, INPUT = [E; ELMo]:

    >>> words = keras.Input((None,), dtype="string")
    >>> ids = keras.layers.StringLookup(vocabulary=["the", "cat"], mask_token="")(words)
    >>> own = keras.layers.Embedding(4, 16, mask_zero=True)(ids)
    >>> both = keras.layers.Concatenate()([own, elmo(words)])
    >>> tags = keras.layers.Dense(5, activation="softmax")(both)
    >>> keras.Model(words, tags)(tf.constant([["the", "cat"]])).shape
    TensorShape([1, 2, 5])

    Reference:
     - [Peters et al., 2018](https://arxiv.org/abs/1802.05365)
    """

    def __init__(
        self,
        config: ElmoConfig | Mapping[str, Any],
        output: str = "mix",
        num_mixes: int = 1,
        encoder_trainable: bool = False,
        layer_norm: bool = False,
        l2: float = 0.0,
        dropout: float = 0.0,
        initial_weights: Sequence[float] | None = None,
        initial_gamma: float = 1.0,
        tokenizer: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(config, (str, os.PathLike)):
            raise ValueError(
                "`config` must be an ElmoConfig or the dictionary of an options.json. Of a model "
                f"there are from_preset, from_folder and from_weights. Received: config={config!r}."
            )
        if not isinstance(config, ElmoConfig):
            config = ElmoConfig.from_options(config)
        if tokenizer is not None:
            config = dataclasses.replace(config, tokenizer=tokenizer)
        self.supports_jit = False  # XLA takes no shapes that the data decide
        self.output_kind = check_choice("output", output, ("mix", "mean", "layers"))
        check_integer("num_mixes", num_mixes, 1, MAX_LAYERS)
        self.encoder = BiLM(config, name="encoder", dtype=self.dtype_policy)
        self.encoder.trainable = check_bool("encoder_trainable", encoder_trainable)
        self._encoder_learns = encoder_trainable  # of a layer that is frozen, once it is thawed
        self._has_warned = False
        self.config = self.encoder.config
        self._word_mask = WordMask(self.config.tokenizer)
        mix_arguments: dict[str, Any] = {
            "layer_norm": layer_norm,
            "l2": l2,
            "dropout": dropout,
            "initial_weights": None if initial_weights is None else list(initial_weights),
            "initial_gamma": initial_gamma,
        }
        self._arguments = {"output": output, "num_mixes": num_mixes, **mix_arguments}
        # A sum of few layers costs nothing, and with it the vectors are float32.
        stores_less = self.dtype_policy.variable_dtype in ("bfloat16", "float16")
        mix_dtype = "float32" if stores_less else self.dtype_policy
        self.mixes = [
            ScalarMix(
                self.config.num_layers + 1, name=f"mix_{index}", dtype=mix_dtype, **mix_arguments
            )
            for index in range(0 if output == "layers" else num_mixes)
        ]
        if not self.trainable:  # Keras sets it in the layers that exist at that moment
            self.encoder.trainable = False
            for mix in self.mixes:
                mix.trainable = False

    presets = PresetsAttribute()

    @classmethod
    def from_preset(cls, preset: str, **kwargs: Any) -> "ElmoEmbeddings":
        """Makes the layer with the sizes and weights of a model that comes with the package.

        Args:
            preset: its name, one of `ElmoEmbeddings.presets`.
            **kwargs: arguments of the constructor.

        Returns:
            An `ElmoEmbeddings`.

        Raises:
            FileNotFoundError: if this copy of the package has no weights of it.
            ValueError: if there is no such preset.
        """
        return cls.from_folder(preset_folder(preset), **kwargs)

    @classmethod
    def from_folder(cls, folder: str | os.PathLike[str], **kwargs: Any) -> "ElmoEmbeddings":
        """Makes the layer with the sizes and weights of a model folder.

        A mix that the folder holds, for example a converted TF1 Hub module's, gives the initial
        values, unless `initial_weights` or `initial_gamma` does.

        Args:
            folder: `options.json` and `weights.hdf5`, as bilm-tf's or as `elmo-tf2 convert` makes;
                or a folder of ELMoForManyLangs.
            **kwargs: arguments of the constructor.

        Returns:
            An `ElmoEmbeddings`.

        Raises:
            FileNotFoundError: if there is no such folder, or a file of it is missing.
            ValueError: if the files are broken or do not agree.
        """
        if os.fspath(folder) in preset_names() and not os.path.isdir(folder):
            raise FileNotFoundError(f"There is no folder {folder!r}; of a preset: from_preset.")
        if is_elmoformanylangs(folder):
            return cls.from_weights(read_elmoformanylangs(folder), **kwargs)
        return cls.from_weights(read_model_folder(folder, read_softmax=False), **kwargs)

    @classmethod
    def from_weights(cls, weights: ElmoWeights, **kwargs: Any) -> "ElmoEmbeddings":
        """Makes the layer from weights that `elmo_tf2.weights` has read.

        Args:
            weights: the sizes and the arrays; its mix, if any, gives the initial values.
            **kwargs: arguments of the constructor.

        Returns:
            An `ElmoEmbeddings`.
        """
        if weights.mix is not None:
            mix = {"initial_weights": weights.mix.weights, "initial_gamma": weights.mix.gamma}
            kwargs = {**mix, **kwargs}
        layer = cls(weights.config, **kwargs)
        layer.build()
        set_bilm_arrays(layer.encoder, weights.arrays)
        return layer

    def save_to_folder(
        self,
        path: str | os.PathLike[str],
        overwrite: bool = False,
        dtype: str = "float32",
        mix: int | None = None,
    ) -> None:
        """Writes the layer's sizes and weights, trained or not, as a model folder.

        `from_folder` and the commands read it. It has no `layer_norm`, `l2` or `dropout`.

        Args:
            path: the folder to make.
            overwrite: whether it may take the place of another model folder.
            dtype: "float32", or "float16" for half the size, as of `write_model_folder`.
            mix: the number of the mix to write, from 0. None: the only one, if there is one.

        Raises:
            FileExistsError: if there is something at `path` that may not be replaced.
            ValueError: if `mix` is None with several mixes, or there is no such mix.
        """
        if not self.built:
            self.build()
        weights = weights_of(self.encoder, self.mixes, mix, f"layer {self.name!r}")
        write_model_folder(weights, path, overwrite, dtype)

    @property
    def layer_weights(self) -> np.ndarray | list[np.ndarray]:
        """The layers' shares of the weighted sum, which add up to 1; a list for several mixes."""
        if not self.built:
            self.build()
        shares = [mix.layer_weights for mix in self.mixes]
        return shares[0] if len(shares) == 1 else shares

    @property
    def trainable(self) -> bool:
        """Whether the layer trains. Frozen and thawed again, its encoder is as it was before."""
        return super().trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._encoder_learns = self._encoder_will_learn()
        keras.layers.Layer.trainable.fset(self, value)
        self.encoder.trainable = self.trainable and self._encoder_learns

    def _encoder_will_learn(self) -> bool:
        """Whether the encoder trains as soon as the layer does."""
        return self.encoder.trainable or (not self.trainable and self._encoder_learns)

    def build(self, input_shape: Any = None) -> None:
        self.encoder.build()
        for mix in self.mixes:
            mix.build()
        self.built = True

    def __call__(self, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        inputs = as_tensor(inputs)
        check_inputs(inputs, self.config.ids_per_word)
        if not self._has_warned and are_sentences_as_words(inputs):
            self._has_warned = True
            warnings.warn(SENTENCES_AS_WORDS, stacklevel=2)
        return super().__call__(inputs, *args, **kwargs)

    def call(self, inputs: Any, training: bool | None = None) -> tf.Tensor | list[tf.Tensor]:
        words, mask = ragged_ids(inputs, self.config)
        gradient: Gradient = "store" if training and self.encoder.trainable else "recompute"
        if tf.executing_eagerly():
            layers = encode_eagerly(self.encoder, words, gradient)
        else:
            layers = self.encoder.encode(words, return_state=False, gradient=gradient).layers()
        outputs = [layer.values for layer in layers]
        if self.mixes:
            outputs = [mix(outputs, training=training) for mix in self.mixes]
        if self.output_kind == "mean":
            outputs = [mean_of_rows(words.with_values(vectors)) for vectors in outputs]
        else:
            outputs = [to_padded(vectors, mask) for vectors in outputs]
        return outputs[0] if len(self.mixes) == 1 else outputs

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        if self.output_kind == "mean":
            return None
        mask = self._word_mask(inputs)
        return mask if self._num_outputs == 1 else [mask] * self._num_outputs

    @property
    def _num_outputs(self) -> int:
        return len(self.mixes) or self.config.num_layers + 1

    def compute_output_spec(self, inputs: Any, training: bool | None = None) -> Any:
        tokens = () if self.output_kind == "mean" else (num_tokens(inputs),)
        shape = (inputs.shape[0], *tokens, self.config.layer_dim)
        dtype = self.mixes[0].compute_dtype if self.mixes else self.compute_dtype
        outputs = [keras.KerasTensor(shape, dtype=dtype) for _ in range(self._num_outputs)]
        return outputs[0] if len(outputs) == 1 else outputs

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "config": self.config.to_options(),
            "encoder_trainable": self._encoder_will_learn(),
            "tokenizer": self.config.tokenizer,
            **self._arguments,
        }
