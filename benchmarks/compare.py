"""Embedding throughput of ELMo implementations, side by side: see `--help` and `README.md`."""

import importlib.util
import itertools
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from comparison import Comparison
from implementations import CORPUS, ELMO_TF2, IMPLEMENTATIONS, Implementation, RunnerError
from make_environments import ENVIRONMENTS
from random_model import SIZES
from report import (
    cosine_table,
    describe_machine,
    differences_table,
    least_gflop_per_token,
    limits_line,
    summarise,
    throughput_plot,
    throughput_table,
)
from rich.console import Console

HERE = Path(__file__).parent
EXPECTED_DIFFERENCE = 1e-5
LARGEST_DIFFERENCE = 1e-4
CHECK_BATCH_SIZE = 32

console = Console()


@dataclass(frozen=True)
class Settings:
    """What to measure; the options of the command of the same names."""

    size: str
    model: Path | None
    batch_sizes: list[int]
    repeats: int
    single_sentences: int
    check_sentences: int


def available(implementations: list[Implementation], environments: Path) -> list[Implementation]:
    """Returns those that can run, and says of the others how to make them."""
    ready = []
    for each in implementations:
        if each.kind == "ours":
            present = importlib.util.find_spec("elmo_tf2") is not None
            remedy = "python -m pip install ."
        else:
            present = each.interpreter(environments).exists()
            remedy = f"python benchmarks/make_environments.py {each.environment}"
        if present:
            ready.append(each)
        else:
            console.print(f"{each.name}: [yellow]skipped[/], not installed. To have it: {remedy}")
    return ready


def largest_differences(outputs: dict[str, np.ndarray]) -> dict[tuple[str, str], float]:
    """Returns the largest absolute difference of every pair of implementations."""
    return {
        (one, other): float(np.max(np.abs(outputs[one] - outputs[other])))
        for one, other in itertools.combinations(outputs, 2)
    }


def least_cosines(outputs: np.ndarray, exact: np.ndarray) -> list[float]:
    """Returns the least cosine of a token's two vectors, a layer each.

    Args:
        outputs: `(layers, tokens, features)`.
        exact: of the same shape, in float32.
    """
    lengths = np.linalg.norm(outputs, axis=-1) * np.linalg.norm(exact, axis=-1)
    return [float(value) for value in ((outputs * exact).sum(axis=-1) / lengths).min(axis=1)]


def machine_limits() -> dict[str, float]:
    """Returns what `machine_limits.py` measures, in a process of its own."""
    command = [sys.executable, HERE / "machine_limits.py"]
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "-1"}
    result = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return json.loads(result.stdout)


def check(
    comparison: Comparison, ready: list[Implementation], settings: Settings
) -> dict[str, Any]:
    """Compares all outputs, prints the differences and stops when one is too large.

    Args:
        comparison: the run.
        ready: what to compare, each at one batch size, and `ELMO_TF2` at all.
        settings: of the command.

    Returns:
        dict of the largest absolute difference by pair of implementations, and of the least
        cosine to `ELMO_TF2` by layer of those that compute in bfloat16.

    Raises:
        RunnerError: if a difference is over `LARGEST_DIFFERENCE`.
    """
    count = settings.check_sentences
    elmos = [each for each in ready if each.kind != "other"]
    planned = {each.name: (each, CHECK_BATCH_SIZE) for each in elmos}
    if ELMO_TF2 in ready:
        others = sorted(set(settings.batch_sizes) - {CHECK_BATCH_SIZE})
        planned |= {f"{ELMO_TF2.name}, batch {size}": (ELMO_TF2, size) for size in others}
    outputs = {}
    for name, (each, size) in planned.items():
        with console.status(f"{name}: outputs for {count} sentences"):
            outputs[name] = comparison.outputs(each, count, count if each.is_corpus else size)
    inexact = {each.name: outputs.pop(each.name) for each in elmos if not each.is_exact}
    differences = largest_differences(outputs)
    if outputs:
        console.print(differences_table(list(outputs), differences, EXPECTED_DIFFERENCE))
        deviations = next(iter(outputs.values())).std(axis=(1, 2))
        scale = ", ".join(f"{value:.2g}" for value in deviations)
        console.print(f"Standard deviation of the outputs, by layer: {scale}")
    if any(not value <= LARGEST_DIFFERENCE for value in differences.values()):
        raise RunnerError(
            f"Outputs differ by more than {LARGEST_DIFFERENCE:g}: these are not the same model, "
            "so times would mean nothing."
        )
    cosines = {}
    if inexact and outputs:
        exact = next(iter(outputs.values()))
        cosines = {name: least_cosines(value, exact) for name, value in inexact.items()}
        console.print(cosine_table(cosines))
    return {
        "largest_differences": {f"{one} / {other}": v for (one, other), v in differences.items()},
        "least_cosines": cosines,
    }


