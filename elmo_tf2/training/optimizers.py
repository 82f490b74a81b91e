"""The optimizer of a pretraining run."""

import math

import keras

from elmo_tf2.pretraining_config import PretrainingConfig


def make_optimizer(config: PretrainingConfig) -> keras.optimizers.Optimizer:
    """The optimizer that a configuration describes."""
    learning_rate = config.peak_learning_rate
    if config.warmup_updates or config.decay != "none":
        learning_rate = WarmupAndDecay(
            learning_rate,
            config.updates,
            config.warmup_updates,
            config.decay,
            config.decay_updates,
        )
    steps = config.gradient_accumulation_steps
    common = {
        "learning_rate": learning_rate,
        "global_clipnorm": config.clip_norm,
        "gradient_accumulation_steps": steps if steps > 1 else None,
    }
    if config.optimizer == "adagrad":
        return keras.optimizers.Adagrad(
            initial_accumulator_value=config.initial_accumulator_value, **common
        )
    return keras.optimizers.Adam(**common)


@keras.saving.register_keras_serializable(package="elmo_tf2")
class WarmupAndDecay(keras.optimizers.schedules.LearningRateSchedule):
    """A learning rate that rises linearly, stays, and falls to 0 at the last update.

    The arguments are those of `PretrainingConfig`.

    Example:
    >>> float(WarmupAndDecay(1.0, updates=100, warmup_updates=10, decay="linear")(4))
    0.5
    """

    def __init__(
        self,
        learning_rate: float,
        updates: int,
        warmup_updates: int = 0,
        decay: str = "none",
        decay_updates: int | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.updates = updates
        self.warmup_updates = warmup_updates
        self.decay = decay
        self.decay_updates = decay_updates

    def __call__(self, step: int) -> float:
        ops = keras.ops
        step = ops.cast(step, "float32")
        rise = ops.minimum(1.0, (step + 1) / max(self.warmup_updates, 1))
        falling = self.decay_updates or max(self.updates - self.warmup_updates, 1)
        done = ops.clip((step - (self.updates - falling)) / falling, 0.0, 1.0)
        fall = {
            "none": ops.ones_like(done),
            "linear": 1 - done,
            "cosine": (1 + ops.cos(done * math.pi)) / 2,
        }[self.decay]
        return self.learning_rate * rise * fall

    def get_config(self) -> dict[str, object]:
        return vars(self).copy()
