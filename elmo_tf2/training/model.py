"""The language model of a pretraining run, or of weights."""

import dataclasses

import keras

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data import Vocabulary
from elmo_tf2.models import LanguageModel, MaskedLanguageModel, PretrainingModel, set_bilm_arrays
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.training.optimizers import make_optimizer
from elmo_tf2.weights import ElmoWeights


def make_model(
    config: PretrainingConfig, vocabulary: Vocabulary, initial: ElmoWeights | None = None
) -> PretrainingModel:
    """The compiled model of a run before its first update."""
    keras.utils.set_random_seed(config.seed)
    is_sampled = config.num_negatives is not None and config.num_negatives < len(vocabulary)
    model = _class_of(config.model)(
        config.model,
        len(vocabulary),
        config.batch_size,
        dropout=config.dropout,
        num_negatives=config.num_negatives if is_sampled else None,
        seed=config.seed,
        dtype=config.precision,
    )
    if config.initial_bias == "log_uniform":
        model.softmax.bias.assign(model.softmax.log_uniform())
    if initial is not None:
        _set_weights(model, initial, vocabulary)
    model.compile(make_optimizer(config))
    return model


def language_model(weights: ElmoWeights) -> tuple[PretrainingModel, Vocabulary]:
    """A language model for evaluation.

    Args:
        weights: with softmax and vocabulary.

    Returns:
        The model, a `LanguageModel` or `MaskedLanguageModel`, and its vocabulary.

    Raises:
        ValueError: if the weights have no softmax or no vocabulary.
    """
    if weights.softmax is None or weights.vocabulary is None:
        missing = "softmax" if weights.softmax is None else "vocabulary (vocab.txt)"
        raise ValueError(
            f"{weights.source} has no {missing}, so it is an encoder and no language model. Take a "
            "pretraining run, a training checkpoint, or a model folder with softmax.hdf5."
        )
    vocabulary = Vocabulary(weights.vocabulary, weights.source)
    model = _class_of(weights.config)(
        weights.config, len(vocabulary), batch_size=1, num_negatives=None
    )
    _set_weights(model, weights, vocabulary)
    return model, vocabulary


def _class_of(config: ElmoConfig) -> type[PretrainingModel]:
    return MaskedLanguageModel if config.is_merged else LanguageModel


def _set_weights(model: PretrainingModel, weights: ElmoWeights, vocabulary: Vocabulary) -> None:
    """Assigns weights to a language model, with their softmax if they have one."""
    # The tokenizer of their text does not matter to the weights.
    sizes = dataclasses.replace(weights.config, tokenizer=model.config.tokenizer)
    if sizes != model.config:
        raise ValueError(
            f"{weights.source} has other sizes than the run's configuration:\n"
            f"  {weights.config}\n  {model.config}\nTake a configuration of the same sizes."
        )
    set_bilm_arrays(model.bilm, weights.arrays)
    if weights.softmax is None:
        return
    if weights.vocabulary is not None and weights.vocabulary != vocabulary.words:
        raise ValueError(
            f"{weights.source} has a softmax of another vocabulary than the run. Train with its "
            "vocabulary, or remove its softmax to begin with a new one."
        )
    model.softmax.kernel.assign(weights.softmax.kernel)
    model.softmax.bias.assign(weights.softmax.bias)
