"""What a comparison tells: medians, tables, and the least arithmetic that ELMo needs."""

import os
import platform
import statistics
from pathlib import Path
from typing import Any

from implementations import CORPUS, IMPLEMENTATIONS
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from rich.table import Table


def describe_machine() -> dict[str, Any]:
    """Returns what is known of the machine."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":", 1)[1].strip() if models else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform()}


def summarise(answers: dict[int | str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Returns medians of one implementation, with every measurement beside them.

    Args:
        answers: by batch size or for the corpus, what `Comparison.time_once` returned in each
            repeat.
    """
    batches = {}
    for column, repeats in answers.items():
        rates = [each["tokens"] / each["seconds"] for each in repeats]
        median = statistics.median(rates)
        batches[column] = {
            "tokens": repeats[0]["tokens"],
            "tokens_per_second": median,
            "spread": (max(rates) - min(rates)) / median if len(rates) > 1 else None,
            "seconds": [each["seconds"] for each in repeats],
            "cpu_seconds": [each["cpu_seconds"] for each in repeats],
            "peak_memory_mb": max(each["peak_memory_mb"] for each in repeats),
        }
    flat = [each for repeats in answers.values() for each in repeats]
    return {
        "versions": flat[0]["versions"],
        "first_vector_seconds": statistics.median(each["first_vector_seconds"] for each in flat),
        "batches": batches,
    }


def word_multiply_adds(char_cnn: dict[str, Any], projection: int, word: str) -> int:
    """Returns the multiply-adds of the character CNN for one word.

    Windows that lie wholly in the padding all give the same value, so one of them is enough.
    """
    num_filters = sum(number for _, number in char_cnn["filters"])
    total = char_cnn["n_highway"] * 2 * num_filters**2 + num_filters * projection
    for width, number in char_cnn["filters"]:
        windows = char_cnn["max_characters_per_token"] - width + 1
        needed = min(windows, len(word.encode()) + 3)  # with both word boundaries
        total += needed * width * char_cnn["embedding"]["dim"] * number
    return total


def least_gflop_per_token(options: dict[str, Any], sentences: list[str], batch_size: int) -> float:
    """Returns the arithmetic a token cannot do without, in GFLOP.

    Each direction takes one step a token, for the one at the boundary where it begins is the same
    for all sentences; a distinct word of a batch passes the character CNN once, and the kernels of
    the two LSTMs that read it. A multiply-add counts as two.

    Args:
        options: contents of `options.json`.
        sentences: tokenised sentences, one string each.
        batch_size: sentences a batch; words are distinct within it.
    """
    lstm = options["lstm"]
    units, projection = lstm["dim"], lstm["projection_dim"]
    gates = projection * 4 * units  # of an input, or of the state before
    lists = [line.split() for line in sentences]
    num_tokens = sum(len(words) for words in lists)
    step = gates + units * projection  # without its input
    total = 2 * (lstm["n_layers"] * step + (lstm["n_layers"] - 1) * gates) * num_tokens
    for first in range(0, len(lists), batch_size):
        distinct = {word for words in lists[first : first + batch_size] for word in words}
        total += sum(
            word_multiply_adds(options["char_cnn"], projection, word) + 2 * gates
            for word in distinct
        )
    return 2 * total / num_tokens / 1e9


def differences_table(
    names: list[str], differences: dict[tuple[str, str], float], expected: float
) -> Table:
    """Returns the largest absolute differences between outputs, a row and a column each."""
    table = Table(title="Largest absolute difference of any output")
    table.add_column("")
    for name in names[1:]:
        table.add_column(name, justify="right")
    for row, one in enumerate(names[:-1]):
        cells = []
        for other in names[1:]:
            value = differences.get((one, other))
            colour = "green" if value is not None and value <= expected else "yellow"
            cells.append("" if value is None else f"[{colour}]{value:.1e}[/]")
        table.add_row(one, *cells, end_section=row == len(names) - 2)
    return table


def cosine_table(cosines: dict[str, list[float]]) -> Table:
    """Returns the least cosine of a token's vector to the exact one, a layer each."""
    table = Table(title="Least cosine to the vectors in float32")
    table.add_column("")
    for layer in range(max(map(len, cosines.values()))):
        table.add_column(f"layer {layer}", justify="right")
    for name, values in cosines.items():
        table.add_row(name, *(f"{value:.6f}" for value in values))
    return table


def best_of_peers(
    results: dict[str, dict[str, Any]], columns: list[int | str]
) -> dict[int | str, float | None]:
    """The most tokens per second of any peer by column; for the corpus, at any batch size."""
    peers = [each for name, each in results.items() if IMPLEMENTATIONS[name].kind == "peer"]
    rates = [
        {column: batch["tokens_per_second"] for column, batch in peer["batches"].items()}
        for peer in peers
    ]
    best = {
        column: max((rate[column] for rate in rates), default=None)
        for column in columns
        if column != CORPUS
    }
    if CORPUS in columns:
        best[CORPUS] = max((value for rate in rates for value in rate.values()), default=None)
    return best


