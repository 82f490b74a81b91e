"""The recurrence of LSTMWithProjection over packed tokens, as one graph function."""

import functools
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import tensorflow as tf

from elmo_tf2.layers.lstm.spec import LSTMSpec, Steps, Weights
from elmo_tf2.layers.lstm.unroll import BackwardLoop, ForwardArrays, ForwardLoop

Gradient = Literal["store", "recompute", "inference"]


@functools.cache
def lstm_recurrence(
    spec: LSTMSpec, gradient: Gradient, inputs_repeat: bool
) -> Callable[..., Sequence[tf.Tensor]]:
    """The steps of all LSTMs of one kind, a graph function that is fast in eager code too.

    Its signature leaves the numbers of sentences, steps and tokens open, so it is traced once.

    Args:
        spec: of the LSTMs.
        gradient: "store": the steps store what their gradient needs. "recompute": the gradient
            runs the steps again, which saves time and memory where most likely none is wanted.
            "inference": there is none, nor a final state; the first state is one row for all.
        inputs_repeat: whether many tokens are equal, as words are in a text.

    Returns:
        A function of packed tokens `(tokens, features)`, batch_sizes `(steps,)`, h `(batch,
        outputs)` and c `(batch, units)` in the order of the packing, and the weights, kernel first.
        It returns the packed outputs and, unless for inference, the final h and c.
    """
    outputs, units, dtype = spec.output_dim, spec.units, spec.dtype
    signature = [
        tf.TensorSpec([None, spec.features], dtype),
        tf.TensorSpec([None], tf.int32),
        tf.TensorSpec([None, outputs], spec.state_dtype),
        tf.TensorSpec([None, units], spec.state_dtype),
        tf.TensorSpec([spec.features + outputs, 4 * units], dtype),
        tf.TensorSpec([4 * units], dtype),
    ]
    if spec.projection_dim is not None:
        signature.append(tf.TensorSpec([units, outputs], dtype))

    def run(tokens: tf.Tensor, batch_sizes: tf.Tensor, *state_and_weights: tf.Tensor) -> Any:
        recurrence = _Recurrence(spec, gradient, inputs_repeat, Steps(batch_sizes))
        if gradient == "inference":
            return recurrence.infer(tokens, *state_and_weights)
        return tf.custom_gradient(recurrence.run)(tokens, *state_and_weights)

    return tf.function(run, input_signature=signature, autograph=False)


class _Recurrence(NamedTuple):
    """The recurrence over one packed sequence, for `tf.custom_gradient`."""

    spec: LSTMSpec
    gradient: Gradient
    inputs_repeat: bool
    steps: Steps

    def infer(
        self, tokens: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *weights: tf.Tensor
    ) -> list[tf.Tensor]:
        """The outputs alone, without a gradient."""
        arrays = self._forward(tokens, h, c, weights, stores=False)
        return [tf.stop_gradient(arrays.outputs.concat())]

    def run(self, tokens: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *weights: tf.Tensor) -> Any:
        """The outputs and final states, and the function of their gradient."""
        stores = self.gradient == "store"
        arrays = self._forward(tokens, h, c, weights, stores)
        outputs = arrays.outputs.concat()
        sentences = self.steps.sentences
        last_h = tf.gather(outputs, _last_tokens(self.steps))
        # The sentences that ended last come first in the packing, and in the array.
        results = (
            outputs,
            tf.concat([tf.cast(last_h, self.spec.state_dtype), h[sentences:]], axis=0),
            tf.concat([arrays.last_c[0].concat(), c[sentences:]], axis=0),
        )
        stored = arrays if stores else None
        return results, functools.partial(self._backward, stored, tokens, h, c, weights)

    def _forward(
        self,
        tokens: tf.Tensor,
        h: tf.Tensor,
        c: tf.Tensor,
        weights: Sequence[tf.Tensor],
        stores: bool,
    ) -> ForwardArrays:
        has_final_state = self.gradient != "inference"
        loop = ForwardLoop(
            self.spec,
            Weights(*weights),
            tokens,
            self.steps,
            stores,
            has_final_state,
            self.inputs_repeat,
        )
        sentences = self.steps.sentences
        return loop.run(h[:sentences], c[:sentences])

    def _backward(
        self,
        stored: ForwardArrays | None,
        tokens: tf.Tensor,
        h: tf.Tensor,
        c: tf.Tensor,
        weights: Sequence[tf.Tensor],
        d_outputs: tf.Tensor,
        d_last_h: tf.Tensor,
        d_last_c: tf.Tensor,
    ) -> tuple[tf.Tensor, ...]:
        """The gradient of tokens, h, c and the weights."""
        spec, steps = self.spec, self.steps
        if stored is None:
            stored = self._forward(tokens, h, c, weights, stores=True)
        # Of a `tf.gather` after it a gradient is sparse where functions run eagerly.
        d_outputs, d_last_h, d_last_c = map(tf.convert_to_tensor, (d_outputs, d_last_h, d_last_c))
        loop = BackwardLoop(spec, Weights(*weights), steps, stored, d_outputs, d_last_h, d_last_c)
        d_h, d_c, d_sums, d_projected, cell_outputs = loop.run()
        kernel, _, *projection_kernel = weights
        h_before = tf.concat(
            [
                tf.cast(h[: steps.sentences], spec.dtype),
                tf.gather(stored.outputs.concat(), _tokens_before(steps)),
            ],
            axis=0,
        )
        # The bias is the weight of an input that is always 1.
        ones = tf.ones([tf.shape(tokens)[0], 1], spec.dtype)
        inputs = tf.concat([tokens, h_before, ones], axis=1)
        d_kernel_and_bias = tf.matmul(inputs, d_sums, transpose_a=True)
        d_projection_kernel = tf.matmul(cell_outputs, d_projected, transpose_a=True)
        return (
            tf.matmul(d_sums, kernel[: spec.features], transpose_b=True),
            tf.concat([d_h, d_last_h[steps.sentences :]], axis=0),
            tf.concat([d_c, d_last_c[steps.sentences :]], axis=0),
            d_kernel_and_bias[:-1],
            d_kernel_and_bias[-1],
            *[d_projection_kernel] * len(projection_kernel),
        )


def _last_tokens(steps: Steps) -> tf.Tensor:
    """The packed place of the last token of each sentence that has one, `(sentences,)`."""
    row = tf.range(steps.sentences)
    last_step = tf.searchsorted(-steps.batch_sizes, -row) - 1
    return tf.gather(tf.cumsum(steps.batch_sizes, exclusive=True), last_step) + row


def _tokens_before(steps: Steps) -> tf.Tensor:
    """The packed place of the token before each one, but for step 0: `(tokens - sentences,)`."""
    sizes = steps.batch_sizes
    indices = tf.range(steps.sentences, tf.reduce_sum(sizes))
    return indices - tf.repeat(sizes[:-1], sizes[1:])
