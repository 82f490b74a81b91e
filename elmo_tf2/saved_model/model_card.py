"""The model card that goes with an exported model."""

from elmo_tf2.config import ElmoConfig
from elmo_tf2.saved_model.contract import LAYER, PROJECTION, TRAINABLE
from elmo_tf2.saved_model.tables import members_table, outputs_table, signatures_table

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

{signatures}

{outputs}

Vectors are zero past a sentence's words. {independence}

## The object

{members}

`inputs` are a list of strings or a string tensor, or for `signature="tokens"` a dictionary of
`tokens` and `sequence_len`.

**For many calls** take the functions, which have one graph for all inputs. They take lists, arrays
and tensors, and need a hundredth of the time: for the object itself TensorFlow builds a graph for
every new list and every new shape that it is called with, and keeps it.

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

_TOKENIZERS = {
    "spaces": "split at spaces",
    "words": "split into words, punctuation apart",
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
    """A model card in Markdown; `num_words` of them have stored vectors."""
    sizes = {PROJECTION: config.projection_dim, LAYER: config.layer_dim}
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
        trainable=TRAINABLE[trainable],
        signatures=signatures_table(_TOKENIZERS[config.tokenizer]),
        outputs=outputs_table(config.num_layers, sizes),
        members=members_table(),
        source=source or "not stated",
        independence=_DEPENDENT if layer_norm else _INDEPENDENT,
    )
