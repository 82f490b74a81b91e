"""bilm-tf's training checkpoints, of TensorFlow 1.

Variables `lm/…`, the language model's output layer among them; an optimizer's state is passed
over. The sizes are in `options.json` beside them, the words perhaps in `vocab.txt`.

Reference:
 - `train` and `dump_weights` of [bilm-tf](https://github.com/allenai/bilm-tf)
"""

import glob
import json
import ntpath
import re
from pathlib import Path
from typing import Any

import numpy as np

from elmo_tf2.config import NUM_CHARACTERS, ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary, write_vocabulary
from elmo_tf2.files import StrPath, atomic_write, check_file, check_utf8, full_disk_told
from elmo_tf2.weights.assemble import StoredWeights, assemble
from elmo_tf2.weights.checkpoint_variables import named_as_latest, open_checkpoint
from elmo_tf2.weights.elmo_weights import ElmoWeights
from elmo_tf2.weights.files import visible_files
from elmo_tf2.weights.model_folder import OPTIONS_FILE, VOCABULARY_FILE
from elmo_tf2.weights.schema import (
    SOFTMAX,
    TF1,
    TRAINING_SCOPE,
    by_name,
    encoder_weights,
    weight_names,
)

_STATE_FILE = "checkpoint"
_TRAINING_SCALAR = re.compile(r"(?:^|/)(?:global_step|train_perplexity|beta\d_power)$")


def read_tf1_checkpoint(
    path: StrPath,
    options_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    read_softmax: bool = True,
) -> ElmoWeights:
    """Reads a training checkpoint.

    Args:
        path: the checkpoint's prefix (`…/model.ckpt-400`), or the folder it is in: then the
            latest one.
        options_file: JSON file with the sizes. None: `options.json` beside the checkpoint.
        vocab_file: text file with the words. None: `vocab.txt` beside it, if there.
        read_softmax: whether to read the language model's output layer.

    Returns:
        The weights.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged or does not fit the others, or the checkpoint is none of
            a character-based bilm-tf model.
    """
    prefix = find_checkpoint(path)
    options_file = options_file or prefix.with_name(OPTIONS_FILE)
    if vocab_file is None and prefix.with_name(VOCABULARY_FILE).exists():
        vocab_file = prefix.with_name(VOCABULARY_FILE)
    vocabulary = None if vocab_file is None else read_vocabulary(vocab_file)
    config = ElmoConfig.from_file(options_file, vocabulary)
    _check_is_of_bilm_tf(config, str(options_file))
    encoder = open_tf1_checkpoint(prefix)
    softmax = encoder.take(SOFTMAX)
    if len(softmax) == 1:
        raise ValueError(
            f"{prefix} has `{next(iter(softmax.names))}` alone of "
            f"{' and '.join(f'`{weight.name}`' for weight in SOFTMAX)}: a model whose softmax is "
            "its word embedding is not supported."
        )
    return assemble(
        config,
        str(options_file),
        encoder,
        softmax=softmax if softmax and read_softmax else None,
        vocabulary=vocabulary,
    )


def open_tf1_checkpoint(prefix: Path) -> StoredWeights:
    """Opens a training checkpoint; what is an optimizer's is left out."""
    checkpoint = open_checkpoint(prefix)
    if checkpoint.is_of_objects:
        raise ValueError(
            f"{prefix} is a checkpoint of TensorFlow 2's objects. Expected: one that bilm-tf's "
            "training wrote."
        )
    # an optimizer's slot has the name of its variable before its own
    variables = [
        name
        for name in checkpoint.shapes
        if name.rpartition("/")[0] not in checkpoint.shapes and not _TRAINING_SCALAR.search(name)
    ]
    return StoredWeights(checkpoint, weight_names(variables, TF1, str(prefix)), str(prefix))


def checkpoint_prefix(path: StrPath) -> Path:
    """The prefix of a checkpoint, given it or one of the checkpoint's files."""
    return Path(re.sub(r"\.(index|meta|data-\d{5}-of-\d{5})$", "", str(path)))


def find_checkpoint(path: StrPath) -> Path:
    """The prefix of a checkpoint, given it, one of the checkpoint's files, or its folder.

    In a folder: of the checkpoint that its file `checkpoint` names, wherever the folder was when
    that was written; without such a file, of the only one.
    """
    path = Path(path)
    if not path.is_dir():
        check_file(f"{checkpoint_prefix(path)}.index", "checkpoint index")
        return checkpoint_prefix(path)
    if (path / _STATE_FILE).exists():
        return _latest_checkpoint(path)
    indexes = visible_files(path, "*.index")
    if not indexes:
        raise FileNotFoundError(f"{path} has no checkpoint: no file `checkpoint`, no *.index.")
    if len(indexes) > 1:
        raise ValueError(
            f"{path} has no file `checkpoint` that names the latest one of "
            f"{', '.join(index.stem for index in indexes)}. Name the one that is meant."
        )
    return indexes[0].with_suffix("")


