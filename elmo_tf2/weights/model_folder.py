"""Model folders: `options.json`, `weights.hdf5` and, as the case may be, two files more.

- `options.json`: the sizes, as bilm-tf and AllenNLP read them.
- `weights.hdf5`: the encoder, as bilm-tf and AllenNLP read it; and the mix of the layers, which
  they pass over, under the names of the published TF1 Hub module.
- `vocab.txt`, optional: one word per line.
- `softmax.hdf5`, optional: a language model's output layer. It is apart from the rest, for it may
  be the largest by far, and an embedding does not need it.

bilm-tf and AllenNLP do not know a merged model, "architecture" in its `options.json`. It has the
same names in `weights.hdf5`, but the kernels above the first layer have more rows, so that they
fail and do not misread it.

Reference:
 - `dump_weights` of [bilm-tf](https://github.com/allenai/bilm-tf)
"""

import contextlib
import dataclasses
import json
import os
from pathlib import Path

import numpy as np

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary, write_vocabulary
from elmo_tf2.files import StrPath, atomic_write, check_free
from elmo_tf2.validation import check_choice
from elmo_tf2.weights.assemble import StoredWeights, assemble
from elmo_tf2.weights.elmo_weights import ElmoWeights
from elmo_tf2.weights.files import (
    OPTIONS_FILE,
    SOFTMAX_FILE,
    VOCABULARY_FILE,
    WEIGHTS_FILE,
    find_options,
    find_weights,
    the_only,
)
from elmo_tf2.weights.hdf5 import DTYPES, open_hdf5, write_hdf5
from elmo_tf2.weights.schema import HDF5, LSTM_PROJECTION, MIX, SOFTMAX, by_name, weight_names

MODEL_FOLDER_PARTS = (OPTIONS_FILE, WEIGHTS_FILE, VOCABULARY_FILE, SOFTMAX_FILE)


def read_model_folder(
    folder: StrPath,
    options_file: StrPath | None = None,
    vocab_file: StrPath | None = None,
    read_softmax: bool = True,
) -> ElmoWeights:
    """Reads a model folder.

    The options and the weights may have any other names, such as those of the published files
    (`elmo_2x4096_512_2048cnn_2xhighway_options.json` and `…_weights.hdf5`), if there is one of
    each.

    Args:
        folder: the folder.
        options_file: JSON file with the sizes. None: the one in the folder.
        vocab_file: text file with the words. None: `vocab.txt` in the folder, if there.
        read_softmax: whether to read the language model's output layer, if there is one.

    Returns:
        The weights.

    Raises:
        FileNotFoundError: if the folder or one of its files is missing.
        ValueError: if several files may be meant, or a file is damaged or does not fit the others.
    """
    folder = Path(os.path.expanduser(folder))
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r}.")
    if vocab_file is None and (folder / VOCABULARY_FILE).exists():
        vocab_file = folder / VOCABULARY_FILE
    softmax_file = folder / SOFTMAX_FILE
    weights_file = the_only(find_weights(folder), folder, WEIGHTS_FILE)
    return read_bilm_hdf5(
        options_file or find_options(weights_file),
        weights_file,
        vocab_file,
        softmax_file if read_softmax and softmax_file.exists() else None,
    )


def read_bilm_hdf5(
    options_file: StrPath,
    weights_file: StrPath,
    vocab_file: StrPath | None = None,
    softmax_file: StrPath | None = None,
) -> ElmoWeights:
    """Reads bilm-tf's options and weights from files of any names.

    Args:
        options_file: JSON file with the sizes.
        weights_file: HDF5 file with the weights.
        vocab_file: text file with the words, if wanted.
        softmax_file: HDF5 file with a language model's output layer, if wanted.

    Returns:
        The weights.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged or does not fit the others.
    """
    vocabulary = None if vocab_file is None else read_vocabulary(vocab_file)
    config = ElmoConfig.from_file(options_file, vocabulary)
    with contextlib.ExitStack() as files:
        encoder = _open(files, weights_file)
        softmax = None if softmax_file is None else _open(files, softmax_file, "softmax file")
        has_projection = LSTM_PROJECTION.name.format(direction=0, layer=0) in encoder.names
        if has_projection and config.units == config.projection_dim:  # as AllenNLP has it
            config = dataclasses.replace(config, always_project=True)
        mix = encoder.take(MIX) or None
        return assemble(config, str(options_file), encoder, mix, softmax, vocabulary)


def _open(files: contextlib.ExitStack, path: StrPath, what: str = "weight file") -> StoredWeights:
    file = files.enter_context(open_hdf5(path, what))
    return StoredWeights(file, weight_names(file.datasets, HDF5, file.path), file.path)


def write_model_folder(
    weights: ElmoWeights, folder: StrPath, overwrite: bool = False, dtype: str = "float32"
) -> None:
    """Writes a model folder, atomically.

    Args:
        weights: the weights.
        folder: the folder.
        overwrite: whether it may take the place of another model folder.
        dtype: "float32"; or "float16" for half the size: matrices are rounded, which
            `read_model_folder` reads as any other. Other readers may not.

    Raises:
        FileExistsError: if there is something in the place and `overwrite` is False, or what is
            there is more than a model folder.
        ValueError: if `dtype` is neither, or a value is past what float16 holds.
    """
    check_choice("dtype", dtype, DTYPES)
    folder = Path(folder).resolve()
    check_free(folder, overwrite, MODEL_FOLDER_PARTS)
    with atomic_write(folder, overwrite, MODEL_FOLDER_PARTS) as temporary:
        temporary.mkdir()
        _write_files(weights, temporary, dtype)


def _write_files(weights: ElmoWeights, folder: Path, dtype: str) -> None:
    options = json.dumps(weights.config.to_options(), indent=2)
    (folder / OPTIONS_FILE).write_text(options + "\n", encoding="utf-8")
    mix = {} if weights.mix is None else by_name(MIX, map(np.asarray, weights.mix))
    write_hdf5(folder / WEIGHTS_FILE, weights.arrays | mix, dtype)
    if weights.vocabulary is not None:
        write_vocabulary(folder / VOCABULARY_FILE, weights.vocabulary)
    if weights.softmax is not None:
        write_hdf5(folder / SOFTMAX_FILE, by_name(SOFTMAX, weights.softmax), dtype)
