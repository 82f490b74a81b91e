"""What computes the vectors: a model of this package, or a SavedModel it exported."""

import copy
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import tensorflow as tf

from elmo_tf2.features.saved_elmo import LENGTHS, TOKENS, load_saved_elmo
from elmo_tf2.features.text import Sentence
from elmo_tf2.features.word_cache import WordCache
from elmo_tf2.layers import ScalarMix
from elmo_tf2.models import BiLM, ElmoEmbeddings
from elmo_tf2.models.precision import in_dtype
from elmo_tf2.sources import find_model
from elmo_tf2.weights import detect, read_weights
from elmo_tf2.word_ids import words_to_ids

Model = BiLM | ElmoEmbeddings | str | os.PathLike[str]
Layers = Sequence[int] | str | None


class Encoder:
    """Sentences to the vectors that are wanted: what its two classes have in common.

    Attributes:
        layers: the layers' names, for example "layer0", or "mix".
        dim: size of a layer's vector.
        fingerprint: differs between models that differ in any value.
        tokenizer: splits sentences into words; the model's own unless it is replaced.
        sentence: "mean" or "max" over a sentence's words, or None for the words' own vectors.
        dtype: of the vectors, "float32" or "float16".
    """

    layers: list[str]
    dim: int
    fingerprint: str
    tokenizer: str
    sentence: str | None = None
    dtype: str = "float32"

    def replace(self, **attributes: Any) -> "Encoder":
        """A copy with other attributes."""
        changed = copy.copy(self)
        vars(changed).update(attributes)
        return changed

    def shape(self, sentence: Sentence) -> tuple[int, ...]:
        """The shape of a sentence's vectors: `(layers, tokens, dim)`, or `(layers, dim)`."""
        tokens = () if self.sentence else (len(sentence.words),)
        return (len(self.layers), *tokens, self.dim)

    def num_bytes(self, sentences: int, tokens: int) -> int:
        """The size of the vectors of a text with so many sentences and words."""
        vectors = sentences if self.sentence else tokens
        return vectors * len(self.layers) * self.dim * np.dtype(self.dtype).itemsize

    def encode(self, batch: list[Sentence]) -> list[np.ndarray]:
        """Computes a batch, whose longest sentence comes first."""
        ends = np.cumsum([len(sentence.words) for sentence in batch])
        layers = [np.split(layer.numpy(), ends[:-1]) for layer in self._layers_of(batch)]
        return [self._reduced(np.stack(vectors)) for vectors in zip(*layers, strict=True)]

    def learn_words(self, batch: list[Sentence]) -> None:
        """Computes the vectors of words as `encode` does, if the model has them apart."""

    def forget_words(self) -> None:
        """Starts again, as if no word had been computed."""

    def _layers_of(self, batch: list[Sentence]) -> list[tf.Tensor]:
        """The layers, each `(tokens, dim)`: one sentence's tokens after another's."""
        raise NotImplementedError(f"{type(self).__name__} has no `_layers_of`.")

    def _reduced(self, vectors: np.ndarray) -> np.ndarray:
        """What is wanted of float32 `(layers, tokens, dim)`."""
        if not np.isfinite(vectors).all():
            raise ValueError(
                "The model gives NaN or infinite numbers: its weights are damaged, or its graph."
            )
        if self.sentence == "mean":
            vectors = vectors.mean(axis=1)
        elif self.sentence == "max":
            vectors = vectors.max(axis=1)
        with np.errstate(over="ignore"):
            rounded = vectors.astype(self.dtype, copy=False)
        if (np.isinf(rounded) & np.isfinite(vectors)).any():
            raise ValueError(
                f"The vectors do not fit {self.dtype}, which holds numbers up to "
                f"{np.finfo(self.dtype).max:,.0f}. Found: {np.abs(vectors).max():g}. Start over "
                "with float32 (`overwrite=True`, on the command line `--dtype float32 "
                "--overwrite`)."
            )
        return rounded


