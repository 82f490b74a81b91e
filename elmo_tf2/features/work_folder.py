"""The folder of an embedding until its output is complete, so that an interrupted run can go on."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

from elmo_tf2.feature_files import work_folder
from elmo_tf2.locks import own_folder
from elmo_tf2.validation import check_integer, one_line

# What must be as it was for a run to go on, and what to call it.
_IDENTITY = {
    "model": "model",
    "text": "text",
    "tokenizer": "tokenizer",
    "layers": "choice of layers",
    "sentence": "choice of sentence vectors",
    "dtype": "dtype",
}


@dataclasses.dataclass
class Progress:
    """What is computed of what, and how much of it is finished: whole windows, counted in words.

    `model` and `text` are fingerprints; `sentences` and `tokens` count those of the whole text.
    """

    model: str
    text: str
    tokenizer: str
    layers: list[str]
    sentence: str | None
    dtype: str
    sentences: int = 0
    tokens: int = 0
    finished_sentences: int = 0
    finished_tokens: int = 0
    finished_windows: int = 0

    def __post_init__(self) -> None:
        for name in ("sentences", "tokens"):
            number = check_integer(name, getattr(self, name), 0, 2**63)
            check_integer(f"finished_{name}", getattr(self, f"finished_{name}"), 0, number)


class WorkFolder:
    """The folder OUTPUT.unfinished.

    In it are `data`, the HDF5 file that the vectors are computed into; `converted`, which is made
    of that for an output of another format; and the progress.
    """

    def __init__(self, output: Path) -> None:
        self._output = output
        self.path = work_folder(output)
        self.data = self.path / "features.hdf5"
        self.converted = self.path / "converted"
        self._progress = self.path / "progress.json"
        self._new_progress = self.path / "progress.json.new"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder, keeps other runs out of it, and removes it if no run can go on."""
        busy = (
            f"Another run is at work in {self.path}. Wait until it has ended, or choose another "
            "output."
        )
        with own_folder(self.path, busy):
            for entry in self.path.iterdir():
                if entry.is_symlink() or not entry.is_file():
                    raise FileExistsError(
                        f"{entry} is a link or no file, and no work of this program. Move it away, "
                        "or choose another output."
                    )
            try:
                yield
            finally:
                if not self._has_work():
                    self.clear()

    def _has_work(self) -> bool:
        is_output = self._output.exists() and any(
            file.exists() and file.samefile(self._output) for file in (self.data, self.converted)
        )  # a kill came after the new name was given, before the old one was taken away
        return self.data.exists() and self._progress.exists() and not is_output

    def clear(self) -> None:
        """Removes the work; first the progress, so that it never describes another file."""
        for file in (self._progress, self._new_progress, self.data, self.converted):
            file.unlink(missing_ok=True)

    def resume(self, wanted: Progress, overwrite: bool) -> Progress | None:
        """How far an earlier run of the same came; None if there is none, or it may be given up."""
        if not self._has_work():
            return None
        try:
            progress = Progress(**json.loads(self._progress.read_text(encoding="utf-8")))
        except (TypeError, ValueError, RecursionError) as error:
            raise ValueError(
                f"{self._progress} can't be read: {one_line(error)}. Remove the folder to start "
                "over."
            ) from error
        differing = [
            f"the {what} differs"
            for name, what in _IDENTITY.items()
            if getattr(progress, name) != getattr(wanted, name)
        ]
        if not differing:
            self.converted.unlink(missing_ok=True)
            return progress
        if overwrite:
            return None
        raise ValueError(
            f"{self.path} is of an unfinished run, and {' and '.join(differing)}. Give what was "
            "given then to go on with it; or choose another output; or start over by "
            "`overwrite=True` (on the command line `--overwrite`) or by removing that folder."
        )

    def record(self, progress: Progress) -> None:
        """Writes down how far the work is."""
        self._new_progress.write_text(json.dumps(dataclasses.asdict(progress)), encoding="utf-8")
        self._new_progress.replace(self._progress)
