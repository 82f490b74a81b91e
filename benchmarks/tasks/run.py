"""What ELMo brings to real tasks: see `--help`, and README.md of the folder above."""

import importlib.util
import itertools
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from elmo_tf2.cli.messages import quiet_imports
from elmo_tf2.presets import DEFAULT_PRESET
from elmo_tf2.sources import find_model
from tasks.results import Results

if TYPE_CHECKING:
    from tasks.networks import Networks
    from tasks.search import Job
    from tasks.training import Learned

console = Console()
app = typer.Typer(add_completion=False)

QUICK_SHARE = 0.1  # of the labels, at most


def choose(names: str | None, known: list[str], option: str) -> list[str]:
    """Splits a list at its commas, and checks the names.

    Args:
        names: the list, or None for all.
        known: names there are.
        option: what it was given as.

    Returns:
        The chosen names.

    Raises:
        typer.BadParameter: if a name is unknown.
    """
    chosen = known if names is None else names.split(",")
    for name in chosen:
        if name not in known:
            raise typer.BadParameter(f"{option} has {name!r}. There are: {', '.join(known)}.")
    return chosen


def read_shares(text: str | None) -> list[float] | None:
    """Reads "1,10,100", in percent."""
    try:
        shares = text and [float(each) / 100 for each in text.split(",")]
    except ValueError:
        shares = [0.0]
    if shares and not all(0 < share <= 1 for share in shares):
        raise typer.BadParameter(
            f"--shares takes percentages above 0, up to 100, as 1,10,100. Found: {text!r}."
        )
    return shares or None


def plan(
    names: list[str],
    variants: list[str],
    shares: list[float] | None,
    seeds: int,
    quick: bool,
) -> list["Job"]:
    """Lists all that is to be run.

    Args:
        names: of the tasks.
        variants: what the words are given as.
        shares: of the labels; None for those of each task.
        seeds: how many.
        quick: whether it is a first look.

    Returns:
        The jobs in order.
    """
    from tasks.registry import TASKS
    from tasks.search import jobs_of

    jobs = []
    for name in names:
        task = TASKS[name]
        for variant in variants:
            if task.has_head:
                usual = task.shares_of(variant, QUICK_SHARE if quick else 1.0)
                job_shares, job_seeds = shares or usual, range(1, seeds + 1)
            elif variant == "fine-tuned":
                continue
            else:
                job_shares, job_seeds = [1.0], range(1)
            settings = task.settings(variant, quick)
            jobs += jobs_of(name, variant, settings, task.search_share, job_shares, job_seeds)
    return jobs


def run(jobs: list["Job"], data: Path, networks: "Networks", results: Results, quick: bool) -> None:
    """Runs what is not done, and writes each result at once.

    Args:
        jobs: all of them, in order.
        data: has the folders of the data sets.
        networks: the encoders.
        results: where results go.
        quick: whether it is a first look.
    """
    from tasks.registry import open_task

    left = [job for job in jobs if not job.is_done(results)]
    console.print(f"{len(jobs)} models in all, {len(jobs) - len(left)} of them done before.")
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    ) as bar:
        # All of them now: a fault of the data must not be found after hours.
        names = dict.fromkeys(job.task for job in left)
        opened = {name: open_task(name, data, networks, bar) for name in names}
        whole = bar.add_task("", total=len(jobs), completed=len(jobs) - len(left))
        for name, some in itertools.groupby(left, key=lambda job: job.task):
            task = opened.pop(name)  # so that its vectors do not outlive it
            for job in some:
                setting = job.setting or found(results, name, job.variant, quick)
                before = found(results, name, "mix", quick) if job.variant == "fine-tuned" else {}
                what = f"{name}, {job.variant}, {100 * job.share:g} % of the labels, {job.kind}"
                bar.update(whole, description=what)
                learned = task.run(job.variant, job.share, job.seed, before | setting)
                results.add({**job._asdict(), "setting": setting, **learned._asdict()})
                bar.advance(whole)
                told = f"{what}: {outcome(job, setting, learned)}"
                bar.console.print(told, highlight=False, soft_wrap=True)


def found(results: Results, name: str, variant: str, quick: bool) -> dict[str, Any]:
    """Returns the setting that the search has found for a variant of a task."""
    from tasks.registry import TASKS
    from tasks.search import best_setting

    return best_setting(results, name, variant, TASKS[name].settings(variant, quick))


