"""embed_file: the vectors of a text of any length, in a file."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from elmo_tf2.feature_files import check_features
from elmo_tf2.features.encoder import Encoder, Layers, Model, encoder_of
from elmo_tf2.features.formats import WRITERS, Vectors
from elmo_tf2.features.preallocated_hdf5 import allocate, open_to_fill, synchronize, write_values
from elmo_tf2.features.text import (
    BATCH_SIZE,
    Sentence,
    batches,
    check_choices,
    digest_of,
    read_unchanged,
    was_changed,
    windows,
)
from elmo_tf2.features.work_folder import Progress, WorkFolder
from elmo_tf2.files import check_free, free_bytes, full_disk_told, rename_to_free
from elmo_tf2.validation import check_choice, check_integer
from elmo_tf2.weights.hdf5 import DTYPES

# After these the vectors of words are computed again, so that a run that goes on need compute no
# more of them again. They must be the same: a product's rounding may depend on what shares it.
_WINDOWS_OF_A_CACHE = 64

OnProgress = Callable[[int, int], None]


class FeatureFile(NamedTuple):
    """What was written.

    Attributes:
        path: the file.
        sentences: number of lines of the text.
        tokens: number of words in all.
        num_layers: number of vectors of a word or a sentence, one per layer.
        dim: size of each.
    """

    path: Path
    sentences: int
    tokens: int
    num_layers: int
    dim: int


def embed_file(
    model: Model,
    text_path: str | os.PathLike[str],
    output_path: str | os.PathLike[str],
    batch_size: int = BATCH_SIZE,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    tokenizer: str | None = None,
    layers: Layers = None,
    sentence: str | None = None,
    dtype: str = "float32",
) -> FeatureFile:
    """Computes the vectors of a text, by default in the layout of `dump_bilm_embeddings`.

    A line of the text is a sentence; the model's own tokenizer splits it into words, unless another
    is given. Its vectors are an array `(layers, tokens, 2 * projection_dim)`, that of an empty line
    without tokens; or of sentence vectors `(layers, 2 * projection_dim)`, those of an empty line
    zeros. Memory does not grow with the text. `FeatureReader` reads what is written:

    - `.hdf5`, `.h5`: a dataset for every line, named by its number, "0", "1", …, as bilm-tf has it;
    - `.tfrecord`: a `tf.train.Example` for every line: `vectors`, the bytes of the array, its
      `shape` and `dtype`; and `tokens`, the words, or of sentence vectors `sentence`, the line;
    - `.npy`: sentence vectors, one array `(lines, layers, dim)`, of one layer `(lines, dim)`;
    - `.parquet`: sentence vectors, a column `sentence` and one for each layer: `layer0`, …, `mix`.

    A run that was interrupted continues when it is called again with the same
    arguments. Until it is complete, the work is in the folder `output_path` + ".unfinished" and
    there is nothing new under `output_path`.

    Args:
        model: a `BiLM`, an `ElmoEmbeddings`, or the path of a SavedModel that
            `export_saved_model` wrote, or of a model folder or what else `read_weights` reads; of
            that, only a TF1 Hub module must be converted first.
        text_path: the text, a file.
        output_path: the file to make; its ending decides the format.
        batch_size: int > 0. The most sentences that are computed together; long ones are fewer.
        overwrite: whether an existing file may be replaced, and an interrupted run of another
            model or text be given up.
        on_progress: is called with the number of finished words and that of all words.
        tokenizer: "words", see `elmo_tf2.data.tokenizers.split_words`; or "spaces", for a text
            that is tokenised already: its words stand apart by spaces and may be any bytes. None:
            the model's own.
        layers: numbers of the layers to take, in that order; 0 is the word vector, twice side by
            side. "mix": the weighted sum of them all, as `ElmoEmbeddings` gives it. None: all.
        sentence: "mean" or "max" over a sentence's words. None: the words' own vectors.
        dtype: "float32"; "float16", to which the vectors are rounded in the file; or "bfloat16",
            in which weights are held, in half the memory, and matrix products computed: faster on
            processors with instructions for it (AVX512-BF16, AMX), about two digits right, and
            as many the same in another batch. The file has float32 then. A SavedModel computes
            in the dtype of its export.

    Returns:
        A `FeatureFile`.

    Raises:
        FileExistsError: if there is something at `output_path` and `overwrite` is False.
        FileNotFoundError: if there is no such text or model.
        OSError: if the disk is full or can't be written.
        ValueError: if an argument is of a wrong kind, the model has no such layers, a line is no
            sentence, a value does not fit `dtype`, a SavedModel is to compute in "bfloat16", or
            there is an interrupted run of another model or text or with other choices.

    Example:
    >>> _ = Path("text.txt").write_text("the cat is on the mat")
    >>> embed_file("model_folder", "text.txt", "features.hdf5").tokens
    6
    >>> _ = embed_file("model_folder", "text.txt", "v.npy", layers="mix", sentence="mean")
    >>> np.load("v.npy").shape
    (1, 8)

    Reference:
     - `dump_bilm_embeddings` of [bilm-tf](https://github.com/allenai/bilm-tf)
    """
    check_integer("batch_size", batch_size)
    check_choices(tokenizer, sentence)
    check_choice("dtype", dtype, (*DTYPES, "bfloat16"))
    computed, stored = (dtype, "float32") if dtype == "bfloat16" else (None, dtype)
    text, output = Path(os.path.expanduser(text_path)), Path(output_path).absolute()
    file_format = check_features(text, output, sentence)
    folder = WorkFolder(output)
    with folder.locked():
        check_free(output, overwrite, inputs=[model])
        encoder = encoder_of(model, layers, computed).replace(sentence=sentence, dtype=stored)
        wanted = Progress(
            encoder.fingerprint,
            digest_of(text),
            tokenizer or encoder.tokenizer,
            encoder.layers,
            sentence,
            stored,
        )
        work = _Work(folder, encoder, text, folder.resume(wanted, overwrite) or wanted)
        if work.progress is wanted:
            with full_disk_told(output):
                work.begin()
        try:
            work.check_space(copies=2 if file_format in WRITERS else 1)
            work.fill(batch_size, on_progress or (lambda done, total: None))
            made = work.converted(file_format)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror or error}. What is finished stays in {folder.path}; called again "
                f"with the same arguments, it goes on from there. {output} needs "
                f"{work.num_bytes():,} bytes in all.",
            ) from error
        if overwrite:
            os.replace(made, output)
        else:
            rename_to_free(made, output)
        folder.data.unlink(missing_ok=True)  # not before: what was made may have been lost
    progress = work.progress
    return FeatureFile(
        output, progress.sentences, progress.tokens, len(encoder.layers), encoder.dim
    )


class _Work(NamedTuple):
    """A text, what computes its vectors, the folder where, and how far that has come."""

    folder: WorkFolder
    encoder: Encoder
    text: Path
    progress: Progress

    def num_bytes(self) -> int:
        """The size of all vectors."""
        return self.encoder.num_bytes(self.progress.sentences, self.progress.tokens)

    def begin(self) -> None:
        """Counts the text's sentences and words, and allocates the HDF5 file."""
        self.folder.clear()

        def shapes() -> Iterator[tuple[int, ...]]:
            for line in self._lines(is_first_time=True):
                self.progress.sentences += 1
                self.progress.tokens += len(line.words)
                yield self.encoder.shape(line)

        allocate(self.folder.data, shapes(), self.encoder.dtype)
        self.folder.record(self.progress)

    def check_space(self, copies: int) -> None:
        """Checks that the disk has room for what is not written yet."""
        progress = self.progress
        needed = self.num_bytes() * copies
        needed -= self.encoder.num_bytes(progress.finished_sentences, progress.finished_tokens)
        if copies == 2:  # the other one with the text beside the vectors
            needed += self.text.stat().st_size
        free = free_bytes(self.folder.path)
        if needed > free:
            raise OSError(
                errno.ENOSPC,
                f"{needed / 1e9:,.1f} GB are needed for the vectors of the text, and the disk has "
                f"{free / 1e9:,.1f} GB free",
            )

    def fill(self, batch_size: int, on_progress: OnProgress) -> None:
        """Computes the windows that are not finished yet."""
        encoder, progress = self.encoder, self.progress
        finished = progress.finished_windows
        on_progress(progress.finished_tokens, progress.tokens)
        with open_to_fill(self.folder.data) as file:
            for number, window in enumerate(windows(self._lines())):
                if number % _WINDOWS_OF_A_CACHE == 0:
                    encoder.forget_words()
                if number < finished:
                    if number >= finished - finished % _WINDOWS_OF_A_CACHE:
                        for batch in batches(window, batch_size):
                            encoder.learn_words(batch)
                    continue
                for line in window:
                    if encoder.sentence and not line.words:
                        zeros = np.zeros(encoder.shape(line), encoder.dtype)
                        write_values(self._dataset(file, line), zeros)
                for batch in batches(window, batch_size):
                    for line, vectors in zip(batch, encoder.encode(batch), strict=True):
                        write_values(self._dataset(file, line), vectors)
                        progress.finished_tokens += len(line.words)
                    on_progress(progress.finished_tokens, progress.tokens)
                file.flush()
                synchronize(self.folder.data)
                progress.finished_sentences += len(window)
                progress.finished_windows += 1
                self.folder.record(progress)

    def converted(self, file_format: str) -> Path:
        """The file of all vectors in the format of the output."""
        if file_format not in WRITERS:
            return self.folder.data

        def records() -> Iterator[tuple[Sentence, np.ndarray]]:
            with h5py.File(self.folder.data, "r") as file:
                for line in self._lines():
                    yield line, self._dataset(file, line)[()]

        encoder, sentences = self.encoder, self.progress.sentences
        vectors = Vectors(records(), sentences, encoder.layers, encoder.dim, encoder.dtype)
        WRITERS[file_format](self.folder.converted, vectors)
        synchronize(self.folder.converted)
        return self.folder.converted

    def _lines(self, is_first_time: bool = False) -> Iterator[Sentence]:
        text, tokenizer = self.progress.text, self.progress.tokenizer
        return read_unchanged(self.text, text, tokenizer, is_first_time)

    def _dataset(self, file: h5py.File, line: Sentence) -> h5py.Dataset:
        dataset = file.get(str(line.number))
        if dataset is None or dataset.shape != self.encoder.shape(line):
            raise was_changed(self.text)
        return dataset
