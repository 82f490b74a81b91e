"""Published weights in any form to a model folder; a TF1 Hub module's are compared with its own."""

import dataclasses
import itertools
import logging
import math
import os
from pathlib import Path

import elmo_tf2.keras_backend  # noqa: F401

# isort: split
import numpy as np
import tensorflow as tf
import tensorflow_hub as hub

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.tokenizers import split_at_spaces
from elmo_tf2.files import StrPath, check_free
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.weights import (
    ElmoWeights,
    Kind,
    detect,
    expected_shapes,
    read_model_folder,
    read_weights,
    write_model_folder,
)
from elmo_tf2.weights.model_folder import MODEL_FOLDER_PARTS
from elmo_tf2.weights.saved_graph import graph_errors, load_graph
from elmo_tf2.word_ids import words_to_ids

logger = logging.getLogger(__name__)

TOLERANCE = 1e-4  # of a module's own vectors
SENTENCES = (
    "The cat is on the mat .",
    "Dogs are in the fog",
    "x",
    "In 1969 , Armstrong 's words , na\u00efve or not , reached 600 million people :",
    "a a a a a a a a a a a a a a a a a a a a a a a a",
    "Rindfleischetikettierungs\u00fcberwachungsaufgaben\u00fcbertragungsgesetz \u4eca\u65e5",
)


@dataclasses.dataclass(frozen=True)
class Conversion:
    """What was converted.

    `max_difference` is the largest one between vectors computed from the weights and those of the
    module itself, of a TF1 Hub module that was run; `rounding` is what float16 makes of the vectors
    of a few sentences. Both are None if they were not measured.
    """

    kind: Kind
    config: ElmoConfig
    parameters: int
    folder: Path
    max_difference: float | None
    rounding: float | None = None


def convert(
    source: StrPath,
    folder: StrPath,
    options: StrPath | None = None,
    vocab: StrPath | None = None,
    prove: bool = True,
    overwrite: bool = False,
    dtype: str = "float32",
) -> Conversion:
    """Turns published weights in any form into a model folder."""
    check_free(folder, overwrite, MODEL_FOLDER_PARTS, [source, options, vocab])
    kind, weights, max_difference = _read_and_verify(source, options, vocab, True, prove)
    write_model_folder(weights, folder, overwrite=overwrite, dtype=dtype)
    rounding = None if dtype == "float32" else _difference_of_layers(weights, folder)
    return Conversion(
        kind=kind,
        config=weights.config,
        parameters=num_parameters(weights.config),
        folder=Path(folder),
        max_difference=max_difference,
        rounding=rounding,
    )


def load_weights(
    source: StrPath,
    options: StrPath | None = None,
    vocab: StrPath | None = None,
    prove: bool = True,
) -> ElmoWeights:
    """Reads published weights as `convert` does, without a language model's softmax."""
    _, weights, _ = _read_and_verify(source, options, vocab, False, prove)
    return weights


def num_parameters(config: ElmoConfig) -> int:
    """Number of the encoder's weights, the padding's row of the character table included."""
    in_files = sum(map(math.prod, expected_shapes(config).values()))
    return in_files + (config.char_embedding_dim if config.filters else 0) + config.word_dim


def verify_tf1_hub(weights: ElmoWeights, module: StrPath) -> tuple[ElmoWeights, float]:
    """Compares vectors computed from a TF1 Hub module's weights with the module's own.

    The shapes of the weights leave open whether the module puts `<S>` and `</S>` round a sentence,
    its activation, skip connections and clips; of all that, what gives the module's own vectors is
    what it has. The module's graph is run, if it has no operations but those of an ELMo.

    Returns the weights with the configuration that was found, and the largest difference.
    """
    expected = _vectors_of_module(os.fspath(module), tf.constant(SENTENCES))
    smallest = np.inf
    wrong = set()  # activations that give other word vectors, whatever comes after
    for config in _possible_configs(weights.config):
        if config.activation in wrong:
            continue
        candidate = dataclasses.replace(weights, config=config)
        differences = _differences(candidate, expected)
        difference = max(differences.values())
        logger.info("%s: difference %.1e with %s", module, difference, config)
        if difference <= TOLERANCE:
            return candidate, difference
        smallest = min(smallest, difference)
        if differences.get("word_emb", 0) > TOLERANCE:
            wrong.add(config.activation)
    raise ValueError(
        f"{module}: the weights do not give the module's own vectors. Smallest difference: "
        f"{smallest:.1e}, allowed {TOLERANCE:.0e}. It is no ELMo as bilm-tf's; nothing was "
        "converted."
    )


