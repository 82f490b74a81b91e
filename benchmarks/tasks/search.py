"""What is run: a search on the dev set, the same for every variant, and then several seeds."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

from tasks.results import Results

SEARCH_SEED = 0


class Job(NamedTuple):
    """A model to train, and a line of results.

    Attributes:
        kind: "search" or "result".
        task: its name.
        variant: what the words are given as.
        share: of the labels of train.
        seed: of all that is random.
        setting: what is tried; empty for a result, which takes the best one.
    """

    kind: str
    task: str
    variant: str
    share: float
    seed: int
    setting: dict[str, Any]

    def is_done(self, results: Results) -> bool:
        """Tells whether there is a result of it."""
        return bool(results.find(**self._asdict() if self.kind == "search" else self._key()))

    def _key(self) -> dict[str, Any]:
        return {name: each for name, each in self._asdict().items() if name != "setting"}


def grid(**values: Sequence[Any]) -> list[dict[str, Any]]:
    """Returns every combination of the values.

    Example:
    >>> grid(units=(64, 128), dropout=(0.2,))
    [{'units': 64, 'dropout': 0.2}, {'units': 128, 'dropout': 0.2}]
    """
    return [dict(zip(values, each, strict=True)) for each in itertools.product(*values.values())]


def jobs_of(
    task: str,
    variant: str,
    settings: Sequence[dict[str, Any]],
    search_share: float,
    shares: Sequence[float],
    seeds: Sequence[int],
) -> list[Job]:
    """Lists what is to be run of a variant, the search first; one setting needs no search.

    Args:
        task: its name.
        variant: what the words are given as.
        settings: what the search tries.
        search_share: of the labels of train, for the search.
        shares: of the labels of train, for results.
        seeds: for results.

    Returns:
        The jobs in order.
    """
    tried = settings if len(settings) > 1 else []
    return [
        *(Job("search", task, variant, search_share, SEARCH_SEED, each) for each in tried),
        *(Job("result", task, variant, share, seed, {}) for share in shares for seed in seeds),
    ]


def best_setting(
    results: Results, task: str, variant: str, settings: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """Returns the setting with the best main metric on the dev set; of equals, the first."""
    if len(settings) == 1:
        return settings[0]
    lines = results.find(kind="search", task=task, variant=variant)
    tried = [line for line in lines if line["setting"] in settings]
    return max(tried, key=lambda line: next(iter(line["dev"].values())))["setting"]
