"""HDF5 files of plain float arrays, read with care: nothing else in such a file is touched."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import h5py
import numpy as np

from elmo_tf2.files import StrPath, check_file
from elmo_tf2.validation import check_choice, one_line
from elmo_tf2.weights.elmo_weights import as_finite_float32

DTYPES = ("float32", "float16")

# Trained weights hardly compress; what claims to be so much smaller in the file is no weight.
_MAX_COMPRESSION = 64
# More than what HDF5 writes of names and shapes.
_HDF5_ROOM = 2**18


class Hdf5File(NamedTuple):
    """An open file, and its datasets by their names."""

    path: str
    datasets: dict[str, h5py.Dataset]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every dataset."""
        return {name: dataset.shape for name, dataset in self.datasets.items()}

    def check_stored(self, names: Iterable[str]) -> None:
        """Checks that these datasets really are in the file, before memory is taken for them."""
        for name in names:
            check_stored(self.datasets[name], self.path)

    def read(self, name: str) -> np.ndarray:
        """Reads a dataset that passed `check_stored`, as finite float32 numbers."""
        with damage_explained(self.path):
            values = self.datasets[name][()]
        return as_finite_float32(values, self.path, name)


@contextmanager
def open_hdf5(path: StrPath, what: str = "weight file") -> Iterator[Hdf5File]:
    """Opens a file that holds plain float arrays of its own and nothing else, no links either."""
    path = str(check_file(path, what))
    with damage_explained(path):
        file = h5py.File(path, "r")
    with file:
        yield Hdf5File(path, _datasets(file, path))


@contextmanager
def damage_explained(path: StrPath) -> Iterator[None]:
    """Makes one ValueError of what h5py raises on a damaged file, which can be almost any."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(
            f"{path} can't be read as an HDF5 file: {one_line(error)}. It is none, or was cut "
            "short or damaged; copy or download it again."
        ) from error


def _datasets(file: h5py.File, path: str) -> dict[str, h5py.Dataset]:
    datasets = {}
    with damage_explained(path):
        root = file["/"]
    seen, todo = {root}, [("", root)]
    while todo:
        prefix, group = todo.pop()
        with damage_explained(path):
            members = {prefix + name: _member(group, name) for name in group}
        for key, member in members.items():
            if not isinstance(member, h5py.Group):
                _check_plain(member, key, path)
                datasets[key] = member
            elif member in seen:
                raise ValueError(f"{path}: the group `{key}` has two names in the file.")
            else:
                seen.add(member)
                todo.append((f"{key}/", member))
    return datasets


def _member(group: h5py.Group, name: str) -> h5py.HLObject | None:
    """What is in the group under this name; None for a link, which may lead to other files."""
    is_own = isinstance(group.get(name, getlink=True), h5py.HardLink)
    return group[name] if is_own else None


def own_dataset(group: h5py.Group, name: str, path: StrPath) -> h5py.Dataset:
    """A plain float array of the file's own; anything else under that name is a ValueError."""
    with damage_explained(path):
        member = _member(group, name)
    _check_plain(member, name, path)
    return member


def _check_plain(member: h5py.HLObject | None, key: str, path: StrPath) -> None:
    with damage_explained(path):
        fault = _fault(member)
    if fault:
        raise ValueError(f"{path}: `{key}` must be a plain float array. Found: {fault}.")


def _fault(member: h5py.HLObject | None) -> str | None:
    """What keeps it from being a plain float array, if anything does."""
    if member is None:
        return "a link, or nothing"
    if not isinstance(member, h5py.Dataset):
        return "a group" if isinstance(member, h5py.Group) else "a named type"
    if member.is_virtual or member.external:
        return "values of another file"
    if member.dtype.kind != "f":
        return f"type {member.dtype}"
    return "no shape" if member.shape is None else None


def root_names(path: StrPath) -> set[str]:
    """The names at the top of an HDF5 file, of whatever they are."""
    with damage_explained(path), h5py.File(path, "r") as file:
        return set(file)


def check_stored(dataset: h5py.Dataset, path: StrPath) -> None:
    """Checks that a dataset was written, and claims no more bytes than the file can have of it."""
    with damage_explained(path):
        stored = dataset.id.get_storage_size()
    claimed = math.prod(dataset.shape) * dataset.dtype.itemsize
    if claimed <= _MAX_COMPRESSION * stored:
        return
    name = f"`{dataset.name[1:]}`"
    end = "" if stored else f": {name} was never written; the file is unfinished"
    raise ValueError(
        f"{path}: {name} claims the shape {dataset.shape}, {claimed} bytes, but the file has "
        f"{stored} bytes of it{end}."
    )


def write_hdf5(path: StrPath, arrays: Mapping[str, np.ndarray], dtype: str = "float32") -> None:
    """Writes float datasets; "float16" rounds and packs all but scalars and vectors, as biases."""
    check_choice("dtype", dtype, DTYPES)
    _check_room(path, sum(np.size(array) for array in arrays.values()) * np.dtype(dtype).itemsize)
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            if dtype == "float32" or np.ndim(array) < 2:
                file.create_dataset(name, data=array, dtype=np.float32)
            else:
                rounded = _as_float16(array, path, name)
                file.create_dataset(name, data=rounded, compression="gzip", shuffle=True)


def _check_room(path: StrPath, size: int) -> None:
    """Takes the room for a file: when the disk is full later, HDF5 ends the process in a crash."""
    with open(path, "wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size + _HDF5_ROOM)


def _as_float16(array: np.ndarray, path: StrPath, name: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        rounded = array.astype(np.float16)
    if not np.isfinite(rounded).all():
        raise ValueError(
            f"{path}: `{name}` can't be written in float16, which holds numbers up to "
            f"{int(np.finfo(np.float16).max)}. Found: {np.abs(array).max():g}. Write float32."
        )
    return rounded
