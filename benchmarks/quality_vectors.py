"""The networks that quality.py compares, and their vectors: by layer, and means over layers."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import keras
import numpy as np
from rich.console import Console
from rich.progress import Progress

from elmo_tf2.features.encoder import Encoder, encoder_of
from elmo_tf2.features.text import BATCH_SIZE, Sentence, batches
from elmo_tf2.models import BiLM, ElmoEmbeddings
from elmo_tf2.weights import ElmoWeights

_progress_console = Console(stderr=True)
# Of every progress bar: gone in the end, and none where nobody sees it.
PROGRESS: dict[str, Any] = {
    "console": _progress_console,
    "transient": True,
    "disable": not _progress_console.is_terminal,
}


def make_encoders(
    weights: ElmoWeights, seed: int | None, bfloat16: bool = False
) -> dict[str, Encoder]:
    """Makes the networks.

    Args:
        weights: the model's.
        seed: of the untrained network's random weights, which are those that pretraining starts
            from. None: there is no such network.
        bfloat16: whether the trained network is also to compute in bfloat16.

    Returns:
        "trained" and, if wanted, "bfloat16" and "untrained".
    """
    elmo = ElmoEmbeddings.from_weights(weights)
    encoders = {"trained": encoder_of(elmo)}
    if bfloat16:
        encoders["bfloat16"] = encoder_of(elmo, dtype="bfloat16")
    if seed is not None:
        keras.utils.set_random_seed(seed)
        encoders["untrained"] = encoder_of(BiLM(weights.config))
    return encoders


def views(num_layers: int) -> dict[str, slice]:
    """Names what is looked at: each layer, and means of layers.

    The mean of all is what an ELMo gives whose mix was not trained.

    Args:
        num_layers: number of layers, the word vectors included.

    Returns:
        dict of the layers that are averaged, by name.

    Example:
    >>> list(views(3))
    ['layer 0', 'layer 1', 'layer 2', 'mean of 1-2', 'mean of 0-2']
    """
    last = num_layers - 1
    names = {f"layer {layer}": slice(layer, layer + 1) for layer in range(num_layers)}
    if last > 1:
        names[f"mean of 1-{last}"] = slice(1, num_layers)
    return names | {f"mean of 0-{last}": slice(num_layers)}


def embed(
    encoder: Encoder,
    sentences: Sequence[list[str]],
    description: str,
    bar: Progress | None = None,
) -> Iterator[tuple[int, np.ndarray]]:
    """Computes all vectors, in batches of like length, under a progress bar.

    Args:
        encoder: the network.
        sentences: lists of words.
        description: what the progress bar says.
        bar: a progress bar that is shown already, as there can't be two. None: one of its own.

    Yields:
        The number of a sentence and its vectors, float32 `(layers, tokens, dim)`; the longest
        sentence first.
    """
    numbered = [
        Sentence(number, [word.encode() for word in words])
        for number, words in enumerate(sentences)
    ]
    with contextlib.nullcontext(bar) if bar else Progress(**PROGRESS) as bar:
        task = bar.add_task(description, total=sum(map(len, sentences)))
        for batch in batches(numbered, BATCH_SIZE):
            for sentence, vectors in zip(batch, encoder.encode(batch), strict=True):
                yield sentence.number, vectors
                bar.advance(task, len(sentence.words))
        bar.remove_task(task)
