"""What a comparison tells: medians, tables, and the least arithmetic that ELMo needs."""

import os
import platform
import statistics
from pathlib import Path
from typing import Any

from implementations import ELMO_TF2
from rich.table import Table


def describe_machine() -> dict[str, Any]:
    """Returns what is known of the machine."""
    cpu = platform.processor() or platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        models = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = models[0].split(":", 1)[1].strip() if models else cpu
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform()}


def summarise(answers: dict[int, list[dict[str, Any]]]) -> dict[str, Any]:
    """Returns medians of one implementation, with every measurement beside them.

    Args:
        answers: by batch size, what `Comparison.time_once` returned in each repeat.
    """
    batches = {}
    for batch_size, repeats in answers.items():
        rates = [each["tokens"] / each["seconds"] for each in repeats]
        median = statistics.median(rates)
        batches[batch_size] = {
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
        "load_seconds": statistics.median(each["load_seconds"] for each in flat),
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

    Each direction takes one step a token and one for the boundary it starts at; a distinct word
    of a batch passes the character CNN once. A multiply-add counts as two.

    Args:
        options: contents of `options.json`.
        sentences: tokenised sentences, one string each.
        batch_size: sentences a batch; words are distinct within it.
    """
    lstm = options["lstm"]
    units, projection = lstm["dim"], lstm["projection_dim"]
    step = 2 * projection * 4 * units + units * projection  # a layer and direction
    lists = [line.split() for line in sentences]
    num_tokens = sum(len(words) for words in lists)
    total = 2 * lstm["n_layers"] * step * (num_tokens + len(lists))
    for first in range(0, len(lists), batch_size):
        distinct = {word for words in lists[first : first + batch_size] for word in words}
        total += sum(word_multiply_adds(options["char_cnn"], projection, w) for w in distinct)
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


def throughput_table(results: dict[str, dict[str, Any]], limit: dict[int, float]) -> Table:
    """Returns tokens a second by batch size, with ratios to the best peer.

    Args:
        results: by implementation, what `summarise` returns.
        limit: by batch size, the tokens a second that the machine's arithmetic allows.
    """
    table = Table(
        title="Tokens per second: median of the repeats, their spread, and × the best peer"
    )
    table.add_column("")
    sizes = list(limit)
    peers = [each for name, each in results.items() if name != ELMO_TF2.name]
    best = {
        size: max((peer["batches"][size]["tokens_per_second"] for peer in peers), default=None)
        for size in sizes
    }
    for size in sizes:
        table.add_column(f"batch {size}", justify="right")
        table.add_column("×", justify="right")
    table.add_column(f"peak memory at {sizes[-1]}", justify="right")
    table.add_column("loaded after", justify="right")
    for name, result in results.items():
        cells = []
        for size in sizes:
            batch = result["batches"][size]
            rate, spread = batch["tokens_per_second"], batch["spread"]
            cells += [
                f"{rate:,.0f}" + (f" ± {spread / 2:.0%}" if spread is not None else ""),
                f"{rate / best[size]:.2f}" if best[size] else "",
            ]
        peak = result["batches"][sizes[-1]]["peak_memory_mb"]
        table.add_row(name, *cells, f"{peak:,} MB", f"{result['load_seconds']:.1f} s")
    table.add_section()
    cells = []
    for size in sizes:
        cells += [f"{limit[size]:,.0f}", f"{limit[size] / best[size]:.2f}" if best[size] else ""]
    table.add_row("arithmetic limit", *cells, "", "", style="dim")
    return table


def limits_line(limits: list[dict[str, float]]) -> str:
    """Returns what the machine could do before and after the measurements, as one line."""
    rates = " and ".join(f"{each['matrix_product_gflops']:,.0f}" for each in limits)
    one = " and ".join(f"{each['copy_gb_per_second_one_core']:.0f}" for each in limits)
    every = " and ".join(f"{each['copy_gb_per_second_all_cores']:.0f}" for each in limits)
    return (
        f"Machine, before and after: float32 matrix product {rates} GFLOP/s; "
        f"memory copied at {one} GB/s by one core, {every} GB/s by all."
    )