def _latest_checkpoint(folder: Path) -> Path:
    check_utf8(check_file(folder / _STATE_FILE, "checkpoint file"))
    latest = named_as_latest(folder)
    if not latest:
        raise ValueError(f"{folder / _STATE_FILE} can't be read. Name the checkpoint itself.")
    # the path may be another machine's; ntpath splits it there at either kind of slash
    for prefix in (folder / ntpath.basename(latest), Path(latest)):
        if Path(f"{prefix}.index").exists():
            return prefix
    raise FileNotFoundError(
        f"{folder / _STATE_FILE} names the checkpoint {latest!r}, which is neither there nor in "
        "that folder."
    )


def write_tf1_checkpoint(
    weights: ElmoWeights, prefix: StrPath, fresh_optimizer: bool = False
) -> None:
    """Writes a checkpoint with which bilm-tf goes on.

    Beside it `options.json`, `vocab.txt` if there are words, and the file `checkpoint` that makes
    it the latest one. An `options.json` or `vocab.txt` that is there already stays, if it is the
    same model's: to train on, bilm-tf wants its batch size and the like in the first.

    bilm-tf reads a checkpoint only with the language model's output layer in it.

    Args:
        weights: the weights.
        prefix: the checkpoint's path, such as `…/model.ckpt-0`.
        fresh_optimizer: whether to write also what bilm-tf's `restart.py` looks for besides: the
            state of Adagrad before the first update.

    Raises:
        OSError: if the disk is full.
        ValueError: if there is such a checkpoint, or the files beside it are another model's, or
            the weights are of a merged model.
    """
    import tensorflow as tf

    _check_is_of_bilm_tf(weights.config, weights.source)
    prefix = Path(prefix)
    if Path(f"{prefix}.index").exists():
        raise ValueError(f"There is a checkpoint {str(prefix)!r} already. Choose another name.")
    beside = prefix.with_name(OPTIONS_FILE), prefix.with_name(VOCABULARY_FILE)
    _check_beside(weights, *beside)

    variables = _variables(weights)
    if fresh_optimizer:
        variables |= {f"{name}/Adagrad": np.ones_like(array) for name, array in variables.items()}
        variables |= {"global_step": np.float32(0), "train_perplexity": np.float32(0)}
    prefix.parent.mkdir(parents=True, exist_ok=True)
    _write_beside(weights, *beside)
    with full_disk_told(prefix):
        try:
            tf.raw_ops.SaveV2(
                prefix=str(prefix),
                tensor_names=list(variables),
                shape_and_slices=[""] * len(variables),
                tensors=list(variables.values()),
            )
        except tf.errors.OpError:
            for half in prefix.parent.glob(f"{glob.escape(prefix.name)}.*"):
                half.unlink()
            raise
    tf.compat.v1.train.update_checkpoint_state(str(prefix.parent), prefix.name)


def _variables(weights: ElmoWeights) -> dict[str, Any]:
    """The weights by their names in bilm-tf's training."""
    column = "tf1_training_one_layer" if weights.config.num_layers == 1 else "tf1_training"
    variables = {
        getattr(weight, column): weights.arrays[weight.name]
        for weight in encoder_weights(weights.config)
    }
    if weights.softmax is not None:
        variables |= by_name(SOFTMAX, weights.softmax)
    return {f"{TRAINING_SCOPE}/{name}": array for name, array in variables.items()}


def _check_is_of_bilm_tf(config: ElmoConfig, source: str) -> None:
    if config.token_embedder == "elmoformanylangs":
        raise ValueError(
            f"{source} is a model of ELMoForManyLangs, which bilm-tf's checkpoints can't hold. "
            "Take a model folder or a SavedModel."
        )
    if config.is_merged:
        raise ValueError(
            f"{source} is of architecture \"merged\", which bilm-tf's checkpoints can't hold: "
            "bilm-tf would train and run it as another model. Take a model folder or a SavedModel."
        )


def _check_beside(weights: ElmoWeights, options_file: Path, vocabulary_file: Path) -> None:
    if (
        options_file.exists()
        and ElmoConfig.from_file(options_file, weights.vocabulary) != weights.config
    ):
        raise ValueError(f"{options_file} is of another model. Choose another folder.")
    has_both = vocabulary_file.exists() and weights.vocabulary is not None
    if has_both and read_vocabulary(vocabulary_file) != weights.vocabulary:
        raise ValueError(f"{vocabulary_file} is of another model. Choose another folder.")


def _write_beside(weights: ElmoWeights, options_file: Path, vocabulary_file: Path) -> None:
    if not options_file.exists():
        options = weights.config.to_options()
        options["bidirectional"] = True
        if "char_cnn" in options:
            options["char_cnn"]["n_characters"] = NUM_CHARACTERS - 1  # as bilm-tf trains
        if weights.softmax is not None:
            options["n_tokens_vocab"] = len(weights.softmax.bias)
        with atomic_write(options_file, overwrite=True) as temporary:
            temporary.write_text(json.dumps(options, indent=2) + "\n", encoding="utf-8")
    if weights.vocabulary is not None and not vocabulary_file.exists():
        write_vocabulary(vocabulary_file, weights.vocabulary)
