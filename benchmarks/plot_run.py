"""Draws how a pretraining run learned: its perplexities, and its learning rate below.

    $ python benchmarks/plot_run.py RUN curve.png

Those of training are mostly of a sampled softmax, which flatters them, and of dropout, which does
not; the held-out ones are of the full softmax.
"""

import argparse
from collections.abc import Sequence

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, ScalarFormatter

from elmo_tf2.training import RunFolder


def draw(run: str, path: str) -> None:
    """Draws a run.

    Args:
        run: its folder.
        path: the picture, whose ending tells the format.

    Raises:
        SystemExit: if the run was never trained.
    """
    rows = RunFolder(run).read_history()
    if not rows:
        raise SystemExit(f"{run} has no history yet: it was never trained.")
    updates = [int(row["update"]) for row in rows]
    held_out = [row for row in rows if row["heldout_perplexity"]]
    figure = Figure(figsize=(8, 5.5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # no window, whatever the environment
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    above.plot(
        updates,
        [float(row["perplexity"]) for row in rows],
        color="#0072B2",
        linewidth=1,
        label="training",
    )
    above.plot(
        [int(row["update"]) for row in held_out],
        [float(row["heldout_perplexity"]) for row in held_out],
        color="#D55E00",
        marker="o",
        label="held out, full softmax",
    )
    for row in held_out:
        text = f"{float(row['heldout_perplexity']):.1f}"
        place = (int(row["update"]), float(row["heldout_perplexity"]))
        above.annotate(text, place, (0, 8), textcoords="offset points", ha="center")
    above.set_yscale("log")
    above.yaxis.set_major_formatter(ScalarFormatter())
    above.yaxis.set_minor_formatter(ScalarFormatter())
    above.set_ylabel("perplexity")
    above.grid(which="both", alpha=0.3)
    above.legend(frameon=False)
    below.plot(updates, [float(row["learning_rate"]) for row in rows], color="#555555")
    below.set_ylabel("learning rate")
    below.set_ylim(bottom=0)
    below.set_xlabel("updates")
    below.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:,.0f}"))
    below.grid(alpha=0.3)
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", metavar="RUN", help="the folder that `elmo-tf2 pretrain` made")
    parser.add_argument("picture", metavar="PICTURE", help="the file to write, PNG or SVG say")
    options = parser.parse_args(arguments)
    draw(options.run, options.picture)


if __name__ == "__main__":
    main()
