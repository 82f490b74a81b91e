"""What quality.py tells: a table a task, and a picture."""

from pathlib import Path
from typing import Any

from rich.table import Table

METHODS = ("1-NN", "centroid")
MEANS = ("micro", "macro")
COLOURS = {"trained": "tab:blue", "bfloat16": "tab:orange", "untrained": "tab:gray"}


def percent(share: float) -> str:
    """Returns 0.7343 as "73.4"."""
    return f"{100 * share:.1f}"


def word_senses_table(result: dict[str, Any]) -> Table:
    """Returns a row a view and network, with micro and macro of both methods.

    Args:
        result: `word_senses` of the report.
    """
    baseline = result["baseline"]
    table = Table(
        title=f"Word senses: accuracy in %, {result['test_instances']:,} instances of "
        f"{len(baseline['words'])} words"
    )
    table.add_column("")
    table.add_column("")
    for method in METHODS:
        table.add_column(f"{method}\nmicro", justify="right")
        table.add_column(f"{method}\nmacro", justify="right")
    for name, network in result["networks"].items():
        for row, (view, methods) in enumerate(network.items()):
            cells = [percent(each[mean]) for each in methods.values() for mean in MEANS]
            table.add_row("" if row else name, view, *cells)
        table.add_section()
    cells = [percent(baseline[mean]) for mean in MEANS]
    table.add_row("baseline", "most frequent sense", *cells, "", "", style="dim")
    return table


def parts_of_speech_table(result: dict[str, Any]) -> Table:
    """Returns a row a view, a column a network.

    Args:
        result: `parts_of_speech` of the report.
    """
    networks = result["networks"]
    table = Table(
        title="Parts of speech: accuracy in % of a linear probe, "
        f"{result['test_words']:,} test words"
    )
    table.add_column("")
    for name in networks:
        table.add_column(name, justify="right")
    for view in next(iter(networks.values())):
        table.add_row(view, *(percent(each[view]) for each in networks.values()))
    table.add_section()
    cells = [percent(result["baseline"])] * len(networks)
    table.add_row("most frequent tag of the word", *cells, style="dim")
    return table


def draw(report: dict[str, Any], path: Path) -> None:
    """Draws accuracy by layer, a panel a task.

    Args:
        report: of the whole run.
        path: the picture to write.
    """
    from matplotlib.figure import Figure

    panels = []
    if senses := report.get("word_senses"):
        baseline = senses["baseline"]["micro"], "most frequent sense"
        for method in METHODS:
            curves = {
                name: {view: each[method]["micro"] for view, each in network.items()}
                for name, network in senses["networks"].items()
            }
            panels.append((f"Word senses, {method}, micro", curves, *baseline))
    if tags := report.get("parts_of_speech"):
        baseline = tags["baseline"], "most frequent tag of the word"
        panels.append(("Parts of speech, linear probe", tags["networks"], *baseline))
    figure = Figure(figsize=(5 * len(panels), 4), layout="constrained")
    all_axes = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, curves, baseline, label) in zip(all_axes, panels, strict=True):
        for name, curve in curves.items():
            layers = [view for view in curve if view.startswith("layer")]
            values = [100 * share for share in curve.values()]
            axes.plot(list(curve), values, "o", color=COLOURS[name], label=name)
            axes.plot(layers, values[: len(layers)], color=COLOURS[name])
        axes.axhline(100 * baseline, color="black", linestyle="--", label=label)
        axes.set(title=title, ylabel="accuracy, %")
        axes.tick_params(axis="x", labelrotation=30)
        axes.grid(axis="y", alpha=0.3)
        axes.legend()
    figure.savefig(path, dpi=150)