class LayerEncoder(Encoder):
    """Runs a model of this package.

    Args:
        model: the `BiLM` or `ElmoEmbeddings`.
        layers: as of `encoder_of`.
    """

    def __init__(self, model: BiLM | ElmoEmbeddings, layers: Layers) -> None:
        self._bilm = model.encoder if isinstance(model, ElmoEmbeddings) else model
        if not self._bilm.built:
            self._bilm.build()
        config = self._bilm.config
        numbers = _checked(layers, config.num_layers + 1)
        self._mix = _mix_of(model) if numbers == "mix" else None
        self._chosen = () if numbers == "mix" else numbers
        self._start = self._bilm.start_state()
        self.layers = _names(numbers)
        self.dim = config.layer_dim
        self.tokenizer = config.tokenizer
        digest = hashlib.sha256(repr((config, self._bilm.dtype_policy.name)).encode())
        for variable in [*self._bilm.variables, *(self._mix.weights if self._mix else ())]:
            digest.update(variable.numpy().tobytes())
        self.fingerprint = digest.hexdigest()
        words = tf.TensorSpec([None], tf.string)
        word_vectors = tf.function(self._word_vectors, input_signature=[words], autograph=False)
        self._cache = WordCache(word_vectors, config.projection_dim)
        vectors = tf.TensorSpec([None, config.projection_dim], tf.float32)
        self._graph = tf.function(
            self._contextualize, input_signature=[vectors, LENGTHS], autograph=False
        )

    def learn_words(self, batch: list[Sentence]) -> None:
        """Computes the vectors of words as `encode` does, and keeps them."""
        self._cache.vectors(_words(batch))

    def forget_words(self) -> None:
        """Starts again, as if no word had been computed."""
        self._cache.clear()

    def _layers_of(self, batch: list[Sentence]) -> list[tf.Tensor]:
        return self._graph(tf.constant(self._cache.vectors(_words(batch))), _lengths(batch))

    def _word_vectors(self, words: tf.Tensor) -> tf.Tensor:
        ids = words_to_ids(words, self._bilm.config)
        return tf.cast(self._bilm.token_embedder(ids), tf.float32)

    def _contextualize(self, vectors: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        words = tf.RaggedTensor.from_row_lengths(vectors, lengths, validate=False)
        output = self._bilm.encode(
            words, self._start, gradient="inference", add_bos_eos=self._start is None
        )
        layers = [layer.values for layer in output.layers()]
        if self._mix is not None:
            layers = [self._mix(layers, training=False)]
        else:
            layers = [layers[number] for number in self._chosen]
        return [tf.cast(layer, tf.float32) for layer in layers]


class SavedModelEncoder(Encoder):
    """Runs a SavedModel that was exported.

    Args:
        path: its folder.
        layers: as of `encoder_of`.
    """

    def __init__(self, path: Path, layers: Layers) -> None:
        self._model = load_saved_elmo(path)
        numbers = _checked(layers, self._model.num_layers)
        if numbers == "mix" and not self._model.has_mix:
            raise _no_mix(f"{path}, whose signature `tokens` gives no `elmo`")
        self._outputs = (
            ["elmo"] if numbers == "mix" else [f"lstm_outputs{number}" for number in numbers]
        )
        self._graph = tf.function(
            self._real_tokens, input_signature=[TOKENS, LENGTHS], autograph=False
        )
        if numbers == "mix" and self._has_layer_norm():
            raise _depends_on_the_batch(str(path))
        self.layers = _names(numbers)
        self.dim = self._model.dim
        self.tokenizer = self._model.tokenizer
        digest = hashlib.sha256()
        for file in (path / "saved_model.pb", *sorted(path.glob("variables/*"))):
            with open(file, "rb") as content:
                while block := content.read(2**20):
                    digest.update(block)
        self.fingerprint = digest.hexdigest()

    def _layers_of(self, batch: list[Sentence]) -> list[tf.Tensor]:
        tokens = np.full((len(batch), len(batch[0].words)), b"", object)
        for row, sentence in zip(tokens, batch, strict=True):
            row[: len(sentence.words)] = sentence.words
        return self._model.called(self._graph, tf.constant(tokens, tf.string), _lengths(batch))

    def _real_tokens(self, tokens: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        layers = self._model.layers(self._outputs, tokens, lengths)
        return [tf.boolean_mask(layer, mask) for layer in layers]

    def _has_layer_norm(self) -> bool:
        """Whether the weighted sum changes with the batch: a SavedModel does not say so."""
        tokens = tf.constant([["a", ""], ["The", "."]])
        (alone,) = self._model.called(self._graph, tokens[:1, :1], tf.constant([1]))
        (together,) = self._model.called(self._graph, tokens, tf.constant([1, 2]))
        # Sums in another order change the last of some seven digits; layer norm, the first ones.
        return not np.allclose(alone[0], together[0], rtol=1e-3, atol=1e-4, equal_nan=True)


def encoder_of(model: Model, layers: Layers = None, dtype: str | None = None) -> Encoder:
    """The encoder of a model, or of the file or folder of one; refuses what is none.

    `layers` are numbers, or "mix" for the weighted sum; None for all. `dtype` is "float32" or
    "bfloat16", of the weights and products; None for the model's own.
    """
    if isinstance(model, (str, os.PathLike)):
        model = find_model(model)
        kind = detect(model)
        if kind == "saved model":
            if dtype is not None:
                raise ValueError(
                    f"{model} is a SavedModel, which computes in the dtype of its export. Export "
                    f"the weights again (`elmo-tf2 export MODEL OUT --dtype {dtype}`), or give "
                    "them here."
                )
            return SavedModelEncoder(model, layers)
        if kind == "tf1 hub module":
            raise ValueError(
                f"{model} is a TF1 Hub module, whose weights do not show all of its configuration. "
                "Convert it to a model folder, and give that."
            )
        model = ElmoEmbeddings.from_weights(read_weights(model, read_softmax=False))
    if not isinstance(model, (BiLM, ElmoEmbeddings)):
        raise ValueError(
            "`model` must be a BiLM, an ElmoEmbeddings, or the path of a model folder or "
            f"SavedModel. Received: {type(model).__name__}."
        )
    return LayerEncoder(model if dtype is None else in_dtype(model, dtype), layers)


def _checked(layers: Layers, num_layers: int) -> Sequence[int] | Literal["mix"]:
    """The argument, or the numbers of all layers for None."""
    if layers is None:
        return range(num_layers)
    if layers == "mix":
        return "mix"
    numbers = [] if isinstance(layers, str) else list(layers)
    is_valid = all(type(number) is int and 0 <= number < num_layers for number in numbers)
    if not numbers or not is_valid or len(set(numbers)) < len(numbers):
        raise ValueError(
            f'`layers` must be different numbers from 0 to {num_layers - 1}, or "mix". '
            f"Received: layers={layers!r}."
        )
    return numbers


def _names(layers: Sequence[int] | Literal["mix"]) -> list[str]:
    return ["mix"] if layers == "mix" else [f"layer{number}" for number in layers]


def _no_mix(model: str) -> ValueError:
    return ValueError(
        '`layers="mix"` needs a model that has one weighted sum of its layers. Received: '
        f"{model}. Choose layers by their numbers."
    )


def _depends_on_the_batch(model: str) -> ValueError:
    return ValueError(
        f'`layers="mix"`: the weighted sum of {model} has layer_norm, which makes a sentence\'s '
        "vectors depend on what shares its batch. Choose layers by their numbers."
    )


def _mix_of(model: BiLM | ElmoEmbeddings) -> ScalarMix:
    """The weighted sum of a layer, which must be one and the same for every batch."""
    mixes = model.mixes if isinstance(model, ElmoEmbeddings) else []
    if len(mixes) != 1:
        raise _no_mix(f"{type(model).__name__} with {len(mixes)} of them")
    if mixes[0].layer_norm:
        raise _depends_on_the_batch(f"the {type(model).__name__}")
    if not mixes[0].built:
        mixes[0].build()
    return mixes[0]


def _words(batch: list[Sentence]) -> list[bytes]:
    return [word for sentence in batch for word in sentence.words]


def _lengths(batch: list[Sentence]) -> tf.Tensor:
    return tf.constant([len(sentence.words) for sentence in batch], tf.int32)
