"""What computes the vectors: a model of this package, or a SavedModel it exported."""

import hashlib
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf2.characters import words_to_char_ids
from elmo_tf2.features.saved_elmo import LENGTHS, TOKENS, load_saved_elmo
from elmo_tf2.features.text import Sentence
from elmo_tf2.models import BiLM, ElmoEmbeddings
from elmo_tf2.models.precision import in_dtype
from elmo_tf2.weights import detect, read_weights

Model = BiLM | ElmoEmbeddings | str | os.PathLike[str]
Layers = Sequence[int] | str | None

_MAX_WORDS = 65_536  # of the cache: 128 MB of the original size's vectors


class Encoder(NamedTuple):
    """Sentences to the vectors that are wanted, whatever computes them.

    Attributes:
        function: of a batch, the longest sentence first, to layers `(words, dim)`, the words of
            one sentence after another.
        layers: what to call each of them, "layer0" say or "mix".
        dim: size of a layer's vector.
        fingerprint: differs between models that differ in any value.
        tokenizer: what makes words of sentences, the model's own unless it is replaced.
        owner: what holds the variables; a SavedModel's functions do not keep them alive.
        cache: the vectors of words that were met, if the model computes them apart.
        sentence: "mean" or "max" over a sentence's words, or None for the words' own vectors.
        dtype: of the vectors, "float32" or "float16".
    """

    function: Callable[[list[Sentence]], list[tf.Tensor]]
    layers: list[str]
    dim: int
    fingerprint: str
    tokenizer: str
    owner: Any
    cache: "_WordCache | None" = None
    sentence: str | None = None
    dtype: str = "float32"

    def shape(self, sentence: Sentence) -> tuple[int, ...]:
        """The shape of a sentence's vectors.

        Args:
            sentence: the sentence.

        Returns:
            `(layers, tokens, dim)`, or `(layers, dim)` of sentence vectors.
        """
        tokens = () if self.sentence else (len(sentence.words),)
        return (len(self.layers), *tokens, self.dim)

    def num_bytes(self, sentences: int, tokens: int) -> int:
        """The size of the vectors of a text.

        Args:
            sentences: number of them.
            tokens: number of all their words.

        Returns:
            A number of bytes.
        """
        vectors = sentences if self.sentence else tokens
        return vectors * len(self.layers) * self.dim * np.dtype(self.dtype).itemsize

    def encode(self, batch: list[Sentence]) -> list[np.ndarray]:
        """Computes a batch.

        Args:
            batch: sentences, the longest one first.

        Returns:
            Arrays of `shape` and `dtype`, one a sentence.

        Raises:
            ValueError: if a value is NaN, infinite, or past what `dtype` holds.
        """
        ends = np.cumsum([len(sentence.words) for sentence in batch])
        layers = [np.split(layer.numpy(), ends[:-1]) for layer in self.function(batch)]
        return [self._reduced(np.stack(vectors)) for vectors in zip(*layers, strict=True)]

    def learn_words(self, batch: list[Sentence]) -> None:
        """Computes the vectors of words as `encode` does, and nothing else.

        Args:
            batch: sentences.
        """
        if self.cache is not None:
            self.cache.vectors(_words(batch))

    def forget_words(self) -> None:
        """Begins anew, as if no word had been met."""
        if self.cache is not None:
            self.cache.clear()

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


def _words(batch: list[Sentence]) -> list[bytes]:
    return [word for sentence in batch for word in sentence.words]


def _lengths(batch: list[Sentence]) -> tf.Tensor:
    return tf.constant([len(sentence.words) for sentence in batch], tf.int32)


class _WordCache:
    """Vectors of words that were met before; when there is no more room, it begins anew.

    Args:
        compute: of words `(words,)` to their vectors `(words, dim)`.
        dim: size of a vector.
    """

    def __init__(self, compute: Callable[[tf.Tensor], tf.Tensor], dim: int) -> None:
        self._compute = compute
        self._vectors = np.empty((_MAX_WORDS, dim), np.float32)
        self._places: dict[bytes, int] = {}

    def vectors(self, words: list[bytes]) -> np.ndarray:
        """The vectors of words, `(words, dim)`."""
        distinct = dict.fromkeys(words)
        new = [word for word in distinct if word not in self._places]
        if len(self._places) + len(new) > len(self._vectors):
            self._places.clear()
            new = list(distinct)
            if len(new) > len(self._vectors):
                self._vectors = np.empty((len(new), self._vectors.shape[1]), np.float32)
        if new:
            start = len(self._places)
            self._vectors[start : start + len(new)] = self._compute(tf.constant(new)).numpy()
            self._places.update(zip(new, range(start, start + len(new)), strict=True))
        return self._vectors[[self._places[word] for word in words]]

    def clear(self) -> None:
        """Forgets all words."""
        self._places.clear()


