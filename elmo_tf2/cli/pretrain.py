"""`elmo-tf2 pretrain`."""

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from elmo_tf2.cli.arguments import checked_model
from elmo_tf2.cli.messages import echo, echo_table, quiet_imports
from elmo_tf2.cli.pretrain_callbacks import show_progress, stop_on_signal
from elmo_tf2.config import TOKENIZERS, ElmoConfig
from elmo_tf2.data.vocabulary_file import read_vocabulary
from elmo_tf2.files import check_file, check_utf8
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.validation import MAX_INTEGER, check_choice, one_line
from elmo_tf2.weights.pretraining_run import (
    CONFIG_FILE,
    check_free_for_run,
    is_untrained_run,
)

if TYPE_CHECKING:
    from elmo_tf2.training import RunFolder

HELP = """\
Train a language model on text.

RUN is the folder of the run: its configuration, checkpoints, history.csv and logs for TensorBoard are kept there. DATA is what `elmo-tf2 prepare` made. Ctrl-C (or SIGTERM) saves; after that, or after a crash, `--resume` continues as if the run had never stopped. A run without a checkpoint can simply be started again.

The configuration is a YAML or JSON file; the defaults are those of the published models' training. `--set` changes single values. The run's config.yaml has all names and values.

\b
Examples:
  elmo-tf2 prepare my_texts/*.txt data
  elmo-tf2 pretrain run --data data --set model.units=1024 --set model.projection_dim=128 --set updates=20000
  elmo-tf2 pretrain run --resume
  elmo-tf2 evaluate run data/heldout.txt
  elmo-tf2 export run elmo_saved_model
\b
To continue training a published model, on other text:
  elmo-tf2 pretrain run --data data --initial model_folder
\b
The variant that merges the directions between the layers, and learns from masked words:
  elmo-tf2 pretrain run --data data --set model.architecture=merged
\b
Several GPUs of a machine are used together. On several machines, start the same command on each with TF_CONFIG set and RUN on a disk that all of them see.
"""  # noqa: E501


def _updates(help: str) -> Any:
    return typer.Option(min=1, max=MAX_INTEGER, metavar="UPDATES", help=help)


_Run = Annotated[Path, typer.Argument(metavar="RUN", help="The run's folder.")]
_Data = Annotated[
    Path | None,
    typer.Option(metavar="DATA", help="A folder that `prepare` wrote: for a new run."),
]
_Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The configuration, in YAML or JSON.")
]
_Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="Change a value of the configuration; may be repeated.",
    ),
]
_Initial = Annotated[
    Path | None,
    typer.Option(
        metavar="MODEL",
        help="Initial weights: a model that `convert` reads, or the name of a model that comes "
        "with the package, elmo_mini_en. The run takes its sizes, and its vocabulary if it has a "
        "softmax.",
    ),
]
_Resume = Annotated[bool, typer.Option("--resume", help="Resume a run from its last checkpoint.")]


class _NewRun(NamedTuple):
    """The arguments of `RunFolder.create`."""

    config: PretrainingConfig
    vocabulary: tuple[str, ...]
    files: list[Path]
    heldout: Path | None


def pretrain(
    run: _Run,
    data: _Data = None,
    config: _Config = None,
    changes: _Changes = None,
    initial: _Initial = None,
    resume: _Resume = False,
    save_every: Annotated[int, _updates("Updates between two checkpoints.")] = 500,
    evaluate_every: Annotated[int, _updates("Updates between two held-out perplexities.")] = 2000,
) -> None:
    """Trains a language model."""
    initial = None if initial is None else checked_model(initial, only_weights=True)
    new = None
    if resume:
        if data or config or changes or initial:
            raise typer.BadParameter("--resume continues with what the run has; give RUN alone.")
        PretrainingConfig.from_file(run / CONFIG_FILE)
    else:
        if data is None:
            raise typer.BadParameter("A new run needs --data. To resume a run: --resume.")
        # The first of several workers may have made it.
        if "TF_CONFIG" not in os.environ:
            check_free_for_run(run, overwrite=is_untrained_run(run))
        new = _new_run(data, config, changes or [])
    with quiet_imports():
        from elmo_tf2.training import RunFolder
        from elmo_tf2.training import pretrain as library
        from elmo_tf2.weights import read_weights

    strategy = _strategy()  # several workers need it before all other use of TensorFlow
    is_chief = strategy.extended.should_checkpoint
    folder = RunFolder(run)
    weights = None
    if new is not None:
        weights = None if initial is None else read_weights(initial)
        if is_chief:
            if weights is not None:
                new = new._replace(config=_with_model(new.config, weights.config))
                if weights.softmax is not None and weights.vocabulary is not None:
                    new = new._replace(vocabulary=weights.vocabulary)
            folder.create(*new, overwrite_untrained=True)
        else:
            _wait_for(folder)
    settings = folder.read_config()
    echo(f"Run {run}:")
    echo_table(_rows(settings, folder))
    with strategy.scope(), stop_on_signal() as stop, show_progress(settings.updates) as progress:
        try:
            model = library(
                run,
                initial=weights,
                callbacks=[progress, stop],
                save_every=save_every,
                evaluate_every=evaluate_every,
            )
        except KeyboardInterrupt:
            echo(f"Stopped and saved. To resume: elmo-tf2 pretrain {run} --resume")
            raise
    if is_chief:
        _say_result(folder, model.num_updates)