def time_all(
    comparison: Comparison,
    ready: list[Implementation],
    counts: dict[int | str, int],
    repeats: int,
) -> dict[str, dict[str, Any]]:
    """Times everything in turns, so that a slow spell of the machine meets all alike."""
    batch_sizes = [column for column in counts if column != CORPUS]
    runs: dict[str, dict[int | str, list[dict[str, Any]]]] = {each.name: {} for each in ready}
    for repeat, column, each in itertools.product(range(repeats), counts, ready):
        if column not in each.columns(batch_sizes):
            continue
        count = counts[column]
        with console.status(f"repeat {repeat + 1} of {repeats}, batch {column}: {each.name}"):
            answer = comparison.time_once(each, count if column == CORPUS else column, count)
        runs[each.name].setdefault(column, []).append(answer)
    return {name: summarise(answers) for name, answers in runs.items()}


def run(comparison: Comparison, ready: list[Implementation], settings: Settings) -> dict[str, Any]:
    """Exports, checks, times and prints; returns the report."""
    options = comparison.prepare_model(settings.size, settings.model)
    for each in ready:
        if each.export is not None:
            with console.status(f"{each.name}: exporting the model"):
                comparison.export(each)
    checked = check(comparison, ready, settings)
    total = len(comparison.sentences)
    counts: dict[int | str, int] = {size: total for size in settings.batch_sizes}
    if 1 in counts:
        counts[1] = min(total, settings.single_sentences)
    if any(each.is_corpus for each in ready):
        counts[CORPUS] = total
    with console.status("limits of the machine"):
        limits = [machine_limits()]
    results = time_all(comparison, ready, counts, settings.repeats)
    with console.status("limits of the machine, again"):
        limits.append(machine_limits())
    gflop = {
        column: least_gflop_per_token(
            options, comparison.sentences[:count], count if column == CORPUS else column
        )
        for column, count in counts.items()
    }
    arithmetic_limit = {
        dtype: {
            column: max(each["matrix_product_gflops"][dtype]["1024"] for each in limits) / value
            for column, value in gflop.items()
        }
        for dtype in ("float32", "bfloat16")
    }
    console.print(throughput_table(results, arithmetic_limit))
    console.print(limits_line(limits))
    return {
        "arguments": sys.argv[1:],
        "machine": describe_machine(),
        "limits_before_and_after": limits,
        "options": options,
        "sentences": {"count": total, "by_column": counts},
        **checked,
        "arithmetic_limit_tokens_per_second": arithmetic_limit,
        "implementations": results,
    }