def outcome(job: "Job", setting: dict[str, Any], learned: "Learned") -> str:
    """Tells a result in a line."""
    part = "dev" if job.kind == "search" else "test"
    metric, value = next(iter(getattr(learned, part).items()))
    told = "".join(f", {name} {each:g}" for name, each in setting.items())
    return f"seed {job.seed}{told}: {part} {metric} {100 * value:.1f}, {learned.seconds:.0f} s"


@app.command()
def main(
    task: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TASK]...",
            help="upos, wnut17, wikigold, trec, subj, stsb, stsb-cosine, wsd-1nn, wsd-logistic; "
            "all of them unless some are named.",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="Has the folders of the data sets, named as they are distributed: see QUALITY.md.",
            show_default=False,
        ),
    ] = ...,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.jsonl",
            dir_okay=False,
            help="Results go here, a line each; what is there already is not run again.",
            show_default=False,
        ),
    ] = ...,
    model: Annotated[
        str,
        typer.Option(
            help="A preset, a model folder, or published weights in any form that `elmo-tf2 "
            "convert` takes."
        ),
    ] = DEFAULT_PRESET,
    variants: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="Some of none, mix, layer0, layer1, …, fine-tuned, untrained; else all.",
        ),
    ] = None,
    shares: Annotated[
        str | None,
        typer.Option(
            metavar="PERCENT,…",
            help="Of the labels of train; else 1,10,100 for upos and trec, 10,100 for subj and "
            "stsb, 100 for the others, but no more than 10 where fine-tuning would take hours.",
        ),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="How many times each is trained; else 3.", show_default=False),
    ] = None,
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="A first look: one seed, no search, 1 and 10 % of the labels."
        ),
    ] = False,
) -> None:
    """Measure what ELMo brings to real tasks, with one small head for all.

    The words come to the head as

    - none: a trained vector of the word and one of its characters, no ELMo;

    - mix: the trained vector of the word beside the frozen ELMo, its mix trained;

    - layer0, layer1, …: the same with one frozen layer alone;

    - fine-tuned: mix, and where it is at its best, ELMo goes on to learn with
      the head;

    - untrained: as mix, with an ELMo that never learned, all weights random.

    For every variant and task the same search, on the dev set, chooses the
    learning rate, the size and the dropout; then three seeds are trained. Of
    fine-tuned it chooses the learning rate it goes on with.

    A first look:

    python benchmarks/tasks/run.py trec --data DATA --out quick.jsonl --quick

    A task with all variants, shares and seeds; interrupted, it goes on when it
    is called again:

    python benchmarks/tasks/run.py trec --data DATA --out results.jsonl

    README.md tells how the whole is best run, which takes some hours. And then:

    python benchmarks/tasks/report.py results.jsonl --plot tasks.png
    """
    check_installed()
    if not out.absolute().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {str(out.parent)!r} for {out.name}.")
    share_list = read_shares(shares)
    with quiet_imports():
        from elmo_tf2.convert import load_weights
        from tasks.networks import Networks
        from tasks.registry import TASKS
    names = choose(",".join(task) if task else None, list(TASKS), "TASK")
    try:
        networks = Networks(model, load_weights(find_model(model)))
        chosen = choose(variants, networks.variants, "--variants")
        if "fine-tuned" in chosen and "mix" not in chosen[: chosen.index("fine-tuned")]:
            raise typer.BadParameter("fine-tuned begins as mix: name that before it.")
        results = Results(out, networks.identity(quick))
        if results.dropped:
            console.print(f"{out}: its damaged last line was dropped ({results.dropped} bytes).")
        jobs = plan(names, chosen, share_list, seeds or (1 if quick else 3), quick)
        run(jobs, data, networks, results, quick)
    except (OSError, ValueError) as error:
        console.print(escape(str(error)), style="red", soft_wrap=True)
        raise typer.Exit(code=1) from error
    console.print(f"Done: {out}. python benchmarks/tasks/report.py {out} makes a table of it.")


def check_installed() -> None:
    """Finds what of the extra `benchmarks` is missing.

    Raises:
        typer.BadParameter: if there is something.
    """
    libraries = ("seqeval", "scipy", "sklearn")
    missing = [name for name in libraries if not importlib.util.find_spec(name)]
    if missing:
        raise typer.BadParameter(
            f"{', '.join(missing)} must be installed: python -m pip install '.[benchmarks]'"
        )


if __name__ == "__main__":
    app()
