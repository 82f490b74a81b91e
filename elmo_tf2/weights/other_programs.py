"""Models of other programs, which are named so that people know what they have."""

import zipfile
from pathlib import Path

_PACKED = "is packed ({}). Unpack it, and give the folder or file."
_TORCH = (
    "is a file of PyTorch, which can't be read here. Give the options and the HDF5 weights of its "
    "ELMo."
)
_MAGNITUDE = (
    "is a file of Magnitude (pymagnitude), which can't be read here. Give the options and the HDF5 "
    "weights that it was made of."
)
_FOR_MANY_LANGS = (
    "is a part of a model of ELMoForManyLangs. Give its folder, which has config.json and the "
    "dictionaries beside it."
)
_FOR_MANY_LANGS_FILES = ("encoder.pkl", "token_embedder.pkl")
_KERAS = (
    "is a Keras model. Load it with keras.saving.load_model, after `from elmo_tf2 import "
    "ElmoEmbeddings`."
)
# What a file begins with. The pickles are of torch.save before and after it took to zip.
_BEGINNINGS = {
    b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.": _TORCH,
    b"SQLite format 3\0": _MAGNITUDE,
    b"\x1f\x8b": _PACKED.format("gzip"),
    b"BZh": _PACKED.format("bzip2"),
    b"\xfd7zXZ": _PACKED.format("xz"),
    b"(\xb5/\xfd": _PACKED.format("zstd"),
    b"7z\xbc\xaf": _PACKED.format("7z"),
    b"Rar!": _PACKED.format("rar"),
}


def other_programs_file(path: Path) -> str | None:
    """What a file is that this package can't read, and what to do; None if it is unknown.

    The rest of a sentence that begins with its path.
    """
    if path.suffix == ".keras":
        return _KERAS
    if path.suffix == ".magnitude":
        return _MAGNITUDE
    with open(path, "rb") as file:
        start = file.read(512)
    known = (what for beginning, what in _BEGINNINGS.items() if start.startswith(beginning))
    what = _what_is_zipped(path) if start.startswith(b"PK") else next(known, None)
    if what is None and start[257:262] == b"ustar":
        return _PACKED.format("tar")
    is_for_many_langs = what == _TORCH and path.name in _FOR_MANY_LANGS_FILES
    return _FOR_MANY_LANGS if is_for_many_langs else what


def _what_is_zipped(path: Path) -> str:
    """torch.save, numpy.savez and others write zip files, too, which are not archives to unpack."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        names = []
    if any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return _TORCH
    if names and all(name.endswith(".npy") for name in names):
        return "is a file of NumPy's arrays, which is no form of ELMo's weights."
    return _PACKED.format("zip")


def other_programs_folder(folder: Path) -> str | None:
    """The same of a folder."""
    files = [path for path in folder.iterdir() if path.is_file()]
    found = [what for what in map(other_programs_file, files) if what in (_TORCH, _MAGNITUDE)]
    return f"holds no weights that can be read, but a file that {found[0]}" if found else None
