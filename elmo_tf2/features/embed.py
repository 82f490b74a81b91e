"""embed_file: the vectors of a text of any length, in a file."""

import dataclasses
import errno
import hashlib
import itertools
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from elmo_tf2.arguments import check_choice, check_integer
from elmo_tf2.config import TOKENIZERS
from elmo_tf2.features.encoder import Encoder, Model, encoder_of
from elmo_tf2.features.text import batches, read_sentences, windows
from elmo_tf2.features.unfinished import Progress, UnfinishedFile
from elmo_tf2.files import check_free, free_bytes

OnProgress = Callable[[int, int], None]


class FeatureFile(NamedTuple):
    """What was written.

    Attributes:
        path: the HDF5 file.
        sentences: number of datasets, one a line of the text.
        tokens: number of words in all.
        num_layers: number of vectors a word: its own, and one a layer of the biLM.
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
    batch_size: int = 128,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    tokenizer: str | None = None,
) -> FeatureFile:
    """Computes the vectors of a text, in the layout of bilm-tf's `dump_bilm_embeddings`.

    A line of the text is a sentence; the model's own tokenizer makes words of it, unless another
    is given. The vectors of a line are the dataset of its number, "0", "1", …: float32,
    `(num_layers + 1, tokens, 2 * projection_dim)`. An empty line has one with no tokens. Memory
    does not grow with the text.

    A run that was interrupted, in whatever way, goes on when it is called again with the same
    model, text and output. Until it is complete, the file is in the folder `output_path` +
    ".unfinished" and there is nothing new under `output_path`.

    Args:
        model: a `BiLM`, an `ElmoEmbeddings`, or the path of a SavedModel that
            `export_saved_model` wrote, or of a model folder or what else `read_weights` reads; of
            that, only a TF1 Hub module must be converted first.
        text_path: the text, a file.
        output_path: the HDF5 file to make.
        batch_size: int > 0. The most sentences that are computed together; long ones are fewer.
        overwrite: whether an existing file may be replaced, and an unfinished one of another
            model or text be given up.
        on_progress: is called with the number of finished words and that of all words.
        tokenizer: "words", see `elmo_tf2.data.tokenizers.split_words`; or "spaces", for a text
            that is tokenised already: its words stand apart by ASCII white space and may be any
            bytes. None: the model's own.

    Returns:
        A `FeatureFile`.

    Raises:
        FileExistsError: if there is something at `output_path` and `overwrite` is False.
        FileNotFoundError: if there is no such text or model.
        OSError: if the disk is full or can't be written.
        ValueError: if an argument is of a wrong kind, a line is no sentence, or there is an
            unfinished file of another model or text.

    Example:
    >>> _ = Path("text.txt").write_text("the cat is on the mat")
    >>> embed_file("model_folder", "text.txt", "features.hdf5").tokens
    6

    Reference:
     - `dump_bilm_embeddings` of [bilm-tf](https://github.com/allenai/bilm-tf)
    """
    check_integer("batch_size", batch_size)
    if tokenizer is not None:
        check_choice("tokenizer", tokenizer, TOKENIZERS)
    text, output = Path(text_path), Path(output_path).absolute()
    _check_paths(text, output)
    unfinished = UnfinishedFile(output)
    with unfinished.locked():
        check_free(output, overwrite)
        encoder = encoder_of(model)
        tokenizer = tokenizer or encoder.tokenizer
        progress = unfinished.resume(encoder, text, tokenizer, overwrite)
        progress = progress or unfinished.lay_out(encoder, text, tokenizer)
        try:
            _check_space(unfinished, encoder, progress)
            _fill(unfinished, encoder, text, progress, batch_size, on_progress)
        except OSError as error:
            raise OSError(
                error.errno,
                f"{error.strerror or error}. What is finished stays in {unfinished.folder}; called "
                "again with the same arguments, it goes on from there.",
            ) from error
        check_free(output, overwrite)
        os.replace(unfinished.data, output)
    return FeatureFile(output, progress.sentences, progress.tokens, encoder.num_layers, encoder.dim)


def _check_paths(text: Path, output: Path) -> None:
    if not text.exists():
        raise FileNotFoundError(f"There is no text {str(text)!r}.")
    if not text.is_file():
        raise ValueError(f"{text} is not a file. Expected: a text file, which can be read twice.")
    if output.is_dir():
        raise ValueError(f"{output} is a folder. Expected: the name of a file to write.")
    if output.exists() and output.samefile(text):
        raise ValueError(f"{output} is the text itself. Choose another name for the output.")


def _check_space(unfinished: UnfinishedFile, encoder: Encoder, progress: Progress) -> None:
    bytes_a_token = encoder.num_layers * encoder.dim * 4
    needed = (progress.tokens - progress.finished_tokens) * bytes_a_token
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
    sentences = itertools.islice(
        read_sentences(text, digest, progress.tokenizer), progress.finished_sentences, None
    )
    finished_tokens = progress.finished_tokens
    if on_progress:
        on_progress(finished_tokens, progress.tokens)
    with unfinished.writer() as writer:
        for window in windows(sentences):
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
            )
            unfinished.record(progress)
    if digest.hexdigest() != progress.text:
        raise ValueError(f"{text} was changed while it was read. Embed it again.")
