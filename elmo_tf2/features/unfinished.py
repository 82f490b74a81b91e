"""A feature file while it is being made, in a way that a kill at any moment does no harm.

The text is read twice. First the HDF5 file is laid out at its full size: every dataset has its
place, but not yet its values. From then on HDF5 has no part in it; vectors are written to their
places as plain bytes, so that there is no moment at which a kill could damage the file. After
each window of sentences a second file tells how far it is. Both are in a folder beside the output.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import h5py
import numpy as np

from elmo_tf2.arguments import check_integer, one_line
from elmo_tf2.features.encoder import Encoder
from elmo_tf2.features.text import Sentence, read_sentences
from elmo_tf2.files import full_disk_told
from elmo_tf2.locks import own_folder

_DATA = "features.hdf5"
_CONVERTED = "converted"
_PROGRESS = "progress.json"


@dataclasses.dataclass(frozen=True)
class Progress:
    """Of what an unfinished file is, and how far it has come.

    Args:
        model: the model's fingerprint.
        text: the text's.
        tokenizer: what made words of the text.
        layers: names of the layers whose vectors are taken.
        sentence: "mean" or "max", or None for the vectors of words.
        dtype: of the vectors.
        sentences: number of all sentences.
        tokens: number of all words.
        finished_sentences: number of those whose vectors are in the file.
        finished_tokens: number of their words.
        finished_windows: number of the windows that they are.

    Raises:
        ValueError: if they are no such numbers.
    """

    model: str
    text: str
    tokenizer: str
    layers: list[str]
    sentence: str | None
    dtype: str
    sentences: int
    tokens: int
    finished_sentences: int = 0
    finished_tokens: int = 0
    finished_windows: int = 0

    def __post_init__(self) -> None:
        for name in ("sentences", "tokens"):
            number = check_integer(name, getattr(self, name), 0, 2**63)
            check_integer(f"finished_{name}", getattr(self, f"finished_{name}"), 0, number)


class UnfinishedFile:
    """The folder of an unfinished feature file.

    Args:
        output: the path the file will have.

    Attributes:
        folder: the folder.
        data: the HDF5 file.
        converted: what is made of that, if the output is another kind of file.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self.folder = output.with_name(f"{output.name}.unfinished")
        self.data = self.folder / _DATA
        self.converted = self.folder / _CONVERTED
        self._progress = self.folder / _PROGRESS
        self._recorded = self.folder / f"{_PROGRESS}.new"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder, keeps other runs out of it, and removes it if no run can go on.

        Yields:
            Nothing.

        Raises:
            FileExistsError: if it is not of this program and user, or has links or folders in it.
            ValueError: if another run is at work in it.
        """
        busy = (
            f"Another run is at work in {self.folder}. Wait until it has ended, or choose another "
            "output."
        )
        with own_folder(self.folder, busy):
            for entry in self.folder.iterdir():
                if entry.is_symlink() or not entry.is_file():
                    raise FileExistsError(
                        f"{entry} is a link or no file, and no work of this program. Move it away, "
                        "or choose another output."
                    )
            try:
                yield
            finally:
                if not self._can_go_on():
                    for place in (self._progress, self._recorded, self.data, self.converted):
                        place.unlink(missing_ok=True)

    def _can_go_on(self) -> bool:
        is_output = self._output.exists() and any(
            place.exists() and place.samefile(self._output) for place in (self.data, self.converted)
        )  # a kill came after the new name was given, before the old one was taken away
        return self.data.exists() and self._progress.exists() and not is_output

    def resume(self, encoder: Encoder, text: Path, overwrite: bool) -> Progress | None:
        """Looks for an earlier run that was to make the same vectors.

        Args:
            encoder: the model, and what is taken of it.
            text: the text.
            overwrite: whether a run of others may be given up.

        Returns:
            How far it came, or None if there is no such run.

        Raises:
            ValueError: if there is one of others, or one that is damaged.
        """
        if not self._can_go_on():
            return None
        try:
            stored = json.loads(self._progress.read_text(encoding="utf-8"))
            progress = Progress(**stored)
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{self._progress} can't be read: {one_line(error)}. Remove the folder to start "
                "over."
            ) from error
        digest = hashlib.sha256()
        with open(text, "rb") as content:
            while block := content.read(2**20):
                digest.update(block)
        differs = {
            "the model differs": progress.model != encoder.fingerprint,
            "the text differs": progress.text != digest.hexdigest(),
            "the tokenizer differs": progress.tokenizer != encoder.tokenizer,
            "the choice of layers differs": progress.layers != encoder.layers,
            "the choice of sentence vectors differs": progress.sentence != encoder.sentence,
            "the dtype differs": progress.dtype != encoder.dtype,
        }
        differing = [what for what, is_so in differs.items() if is_so]
        if not differing:
            return progress
        if overwrite:
            return None
        raise ValueError(
            f"{self.folder} is of an unfinished run, and {' and '.join(differing)}. Give what was "
            "given then to go on with it; or choose another output; or start over by "
            "`overwrite=True` (on the command line `--overwrite`) or by removing that folder."
        )

    def lay_out(self, encoder: Encoder, text: Path) -> Progress:
        """Makes the HDF5 file, every dataset in its place and none filled.

        Args:
            encoder: the model, and what is taken of it.
            text: the text.

        Returns:
            The progress: none yet.

        Raises:
            OSError: if the disk is full or can't be written.
        """
        # First, lest it tell of what is about to be overwritten.
        self._progress.unlink(missing_ok=True)
        self.data.unlink(missing_ok=True)  # it may be the output too, by a second link
        properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        properties.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
        properties.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
        properties.set_obj_track_times(False)
        digest = hashlib.sha256()
        sentences = tokens = 0
        with (
            full_disk_told(self._output),
            _hdf5_errors_told(self.data),
            _new_hdf5(self.data) as file,
        ):
            for sentence in read_sentences(text, digest, encoder.tokenizer, is_first_time=True):
                h5py.h5d.create(
                    file,
                    str(sentence.number).encode(),
                    h5py.h5t.py_create(np.dtype(encoder.dtype).newbyteorder("<")),
                    h5py.h5s.create_simple(encoder.shape(sentence)),
                    properties,
                )
                sentences += 1
                tokens += len(sentence.words)
        synchronize(self.data)
        progress = Progress(
            encoder.fingerprint,
            digest.hexdigest(),
            encoder.tokenizer,
            encoder.layers,
            encoder.sentence,
            encoder.dtype,
            sentences,
            tokens,
        )
        self.record(progress)
        return progress

    def record(self, progress: Progress) -> None:
        """Writes down how far the file is.

        Args:
            progress: what to write.
        """
        self._recorded.write_text(json.dumps(dataclasses.asdict(progress)), encoding="utf-8")
        self._recorded.replace(self._progress)

    @contextlib.contextmanager
    def writer(self) -> Iterator["Writer"]:
        """Opens the file for filling.

        Yields:
            A `Writer`.
        """
        with h5py.File(self.data, "r") as places, open(self.data, "rb+") as data:
            yield Writer(places, data)


def synchronize(path: Path) -> None:
    """Waits until a file is on the disk.

    Args:
        path: the file.
    """
    with open(path, "rb+") as file:
        os.fsync(file)


@contextlib.contextmanager
def _new_hdf5(path: Path) -> Iterator[h5py.h5f.FileID]:
    """Makes a file in which no time is written: the same vectors give the same bytes."""
    creation = h5py.h5p.create(h5py.h5p.FILE_CREATE)
    creation.set_obj_track_times(False)  # which `h5py.File` has no argument for
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    # The format of HDF5 1.8, the oldest that doesn't keep the names of all datasets in memory.
    access.set_libver_bounds(h5py.h5f.LIBVER_V18, h5py.h5f.LIBVER_V18)
    access.set_meta_block_size(2**16)
    access.set_fclose_degree(h5py.h5f.CLOSE_STRONG)
    file = h5py.h5f.create(os.fsencode(path), h5py.h5f.ACC_TRUNC, creation, access)
    try:
        yield file
    finally:
        file.close()


@contextlib.contextmanager
def _hdf5_errors_told(path: Path) -> Iterator[None]:
    """Makes an OSError with a number of what HDF5 raises when the system refuses to write."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        number = re.search(r"\berrno = (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error


class Writer:
    """Puts vectors into their places.

    Args:
        places: the laid out file.
        data: the same file, for writing.
    """

    def __init__(self, places: h5py.File, data: BinaryIO) -> None:
        self._places = places
        self._data = data

    def write(self, sentence: Sentence, vectors: np.ndarray) -> None:
        """Writes the vectors of a sentence.

        Args:
            sentence: the sentence.
            vectors: array of its dataset's shape.

        Raises:
            ValueError: if the text is not what it was when the file was laid out.
        """
        dataset = self._places.get(str(sentence.number))
        if dataset is None or dataset.shape != vectors.shape:
            raise ValueError(
                f"The text was changed while it was read: line {sentence.number + 1} is another."
            )
        self._data.seek(dataset.id.get_offset())
        self._data.write(vectors.astype(dataset.dtype, copy=False).data)

    def flush(self) -> None:
        """Waits until everything is on the disk."""
        self._data.flush()
        os.fsync(self._data)
