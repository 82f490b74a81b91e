"""A model learns a task, and stops when the dev set says so."""

import gc
import itertools
import time
from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from tasks.batches import Batches, Numbered
from tasks.data import TaskData
from tasks.metrics import MAIN, measure
from tasks.models import FineTuning, Setting, build_model, unfreeze

MOST_EPOCHS = 30
PATIENCE = 3  # epochs without a better dev set
# Before them none gives up: the F1 of entities is 0 for a while where there are few labels.
PATIENT_UPDATES = 300


class Learned(NamedTuple):
    """How it went.

    Attributes:
        dev: the metrics of the best epoch on the dev set.
        test: those on the test set.
        epochs: how many there were.
        seconds: of training and measuring.
        cpu_seconds: of the processor; a busy machine has fewer of them than seconds.
    """

    dev: dict[str, float]
    test: dict[str, float]
    epochs: int
    seconds: float
    cpu_seconds: float


class Stopwatch:
    """Measures from when it is made."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def read(self) -> tuple[float, float]:
        """Returns seconds, and seconds of the processor."""
        now = time.perf_counter(), time.process_time()
        return tuple(round(end - start, 1) for start, end in zip(self._start, now, strict=True))


def learn(
    batches: Batches,
    data: TaskData,
    setting: Setting,
    seed: int,
    fine_tuning: FineTuning | None = None,
) -> Learned:
    """Trains a model and measures it.

    Args:
        batches: of the task.
        data: numbered; its train is what to learn from.
        setting: sizes and rates.
        seed: of the initial weights, of dropout, and of the order of the examples.
        fine_tuning: how to go on where the model with a frozen encoder is at its best.

    Returns:
        How it went, with the weights of the best epoch.
    """
    watch = Stopwatch()
    gc.collect()  # the model before this one, of which an encoder may be a part, is in circles
    keras.utils.set_random_seed(seed)
    model = build_model(batches.kind, batches.tables, setting, len(batches.labels))
    dev, test, epochs = _train(model, batches, data, seed, PATIENT_UPDATES)
    if fine_tuning is not None:
        model = unfreeze(model, setting, fine_tuning)
        dev, test, more = _train(model, fine_tuning.batches, data, seed, 0)
        epochs += more
    return Learned(dev, test, epochs, *watch.read())


def _train(
    model: keras.Model, batches: Batches, data: TaskData, seed: int, patient_updates: int
) -> tuple[dict[str, float], dict[str, float], int]:
    """Trains until dev gets no better; the metrics on dev and test, and the number of epochs.

    Before `patient_updates` it does not give up. The model keeps the weights of the best epoch, and
    what it had before counts as one.
    """
    signature = batches.signature
    update = tf.function(lambda *batch: model.train_step(batch), input_signature=signature)
    predict = tf.function(
        lambda inputs: model(inputs, training=False), input_signature=signature[:1]
    )

    def measured(examples: Sequence[Numbered]) -> dict[str, float]:
        gold = [each.label for each in examples]
        return measure(batches.kind, gold, batches.answers(predict, examples))

    metric = MAIN[batches.kind]
    dev, weights = measured(data.dev), model.get_weights()
    best_epoch = updates = 0
    epochs = itertools.islice(batches.epochs(data.train, seed), MOST_EPOCHS)
    for epoch, epoch_batches in enumerate(epochs, 1):
        for batch in epoch_batches:
            update(*batch)
            updates += 1
        found = measured(data.dev)
        if found[metric] > dev[metric]:
            dev, best_epoch, weights = found, epoch, model.get_weights()
        elif epoch >= best_epoch + PATIENCE and updates >= patient_updates:
            break
    model.set_weights(weights)
    return dev, measured(data.test), epoch
