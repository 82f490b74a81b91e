"""What computes the vectors: a model of this package, or a SavedModel it exported."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from elmo_tf2.characters import sentences_to_char_ids
from elmo_tf2.features.text import Sentence
from elmo_tf2.models import BiLM, ElmoEmbeddings
from elmo_tf2.weights import detect, read_weights

Model = BiLM | ElmoEmbeddings | str | os.PathLike[str]

_TOKENS = tf.TensorSpec([None, None], tf.string)
_LENGTHS = tf.TensorSpec([None], tf.int32)


class Encoder(NamedTuple):
    """Padded words and lengths to layers, whatever computes them.

    Attributes:
        function: of words `(batch, tokens)` and lengths `(batch,)` to a list of layers
            `(batch, tokens, dim)`.
        num_layers: number of layers.
        dim: size of a layer's vector.
        fingerprint: differs between models that differ in any value.
        tokenizer: what makes words of sentences, the model's own.
        owner: what holds the variables; a SavedModel's functions do not keep them alive.
    """

    function: Callable[[tf.Tensor, tf.Tensor], list[tf.Tensor]]
    num_layers: int
    dim: int
    fingerprint: str
    tokenizer: str
    owner: Any

    def encode(self, batch: list[Sentence]) -> list[np.ndarray]:
        """Computes a batch.

        Args:
            batch: sentences, the longest one first.

        Returns:
            float32 arrays `(num_layers, tokens, dim)`, one a sentence.
        """
        tokens = np.full((len(batch), len(batch[0].words)), b"", object)
        lengths = np.array([len(sentence.words) for sentence in batch], np.int32)
        for row, length, sentence in zip(tokens, lengths, batch, strict=True):
            row[:length] = sentence.words
        layers = self.function(tf.constant(tokens, tf.string), tf.constant(lengths))
        arrays = [layer.numpy() for layer in layers]
        return [
            np.stack([array[row, :length] for array in arrays])
            for row, length in enumerate(lengths)
        ]


def encoder_of(model: Model) -> Encoder:
    """The encoder of a model.

    Args:
        model: a `BiLM`, an `ElmoEmbeddings`, or the path of a SavedModel or of what
            `read_weights` reads, but for a TF1 Hub module.

    Returns:
        An `Encoder`.

    Raises:
        FileNotFoundError: if there is nothing at the path.
        ValueError: if it is none of these.
    """
    if isinstance(model, (str, os.PathLike)):
        kind = detect(model)
        if kind == "saved model":
            return _of_saved_model(Path(model))
        if kind == "tf1 hub module":
            raise ValueError(
                f"{model} is a TF1 Hub module, whose weights do not tell all of its configuration. "
                "Convert it to a model folder, and give that."
            )
        model = ElmoEmbeddings.from_weights(read_weights(model, read_softmax=False))
    bilm = model.encoder if isinstance(model, ElmoEmbeddings) else model
    if not isinstance(bilm, BiLM):
        raise ValueError(
            "`model` must be a BiLM, an ElmoEmbeddings, or the path of a model folder or "
            f"SavedModel. Received: {type(model).__name__}."
        )
    return _of_bilm(bilm)


def _of_bilm(bilm: BiLM) -> Encoder:
    if not bilm.built:
        bilm.build()
    config = bilm.config

    @tf.function(input_signature=[_TOKENS, _LENGTHS], autograph=False)
    def layers(tokens: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        output = bilm(sentences_to_char_ids(tokens, lengths, config.max_characters))
        return [tf.cast(layer, tf.float32) for layer in output.layers()]

    digest = hashlib.sha256(repr((config, bilm.dtype_policy.name)).encode())
    for variable in bilm.variables:
        digest.update(variable.numpy().tobytes())
    return Encoder(
        layers,
        config.num_layers + 1,
        config.layer_dim,
        digest.hexdigest(),
        config.tokenizer,
        bilm,
    )


def _of_saved_model(path: Path) -> Encoder:
    try:
        loaded = tf.saved_model.load(str(path))
    except (OSError, LookupError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"{path} can't be loaded as a SavedModel: {error}. It was cut short or damaged; export "
            "it again."
        ) from error
    signature = loaded.signatures.get("tokens")
    outputs = {} if signature is None else signature.structured_outputs
    names = [f"lstm_outputs{index}" for index in range(1, len(outputs) + 1)]
    names = [name for name in names if name in outputs]
    if not names or "word_emb" not in outputs:
        raise ValueError(
            f"{path} must have a signature `tokens` that gives `word_emb` and `lstm_outputs1`, as "
            f"an exported ELMo has. Found: the signatures {sorted(loaded.signatures)}."
        )

    def layers(tokens: tf.Tensor, lengths: tf.Tensor) -> list[tf.Tensor]:
        outputs = signature(tokens=tokens, sequence_len=lengths)
        word_layer = tf.concat([outputs["word_emb"]] * 2, axis=-1)
        return [word_layer, *(outputs[name] for name in names)]

    digest = hashlib.sha256()
    for file in (path / "saved_model.pb", *sorted(path.glob("variables/*"))):
        with open(file, "rb") as content:
            while block := content.read(2**20):
                digest.update(block)
    dim = outputs[names[0]].shape[-1]
    tokenizer = loaded.tokenizer().numpy().decode() if hasattr(loaded, "tokenizer") else "spaces"
    return Encoder(layers, len(names) + 1, dim, digest.hexdigest(), tokenizer, loaded)
