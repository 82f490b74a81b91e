"""write_projector: the vectors of a text for TensorBoard's Embedding Projector."""

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from elmo_tf2.features.embed import OnProgress
from elmo_tf2.features.encoder import Layers, Model, encoder_of
from elmo_tf2.features.sample import Sample, encoded
from elmo_tf2.features.text import Sentence, check_choices, read_sentences, readable
from elmo_tf2.files import atomic_write, check_file, check_free, check_utf8
from elmo_tf2.validation import check_integer

CONFIG_FILE = "projector_config.pbtxt"
METADATA_FILE = "metadata.tsv"

_MAX_TEXT = 300


class ProjectorFolder(NamedTuple):
    """What was written.

    Attributes:
        path: the folder.
        points: number of words or sentences in it.
        all_points: number of those of the text.
        layers: names of the layers.
        dim: size of a layer's vector.
    """

    path: Path
    points: int
    all_points: int
    layers: list[str]
    dim: int


def write_projector(
    model: Model,
    text_path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    max_points: int = 10_000,
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
    tokenizer: str | None = None,
    layers: Layers = None,
    sentence: str | None = None,
) -> ProjectorFolder:
    r"""Writes the vectors of a text for `tensorboard --logdir FOLDER`, its Embedding Projector.

    The folder gets a table of vectors for each layer, `layer0.tsv` and so on; `metadata.tsv`, which
    has the word, the number of its line from 0, and the line; and `projector_config.pbtxt`.
    projector.tensorflow.org takes the tables too.

    Args:
        model: what `embed_file` takes.
        text_path: a text of one sentence per line.
        folder: the folder to make.
        max_points: int > 0. The most words, or with `sentence` sentences; of more, sentences are
            drawn at random.
        overwrite: whether an existing folder of this kind may be replaced.
        on_progress: is called with the number of finished words and that of all words.
        tokenizer: as of `embed_file`, like `layers` and `sentence`.
        layers: the layers.
        sentence: "mean" or "max", or None for the vectors of words.

    Returns:
        A `ProjectorFolder`.

    Raises:
        FileExistsError: if there is something at `folder` and `overwrite` is False, or what is
            there is more than such a folder.
        FileNotFoundError: if there is no such text or model.
        ValueError: if an argument is of a wrong kind, or the text has no words.

    Example:
    >>> _ = Path("text.txt").write_text("the cat is on the mat")
    >>> write_projector("model_folder", "text.txt", "projector").layers
    ['layer0', 'layer1', 'layer2']
    >>> Path("projector/metadata.tsv").read_text().splitlines()[:2]
    ['word\tline\tsentence', 'the\t0\tthe cat is on the mat']
    """
    check_integer("max_points", max_points)
    check_choices(tokenizer, sentence)
    text, folder = check_file(text_path, "text"), Path(folder)
    check_utf8(folder.absolute())
    encoder = encoder_of(model, layers).replace(sentence=sentence)
    earlier = [path.name for path in folder.glob("layer*.tsv")]
    parts = [CONFIG_FILE, METADATA_FILE, "mix.tsv", *earlier]
    check_free(folder, overwrite, parts, [model, text])

    sample: Sample[Sentence] = Sample(max_points)
    for line in read_sentences(text, None, tokenizer or encoder.tokenizer, is_first_time=True):
        if line.words:
            sample.add(line, 1 if sentence else len(line.words))
    if not sample.added:
        raise ValueError(f"{text} has no words. Expected: a text of one sentence per line.")
    drawn = sample.items()
    arrays = {
        line.number: array[:, np.newaxis] if sentence else array  # (layers, points, dim)
        for line, array in encoded(encoder, drawn, on_progress)
    }
    # One sentence may have more words than are wanted.
    vectors = np.concatenate([arrays[line.number] for line in drawn], axis=1)[:, :max_points]
    with atomic_write(folder, overwrite, parts) as new:
        new.mkdir()
        for name, layer in zip(encoder.layers, vectors, strict=True):
            np.savetxt(new / f"{name}.tsv", layer, "%.6g", "\t")
        rows = _metadata(drawn, sentence)[: vectors.shape[1] + 1]
        (new / METADATA_FILE).write_text("\n".join([*rows, ""]), encoding="utf-8")
        _write_config(new, encoder.layers)
    return ProjectorFolder(folder, vectors.shape[1], sample.added, encoder.layers, encoder.dim)


def _metadata(lines: list[Sentence], sentence: str | None) -> list[str]:
    """The rows of a table of what the points are, below the columns' names."""
    rows = ["line\tsentence" if sentence else "word\tline\tsentence"]
    for line in lines:
        row = f"{line.number}\t{readable(line.line)[:_MAX_TEXT]}"
        rows += [row] if sentence else [f"{readable(word)}\t{row}" for word in line.words]
    return rows


def _write_config(folder: Path, layers: list[str]) -> None:
    from tensorboard.plugins import projector

    config = projector.ProjectorConfig()
    for name in layers:
        config.embeddings.add(
            tensor_name=name, tensor_path=f"{name}.tsv", metadata_path=METADATA_FILE
        )
    projector.visualize_embeddings(str(folder), config)
