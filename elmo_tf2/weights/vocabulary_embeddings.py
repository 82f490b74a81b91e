"""bilm-tf's files of word vectors for a whole vocabulary, from which it embeds tokens.

One dataset `embedding`, `(vocabulary, projection_dim)`: the word vectors, before the LSTMs, of
the words of a vocabulary file in their order.

Reference:
 - `dump_token_embeddings` of [bilm-tf](https://github.com/allenai/bilm-tf)
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import StrPath, atomic_write
from elmo_tf2.weights.elmo_weights import as_finite_float32
from elmo_tf2.weights.hdf5 import open_hdf5, write_hdf5

EMBEDDING = "embedding"


class VocabularyEmbeddings(NamedTuple):
    """Word vectors of a vocabulary.

    Attributes:
        embeddings: float32 array, `(vocabulary, projection_dim)`.
        vocabulary: the words, or None if they are not known.
    """

    embeddings: np.ndarray
    vocabulary: tuple[str, ...] | None


def read_vocabulary_embeddings(
    path: StrPath, vocab_file: StrPath | None = None, projection_dim: int | None = None
) -> VocabularyEmbeddings:
    """Reads a file of word vectors.

    Args:
        path: the HDF5 file.
        vocab_file: text file with the words, if known.
        projection_dim: size of a word vector, if known.

    Returns:
        The vectors and the words.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged or does not fit the other or the size.
    """
    vocabulary = None if vocab_file is None else read_vocabulary(vocab_file)
    with open_hdf5(path, "file of word vectors") as file:
        if set(file.datasets) != {EMBEDDING}:
            raise ValueError(
                f"{path} must hold one dataset, `{EMBEDDING}`. Found: {sorted(file.datasets)}."
            )
        _check_shape(file.shapes[EMBEDDING], vocabulary, projection_dim, path)
        file.check_stored([EMBEDDING])
        return VocabularyEmbeddings(file.read(EMBEDDING), vocabulary)


def write_vocabulary_embeddings(path: StrPath, embeddings: np.ndarray) -> None:
    """Writes a file of word vectors, atomically.

    Args:
        path: the HDF5 file.
        embeddings: float array, `(vocabulary, projection_dim)`.

    Raises:
        ValueError: if it is not a matrix of finite numbers.
    """
    embeddings = as_finite_float32(embeddings, str(path), EMBEDDING)
    _check_shape(embeddings.shape, None, None, path)
    with atomic_write(path, overwrite=True) as temporary:
        write_hdf5(temporary, {EMBEDDING: embeddings})


def _check_shape(
    shape: Sequence[int],
    vocabulary: Sequence[str] | None,
    projection_dim: int | None,
    path: StrPath,
) -> None:
    rows = "words" if vocabulary is None else len(vocabulary)
    columns = "projection_dim" if projection_dim is None else projection_dim
    is_wrong = (
        len(shape) != 2
        or 0 in shape
        or (vocabulary is not None and shape[0] != rows)
        or (projection_dim is not None and shape[1] != columns)
    )
    if is_wrong:
        raise ValueError(
            f"{path}: `{EMBEDDING}` must have the shape ({rows}, {columns}), a row for every word "
            f"of the vocabulary. Found: {tuple(shape)}."
        )
