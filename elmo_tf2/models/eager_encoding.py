"""A biLM in eager code: one graph for all batches, in place of hundreds of operations each."""

from collections.abc import Callable, Hashable

import keras
import tensorflow as tf

from elmo_tf2.models.bilm import BiLM

_graphs: dict[Hashable, Callable[..., list[tf.Tensor]]] = {}


def encode_eagerly(
    encoder: BiLM, char_ids: tf.Tensor, mask: tf.Tensor, training: bool
) -> list[tf.Tensor]:
    """`encoder.encode(…).layers()`, by a graph that all encoders of the same sizes share."""
    key = encoder.config, encoder.dtype_policy.name, training
    if key not in _graphs:
        _graphs[key] = _graph(encoder, training)
    weights = [tf.convert_to_tensor(weight) for weight in encoder.weights]
    return _graphs[key](tf.cast(char_ids, tf.int64), mask, weights)


def _graph(encoder: BiLM, training: bool) -> Callable[..., list[tf.Tensor]]:
    """Traces the graph, in which the weights are arguments: the encoder is no part of it."""
    dtype = encoder.compute_dtype  # to which Keras casts variables within a layer's call
    signature = [
        tf.TensorSpec([None, encoder.config.max_characters], tf.int64),
        tf.TensorSpec([None, None], tf.bool),
        [tf.TensorSpec(weight.shape, dtype) for weight in encoder.weights],
    ]

    def encode(char_ids: tf.Tensor, mask: tf.Tensor, weights: list[tf.Tensor]) -> list[tf.Tensor]:
        with keras.StatelessScope(state_mapping=list(zip(encoder.weights, weights, strict=True))):
            return encoder.encode(char_ids, mask, return_state=False, training=training).layers()

    with tf.device(None):  # not where the first caller happens to be
        function = tf.function(encode, input_signature=signature, autograph=False)
        return function.get_concrete_function()
