"""Pretraining: a text becomes a language model."""

import contextlib
import dataclasses
import math
import os
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data import Position, Vocabulary, training_windows
from elmo_tf2.data.windows import check_enough_text
from elmo_tf2.models import (
    LanguageModel,
    MaskedLanguageModel,
    PretrainingModel,
    set_bilm_arrays,
)
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.training.bookkeeping import Bookkeeping, is_chief
from elmo_tf2.training.checkpoints import Checkpoints
from elmo_tf2.training.optimizers import make_optimizer
from elmo_tf2.training.run_folder import RunFolder
from elmo_tf2.validation import check_integer
from elmo_tf2.weights import ElmoWeights


def pretrain(
    run: str | os.PathLike[str],
    *,
    initial: ElmoWeights | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    report_every: int = 10,
    save_every: int = 500,
    evaluate_every: int = 2_000,
) -> PretrainingModel:
    """Trains until the configured number of updates; goes on where the run stopped.

    Under a `tf.distribute` strategy's scope the rows of a batch are shared out to its devices.

    Args:
        run: a run's folder, see `RunFolder.create`.
        initial: weights to begin with, in a run without checkpoints; their softmax, if they have
            one, must be of the run's vocabulary. None: random ones.
        callbacks: Keras callbacks. What they know as an epoch are `report_every` updates; the
            logs have `update`, `loss`, `perplexity`, `learning_rate`, `tokens_per_second`, and
            `heldout_perplexity` when it was measured.
        report_every: int > 0. Updates between two reports.
        save_every: int > 0. Updates between two checkpoints.
        evaluate_every: int > 0. Updates between two measurements of the held-out perplexity.

    Returns:
        The model, trained.

    Raises:
        FileNotFoundError: if `run` is no run's folder or a file of text is missing.
        KeyboardInterrupt: if it was interrupted; a checkpoint has been saved then.
        FloatingPointError: if the loss or a weight becomes NaN or infinite. The last checkpoint is
            from before.
        OSError: if the disk is full or can't be written.
        ValueError: if the text, the vocabulary or the initial weights do not fit, or another
            process trains the run.
    """
    for name, value in (
        ("report_every", report_every),
        ("save_every", save_every),
        ("evaluate_every", evaluate_every),
    ):
        check_integer(name, value)
    folder = RunFolder(run)
    folder.read_config()  # fails if it is none
    with folder.locked() if is_chief() else contextlib.nullcontext():
        return _train(folder, initial, callbacks, report_every, save_every, evaluate_every)


def _train(
    folder: RunFolder,
    initial: ElmoWeights | None,
    callbacks: Sequence[keras.callbacks.Callback],
    report_every: int,
    save_every: int,
    evaluate_every: int,
) -> PretrainingModel:
    config = folder.read_config()
    vocabulary = Vocabulary(folder.read_vocabulary(), str(folder.vocabulary_file))
    files, heldout = folder.read_text()
    # Before the model, whose states have the size of a batch.
    check_enough_text(files, config.batch_size, config.unroll_steps, config.masking)
    model = make_model(config, vocabulary, initial)
    checkpoints = Checkpoints(model, folder.checkpoints)
    if checkpoints.latest:
        checkpoints.restore()
    if is_chief():
        checkpoints.remove_leftovers()
        folder.cut_history(model.num_updates)
    shard, window = tf.unstack(tf.convert_to_tensor(model.position))
    start = Position(int(shard), int(window) + 1) if model.num_windows else Position()
    dataset = _distributed_windows(config, files, vocabulary, start)
    bookkeeping = Bookkeeping(
        folder,
        config,
        checkpoints,
        vocabulary,
        heldout,
        save_every,
        evaluate_every,
        done=model.num_updates,
    )
    left = config.updates * config.accumulate - model.num_windows
    if left > 0:
        try:
            model.fit(
                dataset,
                epochs=math.ceil(left / (report_every * config.accumulate)),
                steps_per_epoch=report_every * config.accumulate,
                callbacks=[bookkeeping, *callbacks],
                shuffle=False,  # the dataset is shuffled; True would warn of that
                verbose=0,
            )
        except KeyboardInterrupt:
            bookkeeping.stop()
            raise
    return model


def make_model(
    config: PretrainingConfig, vocabulary: Vocabulary, initial: ElmoWeights | None = None
) -> PretrainingModel:
    """Makes the compiled model of a run before its first update."""
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
        set_initial_weights(model, initial, vocabulary)
    model.compile(make_optimizer(config))
    return model


def _class_of(config: ElmoConfig) -> type[PretrainingModel]:
    return MaskedLanguageModel if config.is_merged else LanguageModel


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
    set_initial_weights(model, weights, vocabulary)
    return model, vocabulary


def set_initial_weights(
    model: PretrainingModel, weights: ElmoWeights, vocabulary: Vocabulary
) -> None:
    """Gives a language model the weights of another one, with its softmax if it has one."""
    # What made words of the text that it was trained on is no matter of its weights.
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
            "vocabulary, or leave its softmax away to begin with a new one."
        )
    model.softmax.kernel.assign(weights.softmax.kernel)
    model.softmax.bias.assign(weights.softmax.bias)


def _distributed_windows(
    config: PretrainingConfig, files: Sequence[str], vocabulary: Vocabulary, start: Position
) -> Any:
    """The training text; with several devices each gets its rows of a batch."""
    strategy = tf.distribute.get_strategy()
    replicas = strategy.num_replicas_in_sync
    if config.batch_size % replicas:
        raise ValueError(
            f"`batch_size` must be a multiple of the number of devices, {replicas}. "
            f"Received: batch_size={config.batch_size}."
        )

    def windows(context: tf.distribute.InputContext) -> tf.data.Dataset:
        rows = config.batch_size // context.num_input_pipelines
        first = context.input_pipeline_id * rows
        dataset = training_windows(
            files,
            vocabulary,
            config.batch_size,
            config.unroll_steps,
            seed=config.seed,
            start=start,
            rows=(first, first + rows),
            lowercase_rate=config.lowercase_rate,
            max_characters=config.model.max_characters,
            masking=config.masking,
        )
        return dataset.rebatch(config.batch_size // replicas) if replicas > 1 else dataset

    if replicas == 1:
        return windows(tf.distribute.InputContext())
    return strategy.distribute_datasets_from_function(windows)
