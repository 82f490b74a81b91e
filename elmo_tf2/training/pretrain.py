"""Pretraining: a text becomes a language model."""

import contextlib
import dataclasses
import itertools
import math
import os
import time
from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data import Position, Vocabulary, training_windows
from elmo_tf2.data.text_files import read_lines
from elmo_tf2.data.windows import check_enough_text
from elmo_tf2.models import (
    LanguageModel,
    MaskedLanguageModel,
    PretrainingModel,
    set_bilm_arrays,
)
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.training.checkpoints import Checkpoints
from elmo_tf2.training.evaluate import perplexity
from elmo_tf2.training.optimizers import make_optimizer
from elmo_tf2.training.run_folder import HISTORY_COLUMNS, RunFolder
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
    with folder.locked() if _is_chief() else contextlib.nullcontext():
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
    if _is_chief():
        checkpoints.remove_leftovers()
        folder.cut_history(model.num_updates)
    shard, window = tf.unstack(tf.convert_to_tensor(model.position))
    start = Position(int(shard), int(window) + 1) if model.num_windows else Position()
    dataset = _distributed_windows(config, files, vocabulary, start)
    bookkeeping = _Bookkeeping(
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


def _is_chief() -> bool:
    """Whether this is the one worker of several that writes the run's folder."""
    return tf.distribute.get_strategy().extended.should_checkpoint


class _Bookkeeping(keras.callbacks.Callback):
    """Checks the loss, records it, measures the held-out perplexity, and saves."""

    def __init__(
        self,
        folder: RunFolder,
        config: PretrainingConfig,
        checkpoints: Checkpoints,
        vocabulary: Vocabulary,
        heldout: str | None,
        save_every: int,
        evaluate_every: int,
        done: int,
    ) -> None:
        super().__init__()
        self._counted = self._saved = done  # the updates that were reported, and saved
        self._folder = folder
        self._config = config
        self._checkpoints = checkpoints
        self._vocabulary = vocabulary
        self._heldout = heldout
        self._save_every = save_every
        self._evaluate_every = evaluate_every
        self._is_chief = _is_chief()
        self._writer = (
            tf.summary.create_file_writer(str(folder.logs))
            if self._is_chief
            else tf.summary.create_noop_writer()
        )

    @property
    def _update(self) -> int:
        return self.model.num_updates

    def on_train_begin(self, logs: Any = None) -> None:
        windows = self._config.updates * self._config.accumulate
        self._left = windows - self.model.num_windows
        self._time = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._left -= 1
        if not self._left:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._report(logs, is_held_out_due=self._is_due(self._evaluate_every) or not self._left)
        if self._is_due(self._save_every):
            self._save()
        self._time, self._counted = time.monotonic(), self._update

    def _report(self, logs: dict[str, Any], is_held_out_due: bool) -> None:
        update, loss = self._update, logs["loss"]
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss became {loss} by update {update}. The last good checkpoint is "
                f"{self._checkpoints.latest}. Go on from that with a lower learning rate."
            )
        config = self._config
        tokens = config.batch_size * config.unroll_steps * config.accumulate
        rate = tokens * (update - self._counted) / (time.monotonic() - self._time)
        logs |= {
            "update": update,
            "perplexity": float(tf.exp(tf.constant(loss, tf.float64))),  # at worst infinite
            "learning_rate": float(tf.convert_to_tensor(self.model.optimizer.learning_rate)),
            "tokens_per_second": rate,
        }
        if not self._is_chief:
            return
        if self._heldout and is_held_out_due:
            lines = itertools.chain.from_iterable(read_lines(self._heldout, is_first_time=False))
            logs["heldout_perplexity"] = perplexity(self.model, lines, self._vocabulary).mean
        self._folder.record({name: logs.get(name) for name in HISTORY_COLUMNS})
        with self._writer.as_default(step=update):
            for name, value in logs.items():
                tf.summary.scalar(name, value)

    def _is_due(self, every: int) -> bool:
        """Whether a multiple of this number of updates has been passed since the last report."""
        return self._update // every > self._counted // every

    def stop(self) -> None:
        """Reports and saves what was done since the last report, after an interruption."""
        if self.model is None:  # it had not begun
            return
        if self._update > self._counted:
            self._report(
                {"loss": float(tf.convert_to_tensor(self.model.loss_tracker.result()))}, False
            )
        self.on_train_end()

    def on_train_end(self, logs: Any = None) -> None:
        if self._update > self._saved:
            self._save()
        self._writer.close()

    def _save(self) -> None:
        if self._is_chief:
            self._checkpoints.save()
        self._saved = self._update