def throughput_table(
    results: dict[str, dict[str, Any]], limits: dict[str, dict[int | str, float]]
) -> Table:
    """Returns tokens per second by batch size, with ratios to the best peer.

    Args:
        results: by implementation, what `summarise` returns.
        limits: by dtype and column, the tokens per second that the machine's arithmetic allows.
    """
    table = Table(
        title="Tokens per second: median of the repeats, their spread, and × the best peer"
    )
    table.add_column("")
    columns = list(limits["float32"])
    best = best_of_peers(results, columns)
    for column in columns:
        table.add_column(column if column == CORPUS else f"batch {column}", justify="right")
        table.add_column("×", justify="right")
    table.add_column("peak memory", justify="right")
    table.add_column("first vector", justify="right")
    previous = None
    for name, result in results.items():
        kind = IMPLEMENTATIONS[name].kind
        if previous not in (None, kind):
            table.add_section()
        previous = kind
        cells = []
        for column in columns:
            batch = result["batches"].get(column)
            if batch is None:
                cells += ["", ""]
                continue
            rate, spread = batch["tokens_per_second"], batch["spread"]
            cells += [
                f"{rate:,.0f}" + (f" ± {spread / 2:.0%}" if spread is not None else ""),
                f"{rate / best[column]:.2f}" if best[column] else "",
            ]
        peak = max(batch["peak_memory_mb"] for batch in result["batches"].values())
        table.add_row(name, *cells, f"{peak:,} MB", f"{result['first_vector_seconds']:.1f} s")
    table.add_section()
    for dtype, limit in limits.items():
        cells = []
        for column in columns:
            ratio = f"{limit[column] / best[column]:.2f}" if best[column] else ""
            cells += [f"{limit[column]:,.0f}", ratio]
        table.add_row(f"arithmetic limit, {dtype}", *cells, "", "", style="dim")
    return table


def throughput_plot(
    results: dict[str, dict[str, Any]], limits: dict[str, dict[int | str, float]], path: Path
) -> None:
    """Draws the tokens per second of all implementations, a panel for each column.

    Args:
        results: by implementation, what `summarise` returns.
        limits: as of `throughput_table`.
        path: the picture, whose ending tells the format.
    """
    colours = {"peer": "#999999", "ours": "#0072B2", "other": "#E69F00"}
    columns = list(limits["float32"])
    figure = Figure(
        figsize=(2.8 * len(columns) + 2, 0.35 * len(results) + 1.6), dpi=110, layout="constrained"
    )
    FigureCanvasAgg(figure)  # no window, whatever the environment
    panels = figure.subplots(1, len(columns), squeeze=False, sharex=True, sharey=True)[0]
    for axes, column in zip(panels, columns, strict=True):
        rates = [
            each["batches"].get(column, {}).get("tokens_per_second", 0) for each in results.values()
        ]
        bars = axes.barh(
            list(results), rates, color=[colours[IMPLEMENTATIONS[name].kind] for name in results]
        )
        axes.bar_label(
            bars,
            [f"{rate:,.0f}" if rate else "" for rate in rates],
            padding=3,
            bbox={"facecolor": "white", "linewidth": 0, "pad": 1},
        )
        for (dtype, limit), style in zip(limits.items(), ("--", ":"), strict=True):
            axes.axvline(
                limit[column], color="#D55E00", linestyle=style, label=f"ELMo's limit in {dtype}"
            )
        axes.set_title(column if column == CORPUS else f"batch size {column}")
        axes.set_xlabel("tokens per second")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].invert_yaxis()  # shared
    panels[0].margins(x=0.2)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower right", ncols=2)
    figure.savefig(path)


def limits_line(limits: list[dict[str, Any]]) -> str:
    """Returns what the machine could do before and after the measurements, as some lines."""
    one = " and ".join(f"{each['copy_gb_per_second_one_core']:.0f}" for each in limits)
    every = " and ".join(f"{each['copy_gb_per_second_all_cores']:.0f}" for each in limits)
    lines = [
        f"Machine, before and after: memory copied at {one} GB/s by one core, {every} GB/s by all."
    ]
    for dtype, by_rows in limits[0]["matrix_product_gflops"].items():
        rates = ", ".join(
            " and ".join(f"{each['matrix_product_gflops'][dtype][rows]:,.0f}" for each in limits)
            + f" with {rows} rows"
            for rows in by_rows
        )
        lines.append(f"Matrix product in {dtype}, GFLOP/s: {rates}.")
    return "\n".join(lines)