def _possible_configs(config: ElmoConfig) -> list[ElmoConfig]:
    """Configurations with the same shapes, those of published modules first."""
    return [
        dataclasses.replace(
            config,
            sentence_boundaries=boundaries,
            use_skip_connections=skip,
            activation=activation,
            cell_clip=clip,
            projection_clip=clip,
        )
        for activation, clip, skip, boundaries in itertools.product(
            ("relu", "tanh"), (3.0, None), (True, False), (True, False)
        )
    ]


def _vectors_of_module(module: str, sentences: tf.Tensor) -> dict[str, np.ndarray]:
    """What the module itself gives, by the names of its outputs."""
    try:
        signatures = load_graph(module, hub.load).signatures
    except ValueError as error:
        raise ValueError(
            f"{error} Without the comparison (`prove=False`, on the command line `--no-prove`) the "
            "graph is not needed."
        ) from error
    inputs = signatures["default"].structured_input_signature[1] if "default" in signatures else {}
    if [spec.dtype for spec in inputs.values()] != [tf.string]:
        raise ValueError(
            f"{module} must have a signature `default` with one input of strings to compare with. "
            f"Found: signatures {sorted(signatures)}, inputs {sorted(inputs)}."
        )
    with graph_errors(f"{module}: the signature `default` fails for {len(sentences)} sentences"):
        outputs = signatures["default"](**dict.fromkeys(inputs, sentences))
        return {name: value.numpy() for name, value in outputs.items()}


def _vectors_of_weights(weights: ElmoWeights) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """What such a module must give, and where real words are: the rest may be anything."""
    words, lengths = split_at_spaces(tf.constant(SENTENCES))
    elmo = ElmoEmbeddings.from_weights(weights)
    is_real = tf.sequence_mask(lengths)
    ids = tf.where(is_real[..., tf.newaxis], words_to_ids(words, weights.config), 0)
    layers = elmo.encoder(ids).layers()
    vectors = {
        "word_emb": layers[0][..., : weights.config.projection_dim],
        **{f"lstm_outputs{index}": layers[index] for index in range(1, len(layers))},
        "elmo": elmo.mixes[0](layers),
    }
    return {name: value.numpy() for name, value in vectors.items()}, is_real.numpy()


def _differences(weights: ElmoWeights, expected: dict[str, np.ndarray]) -> dict[str, float]:
    """The largest difference of every output that the module has."""
    found, is_real = _vectors_of_weights(weights)
    compared = sorted(set(found) & set(expected))
    if not compared:
        raise ValueError(
            f"{weights.source}: the module has no output to compare with. Expected any of "
            f"{sorted(found)}. Found: {sorted(expected)}."
        )
    differences = {}
    for name in compared:
        values = expected[name]
        if values.shape != found[name].shape:
            raise ValueError(
                f"{weights.source}: the module's output `{name}` has another shape than an ELMo of "
                f"these weights gives. Expected {found[name].shape}. Found: {values.shape}."
            )
        if values.dtype != np.float32 or not np.isfinite(values[is_real]).all():
            raise ValueError(
                f"{weights.source}: the module's output `{name}` must be finite numbers of "
                f"float32. Found: {values.dtype}, or NaN or infinite."
            )
        differences[name] = float(np.abs(found[name] - values)[is_real].max())
    return differences


def _read_and_verify(
    source: StrPath,
    options: StrPath | None,
    vocab: StrPath | None,
    read_softmax: bool,
    verify: bool,
) -> tuple[Kind, ElmoWeights, float | None]:
    source = os.path.expanduser(source)
    kind = detect(source)
    weights = read_weights(source, options, vocab, read_softmax)
    if verify and kind == "tf1 hub module":
        return kind, *verify_tf1_hub(weights, source)
    return kind, weights, None


def _difference_of_layers(weights: ElmoWeights, folder: StrPath) -> float:
    """The largest difference between vectors of these weights and those of a model folder."""

    def layers(of: ElmoWeights) -> list[tf.Tensor]:
        elmo = ElmoEmbeddings.from_weights(of, output="layers", tokenizer="spaces")
        return elmo(list(SENTENCES))

    written = layers(read_model_folder(folder, read_softmax=False))
    pairs = zip(layers(weights), written, strict=True)
    return max(float(tf.reduce_max(tf.abs(one - other))) for one, other in pairs)
