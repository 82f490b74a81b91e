"""The model card that goes with an exported model."""

from elmo_tf2.config import ElmoConfig

_CARD = """\
# ELMo SavedModel

Contextual word vectors (Peters et al., 2018, <https://arxiv.org/abs/1802.05365>) as a TensorFlow 2
SavedModel. It needs TensorFlow alone; no package of its maker's.

| | |
|---|---|
| parameters | {parameters:,} |
| word vectors | {projection_dim} |
| LSTM layers a direction | {num_layers}, {units} units{projection}{architecture} |
| weighted sum | {layer_dim} |
| numbers | {dtype} |
| looked up, not computed | {num_words} |
| trainable | {trainable} |
| weights from | {source} |

```python
import tensorflow_hub as hub

elmo = hub.load("PATH")
elmo(["the cat is on the mat", "dogs are in the fog"], signature="default", as_dict=True)["elmo"]
```

## Signatures

| signature | input | output |
|---|---|---|
| `default`, `serving_default` | `strings`: string [batch], split {tokenizer} | all outputs |
| `tokens` | `tokens`: string [batch, max_length] padded with `""`, `sequence_len`: int32 [batch] \
| all outputs |
| `elmo` | `strings`: string [batch] | `elmo`, `sequence_len` |

| output | shape | meaning |
|---|---|---|
| `word_emb` | [batch, max_length, {projection_dim}] | word vectors without context |
{lstm_rows}
| `elmo` | [batch, max_length, {layer_dim}] | the weighted sum of the layers |
| `default` | [batch, {layer_dim}] | mean of `elmo` over a sentence's words; zeros for none |
| `sequence_len` | int32 [batch] | number of words |

Vectors are zero past a sentence's words. {independence}

The object is callable: `elmo(inputs, training=False, signature="default", as_dict=False)`, where
`inputs` is string [batch], or for `signature="tokens"` a dictionary of `tokens` and
`sequence_len`. Without `as_dict` it returns `default`, or `elmo` with `signature="elmo"`. Its
`embed_tokens` takes the dictionary alone, and `tokenize(strings)` gives it: the words that the
vectors of these strings belong to.

**For many calls** take what has one graph for all inputs. These give the same dictionaries, of
lists, arrays and tensors, in a hundredth of the time. For the object itself TensorFlow builds a
graph for every new list and every new shape that it is called with, and keeps it:

```python
elmo.default(["the cat is on the mat"])["elmo"]
elmo.elmo(["the cat is on the mat"])["elmo"]  # and nothing else is computed
elmo.embed_tokens({{"tokens": [["the", "cat"], ["x", ""]], "sequence_len": [2, 1]}})["elmo"]
elmo.signatures["default"](["the cat is on the mat"])["elmo"]  # as of a TF1 module
```

## Use

- tf_keras: `hub.KerasLayer("PATH", trainable=True, arguments={{"signature": "elmo"}})`
- Keras 3: `keras.layers.TFSMLayer("PATH", call_endpoint="elmo")`
- tf.data: `dataset.map(lambda text: elmo(text, signature="elmo", as_dict=True))`
- Threads: both directions are computed at once, and operations of half the processors each don't
  wait for one another. On two processors put
  `tf.config.threading.set_intra_op_parallelism_threads(1)` before anything else of TensorFlow, or
  set the variable `TF_NUM_INTRAOP_THREADS=1`.
"""

_TRAINABLE = {
    "mix": "the weighted sum",
    "all": "the weighted sum and the encoder",
    "none": "nothing",
}

_TOKENIZERS = {
    "spaces": "at spaces",
    "words": "into words, punctuation apart",
}

_MERGES = {
    "add": "; above the first, both read [forward; backward] with the word vector added to each",
    "concat": "; above the first, both read [word vector; forward; backward]",
}

_DTYPES = {
    "float32": "float32",
    "bfloat16": "weights and matrix products in bfloat16, states, sums and outputs in float32",
}

_INDEPENDENT = "The same sentence gives the same vectors in any batch."
_DEPENDENT = (
    "`elmo` and `default` are normalised over the batch,\nso there a sentence's vectors depend on "
    "the other sentences."
)


def model_card(
    config: ElmoConfig,
    parameters: int,
    trainable: str,
    source: str = "",
    layer_norm: bool = False,
    num_words: int = 0,
    dtype: str = "float32",
) -> str:
    """The text of a model card.

    Args:
        config: sizes of the model.
        parameters: their number, the weighted sum's included.
        trainable: "mix", "all" or "none".
        source: where the weights come from.
        layer_norm: whether the weighted sum normalises over the batch.
        num_words: of how many words the vectors are stored.
        dtype: "float32" or "bfloat16".

    Returns:
        Markdown.
    """
    lstm_rows = "\n".join(
        f"| `lstm_outputs{layer}` | [batch, max_length, {config.layer_dim}] "
        f"| [forward; backward] of layer {layer} |"
        for layer in range(1, config.num_layers + 1)
    )
    return _CARD.format(
        parameters=parameters,
        projection_dim=config.projection_dim,
        num_layers=config.num_layers,
        units=config.units,
        projection=f", projected to {config.projection_dim}" if config.has_projection else "",
        architecture=_MERGES[config.merge] if config.is_merged else "",
        layer_dim=config.layer_dim,
        num_words=f"the word vectors of {num_words:,} words" if num_words else "nothing",
        dtype=_DTYPES[dtype],
        trainable=_TRAINABLE[trainable],
        tokenizer=_TOKENIZERS[config.tokenizer],
        source=source or "not stated",
        lstm_rows=lstm_rows,
        independence=_DEPENDENT if layer_norm else _INDEPENDENT,
    )
