"""Pretraining: a text becomes a language model."""

import contextlib
import functools
import itertools
import math
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.data import Position, Vocabulary, training_windows
from elmo_tf2.data.text_files import read_lines
from elmo_tf2.data.windows import check_enough_text
from elmo_tf2.models import PretrainingModel
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.training.checkpoints import Checkpoints
from elmo_tf2.training.evaluate import perplexity
from elmo_tf2.training.model import make_model
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
    """Trains until the configured number of updates; resumes a run that was stopped.

    Under a `tf.distribute` strategy's scope its devices share the rows of a batch.

    Args:
        run: a run's folder, see `RunFolder.create`.
        initial: weights to begin with, in a run without checkpoints; their softmax, if they have
            one, must be of the run's vocabulary. None: random ones.
        callbacks: Keras callbacks. An epoch is `report_every` updates; the logs have `update`,
            `loss`, `perplexity`, `learning_rate`, `tokens_per_second`, and `heldout_perplexity`
            when it was measured.
        report_every: int > 0. Updates between two reports.
        save_every: int > 0. Updates between two checkpoints.
        evaluate_every: int > 0. Updates between two measurements of the held-out perplexity.

    Returns:
        The trained model.

    Raises:
        FileNotFoundError: if `run` is not a run's folder or a file of text is missing.
        KeyboardInterrupt: if it was interrupted; a checkpoint has been saved by then.
        FloatingPointError: if the loss or a weight becomes NaN or infinite. The last checkpoint is
            from before.
        OSError: if the disk is full or can't be written.
        ValueError: if the text, the vocabulary or the initial weights do not fit, or another
            process trains the run.
    """
    check_integer("report_every", report_every)
    check_integer("save_every", save_every)
    check_integer("evaluate_every", evaluate_every)
    folder = RunFolder(run)
    config = folder.read_config()
    with folder.locked() if _is_chief() else contextlib.nullcontext():
        return _train(folder, config, initial, callbacks, report_every, save_every, evaluate_every)


def _train(
    folder: RunFolder,
    config: PretrainingConfig,
    initial: ElmoWeights | None,
    callbacks: Sequence[keras.callbacks.Callback],
    report_every: int,
    save_every: int,
    evaluate_every: int,
) -> PretrainingModel:
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
    evaluate = None
    if heldout is not None:
        evaluate = functools.partial(_heldout_perplexity, model, heldout, vocabulary)
    callback = _RunCallback(folder, config, checkpoints, evaluate, save_every, evaluate_every)
    steps = config.gradient_accumulation_steps
    windows_left = config.updates * steps - model.num_windows
    if windows_left > 0:
        try:
            model.fit(
                dataset,
                epochs=math.ceil(windows_left / (report_every * steps)),
                steps_per_epoch=report_every * steps,
                callbacks=[callback, *callbacks],
                shuffle=False,  # the dataset is shuffled; True would warn of that
                verbose=0,
            )
        except KeyboardInterrupt:
            callback.stop()
            raise
    return model


def _heldout_perplexity(model: PretrainingModel, text: str, vocabulary: Vocabulary) -> float:
    lines = itertools.chain.from_iterable(read_lines(text, warn=False))
    return perplexity(model, lines, vocabulary).mean


def _distributed_windows(
    config: PretrainingConfig, files: Sequence[str], vocabulary: Vocabulary, start: Position
) -> Any:
    """The training text; each of several devices gets its rows of a batch."""
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
            model=config.model,
            masking=config.masking,
        )
        return dataset.rebatch(config.batch_size // replicas) if replicas > 1 else dataset

    if replicas == 1:
        return windows(tf.distribute.InputContext())
    return strategy.distribute_datasets_from_function(windows)


def _is_chief() -> bool:
    """Whether this is the one worker of several that writes the run's folder."""
    return tf.distribute.get_strategy().extended.should_checkpoint


class _RunCallback(keras.callbacks.Callback):
    """Checks the loss, records it, measures the held-out perplexity, and saves.

    `heldout_perplexity` measures it; None if there is no held-out text.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: PretrainingConfig,
        checkpoints: Checkpoints,
        heldout_perplexity: Callable[[], float] | None,
        save_every: int,
        evaluate_every: int,
    ) -> None:
        super().__init__()
        self._folder = folder
        self._config = config
        self._checkpoints = checkpoints
        self._heldout_perplexity = heldout_perplexity
        self._save_every = save_every
        self._evaluate_every = evaluate_every
        self._is_chief = _is_chief()
        self._writer = (
            tf.summary.create_file_writer(str(folder.logs))
            if self._is_chief
            else tf.summary.create_noop_writer()
        )

    def set_model(self, model: PretrainingModel) -> None:
        super().set_model(model)
        self._reported = self._saved = model.num_updates

    def on_train_begin(self, logs: Any = None) -> None:
        windows = self._config.updates * self._config.gradient_accumulation_steps
        self._windows_left = windows - self.model.num_windows
        self._time = time.monotonic()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._windows_left -= 1
        if not self._windows_left:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._report(logs, self._is_due(self._evaluate_every) or not self._windows_left)
        if self._is_due(self._save_every):
            self._save()
        self._time, self._reported = time.monotonic(), self.model.num_updates

    def on_train_end(self, logs: Any = None) -> None:
        if self.model.num_updates > self._saved:
            self._save()
        self._writer.close()

    def stop(self) -> None:
        """Reports and saves what was done since the last report, after an interruption."""
        if self.model is None:  # training had not begun
            return
        if self.model.num_updates > self._reported:
            self._report({"loss": float(tf.convert_to_tensor(self.model.loss_tracker.result()))})
        self.on_train_end()

    def _is_due(self, every: int) -> bool:
        """Whether a multiple of this number of updates has been passed since the last report."""
        return self.model.num_updates // every > self._reported // every

    def _report(self, logs: dict[str, Any], evaluate: bool = False) -> None:
        update, loss = self.model.num_updates, logs["loss"]
        if not math.isfinite(loss):
            raise FloatingPointError(
                f"The loss became {loss} by update {update}. The last good checkpoint is "
                f"{self._checkpoints.latest}. Resume from it with a lower learning rate."
            )
        config = self._config
        tokens = config.batch_size * config.unroll_steps * config.gradient_accumulation_steps
        rate = tokens * (update - self._reported) / (time.monotonic() - self._time)
        logs |= {
            "update": update,
            "perplexity": float(tf.exp(tf.constant(loss, tf.float64))),  # inf if it overflows
            "learning_rate": float(tf.convert_to_tensor(self.model.optimizer.learning_rate)),
            "tokens_per_second": rate,
        }
        if not self._is_chief:
            return
        if evaluate and self._heldout_perplexity is not None:
            logs["heldout_perplexity"] = self._heldout_perplexity()
        self._folder.record({name: logs.get(name) for name in HISTORY_COLUMNS})
        with self._writer.as_default(step=update):
            for name, value in logs.items():
                tf.summary.scalar(name, value)

    def _save(self) -> None:
        if self._is_chief:
            self._checkpoints.save()
        self._saved = self.model.num_updates
