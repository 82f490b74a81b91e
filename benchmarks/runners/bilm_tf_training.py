"""Trains with bilm-tf's own `train` and prints how long each step took, as one JSON object.

bilm_tf_training.py JOB.json     in an environment with `bilm`, TensorFlow 1.15 and Python 3.7
"""

import contextlib
import json
import os
import sys
import tempfile
import time

import numpy as np
from bilm.data import BidirectionalLMDataset, UnicodeCharsVocabulary
from bilm.training import train
from protocol import peak_memory_mb


class TimedBatches:
    """The batches of a dataset, each with the time at which it was asked for."""

    def __init__(self, dataset, number):
        self._dataset = dataset
        self._number = number
        self.times = []

    def iter_batches(self, batch_size, num_steps):
        """Yields one batch more than are timed, so that the last step's end is known."""
        for batch in self._dataset.iter_batches(batch_size, num_steps):
            self.times.append(time.perf_counter())
            if len(self.times) > self._number:
                return
            yield batch


def main(job_file):
    """Runs a job and prints its result."""
    with open(job_file) as file:
        job = json.load(file)
    vocabulary = UnicodeCharsVocabulary(job["vocabulary"], 50)
    dataset = BidirectionalLMDataset(job["text"], vocabulary, shuffle_on_load=True)
    batches = TimedBatches(dataset, job["steps"])
    model = job["model"]
    options = dict(
        model,
        bidirectional=True,
        char_cnn=dict(model["char_cnn"], n_characters=261),
        dropout=0.1,
        all_clip_norm_val=10.0,
        n_epochs=1,
        n_train_tokens=10**9,
        batch_size=job["batch_size"],
        unroll_steps=job["unroll_steps"],
        n_tokens_vocab=vocabulary.size,
        n_negative_samples_batch=job["negatives"],
    )
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(sys.stderr):
        os.mkdir(os.path.join(folder, "logs"))
        train(options, batches, 1, folder, os.path.join(folder, "logs"))
    print(json.dumps({"seconds": list(np.diff(batches.times)), "peak_memory_mb": peak_memory_mb()}))


if __name__ == "__main__":
    main(sys.argv[1])
