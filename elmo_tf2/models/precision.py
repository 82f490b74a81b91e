"""The same model in another dtype."""

from typing import TypeVar

import tensorflow as tf

from elmo_tf2.models.bilm import BiLM
from elmo_tf2.models.elmo_embeddings import ElmoEmbeddings
from elmo_tf2.validation import check_choice

DTYPES = ("float32", "bfloat16")

Model = TypeVar("Model", BiLM, ElmoEmbeddings)


def in_dtype(model: Model, dtype: str) -> Model:
    """The model, or a copy whose weights and products are in a dtype, "float32" or "bfloat16"."""
    check_choice("dtype", dtype, DTYPES)
    if not model.built:
        model.build()
    if model.dtype_policy.name == dtype:
        return model
    copy = type(model).from_config({**model.get_config(), "dtype": dtype})
    copy.build()
    for variable, original in zip(copy.weights, model.weights, strict=True):
        variable.assign(tf.cast(original, variable.dtype))
    return copy
