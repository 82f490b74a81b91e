"""How good answers are: by seqeval, scikit-learn and SciPy."""

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import seqeval.metrics
from scipy import stats
from sklearn import metrics

MAIN = {"tags": "accuracy", "entities": "F1", "class": "accuracy", "score": "Pearson"}


def measure(kind: str, gold: Sequence[Any], answers: Sequence[Any]) -> dict[str, float]:
    """Measures the answers to a task.

    Args:
        kind: "tags", one per word; "entities", tags in which entities are looked for; "class", one
            a sentence; or "score", a number.
        gold: what is right: a label an example, for tags a list.
        answers: what was answered.

    Returns:
        The metrics by name, `MAIN[kind]` first.

    Example:
    >>> measure("class", ["NUM", "LOC"], ["NUM", "NUM"])["accuracy"]
    0.5
    """
    if kind == "tags":
        words = (list(itertools.chain.from_iterable(each)) for each in (gold, answers))
        return {"accuracy": float(metrics.accuracy_score(*words))}
    if kind == "entities":
        f1 = seqeval.metrics.f1_score(list(gold), list(answers), zero_division=0)
        return {"F1": float(f1)}
    if kind == "class":
        macro = metrics.f1_score(gold, answers, average="macro", zero_division=0)
        return {"accuracy": float(metrics.accuracy_score(gold, answers)), "macro F1": float(macro)}
    if np.ptp(answers) == 0:  # without a spread there is no correlation
        return {"Pearson": 0.0, "Spearman": 0.0}
    return {
        "Pearson": float(stats.pearsonr(gold, answers).statistic),
        "Spearman": float(stats.spearmanr(gold, answers).statistic),
    }
