"""How the cost of embedding grows, and what it should not grow with: see `--help`."""

import json
import statistics
import sys
import tempfile
import time
import timeit
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tensorflow as tf
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from random_model import SIZES, write_random_model
from report import describe_machine
from rich.console import Console
from rich.progress import track
from rich.table import Table
from runners.protocol import peak_memory_mb

from elmo_tf2 import ElmoEmbeddings
from elmo_tf2.features import embed_file

HERE = Path(__file__).parent
REPEATS = 9

console = Console()

Batch = list[list[str]]
Case = tuple[str, int, Batch, int]  # what varies, its value, sentences, padded length


def cases(words: list[str]) -> Iterator[Case]:
    """Yields the batches that are timed, one thing varied at a time.

    Args:
        words: a text, in its order.
    """

    def sentences(number: int, length: int) -> Batch:
        text = (words * (number * length // len(words) + 1))[: number * length]
        return [text[first : first + length] for first in range(0, len(text), length)]

    for length in (10, 100, 1_000, 5_000):
        yield "tokens of one sentence", length, sentences(1, length), length
    for number in (1, 8, 32, 128, 512):
        yield "sentences of 20 tokens", number, sentences(number, 20), 20
    for length in (20, 40, 100, 400):
        yield (
            "places of each of 64 sentences of 20",
            length,
            sentences(64, 20),
            length,
        )
    for distinct in (1, 10, 100, 1_000):
        few = list(dict.fromkeys(words))[:distinct]
        text = (few * (1_280 // len(few) + 1))[:1_280]
        batch = [text[first : first + 20] for first in range(0, 1_280, 20)]
        yield "distinct words of 1,280", distinct, batch, 20
    for length in (20, 500, 5_000):
        batch = [*sentences(63, 20), *sentences(1, length)]
        yield "tokens of one sentence among 63 of 20", length, batch, length


def measure_batches(model: ElmoEmbeddings, words: list[str]) -> list[dict[str, Any]]:
    """Returns a row for every case; they take turns, so that slow spells meet all alike."""
    embed = tf.function(model, input_signature=[tf.TensorSpec([None, None], tf.string)])
    rows, batches = [], []
    for what, value, batch, length in cases(words):
        rows.append({"what": what, "value": value, "tokens": sum(map(len, batch))})
        batches.append(tf.constant([words + [""] * (length - len(words)) for words in batch]))
        embed(batches[-1])
    seconds = []
    for _ in track(range(REPEATS), "batches", console=console):
        # Not `numpy()`, which would copy the padding; what follows in a model takes a tensor.
        seconds.append(
            [timeit.timeit(lambda batch=batch: embed(batch), number=1) for batch in batches]
        )
    for row, of_case in zip(rows, zip(*seconds, strict=True), strict=True):
        row["seconds"] = statistics.median(of_case)
    return rows


def measure_corpora(
    model: ElmoEmbeddings, lines: list[str], sizes: list[int]
) -> list[dict[str, Any]]:
    """Returns a row for every size of a corpus, smallest first: memory never shrinks again."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="elmo_growth_") as folder:
        text = Path(folder) / "text.txt"
        for size in sorted(sizes):
            tokens = 0
            with text.open("w", encoding="utf-8") as file:
                while tokens < size:
                    for line in lines:
                        file.write(line + "\n")
                        tokens += len(line.split())
            with console.status(f"a corpus of {tokens:,} tokens"):
                start = time.perf_counter()
                embed_file(
                    model,
                    text,
                    Path(folder) / "vectors.npy",
                    sentence="mean",
                    layers="mix",
                    tokenizer="spaces",
                    overwrite=True,
                )
                seconds = time.perf_counter() - start
            rows.append(
                {
                    "what": "tokens of a corpus",
                    "value": tokens,
                    "tokens": tokens,
                    "seconds": seconds,
                    "peak_memory_mb": round(peak_memory_mb()),
                }
            )
    return rows


def table(rows: list[dict[str, Any]]) -> Table:
    """Returns the rows as a table, a section for each thing that varies."""
    result = Table(title="How the cost grows")
    for name in ("what varies", "value", "tokens", "ms", "tokens/s", "peak memory"):
        result.add_column(name, justify="left" if name == "what varies" else "right")
    for previous, row in zip([None, *rows], rows, strict=False):
        is_new = previous is None or previous["what"] != row["what"]
        if is_new and previous is not None:
            result.add_section()
        result.add_row(
            row["what"] if is_new else "",
            f"{row['value']:,}",
            f"{row['tokens']:,}",
            f"{row['seconds'] * 1e3:,.1f}",
            f"{row['tokens'] / row['seconds']:,.0f}",
            f"{row['peak_memory_mb']:,} MB" if "peak_memory_mb" in row else "",
        )
    return result


def draw(rows: list[dict[str, Any]], path: Path) -> None:
    """Draws a panel for each thing that varies: what a token costs, so what is linear is level.

    Args:
        rows: of the table.
        path: the picture, whose ending tells the format.
    """
    names = list(dict.fromkeys(row["what"] for row in rows))
    figure = Figure(figsize=(9, 2.6 * ((len(names) + 1) // 2)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)  # no window, whatever the environment
    panels = np.ravel(figure.subplots((len(names) + 1) // 2, 2))
    for axes in panels[len(names) :]:
        axes.set_visible(False)
    for axes, name in zip(panels, names, strict=False):
        chosen = [row for row in rows if row["what"] == name]
        values = [row["value"] for row in chosen]
        micros = [row["seconds"] / row["tokens"] * 1e6 for row in chosen]
        axes.plot(values, micros, marker="o", color="#0072B2")
        axes.set(xscale="log", xlabel=name, ylabel="µs a token", ylim=(0, 1.1 * max(micros)))
        axes.set_xticks(values, [f"{value:,}" for value in values])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
    figure.savefig(path)


def main(
    size: Annotated[
        str, typer.Option(help=f"Random weights of a published size: {', '.join(SIZES)}.")
    ] = "small",
    corpus: Annotated[
        list[int] | None,
        typer.Option(
            min=1,
            help="Tokens of a corpus; repeat for more.",
            show_default="10,000, 100,000 and 1,000,000",
        ),
    ] = None,
    sentences: Annotated[
        Path,
        typer.Option(
            exists=True,
            help="Tokenised sentences, one per line, words apart by spaces.",
            show_default="benchmarks/sentences.txt",
        ),
    ] = HERE / "sentences.txt",
    json_report: Annotated[
        Path | None, typer.Option("--json", help="Write every measurement to this file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the table into this file, PNG or SVG say.")
    ] = None,
) -> None:
    """Measure how elmo_tf2's cost grows with length, batch, padding, vocabulary and corpus.

    It should grow in proportion to the tokens; not with the padding; with the distinct words only
    as the character CNN does; and one very long sentence should cost what it costs alone. A corpus
    should take no more memory for being longer: its mean sentence vectors are written by
    `elmo_tf2.features.embed_file`.

    A first look that takes a minute:

    python benchmarks/growth.py --corpus 10000

    The whole:

    python benchmarks/growth.py --json growth.json --plot growth.png
    """
    if size not in SIZES:
        raise typer.BadParameter(f"`--size` must be one of {', '.join(SIZES)}. Received: {size}")
    lines = [line for line in sentences.read_text("utf-8").splitlines() if line.split()]
    with tempfile.TemporaryDirectory(prefix="elmo_growth_") as folder:
        write_random_model(Path(folder), SIZES[size])
        model = ElmoEmbeddings.from_folder(folder)
    # Corpora first: the peak of memory is the process's, and some batches take more.
    corpora = measure_corpora(model, lines, corpus or [10_000, 100_000, 1_000_000])
    rows = [*measure_batches(model, [word for line in lines for word in line.split()]), *corpora]
    console.print(table(rows))
    if json_report is not None:
        report = {"arguments": sys.argv[1:], "machine": describe_machine(), "rows": rows}
        json_report.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        console.print(f"Report: {json_report}")
    if plot is not None:
        draw(rows, plot)
        console.print(f"Plot: {plot}")


if __name__ == "__main__":
    typer.run(main)
