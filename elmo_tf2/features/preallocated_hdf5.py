"""An HDF5 file whose datasets have their places before their values.

Once all of it is allocated, writing values changes nothing else in the file but HDF5's mark that
it is open: a kill at any moment damages no structure. The same values give the same bytes.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import h5py
import numpy as np


def allocate(path: Path, shapes: Iterable[tuple[int, ...]], dtype: str) -> None:
    """Makes a file of datasets "0", "1", … of these shapes, without values."""
    kind = h5py.h5t.py_create(np.dtype(dtype).newbyteorder("<"))
    dataset = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    dataset.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    dataset.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    dataset.set_obj_track_times(False)
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)  # which `h5py.File` has no argument for
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    # The format of HDF5 1.8, the oldest that doesn't keep the names of all datasets in memory.
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
    access.set_meta_block_size(2**16)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    with _system_errors(path):
        file = h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, creation, access)
        try:
            for number, shape in enumerate(shapes):
                space = h5py.h5s.create_simple(shape)
                h5py.h5d.create(file, str(number).encode(), kind, space, dataset)
        finally:
            file.close()
    synchronize(path)


@contextlib.contextmanager
def open_to_fill(path: Path) -> Iterator[h5py.File]:
    """Opens an allocated file to write values."""
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    # Values go to the disk at once. Of values that are held back, HDF5 ends the process in a crash
    # when the disk is full.
    access.set_sieve_buf_size(0)
    with (
        _system_errors(path),
        h5py.File(h5py.h5f.open(os.fsencode(path), h5py.h5f.ACC_RDWR, access)) as file,
    ):
        yield file


def synchronize(path: Path) -> None:
    """Waits until a file is on the disk."""
    with open(path, "rb+") as file:
        os.fsync(file)


@contextlib.contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """Makes an OSError with a number of what HDF5 raises when the system refuses to write."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = re.search(r"\berrno = (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
