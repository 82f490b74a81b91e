"""Trains with elmo_tf2's own `pretrain` and prints how long each step took, as one JSON object.

elmo_tf2_training.py JOB.json
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
from protocol import peak_memory_mb

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.training import PretrainingConfig, RunFolder, pretrain


class Times(keras.callbacks.Callback):
    """The time after each update, and before the first."""

    def on_train_begin(self, logs=None):
        """Begins."""
        self.times = [time.perf_counter()]

    def on_train_batch_end(self, batch, logs=None):
        """Keeps the time."""
        self.times.append(time.perf_counter())


def main(job_file):
    """Runs a job and prints its result."""
    job = json.loads(Path(job_file).read_text("utf-8"))
    config = PretrainingConfig(
        model=ElmoConfig.from_options(job["model"]),
        batch_size=job["batch_size"],
        unroll_steps=job["unroll_steps"],
        num_negatives=job["negatives"],
        updates=job["steps"],
        precision=job["precision"],
    )
    times = Times()
    with tempfile.TemporaryDirectory() as folder:
        run = RunFolder(Path(folder) / "run")
        run.create(config, read_vocabulary(job["vocabulary"]), [job["text"]])
        never = job["steps"] + 1
        pretrain(run.path, callbacks=[times], save_every=never, evaluate_every=never)
    print(json.dumps({"seconds": list(np.diff(times.times)), "peak_memory_mb": peak_memory_mb()}))


if __name__ == "__main__":
    main(sys.argv[1])
