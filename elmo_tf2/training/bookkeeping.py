"""What a run does beside learning: it records, measures the held-out perplexity, and saves."""

import itertools
import math
import time
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.data import Vocabulary
from elmo_tf2.data.text_files import read_lines
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.training.checkpoints import Checkpoints
from elmo_tf2.training.evaluate import perplexity
from elmo_tf2.training.run_folder import HISTORY_COLUMNS, RunFolder


def is_chief() -> bool:
    """Whether this is the one worker of several that writes the run's folder."""
    return tf.distribute.get_strategy().extended.should_checkpoint


class Bookkeeping(keras.callbacks.Callback):
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
        self._is_chief = is_chief()
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
