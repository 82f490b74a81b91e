"""What the names of a text and of the file to make show, before TensorFlow is imported."""

import importlib.util
from pathlib import Path

from elmo_tf2.files import check_file, check_utf8

_FORMS = {
    ".hdf5": "hdf5",
    ".h5": "hdf5",
    ".tfrecord": "tfrecord",
    ".npy": "npy",
    ".parquet": "parquet",
}
_PICTURES = (".html", ".png", ".svg")


def form_of(path: Path) -> str:
    """The kind of a file.

    Args:
        path: the file, which need not be there.

    Returns:
        "hdf5", "tfrecord", "npy" or "parquet".

    Raises:
        ValueError: if the name's ending is of no kind, or nothing here reads and writes that kind.

    Example:
    >>> form_of(Path("vectors.h5"))
    'hdf5'
    """
    form = _FORMS.get(path.suffix.lower())
    if form is None:
        raise ValueError(
            f"{path} must have an ending that tells what kind of file it is: "
            f"{', '.join(_FORMS)}. Found: {path.suffix or 'none'}."
        )
    if form == "parquet" and importlib.util.find_spec("pyarrow") is None:
        raise ValueError(f"{path} needs pyarrow: pip install 'elmo_tf2[parquet]'")
    return form


def check_paths(text: Path, output: Path, sentence: str | None) -> str:
    """Checks that a text can be read, and its vectors be written to a file.

    Args:
        text: the text.
        output: the file to make. Whether one is there already is `check_free`'s to tell.
        sentence: "mean" or "max" if it is to hold sentence vectors.

    Returns:
        The file's kind, as `form_of` does.

    Raises:
        FileNotFoundError: if there is no text.
        ValueError: if one of them is no file, both are the same, or there is no such kind of file
            or it can't hold the vectors of words.
    """
    if text.exists() and not text.is_file():
        raise ValueError(f"{text} is not a file. Expected: a text file, which can be read twice.")
    check_file(text, "text")
    if output.is_dir():
        raise ValueError(f"{output} is a folder. Expected: the name of a file to write.")
    if output.exists() and output.samefile(text):
        raise ValueError(f"{output} is the text itself. Choose another name for the output.")
    form = form_of(output)
    if form == "tfrecord":
        check_utf8(output)
    if form in ("npy", "parquet") and sentence is None:
        raise ValueError(
            f"{output} can hold sentence vectors only. Ask for them (`sentence`, on the command "
            "line `--sentence`: mean or max), or write the vectors of words to .hdf5 or .tfrecord."
        )
    return form


def check_picture(output: Path) -> None:
    """Checks that the vectors of a word can be drawn into a file.

    Args:
        output: the file to make.

    Raises:
        ValueError: if the name's ending is of no kind of picture, or matplotlib is missing.
    """
    if output.suffix.lower() not in _PICTURES:
        raise ValueError(
            f"{output} must have an ending that tells what to make: {', '.join(_PICTURES)}. Found: "
            f"{output.suffix or 'none'}."
        )
    if output.suffix.lower() != ".html":
        check_installed("matplotlib", f"{output} needs matplotlib")


def check_installed(module: str, needed: str) -> None:
    """Checks that a library for pictures is there.

    Args:
        module: its name.
        needed: what needs it, for the message.

    Raises:
        ValueError: if it is not.
    """
    if importlib.util.find_spec(module) is None:
        raise ValueError(f"{needed}: pip install 'elmo_tf2[plots]'")
