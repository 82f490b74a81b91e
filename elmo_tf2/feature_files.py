"""Checks of a text and of the file to make, which need no TensorFlow."""

import importlib.util
from pathlib import Path

from elmo_tf2.files import check_file, check_utf8

_FORMATS = {
    ".hdf5": "hdf5",
    ".h5": "hdf5",
    ".tfrecord": "tfrecord",
    ".npy": "npy",
    ".parquet": "parquet",
}
_PICTURES = (".html", ".png", ".svg")


def file_format(path: Path) -> str:
    """The format that the ending of a feature file's name stands for."""
    found = _FORMATS.get(path.suffix.lower())
    if found is None:
        raise ValueError(
            f"{path} must have an ending that names its format: "
            f"{', '.join(_FORMATS)}. Found: {path.suffix or 'none'}."
        )
    if found == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ValueError(f"{path} needs pyarrow: pip install 'elmo_tf2[parquet]'")
    return found


def work_folder(output: Path) -> Path:
    """The folder in which a feature file is made until it is complete."""
    return output.with_name(f"{output.name}.unfinished")


def check_features(text: Path, output: Path, sentence: str | None) -> str:
    """Checks a text and the name of its feature file, and returns the format of that.

    Whether there is a file already is `check_free`'s to check.
    """
    if text.exists() and not text.is_file():
        raise ValueError(f"{text} is not a file. Expected: a text file, which can be read twice.")
    check_file(text, "text")
    if output.is_dir():
        raise ValueError(f"{output} is a folder. Expected: the name of a file to write.")
    if output.exists() and output.samefile(text):
        raise ValueError(f"{output} is the text itself. Choose another name for the output.")
    found = file_format(output)
    if found == "tfrecord":
        check_utf8(output)
    if found in ("npy", "parquet") and sentence is None:
        raise ValueError(
            f"{output} can hold sentence vectors only. Ask for them (`sentence`, on the command "
            "line `--sentence`: mean or max), or write the vectors of words to .hdf5 or .tfrecord."
        )
    return found


def check_picture(output: Path, clusters: int) -> None:
    """Checks that there is what a picture of this name and of so many clusters needs."""
    if output.suffix.lower() not in _PICTURES:
        raise ValueError(
            f"{output} must have an ending that names its format: {', '.join(_PICTURES)}. Found: "
            f"{output.suffix or 'none'}."
        )
    if output.suffix.lower() != ".html":
        _check_installed("matplotlib", f"{output} needs matplotlib")
    if clusters > 1:
        _check_installed("sklearn", "Clusters need scikit-learn")


def _check_installed(module: str, needed: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise ValueError(f"{needed}: pip install 'elmo_tf2[plots]'")
