"""LanguageModel: a BiLM that learns from text."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf

from elmo_tf2.arguments import check_integer, check_rate
from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.windows import Window
from elmo_tf2.layers import LSTMWithProjection, SampledSoftmax
from elmo_tf2.models.bilm import BiLM

States = Sequence[tf.Tensor]


@keras.saving.register_keras_serializable(package="elmo_tf2")
class LanguageModel(keras.Model):
    """A bidirectional language model: each word is predicted from those before, and those after.

        loss = mean_t (-log p(w_t | w_1 … w_(t-1)) - log p(w_t | w_(t+1) … w_n)) / 2

    The two directions share the character CNN and the softmax; each has LSTMs of its own. The
    states of the LSTMs go from window to window, no gradient does: they are weights of the model,
    not trained, so that every checkpoint has them.

    It learns in `fit`, from the windows of `elmo_tf2.data.training_windows`. The gradient is that
    of the loss times the window's steps, as bilm-tf's. Every random choice depends on `seed` and
    the number of the window alone: a run that goes on from a checkpoint goes on as if it had never
    stopped.

    Args:
        config: an `ElmoConfig`, or the dictionary of an `options.json`.
        vocabulary_size: int > 1. Words that can be predicted.
        batch_size: int > 0. Rows of a window, over all devices.
        dropout: float in [0, 1). Share of an LSTM's inputs and of the last one's outputs that are
            dropped in training.
        num_negatives: int > 0, or None. Words that the right one is compared with in training, see
            `SampledSoftmax`; None for all.
        seed: int. Of dropout and negatives.
        **kwargs: of `keras.Model`.

    Call arguments:
        inputs: a window, the dictionary that the datasets of `elmo_tf2.data` have.
        training: bool. Whether to drop and to sample.

    Returns:
        float tensor, `(2, batch, tokens)`: negative log-likelihoods of the forward and of the
        backward targets, from zero states.

    Raises:
        ValueError: if an argument is out of its range.

    Example:
    >>> _ = Path("train.txt").write_text("the cat sat on the mat")
    >>> vocabulary = Vocabulary(["<S>", "</S>", "<UNK>", "the", "cat"])
    >>> config = ElmoConfig(filters=((1, 8), (2, 8)), units=16, projection_dim=4)
    >>> model = LanguageModel(config, len(vocabulary), batch_size=2, num_negatives=None)
    >>> windows = training_windows(["train.txt"], vocabulary, batch_size=2, unroll_steps=3)
    >>> model.compile(keras.optimizers.Adagrad(0.2, initial_accumulator_value=1.0))
    >>> history = model.fit(windows, steps_per_epoch=2, shuffle=False, verbose=0)

    Reference:
     - [Peters et al., 2018](https://arxiv.org/abs/1802.05365)
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
        self.supports_jit = False  # XLA takes no shapes that the data decide
        self.batch_size = check_integer("batch_size", batch_size)
        self.dropout = check_rate("dropout", dropout)
        self.seed = seed
        self.bilm = BiLM(config, dtype=self.dtype_policy, name="bilm")
        self.config = self.bilm.config
        self.softmax = SampledSoftmax(
            vocabulary_size, num_negatives, dtype=self.dtype_policy, name="softmax"
        )
        self.loss_tracker = keras.metrics.Mean(name="loss")
        self.build()

    def build(self, input_shape: Any = None) -> None:
        self.bilm.build()
        self.softmax.build((None, self.config.projection_dim))
        self.states = [
            self._kept_value(f"{stack}_{index}_{name}", (self.batch_size, size), layer.state_dtype)
            for stack, layers in zip(("forward", "backward"), self._stacks, strict=True)
            for index, layer in enumerate(layers)
            for name, size in (("h", layer.output_dim), ("c", layer.units))
        ]
        self.windows_seen = self._kept_value("windows_seen", (), "int64")
        self.position = self._kept_value("position", (2,), "int64")
        self.built = True

    def _kept_value(self, name: str, shape: tuple[int, ...], dtype: str) -> keras.Variable:
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
    def _stacks(self) -> tuple[list[LSTMWithProjection], list[LSTMWithProjection]]:
        return self.bilm.forward_layers, self.bilm.backward_layers

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        return [self.loss_tracker]

    def compile(self, *args: Any, **kwargs: Any) -> None:
        super().compile(*args, **kwargs)
        # `train_step` hands over the gradients of all replicas, for only so are a bound on their
        # norm and the rows of the softmax right; the optimizer is not to sum them up again.
        self.optimizer._all_reduce_sum_gradients = lambda grads_and_vars: grads_and_vars

    def _maybe_symbolic_build(self, *_: Any, **__: Any) -> None:
        # Keras would build what is built already from an average of all workers' batches, which
        # there is not for a dictionary.
        if not self.optimizer.built:
            with self.distribute_strategy.scope():
                self.optimizer.build(self.trainable_variables)

    @property
    def num_updates(self) -> int:
        """Updates that the compiled model has made."""
        return int(tf.convert_to_tensor(self.optimizer.iterations))

    @property
    def num_windows(self) -> int:
        """Windows that the model has learned from."""
        return int(tf.convert_to_tensor(self.windows_seen))

    def zero_states(self, batch_size: int | tf.Tensor) -> list[tf.Tensor]:
        """States before the first word: h and c of every forward, then of every backward LSTM.

        Args:
            batch_size: rows.

        Returns:
            float tensors, `(batch, projection_dim or units)` and `(batch, units)` in turn.
        """
        return [tf.zeros([batch_size, state.shape[-1]], state.dtype) for state in self.states]

    def call(self, inputs: Window, training: bool = False) -> tf.Tensor:
        batch = tf.shape(inputs["forward_targets"])[0]
        return self.window_losses(inputs, self.zero_states(batch), training)[0]

    def window_losses(
        self, window: Window, states: States, training: bool = False
    ) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Losses of all targets of a window, and the states after it.

        Args:
            window: a dictionary as the datasets of `elmo_tf2.data` have.
            states: those after the window before, see `zero_states`.
            training: whether to drop and to sample.

        Returns:
            float tensor, `(2, batch, tokens)`: negative log-likelihoods of the forward and of the
            backward targets; and the new states.
        """
        directions = ("forward", "backward")
        # one call for both, so that a word of both is computed once
        char_ids = tf.concat([window[f"{name}_char_ids"] for name in directions], axis=0)
        vectors = self.bilm.char_cnn(char_ids)  # (2 * batch, tokens, projection_dim)
        vectors = tf.transpose(vectors, [1, 0, 2])
        outputs, new_states = [], []
        states_left = list(states)
        for number, (layers, stream) in enumerate(
            zip(self._stacks, tf.split(vectors, 2, axis=1), strict=True)
        ):
            for index, layer in enumerate(layers):
                if training:
                    stream = self._drop(stream, number, index)
                state, states_left = states_left[:2], states_left[2:]
                stream, state = layer.run_window(stream, state)
                new_states += state
            outputs.append(self._drop(stream, number, len(layers)) if training else stream)
        outputs = tf.transpose(tf.stack(outputs), [0, 2, 1, 3])  # (2, batch, tokens, features)
        targets = tf.stack([window[f"{name}_targets"] for name in directions])
        losses = self.softmax(
            tf.reshape(outputs, [-1, self.config.projection_dim]),
            tf.reshape(targets, [-1]),
            seed=self._seed(0),
            training=training,
        )
        return tf.reshape(losses, tf.shape(targets)), new_states

    def _seed(self, purpose: int) -> tf.Tensor:
        """A seed that is used once: in this window, for this purpose."""
        seed = tf.stack([tf.constant(self.seed, tf.int64), self.windows_seen.value])
        return tf.random.fold_in(seed, purpose)

    def _drop(self, vectors: tf.Tensor, direction: int, place: int) -> tf.Tensor:
        """Dropout; each replica drops what a single device with all rows would drop there.

        Args:
            vectors: `(tokens, batch, features)`.
            direction: 0 forward, 1 backward.
            place: number of the layer after it.
        """
        if not self.dropout:
            return vectors
        first, rows = self._rows_of_replica()
        tokens, _, features = vectors.shape
        uniform = tf.random.stateless_uniform(
            [tokens, self.batch_size, features], self._seed(1 + 2 * place + direction)
        )
        kept = tf.cast(uniform[:, first : first + rows] >= self.dropout, vectors.dtype)
        return vectors * kept * tf.cast(1 / (1 - self.dropout), vectors.dtype)

    def _rows_of_replica(self) -> tuple[Any, int]:
        """This replica's first row in the whole batch, and its number of rows."""
        replica = tf.distribute.get_replica_context()
        rows = self.batch_size // replica.num_replicas_in_sync
        return replica.replica_id_in_sync_group * rows, rows

    def train_step(self, data: Window) -> dict[str, tf.Tensor]:
        replica = tf.distribute.get_replica_context()
        first, rows = self._rows_of_replica()
        states = [state[first : first + rows] for state in self.states]
        steps = data["forward_targets"].shape[1]
        with tf.GradientTape() as tape:
            losses, states = self.window_losses(data, states, training=True)
            loss = tf.reduce_mean(losses)
            objective = loss * steps / replica.num_replicas_in_sync
        gradients = tape.gradient(objective, self.trainable_weights)
        gradients = [_sum_over_replicas(gradient) for gradient in gradients]
        self.optimizer.apply(gradients, self.trainable_weights)
        for variable, state in zip(self.states, states, strict=True):
            variable.assign(replica.all_gather(state, axis=0))
        self.windows_seen.assign_add(1)
        self.position.assign(data["position"][0])
        self.loss_tracker.update_state(loss)
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
    """The gradient of all replicas; of a sparse one every row once.

    Optimizers make other updates of a sparse gradient in which a row is repeated.
    """
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
