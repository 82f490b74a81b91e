"""Models that come with the package, each a model folder in this one, known by its name."""

import importlib.resources
import os
from pathlib import Path
from typing import NamedTuple

from elmo_tf2.config import ElmoConfig

DEFAULT_PRESET = "elmo_mini_en"

_WEIGHTS_FILE = "weights.hdf5"


def preset_names() -> tuple[str, ...]:
    """The names of the presets that this version of the package knows, in order."""
    folder = _presets_folder()
    entries = folder.iterdir() if folder.is_dir() else ()
    return tuple(
        sorted(entry.name for entry in entries if entry.is_dir() and entry.name[0] not in "._")
    )


class Preset(NamedTuple):
    """What a preset is.

    Attributes:
        language: its code, such as "en": the last part of the name.
        num_layers: layers of the encoder, without the word vector.
        units: size of a memory cell.
        projection_dim: size of a state.
        vector_dim: numbers in the vector of a word.
        softmax_words: words that its language model predicts; 0 without one.
        num_bytes: its size on disk.
    """

    language: str
    num_layers: int
    units: int
    projection_dim: int
    vector_dim: int
    softmax_words: int
    num_bytes: int


def describe_presets() -> dict[str, Preset]:
    """The presets whose weights came with this copy of the package, by name."""
    folders = [_presets_folder() / name for name in preset_names()]
    return {folder.name: _describe(folder) for folder in folders if _has_weights(folder)}


class PresetsAttribute:
    """An attribute of a class: the presets, read when it is asked for."""

    def __get__(self, instance: object, owner: type) -> dict[str, Preset]:
        return describe_presets()


def _describe(folder: Path) -> Preset:
    config = ElmoConfig.from_file(folder / "options.json")
    words = 0
    if (folder / "softmax.hdf5").exists():
        words = (folder / "vocab.txt").read_bytes().count(b"\n")
    return Preset(
        language=folder.name.rpartition("_")[2],
        num_layers=config.num_layers,
        units=config.units,
        projection_dim=config.projection_dim,
        vector_dim=2 * config.projection_dim,
        softmax_words=words,
        num_bytes=sum(file.stat().st_size for file in folder.iterdir() if file.is_file()),
    )


def _has_weights(folder: Path) -> bool:
    return (folder / _WEIGHTS_FILE).exists()


def preset_folder(name: str) -> Path:
    """The model folder of a preset.

    Example:
    >>> preset_folder("elmo_maxi_en")
    Traceback (most recent call last):
    ...
    ValueError: There is no preset 'elmo_maxi_en'. Presets: elmo_mini_en.
    """
    names = preset_names()
    if name not in names:
        raise ValueError(f"There is no preset {name!r}. {_known(names)}")
    folder = _presets_folder() / name
    if not _has_weights(folder):
        raise FileNotFoundError(
            f"The weights of the preset {name!r} did not come with this copy of the package: "
            f"{folder} has no {_WEIGHTS_FILE}. Give another model."
        )
    return folder


def find_model(model: str | os.PathLike[str]) -> Path:
    """The path of a model that is named by its path or, if there is nothing, as a preset."""
    name = os.path.expanduser(model)
    path = Path(name)
    is_bare = path.name == name
    if not is_bare or path.exists() or any(path.parent.glob(f"{_literal(name)}.*")):
        return path
    names = preset_names()
    if name in names:
        return preset_folder(name)
    raise FileNotFoundError(
        f"There is no file, folder or checkpoint {name!r}, and no preset of that name. "
        f"{_known(names)}"
    )


def shown_name(model: str | os.PathLike[str]) -> str:
    """The last part of a model's path, also of "..", with U+FFFD for what is not UTF-8."""
    return os.fsencode(os.path.basename(os.path.abspath(model))).decode("utf-8", "replace")


def _known(names: tuple[str, ...]) -> str:
    if not names:
        return "This copy of the package has no presets."
    return f"Presets: {', '.join(names)}."


def _literal(name: str) -> str:
    """A pattern for this name alone."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def _presets_folder() -> Path:
    return Path(str(importlib.resources.files(__name__)))
