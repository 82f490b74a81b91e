"""Weights from any published form."""

import dataclasses
import os
from pathlib import Path

from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import StrPath
from elmo_tf2.weights.elmo_weights import ElmoWeights
from elmo_tf2.weights.elmoformanylangs import read_elmoformanylangs
from elmo_tf2.weights.exported_model import read_exported_model
from elmo_tf2.weights.files import find_options
from elmo_tf2.weights.kinds import detect
from elmo_tf2.weights.model_folder import read_bilm_hdf5, read_model_folder
from elmo_tf2.weights.pretraining_run import read_pretraining_run
from elmo_tf2.weights.tf1_checkpoint import read_tf1_checkpoint
from elmo_tf2.weights.tf1_hub import read_tf1_hub


def read_weights(
    path: StrPath,
    options: StrPath | None = None,
    vocab: StrPath | None = None,
    read_softmax: bool = True,
) -> ElmoWeights:
    """Reads the weights of an ELMo model in any published form.

    Args:
        path: a model folder; a weight file of bilm-tf or AllenNLP; a training checkpoint of
            bilm-tf or its folder; the folder of a pretraining run, of a TF1 Hub module, of a model
            of ELMoForManyLangs, or of a SavedModel that `export_saved_model` wrote, perhaps trained
            and saved again.
        options: JSON file with the sizes, if it is not the only one beside the weights.
        vocab: text file with the words, if it is not `vocab.txt` in the folder.
        read_softmax: whether to read a language model's output layer, if there is one. To embed
            text it is not needed, and it may be larger than the rest.

    Returns:
        The weights.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if it holds no weights, or a file is damaged or does not fit the others.

    Example:
    >>> read_weights("model_folder").config.units
    16
    """
    path = Path(os.path.expanduser(path))
    kind = detect(path)
    if kind == "model folder":
        return read_model_folder(path, options, vocab, read_softmax)
    if kind == "bilm hdf5":
        return read_bilm_hdf5(options or find_options(path), path, vocab)
    if kind == "elmoformanylangs":
        _refuse(path, "model of ELMoForManyLangs", options, vocab)
        return read_elmoformanylangs(path)
    if kind == "pretraining run":
        _refuse(path, "pretraining run", options, vocab)
        return read_pretraining_run(path, read_softmax)
    if kind == "tf1 checkpoint":
        return read_tf1_checkpoint(path, options, vocab, read_softmax)
    if kind == "tf1 hub module":
        if options is not None:
            raise ValueError(
                f"{path} is a TF1 Hub module, whose own variables show its sizes. "
                f"Received: options={str(options)!r}."
            )
        weights = read_tf1_hub(path)
        if vocab is None:
            return weights
        return dataclasses.replace(weights, vocabulary=read_vocabulary(vocab))
    if kind == "saved model":
        weights = read_exported_model(path, options)
        if vocab is None:
            return weights
        return dataclasses.replace(weights, vocabulary=read_vocabulary(vocab))
    raise ValueError(
        f"{path} holds word vectors of a vocabulary, not a model's weights. Give the model "
        "they were computed with."
    )


def _refuse(path: Path, what: str, options: StrPath | None, vocab: StrPath | None) -> None:
    """Refuses files of what has its own."""
    if options is not None or vocab is not None:
        raise ValueError(
            f"{path} is a {what}, which has its own options and words. Received: "
            f"options={options!r}, vocab={vocab!r}."
        )