def encoder_of(model: Model, layers: Layers = None, dtype: str | None = None) -> Encoder:
    """The encoder of a model.

    Args:
        model: a `BiLM`, an `ElmoEmbeddings`, or the path of a SavedModel or of what
            `read_weights` reads, but for a TF1 Hub module.
        layers: numbers of the layers to compute, "mix" for their weighted sum, None for all.
        dtype: "float32" or "bfloat16", of the weights and products. None: the model's own.

    Returns:
        An `Encoder`.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        ValueError: if it is none of these, or has no such layers; or `dtype` is not None for a
            SavedModel, which computes as it was exported.
    """
    if isinstance(model, (str, os.PathLike)):
        model = Path(os.path.expanduser(model))
        kind = detect(model)
        if kind == "saved model":
            if dtype is not None:
                raise ValueError(
                    f"{model} is a SavedModel, which computes in the dtype of its export. Export "
                    f"the weights again (`elmo-tf2 export MODEL OUT --dtype {dtype}`), or give "
                    "them here."
                )
            return _of_saved_model(model, layers)
        if kind == "tf1 hub module":
            raise ValueError(
                f"{model} is a TF1 Hub module, whose weights do not tell all of its configuration. "
                "Convert it to a model folder, and give that."
            )
        model = ElmoEmbeddings.from_weights(read_weights(model, read_softmax=False))
    if not isinstance(model, (BiLM, ElmoEmbeddings)):
        raise ValueError(
            "`model` must be a BiLM, an ElmoEmbeddings, or the path of a model folder or "
            f"SavedModel. Received: {type(model).__name__}."
        )
    return _of_layer(model if dtype is None else in_dtype(model, dtype), layers)


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


def _of_layer(model: BiLM | ElmoEmbeddings, layers: Layers) -> Encoder:
    bilm = model.encoder if isinstance(model, ElmoEmbeddings) else model
    if not bilm.built:
        bilm.build()
    config = bilm.config
    layers = _checked(layers, config.num_layers + 1)
    variables = list(bilm.variables)
    mixes = model.mixes if isinstance(model, ElmoEmbeddings) else []
    if layers == "mix":
        if len(mixes) != 1:
            raise _no_mix(f"{type(model).__name__} with {len(mixes)} of them")
        if mixes[0].layer_norm:
            raise _depends_on_the_batch(f"the {type(model).__name__}")
        if not mixes[0].built:
            mixes[0].build()
        variables += mixes[0].weights

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)
    def word_vectors(words: tf.Tensor) -> tf.Tensor:
        vectors = bilm.char_cnn(words_to_char_ids(words, config.max_characters))
        return tf.cast(vectors, tf.float32)

    cache = _WordCache(word_vectors, config.projection_dim)
    start = bilm.state_at_start()
    vectors_spec = tf.TensorSpec([None, config.projection_dim], tf.float32)

    @tf.function(input_signature=[vectors_spec, LENGTHS], autograph=False)
    def wanted(vectors: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        mask = tf.sequence_mask(lengths)
        all_layers = bilm.encode_without_gradient(vectors, mask, start).layers()
        if layers == "mix":
            chosen = [mixes[0](all_layers, training=False)]
        else:
            chosen = [all_layers[number] for number in layers]
        return [tf.cast(layer, tf.float32) for layer in chosen]

    def function(batch: list[Sentence]) -> list[tf.Tensor]:
        return wanted(tf.constant(cache.vectors(_words(batch))), _lengths(batch))

    digest = hashlib.sha256(repr((config, bilm.dtype_policy.name)).encode())
    for variable in variables:
        digest.update(variable.numpy().tobytes())
    return Encoder(
        function,
        _names(layers),
        config.layer_dim,
        digest.hexdigest(),
        config.tokenizer,
        model,
        cache,
    )


def _of_saved_model(path: Path, layers: Layers) -> Encoder:
    model = load_saved_elmo(path)
    layers = _checked(layers, model.num_layers)
    if layers == "mix" and not model.has_mix:
        raise _no_mix(f"{path}, whose signature `tokens` gives no `elmo`")
    names = ["elmo"] if layers == "mix" else [f"lstm_outputs{number}" for number in layers]

    @tf.function(input_signature=[TOKENS, LENGTHS], autograph=False)
    def wanted(tokens: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        mask = tf.sequence_mask(lengths, tf.shape(tokens)[1])
        return [tf.boolean_mask(layer, mask) for layer in model.layers(names, tokens, lengths)]

    if layers == "mix" and _has_layer_norm(partial(model.called, wanted)):
        raise _depends_on_the_batch(str(path))

    def function(batch: list[Sentence]) -> list[tf.Tensor]:
        tokens = np.full((len(batch), len(batch[0].words)), b"", object)
        for row, sentence in zip(tokens, batch, strict=True):
            row[: len(sentence.words)] = sentence.words
        return model.called(wanted, tf.constant(tokens, tf.string), _lengths(batch))

    digest = hashlib.sha256()
    for file in (path / "saved_model.pb", *sorted(path.glob("variables/*"))):
        with open(file, "rb") as content:
            while block := content.read(2**20):
                digest.update(block)
    return Encoder(
        function, _names(layers), model.dim, digest.hexdigest(), model.tokenizer, model.owner
    )


def _has_layer_norm(mix: Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]]) -> bool:
    """Whether a weighted sum changes with the batch: a SavedModel does not tell."""
    tokens = tf.constant([["a", ""], ["The", "."]])
    (alone,) = mix(tokens[:1, :1], tf.constant([1]))
    (together,) = mix(tokens, tf.constant([1, 2]))
    # Sums in another order change the last of some seven digits; layer norm, the first ones.
    return not np.allclose(alone[0, 0], together[0, 0], rtol=1e-3, atol=1e-4, equal_nan=True)
