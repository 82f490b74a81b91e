"""embed_file: the vectors of a text of any length, in a file."""

import dataclasses
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from elmo_tf2.arguments import check_choice, check_integer
from elmo_tf2.config import TOKENIZERS
from elmo_tf2.feature_files import check_paths
from elmo_tf2.features.encoder import Encoder, Layers, Model, encoder_of
from elmo_tf2.features.forms import WRITERS, Vectors
from elmo_tf2.features.text import (
    BATCH_SIZE,
    Sentence,
    batches,
    read_sentences,
    was_changed,
    windows,
)
from elmo_tf2.features.unfinished import Progress, UnfinishedFile, synchronize
from elmo_tf2.files import check_free, free_bytes, rename_to_free
from elmo_tf2.weights.hdf5 import DTYPES

# After these the vectors of words are computed anew, so that a run that goes on need compute no
# more of them again. They must be the same: a product's rounding may depend on what shares it.
_WINDOWS_OF_A_CACHE = 64

SENTENCE_VECTORS = ("mean", "max")

OnProgress = Callable[[int, int], None]


class FeatureFile(NamedTuple):
    """What was written.

    Attributes:
        path: the file.
        sentences: number of lines of the text.
        tokens: number of words in all.
        num_layers: number of vectors of a word or a sentence, one a layer.
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

    A line of the text is a sentence; the model's own tokenizer makes words of it, unless another
    is given. Its vectors are an array `(layers, tokens, 2 * projection_dim)`, that of an empty line
    without tokens; or of sentence vectors `(layers, 2 * projection_dim)`, those of an empty line
    zeros. Memory does not grow with the text. `FeatureReader` reads what is written:

    - `.hdf5`, `.h5`: a dataset for every line, named by its number, "0", "1", …, as bilm-tf has it;
    - `.tfrecord`: a `tf.train.Example` for every line, see `write_tfrecord`;
    - `.npy`: sentence vectors, one array `(lines, layers, dim)`, of one layer `(lines, dim)`;
    - `.parquet`: sentence vectors, a column `sentence` and one for each layer: `layer0`, …, `mix`.

    A run that was interrupted, in whatever way, goes on when it is called again with the same
    arguments. Until it is complete, the work is in the folder `output_path` + ".unfinished" and
    there is nothing new under `output_path`.

    Args:
        model: a `BiLM`, an `ElmoEmbeddings`, or the path of a SavedModel that
            `export_saved_model` wrote, or of a model folder or what else `read_weights` reads; of
            that, only a TF1 Hub module must be converted first.
        text_path: the text, a file.
        output_path: the file to make; its ending tells what kind of file.
        batch_size: int > 0. The most sentences that are computed together; long ones are fewer.
        overwrite: whether an existing file may be replaced, and an unfinished one of another
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
            there is an unfinished file of another model or text or with other choices.

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
    if tokenizer is not None:
        check_choice("tokenizer", tokenizer, TOKENIZERS)
    if sentence is not None:
        check_choice("sentence", sentence, SENTENCE_VECTORS)
    check_choice("dtype", dtype, (*DTYPES, "bfloat16"))
    computed, stored = (dtype, "float32") if dtype == "bfloat16" else (None, dtype)
    text, output = Path(os.path.expanduser(text_path)), Path(output_path).absolute()
    form = check_paths(text, output, sentence)
    unfinished = UnfinishedFile(output)
    with unfinished.locked():
        check_free(output, overwrite, inputs=[model, text])
        encoder = encoder_of(model, layers, computed).replace(sentence=sentence, dtype=stored)
        encoder = encoder.replace(tokenizer=tokenizer or encoder.tokenizer)
        progress = unfinished.resume(encoder, text, overwrite)
        progress = progress or unfinished.lay_out(encoder, text)
        unfinished.converted.unlink(missing_ok=True)
        size = encoder.num_bytes(progress.sentences, progress.tokens)
        try:
            _check_space(unfinished, encoder, text, progress, copies=2 if form in WRITERS else 1)
            _fill(unfinished, encoder, text, progress, batch_size, on_progress)
            if form in WRITERS:
                vectors = _finished(unfinished, encoder, text, progress)
                WRITERS[form](unfinished.converted, vectors)
                synchronize(unfinished.converted)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror or error}. What is finished stays in {unfinished.folder}; called "
                f"again with the same arguments, it goes on from there. {output} needs "
                f"{size:,} bytes in all.",
            ) from error
        made = unfinished.converted if form in WRITERS else unfinished.data
        if overwrite:
            os.replace(made, output)
        else:
            rename_to_free(made, output)
        unfinished.data.unlink(missing_ok=True)  # not before: what was made may have been lost
    return FeatureFile(
        output, progress.sentences, progress.tokens, len(encoder.layers), encoder.dim
    )


def _check_space(
    unfinished: UnfinishedFile, encoder: Encoder, text: Path, progress: Progress, copies: int
) -> None:
    of_all = encoder.num_bytes(progress.sentences, progress.tokens)
    needed = of_all - encoder.num_bytes(progress.finished_sentences, progress.finished_tokens)
    if copies == 2:  # the other one with the text beside the vectors
        needed += of_all + text.stat().st_size
    free = free_bytes(unfinished.folder)
    if needed > free:
        raise OSError(
            errno.ENOSPC,
            f"{needed / 1e9:,.1f} GB are needed for the vectors of the text, and the disk has "
            f"{free / 1e9:,.1f} GB free",
        )


def _fill(
    unfinished: UnfinishedFile,
    encoder: Encoder,
    text: Path,
    progress: Progress,
    batch_size: int,
    on_progress: OnProgress | None,
) -> None:
    """Computes what is not finished yet."""
    digest = hashlib.sha256()
    sentences = read_sentences(text, digest, progress.tokenizer)
    finished, finished_tokens = progress.finished_windows, progress.finished_tokens
    if on_progress:
        on_progress(finished_tokens, progress.tokens)
    with unfinished.writer() as writer:
        for number, window in enumerate(windows(sentences)):
            if number % _WINDOWS_OF_A_CACHE == 0:
                encoder.forget_words()
            if number < finished:
                if number >= finished - finished % _WINDOWS_OF_A_CACHE:
                    for batch in batches(window, batch_size):
                        encoder.learn_words(batch)
                continue
            if encoder.sentence:
                for sentence in window:
                    if not sentence.words:
                        writer.write(sentence, np.zeros(encoder.shape(sentence), encoder.dtype))
            for batch in batches(window, batch_size):
                for sentence, vectors in zip(batch, encoder.encode(batch), strict=True):
                    writer.write(sentence, vectors)
                    finished_tokens += len(sentence.words)
                if on_progress:
                    on_progress(finished_tokens, progress.tokens)
            writer.flush()
            progress = dataclasses.replace(
                progress,
                finished_sentences=window[-1].number + 1,
                finished_tokens=finished_tokens,
                finished_windows=number + 1,
            )
            unfinished.record(progress)
    if digest.hexdigest() != progress.text:
        raise was_changed(text)


def _finished(
    unfinished: UnfinishedFile, encoder: Encoder, text: Path, progress: Progress
) -> Vectors:
    """The finished vectors beside the text, which is read once more."""

    def records() -> Iterator[tuple[Sentence, np.ndarray]]:
        digest = hashlib.sha256()
        with h5py.File(unfinished.data, "r") as file:
            for sentence in read_sentences(text, digest, progress.tokenizer):
                if sentence.number == progress.sentences:
                    break  # the text has grown, and so its digest is another
                yield sentence, file[str(sentence.number)][()]
        if digest.hexdigest() != progress.text:
            raise was_changed(text)

    return Vectors(records(), progress.sentences, encoder.layers, encoder.dim, encoder.dtype)
