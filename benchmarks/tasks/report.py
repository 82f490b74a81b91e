"""The results of run.py as a table in Markdown and as a plot of the learning curves.

    $ python benchmarks/tasks/report.py results.jsonl --plot tasks.png

The main metric of each task on its test set, × 100: mean ± standard deviation over the seeds, the
best of a row in bold. Results of several files make one table, if they are of one model.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tasks.results import check_identity, read_results

# In the order of the table.
TITLES = {
    "upos": "part of speech, UD English EWT",
    "wnut17": "entities, WNUT-17",
    "wikigold": "entities, wikigold",
    "trec": "question type, TREC",
    "subj": "subjectivity, SUBJ",
    "stsb": "similarity, STS-B",
    "stsb-cosine": "similarity, STS-B, by cosine",
    "wsd-1nn": "word sense, CoarseWSD-20, 1-NN",
    "wsd-logistic": "word sense, CoarseWSD-20, logistic",
}
FIRST_VARIANTS, LAST_VARIANTS = ("none", "mix"), ("fine-tuned", "untrained")  # layers between
# Okabe and Ito's colours, which the colour-blind can tell apart; in order of the variants.
COLOURS = ("#000000", "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00", "#CC79A7")
MARKERS = "sovd^P*"

Scores = dict[tuple[str, float], dict[str, list[float]]]


def read_all(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Reads the results of runs.

    Args:
        paths: the files.

    Returns:
        The lines that are results, not searches.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if they can't be compared, or there are none.
    """
    lines = [line for path in paths for line in read_results(path)[0]]
    check_identity(lines, "Report each in a file of its own.")
    lines = [line for line in lines if line["kind"] == "result"]
    if not lines:
        names = ", ".join(map(str, paths))
        raise ValueError(f"There are no results yet in {names}: let run.py go on.")
    return lines


def of_variants(lines: Sequence[dict[str, Any]], variants: Sequence[str]) -> list[dict[str, Any]]:
    """Chooses among results.

    Args:
        lines: results.
        variants: names; those without results are passed over.

    Returns:
        The lines of these variants.

    Raises:
        ValueError: if there are none.
    """
    some = [line for line in lines if line["variant"] in variants]
    if not some:
        known = ", ".join(sorted({line["variant"] for line in lines}))
        raise ValueError(f"There are no results of {', '.join(variants)}. There are: {known}.")
    return some


def collect(lines: Sequence[dict[str, Any]]) -> Scores:
    """Returns the main metric on test, of all seeds, by task and share, and by variant."""
    scores: Scores = {}
    tasks = list(TITLES)
    for line in sorted(lines, key=lambda line: (tasks.index(line["task"]), line["share"])):
        row = scores.setdefault((line["task"], line["share"]), {})
        row.setdefault(line["variant"], []).append(next(iter(line["test"].values())))
    return scores


def variants_of(scores: Scores) -> list[str]:
    """Returns the variants in the order of the columns."""
    found = {variant for row in scores.values() for variant in row}
    layers = sorted(found.difference(FIRST_VARIANTS, LAST_VARIANTS))
    return [each for each in (*FIRST_VARIANTS, *layers, *LAST_VARIANTS) if each in found]


def table(lines: Sequence[dict[str, Any]]) -> str:
    """Makes the table.

    Args:
        lines: results.

    Returns:
        Markdown: a row a task and share, a column a variant.
    """
    scores = collect(lines)
    variants = variants_of(scores)
    metrics = {line["task"]: next(iter(line["test"])) for line in lines}
    rows = [["task", "labels", *variants], ["---", "---:", *["---:"] * len(variants)]]
    for (task, share), row in scores.items():
        best = max(map(statistics.mean, row.values()))
        cells = [_cell(row.get(variant), best) for variant in variants]
        rows.append([f"{TITLES[task]}: {metrics[task]}", f"{100 * share:g} %", *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(values: list[float] | None, best: float) -> str:
    if values is None:
        return ""
    text = f"{100 * statistics.mean(values):.1f}"
    if statistics.mean(values) == best:
        text = f"**{text}**"
    return f"{text} ± {100 * statistics.stdev(values):.1f}" if len(values) > 1 else text


def caption(lines: Sequence[dict[str, Any]]) -> str:
    """Tells what the table is of."""
    first = lines[0]
    seeds = len({line["seed"] for line in lines if line["seed"]}) or 1
    versions = ", ".join(f"{name} {version}" for name, version in first["versions"].items())
    quick = " A first look, without a search." if first["quick"] else ""
    return (
        f"{first['model']}; main metric on test × 100, mean ± standard deviation of {seeds} "
        f"{'seeds' if seeds > 1 else 'seed'}.{quick} {versions}."
    )


def draw(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """Draws a panel for every task with more than one share.

    Args:
        lines: results.
        path: the picture to write; its ending tells the format.

    Raises:
        ValueError: if there is no such task.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    scores = collect(lines)
    variants = variants_of(scores)
    shares: dict[str, list[float]] = {}
    for task, share in scores:
        shares.setdefault(task, []).append(share)
    curves = {task: some for task, some in shares.items() if len(some) > 1}
    if not curves:
        raise ValueError("No task has results of more than one share of the labels: no curve.")
    metrics = {line["task"]: next(iter(line["test"])) for line in lines}
    rows = -(-len(curves) // 2)
    figure = Figure(figsize=(11, 4.2 * rows), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)  # no window, whatever the environment
    panels = [figure.add_subplot(rows, 2, number + 1) for number in range(len(curves))]
    for axes, (task, some) in zip(panels, curves.items(), strict=True):
        for number, variant in enumerate(variants):
            known = [share for share in some if variant in scores[task, share]]
            values = [[100 * each for each in scores[task, share][variant]] for share in known]
            beside = 1.05 ** (number - (len(variants) - 1) / 2)  # else the spreads hide one another
            axes.errorbar(
                [100 * share * beside for share in known],
                [statistics.mean(each) for each in values],
                [statistics.stdev(each) if len(each) > 1 else 0 for each in values],
                color=COLOURS[number % len(COLOURS)],
                marker=MARKERS[number % len(MARKERS)],
                capsize=3,
                label=variant,
            )
        axes.set(
            title=TITLES[task],
            xscale="log",
            xlabel="labels, %",
            ylabel=f"{metrics[task]}, test × 100",
        )
        axes.set_xticks([100 * share for share in some], [f"{100 * share:g}" for share in some])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", metavar="RESULTS.jsonl", nargs="+", type=Path)
    parser.add_argument(
        "--variants",
        metavar="NAMES",
        help="the columns, with commas between them [default: all there are]",
    )
    parser.add_argument("--plot", metavar="FILE.png", type=Path, help="draw the learning curves")
    options = parser.parse_args(arguments)
    try:
        lines = read_all(options.results)
        if options.variants is not None:
            lines = of_variants(lines, options.variants.split(","))
        print(f"{table(lines)}\n\n{caption(lines)}")
        if options.plot:
            draw(lines, options.plot)
    except (OSError, ValueError) as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
