"""A biLM in eager code: one graph for all batches, in place of hundreds of operations each."""

from collections.abc import Callable, Hashable

import keras
import tensorflow as tf

from elmo_tf2.layers.lstm import Gradient
from elmo_tf2.models.bilm import BiLM

_graphs: dict[Hashable, Callable[..., list[tf.Tensor]]] = {}


def encode_eagerly(
    encoder: BiLM, words: tf.RaggedTensor, gradient: Gradient
) -> list[tf.RaggedTensor]:
    """`encoder.encode(…).layers()`, by a graph that all encoders of the same sizes share."""
    key = encoder.config, encoder.dtype_policy.name, gradient
    if key not in _graphs:
        _graphs[key] = _graph(encoder, gradient)
    weights = [tf.convert_to_tensor(weight) for weight in encoder.weights]
    layers = _graphs[key](words.with_values(tf.cast(words.values, tf.int64)), weights)
    return [words.with_values(layer) for layer in layers]


def _graph(encoder: BiLM, gradient: Gradient) -> Callable[..., list[tf.Tensor]]:
    """Traces the graph, in which the weights are arguments: the encoder is no part of it."""
    dtype = encoder.compute_dtype  # to which Keras casts variables within a layer's call
    signature = [
        tf.RaggedTensorSpec([None, None, encoder.config.ids_per_word], tf.int64, 1, tf.int32),
        [tf.TensorSpec(weight.shape, dtype) for weight in encoder.weights],
    ]

    def encode(words: tf.RaggedTensor, weights: list[tf.Tensor]) -> list[tf.Tensor]:
        with keras.StatelessScope(state_mapping=list(zip(encoder.weights, weights, strict=True))):
            output = encoder.encode(words, return_state=False, gradient=gradient)
            return [layer.values for layer in output.layers()]

    with tf.device(None):  # not where the first caller happens to be
        function = tf.function(encode, input_signature=signature, autograph=False)
        return function.get_concrete_function()