def _say_result(folder: "RunFolder", updates: int) -> None:
    echo(f"Done after {updates:,} updates.")
    last = [row["heldout_perplexity"] for row in folder.read_history()[-1:]]
    if any(last):
        echo(f"Held-out perplexity: {float(last[0]):.2f}")
    echo(f"To use it: elmo-tf2 export {folder.path} elmo_saved_model")


def _new_run(data: Path, config: Path | None, changes: list[str]) -> _NewRun:
    settings = PretrainingConfig() if config is None else PretrainingConfig.from_file(config)
    settings = settings.changed(changes)
    files = sorted((data / "train").glob("*.txt"))
    if not files:
        raise FileNotFoundError(
            f"{data} has no train/*.txt. Make it with `elmo-tf2 prepare TEXT {data}`."
        )
    heldout = data / "heldout.txt" if (data / "heldout.txt").exists() else None
    for file in files if heldout is None else [*files, heldout]:
        check_utf8(check_file(file, "text file"))
    model = dataclasses.replace(settings.model, tokenizer=_tokenizer(data / "prepared.json"))
    settings = dataclasses.replace(settings, model=model)
    return _NewRun(settings, read_vocabulary(data / "vocab.txt"), files, heldout)


def _with_model(settings: PretrainingConfig, model: ElmoConfig) -> PretrainingConfig:
    """The configuration with the sizes of a model, but the tokenizer of the run's text."""
    model = dataclasses.replace(model, tokenizer=settings.model.tokenizer)
    return dataclasses.replace(settings, model=model)


def _tokenizer(prepared: Path) -> str:
    if not prepared.exists():
        return "spaces"
    check_file(prepared, "file of `prepare`")
    try:
        tokenizer = json.loads(prepared.read_bytes())["tokenizer"]
        return check_choice("tokenizer", tokenizer, TOKENIZERS)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{prepared} does not name the tokenizer: {one_line(error)}. Run `elmo-tf2 prepare` "
            "again, or remove the file if words are separated by spaces."
        ) from error


def _wait_for(folder: "RunFolder", seconds: float = 300) -> None:
    """Waits until the first worker has made the run's folder."""
    end = time.monotonic() + seconds
    while not folder.config_file.exists():
        if time.monotonic() > end:
            raise FileNotFoundError(
                f"The first worker has not made {folder.path} within {seconds:.0f} seconds. Read "
                "its output, and check that all workers see the same disk."
            )
        time.sleep(0.5)


def _rows(settings: PretrainingConfig, folder: "RunFolder") -> list[tuple[str, str]]:
    from elmo_tf2.convert import num_parameters

    masking = settings.masking
    predicted = "the next word in each direction"
    if masking is not None:
        predicted = (
            f"{masking.mask_rate:.0%} of the words: {masking.random_rate:.0%} of them replaced, "
            f"{masking.kept_rate:.0%} kept, the rest masked"
        )
    negatives = settings.num_negatives
    return [
        ("encoder", f"{num_parameters(settings.model):,} parameters"),
        ("vocabulary", f"{len(folder.read_vocabulary()):,} words"),
        ("batch", f"{settings.batch_size} rows of {settings.unroll_steps} tokens"),
        ("updates", f"{settings.updates:,}"),
        ("optimizer", f"{settings.optimizer}, learning rate {settings.peak_learning_rate:g}"),
        ("predicted", predicted),
        ("negatives", "the whole vocabulary" if negatives is None else f"{negatives:,}"),
        ("precision", settings.precision),
        ("to watch it", f"tensorboard --logdir {folder.logs}"),
    ]


def _strategy() -> Any:
    import tensorflow as tf

    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()
