"""PretrainingModel: the base of the models that learn from windows of text."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.windows import Window
from elmo_tf2.layers import SampledSoftmax
from elmo_tf2.models.bilm import BiLM
from elmo_tf2.validation import MAX_SEED, check_integer, check_rate


class WindowLoss(NamedTuple):
    """A replica's mean loss, its weight among the replicas, and the LSTMs' new states if kept."""

    loss: tf.Tensor
    weight: tf.Tensor
    states: Sequence[tf.Tensor] = ()


class PretrainingModel(keras.Model):
    """A BiLM with a softmax that learns in `fit`, from windows of text.

    The gradient is that of the loss times the window's steps, as in bilm-tf. Every random choice
    depends on `seed` and the number of the window alone: a run that resumes from a checkpoint
    continues as if it had never stopped, and several replicas compute what one would.

    A subclass computes the loss, in `_training_loss`, and may keep `states`, weights that are not
    trained.

    Args:
        config: an `ElmoConfig`, or the dictionary of an `options.json`.
        vocabulary_size: int > 1. Words that can be predicted.
        batch_size: int > 0. Rows of a window, over all devices.
        dropout: float in [0, 1). Dropout rate of the LSTMs' inputs and the last one's outputs.
        num_negatives: int > 0, or None. Words sampled as negatives in training, see
            `SampledSoftmax`; None for all words.
        seed: int >= 0. Of dropout and negatives.
        **kwargs: of `keras.Model`.

    Call arguments:
        inputs: a window, the dictionary that the datasets of `elmo_tf2.data` have.
        training: bool. Whether to apply dropout and sample negatives.

    Returns:
        float tensor: negative log-likelihoods.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
    >>> issubclass(LanguageModel, PretrainingModel)
    True
    """

    def __init__(
        self,
        config: ElmoConfig | Mapping[str, Any],
        vocabulary_size: int,
        batch_size: int,
        dropout: float = 0.1,
        num_negatives: int | None = 8192,
        seed: int = 0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False  # XLA needs shapes that do not depend on the data
        self.batch_size = check_integer("batch_size", batch_size)
        self.dropout = check_rate("dropout", dropout)
        self.seed = check_integer("seed", seed, 0, MAX_SEED)
        self.bilm = BiLM(config, dtype=self.dtype_policy, name="bilm")
        self.config = self.bilm.config
        self._check_config()
        self.softmax = SampledSoftmax(
            vocabulary_size, num_negatives, dtype=self.dtype_policy, name="softmax"
        )
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.build()

    def _check_config(self) -> None:
        """Raises an error for an encoder that can't learn by this loss."""

    def build(self, input_shape: Any = None) -> None:
        self.bilm.build()
        self.softmax.build((None, self.config.softmax_dim))
        self.states = self._make_states()
        self.windows_seen = self._state_variable("windows_seen", (), "int64")
        self.position = self._state_variable("position", (2,), "int64")
        self.built = True

    def _make_states(self) -> list[keras.Variable]:
        return []

    def _state_variable(self, name: str, shape: tuple[int, ...], dtype: str) -> keras.Variable:
        """A variable that every replica assigns the same value."""
        return self.add_weight(
            name=name,
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            autocast=False,
            aggregation="only_first_replica",
        )

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.loss_tracker]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        super().compile(*args, **kwargs)
        # `train_step` sums the gradients of all replicas, so that the bound on their norm and the
        # rows of the softmax are right; the optimizer must not sum them again.
        self.optimizer._all_reduce_sum_gradients = lambda grads_and_vars: grads_and_vars

    def _maybe_symbolic_build(self, *_: Any, **__: Any) -> None:
        # The model is built. Keras would build it from an average of all workers' batches, which
        # does not exist for a dictionary.
        if not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    @property
    def num_updates(self) -> int:
        """Number of updates of the compiled model."""
        return int(tf.convert_to_tensor(self.optimizer.iterations))

    @property
    def num_windows(self) -> int:
        """Number of windows that the model has learned from."""
        return int(tf.convert_to_tensor(self.windows_seen))

    def _training_loss(self, window: Window) -> WindowLoss:
        """The loss of this replica's rows of a window, with dropout and a sampled softmax."""
        raise NotImplementedError(f"{type(self).__name__} has no `_training_loss`.")

    def _seed(self, purpose: int) -> tf.Tensor:
        """A seed for one purpose in this window."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self.windows_seen.value])
        return tf.random.fold_in(seed, purpose)

    def _drop(self, vectors: tf.Tensor, direction: int, number: int) -> tf.Tensor:
        """Dropout of a window's packed vectors `(tokens * rows, features)`, see `run_stacks`.

        Each replica drops what a single device with all rows would drop there.
        """
        if not self.dropout:
            return vectors
        first, rows = self._rows_of_replica()
        window = tf.reshape(vectors, [-1, rows, vectors.shape[-1]])
        shape = tf.tensor_scatter_nd_update(tf.shape(window), [[1]], [self.batch_size])
        uniform = tf.random.stateless_uniform(shape, self._seed(1 + 2 * number + direction))
        kept = tf.cast(uniform[:, first : first + rows] >= self.dropout, vectors.dtype)
        kept *= tf.cast(1 / (1 - self.dropout), vectors.dtype)
        return tf.reshape(window * kept, tf.shape(vectors))

    def _rows_of_replica(self) -> tuple[Any, int]:
        """This replica's first row in the whole batch, and its number of rows."""
        replica = tf.distribute.get_replica_context()
        rows = self.batch_size // replica.num_replicas_in_sync
        return replica.replica_id_in_sync_group * rows, rows

    def train_step(self, data: Window) -> dict[str, tf.Tensor]:
        replica = tf.distribute.get_replica_context()
        steps = next(data[name].shape[1] for name in data if name.endswith("targets"))
        with tf.GradientTape() as tape:
            loss, weight, states = self._training_loss(data)
            total_weight = tf.maximum(_sum_over_replicas(weight), 1)
            objective = loss * steps * (weight / total_weight)
        gradients = tape.gradient(objective, self.trainable_weights)
        gradients = [_sum_over_replicas(gradient) for gradient in gradients]
        self.optimizer.apply(gradients, self.trainable_weights)
        for variable, state in zip(self.states, states, strict=True):
            variable.assign(replica.all_gather(state, axis=0))
        self.windows_seen.assign_add(1)
        self.position.assign(data["position"][0])
        self.loss_tracker.update_state(loss, sample_weight=weight)
        result = self.loss_tracker.result()
        if isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            result = result[tf.newaxis]  # Keras takes the mean of all workers along an axis
        return {"loss": result}

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "trainable": self.trainable,
            "dtype": keras.saving.serialize_keras_object(self.dtype_policy),
            "config": self.config.to_options(),
            "vocabulary_size": self.softmax.vocabulary_size,
            "batch_size": self.batch_size,
            "dropout": self.dropout,
            "num_negatives": self.softmax.num_negatives,
            "seed": self.seed,
        }


def _sum_over_replicas(gradient: Any) -> Any:
    """The gradient of all replicas; a sparse one has every row once, as optimizers need it."""
    replica = tf.distribute.get_replica_context()
    if not isinstance(gradient, tf.IndexedSlices):
        if replica.num_replicas_in_sync == 1:
            return gradient
        return replica.all_reduce(tf.distribute.ReduceOp.SUM, gradient)
    values, indices = gradient.values, gradient.indices
    if replica.num_replicas_in_sync > 1:
        values, indices = (replica.all_gather(part, axis=0) for part in (values, indices))
    rows, index = tf.unique(indices)
    values = tf.math.unsorted_segment_sum(values, index, tf.size(rows))
    return tf.IndexedSlices(values, rows, gradient.dense_shape)
