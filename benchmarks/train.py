"""How fast elmo_tf2 pretrains, beside bilm-tf: the same text, sizes and steps, one run.

python benchmarks/train.py                                      small size, as the table has it
python benchmarks/train.py --size original --negatives 8192 --vocabulary 793471 --batch-size 128
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import machine_limits
from implementations import OUR_ENVIRONMENT, RUNNERS
from random_model import SIZES
from report import describe_machine
from rich.console import Console
from rich.progress import track
from rich.table import Table

HERE = Path(__file__).parent
SKIPPED = 5  # steps in which graphs are built and memory is laid out


def parse_arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--size", choices=SIZES, default="small", help="published size (default: small)")
    add("--batch-size", type=int, default=64, help="rows of a batch (default: 64)")
    add("--unroll-steps", type=int, default=20, help="tokens of a window (default: 20)")
    add("--negatives", type=int, default=1024, help="of the sampled softmax (default: 1024)")
    add("--vocabulary", type=int, default=20_000, help="words of the softmax (default: 20000)")
    add(
        "--text",
        type=Path,
        default=HERE / "sentences.txt",
        help="tokenised text, one sentence per line (default: the sentences beside this script)",
    )
    add("--steps", type=int, default=30, help="updates that are timed (default: 30)")
    add("--repeats", type=int, default=3, help="processes of each implementation (default: 3)")
    add("--environments", type=Path, default=HERE / ".environments", help="of the peers")
    add("--json", type=Path, help="write all measurements there, too")
    return parser.parse_args()


def write_vocabulary(path: Path, text: str, number: int) -> None:
    """Writes the text's words, filled up with made-up ones: the softmax costs what it costs."""
    words = ["<S>", "</S>", "<UNK>", *dict.fromkeys(text.split())][:number]
    words += [f"word{index}" for index in range(number - len(words))]
    path.write_text("\n".join(words) + "\n", "utf-8")


def run(command: list[Any], ours: bool) -> dict[str, Any]:
    """Runs one process and returns what it measured."""
    # TensorFlow 2, imported here, has set TF2_BEHAVIOR, which TensorFlow 1.15 would heed.
    unwanted = ("PYTHONPATH", "TF2_BEHAVIOR")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "2"}
    if ours:
        environment = OUR_ENVIRONMENT | environment
    # Not from the current folder, where Python would find a package that is not installed.
    result = subprocess.run(
        [*map(str, command)], env=environment, capture_output=True, text=True, cwd=RUNNERS
    )
    if result.returncode:
        raise SystemExit(f"{command[1]} failed:\n{result.stderr[-3000:]}")
    return json.loads(result.stdout.splitlines()[-1])


def summarise(answers: list[dict[str, Any]], tokens: int) -> dict[str, Any]:
    """The median over processes of the median step's rate, tokens per second."""
    rates = [tokens / statistics.median(each["seconds"][SKIPPED:]) for each in answers]
    return {
        "tokens_per_second": statistics.median(rates),
        "spread": (max(rates) - min(rates)) / statistics.median(rates),
        "peak_memory_mb": max(each["peak_memory_mb"] for each in answers),
        "measurements": answers,
    }


def main() -> None:
    """Lets the implementations take turns and reports."""
    arguments = parse_arguments()
    bilm = arguments.environments.resolve() / "bilm" / "bin" / "python"
    commands = {
        "elmo_tf2": (sys.executable, "elmo_tf2_training.py", "float32"),
        "elmo_tf2, mixed_bfloat16": (sys.executable, "elmo_tf2_training.py", "mixed_bfloat16"),
    }
    if bilm.exists():
        commands = {"bilm-tf": (bilm, "bilm_tf_training.py", "float32"), **commands}
    else:
        print(f"bilm-tf is left out: there is no {bilm}. benchmarks/make_environments.py makes it.")
    text = arguments.text.read_text("utf-8")
    answers: dict[str, list[dict[str, Any]]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as work:
        vocabulary = Path(work, "vocab.txt")
        write_vocabulary(vocabulary, text, arguments.vocabulary)
        limits = [machine_limits.matrix_product_gflops(1024, "float32")]
        for _ in track(range(arguments.repeats), "Training", console=Console(stderr=True)):
            for name, (python, runner, precision) in commands.items():
                job = {
                    "model": SIZES[arguments.size],
                    "text": str(arguments.text.resolve()),
                    "vocabulary": str(vocabulary),
                    "batch_size": arguments.batch_size,
                    "unroll_steps": arguments.unroll_steps,
                    "negatives": arguments.negatives,
                    "steps": arguments.steps + SKIPPED,
                    "precision": precision,
                }
                Path(work, "job.json").write_text(json.dumps(job), "utf-8")
                command = [python, RUNNERS / runner, Path(work, "job.json")]
                answers[name].append(run(command, ours=name != "bilm-tf"))
        limits.append(machine_limits.matrix_product_gflops(1024, "float32"))
    tokens = arguments.batch_size * arguments.unroll_steps
    results = {name: summarise(each, tokens) for name, each in answers.items()}
    report(results, limits)
    if arguments.json:
        whole = {"machine": describe_machine(), "matrix_product_gflops": limits}
        whole |= {"arguments": {k: str(v) for k, v in vars(arguments).items()}, "results": results}
        arguments.json.write_text(json.dumps(whole, indent=2), "utf-8")


def report(results: dict[str, dict[str, Any]], limits: list[float]) -> None:
    """Prints the table."""
    table = Table("", "tokens/s", "±", "× bilm-tf", "peak memory, MB")
    peer = results.get("bilm-tf", {}).get("tokens_per_second")
    for name, result in results.items():
        rate = result["tokens_per_second"]
        table.add_row(
            name,
            f"{rate:,.0f}",
            f"{result['spread'] / 2:.0%}",
            f"{rate / peer:.2f}" if peer else "",
            f"{result['peak_memory_mb']:,.0f}",
        )
    console = Console()
    console.print(table)
    console.print(f"Matrix product before and after: {limits[0]:.0f}, {limits[1]:.0f} GFLOP/s.")


if __name__ == "__main__":
    main()
