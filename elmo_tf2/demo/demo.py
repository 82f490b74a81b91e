"""demonstrate: a model exported, used by another process, and what came of it."""

import importlib.resources
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np

from elmo_tf2.convert import load_weights
from elmo_tf2.demo.figures import WordFigures, figures_of
from elmo_tf2.demo.senses import read_senses, senses_text
from elmo_tf2.files import StrPath, atomic_write, check_free, check_utf8
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.presets import shown_name
from elmo_tf2.saved_model import export_saved_model

SCRIPT = "word_vectors.py"
SENTENCES_FILE = "senses.json"
VECTORS_FILE = "vectors.npz"
PICTURE_FILE = "senses.png"
"""Name of the picture in the folder of a demonstration."""

_WORD_LAYER = "word_emb"


class Demonstration(NamedTuple):
    """What was made and found.

    Attributes:
        folder: holds all files.
        saved_model: the exported model.
        said: what the script printed.
        words: figures of every word.
        vectors: by word and layer, `(sentences, dimensions)`.
    """

    folder: Path
    saved_model: Path
    said: str
    words: tuple[WordFigures, ...]
    vectors: dict[str, dict[str, np.ndarray]]


def demonstrate(
    model: StrPath,
    folder: StrPath,
    overwrite: bool = False,
    prove: bool = True,
    language: str = "en",
) -> Demonstration:
    """Exports a model, lets another process compute vectors with it, and compares them.

    The other process runs a script that needs TensorFlow, tensorflow_hub and NumPy alone. Raw
    sentences are split by the tokenizer `words`, whatever the model's own.

    Args:
        model: what `elmo_tf2.weights.read_weights` takes.
        folder: the folder to make. The SavedModel in it is named as the model.
        overwrite: whether an existing folder of an earlier demonstration may be replaced.
        prove: whether a TF1 Hub module is run to compare its vectors.
        language: of the sentences, one of `LANGUAGES`.

    Returns:
        A `Demonstration`.

    Raises:
        ChildProcessError: if the script fails.
        FileExistsError: if there is something at `folder` and `overwrite` is False, or what is
            there is more than an earlier demonstration.
        FileNotFoundError: if there is no such model.
        ValueError: if it can't be read, or there are no sentences in this language.
    """
    model, folder = Path(model), Path(folder).absolute()
    name = shown_name(model)
    parts = (name, SCRIPT, SENTENCES_FILE, VECTORS_FILE, PICTURE_FILE)
    check_utf8(folder)
    check_free(folder, overwrite, parts, [model])
    elmo = ElmoEmbeddings.from_weights(load_weights(model, prove=prove), tokenizer="words")
    senses = read_senses(language)
    with atomic_write(folder, overwrite, parts) as temporary:
        temporary.mkdir()
        export_saved_model(elmo, temporary / name, source=name)
        script = importlib.resources.files(__package__) / SCRIPT
        (temporary / SCRIPT).write_bytes(script.read_bytes())
        (temporary / SENTENCES_FILE).write_text(senses_text(language), encoding="utf-8")
        said = _run(temporary, name)
        vectors = _read_vectors(temporary / VECTORS_FILE)
    # Nothing is known of the top layer's name but that it is the last of the LSTMs'.
    top = f"lstm_outputs{elmo.config.num_layers}"
    words = tuple(figures_of(word, senses[word], vectors[word], top) for word in senses)
    return Demonstration(folder, folder / name, said, words, vectors)


def _run(folder: Path, saved_model: str) -> str:
    """Runs the script in a process of its own; what it printed."""
    result = subprocess.run(
        [sys.executable, SCRIPT, saved_model, SENTENCES_FILE, VECTORS_FILE],
        cwd=folder,
        env={"TF_CPP_MIN_LOG_LEVEL": "2", **os.environ},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise ChildProcessError(
            f"{SCRIPT}, run by itself, ended with code {result.returncode}:\n{result.stderr}"
        )
    return result.stdout


def _read_vectors(path: Path) -> dict[str, dict[str, np.ndarray]]:
    vectors: dict[str, dict[str, np.ndarray]] = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key, array in arrays.items():
            word, _, layer = key.partition("/")
            vectors.setdefault(word, {})[layer] = array
    return {word: dict(sorted(layers.items(), key=_place)) for word, layers in vectors.items()}


def _place(item: tuple[str, np.ndarray]) -> tuple[int, str]:
    """The vector without context first, then the LSTMs' by their number, last the mix."""
    layer, _ = item
    number = layer.removeprefix("lstm_outputs")
    place = {_WORD_LAYER: 0, "elmo": 10**6}
    return place.get(layer, int(number) if number.isdecimal() else 10**6), layer