def main(
    size: Annotated[
        str, typer.Option(help=f"Random weights of a published size: {', '.join(SIZES)}.")
    ] = "original",
    model: Annotated[
        Path | None,
        typer.Option(help="Folder with options.json and weights.hdf5 of bilm-tf, instead."),
    ] = None,
    implementation: Annotated[
        list[str] | None,
        typer.Option(help=f"Only this one; repeat for more: {', '.join(IMPLEMENTATIONS)}."),
    ] = None,
    batch_size: Annotated[
        list[int] | None,
        typer.Option(
            min=1, help="Sentences a batch; repeat for more.", show_default="1, 32 and 128"
        ),
    ] = None,
    repeats: Annotated[
        int, typer.Option(min=1, help="Measurements of each; medians are told.")
    ] = 3,
    sentences: Annotated[
        Path,
        typer.Option(
            exists=True,
            help="Tokenised sentences, one per line, words apart by spaces.",
            show_default="benchmarks/sentences.txt",
        ),
    ] = HERE / "sentences.txt",
    max_sentences: Annotated[
        int | None, typer.Option(min=1, help="Use only the first so many sentences.")
    ] = None,
    single_sentences: Annotated[
        int, typer.Option(min=1, help="How many of them are embedded at batch size 1.")
    ] = 64,
    check_sentences: Annotated[
        int, typer.Option(min=1, help="How many of them have their outputs compared.")
    ] = 64,
    environments: Annotated[
        Path,
        typer.Option(
            help="What make_environments.py made.", show_default="benchmarks/.environments"
        ),
    ] = ENVIRONMENTS,
    json_report: Annotated[
        Path | None, typer.Option("--json", help="Write every measurement to this file.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw the table into this file, PNG or SVG say.")
    ] = None,
) -> None:
    """Compare embedding throughput of ELMo implementations on the same weights and sentences.

    First all layers of some sentences are computed by every implementation and compared: beyond
    1e-4 nothing is timed. Then each is timed in a process of its own, in turns (A B C, A B C, …),
    one at a time. Times include turning words into character ids; they leave out loading, which
    has a column of its own. LSTM states that an implementation carries from call to call are
    zeroed before every batch. Peak memory is that of the process with the largest batch. "corpus"
    is the whole text in any order, as `elmo-tf2 embed` takes it; peers are held against it with
    their best batch size. BERT-base's shape and MiniLM are no ELMo, but what people take instead.

    A first look that takes a few minutes:

    python benchmarks/compare.py --size small --max-sentences 128 --repeats 1

    The whole comparison:

    python benchmarks/compare.py --json report.json --plot throughput.png
    """
    if size not in SIZES:
        raise typer.BadParameter(f"`--size` must be one of {', '.join(SIZES)}. Received: {size}")
    missing = [
        name for name in ("options.json", "weights.hdf5") if model and not (model / name).exists()
    ]
    if missing:
        raise typer.BadParameter(f"`--model` must hold {' and '.join(missing)}. Received: {model}")
    unknown = sorted(set(implementation or ()) - set(IMPLEMENTATIONS))
    if unknown:
        raise typer.BadParameter(f"no such implementation: {', '.join(unknown)}")
    wanted = [IMPLEMENTATIONS[name] for name in implementation or IMPLEMENTATIONS]
    ready = available(wanted, environments)
    if not ready:
        raise typer.Exit(code=1)
    settings = Settings(
        size=size,
        model=model,
        batch_sizes=sorted(set(batch_size or [1, 32, 128])),
        repeats=repeats,
        single_sentences=single_sentences,
        check_sentences=check_sentences,
    )
    lines = [line for line in sentences.read_text("utf-8").splitlines() if line.split()]
    with tempfile.TemporaryDirectory(prefix="elmo_benchmark_") as work:
        comparison = Comparison(Path(work), environments.resolve(), lines[:max_sentences])
        try:
            report = run(comparison, ready, settings)
        except RunnerError as error:
            console.print(str(error), style="red", markup=False)
            raise typer.Exit(code=1) from error
    if json_report is not None:
        json_report.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        console.print(f"Report: {json_report}")
    if plot is not None:
        throughput_plot(
            report["implementations"], report["arithmetic_limit_tokens_per_second"], plot
        )
        console.print(f"Plot: {plot}")


if __name__ == "__main__":
    typer.run(main)
