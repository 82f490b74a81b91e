"""`elmo-tf2 pretrain`."""

import dataclasses
import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from elmo_tf2.cli.arguments import checked_model
from elmo_tf2.cli.messages import echo, echo_table, quiet_imports
from elmo_tf2.cli.training_callbacks import stop_when_asked, training_progress
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
    from elmo_tf2.weights import ElmoWeights

HELP = """\
Train a language model on text.

RUN is the folder of the run: its configuration, checkpoints, history.csv and logs for TensorBoard are kept there. DATA is what `elmo-tf2 prepare` made. Ctrl-C (or SIGTERM) saves; after that, or after a crash, `--resume` goes on as if the run had never stopped. A run that came to no checkpoint can simply be started again.

The configuration is a YAML or JSON file; what is not in it, or all of it without a file, is as the published models were trained. `--set` changes single values. The run's config.yaml has them all, with their names.

\b
Examples:
  elmo-tf2 prepare my_texts/*.txt data
  elmo-tf2 pretrain run --data data --set model.units=1024 --set model.projection_dim=128 --set updates=20000
  elmo-tf2 pretrain run --resume
  elmo-tf2 evaluate run data/heldout.txt
  elmo-tf2 export run elmo_saved_model
\b
To train on, with other text, what somebody else trained:
  elmo-tf2 pretrain run --data data --initial model_folder
\b
The variant whose directions are merged between the layers, which learns from masked words:
  elmo-tf2 pretrain run --data data --set model.architecture=merged
\b
Several GPUs of a machine are used together. On several machines, start the same command on each with TF_CONFIG set and RUN on a disk that all of them see.
"""  # noqa: E501


def pretrain(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="The run's folder.", show_default=False)
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DATA", help="A folder that `prepare` made: for a new run.", show_default=False
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The configuration, in YAML or JSON.", show_default=False
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="Change a value of the configuration; may be repeated.",
            show_default=False,
        ),
    ] = None,
    initial: Annotated[
        Path | None,
        typer.Option(
            metavar="MODEL",
            help="Begin with these weights: all that `convert` takes, or the name of a model that "
            "comes with the package, elmo_mini_en. Sizes are theirs, and words too if they have a "
            "softmax.",
            show_default=False,
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with a run from its last checkpoint.")
    ] = False,
    save_every: Annotated[
        int,
        typer.Option(
            min=1, max=MAX_INTEGER, metavar="UPDATES", help="Updates between two checkpoints."
        ),
    ] = 500,
    evaluate_every: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_INTEGER,
            metavar="UPDATES",
            help="Updates between two held-out perplexities.",
        ),
    ] = 2000,
) -> None:
    """Trains a language model."""
    initial = None if initial is None else checked_model(initial, only_weights=True)
    if resume:
        if data or config or changes or initial:
            raise typer.BadParameter("--resume goes on with what the run has; give RUN alone.")
        PretrainingConfig.from_file(run / CONFIG_FILE)
        made = None
    else:
        if data is None:
            raise typer.BadParameter("A new run needs --data. To go on with a run: --resume.")
        # Of several workers the first one may have made it.
        if "TF_CONFIG" not in os.environ:
            check_free_for_run(run, overwrite=is_untrained_run(run))
        made = _settings(data, config, changes or [])
    with quiet_imports():
        from elmo_tf2.training import RunFolder
        from elmo_tf2.training import pretrain as library
        from elmo_tf2.weights import read_weights

    strategy = _strategy()  # of several workers it must come before all other use of TensorFlow
    is_chief = strategy.extended.should_checkpoint
    folder = RunFolder(run)
    weights = None
    if made is not None:
        weights = None if initial is None else read_weights(initial)
        if is_chief:
            _create(folder, *made, weights)
        else:
            _wait_for(folder)
    settings = folder.read_config()
    echo(f"Run {run}:")
    echo_table(_rows(settings, folder))
    with strategy.scope(), stop_when_asked() as stop, training_progress(settings) as progress:
        try:
            model = library(
                run,
                initial=weights,
                callbacks=[progress, stop],
                save_every=save_every,
                evaluate_every=evaluate_every,
            )
        except KeyboardInterrupt:
            echo(f"Stopped and saved. To go on: elmo-tf2 pretrain {run} --resume")
            raise
    if not is_chief:
        return
    echo(f"Done after {model.num_updates:,} updates.")
    last = [row["heldout_perplexity"] for row in folder.read_history()[-1:]]
    if any(last):
        echo(f"Held-out perplexity: {float(last[0]):.2f}")
    echo(f"To use it: elmo-tf2 export {run} elmo_saved_model")


def _settings(
    data: Path, config: Path | None, changes: list[str]
) -> tuple[PretrainingConfig, Path, list[Path], tuple[str, ...]]:
    """What a new run has of its configuration and its data."""
    settings = PretrainingConfig() if config is None else PretrainingConfig.from_file(config)
    settings = settings.changed(changes)
    files = sorted((data / "train").glob("*.txt"))
    if not files:
        raise FileNotFoundError(
            f"{data} has no train/*.txt. Make it with `elmo-tf2 prepare TEXT {data}`."
        )
    heldout = data / "heldout.txt"
    for file in [*files, heldout] if heldout.exists() else files:
        check_utf8(check_file(file, "text file"))
    tokenizer = "spaces"
    if (data / "prepared.json").exists():
        tokenizer = _tokenizer(data / "prepared.json")
    settings = _with_model(settings, settings.model, tokenizer)
    return settings, heldout, files, read_vocabulary(data / "vocab.txt")


def _with_model(
    settings: PretrainingConfig, model: ElmoConfig, tokenizer: str
) -> PretrainingConfig:
    return dataclasses.replace(settings, model=dataclasses.replace(model, tokenizer=tokenizer))


def _create(
    folder: "RunFolder",
    settings: PretrainingConfig,
    heldout: Path,
    files: list[Path],
    vocabulary: tuple[str, ...],
    weights: "ElmoWeights | None",
) -> None:
    if weights is not None:
        settings = _with_model(settings, weights.config, settings.model.tokenizer)
        if weights.softmax is not None and weights.vocabulary is not None:
            vocabulary = weights.vocabulary
    folder.create(
        settings,
        vocabulary,
        files,
        heldout if heldout.exists() else None,
        overwrite_untrained=True,
    )


def _tokenizer(prepared: Path) -> str:
    check_file(prepared, "file of `prepare`")
    try:
        made = json.loads(prepared.read_bytes())
        return check_choice("tokenizer", made["tokenizer"], TOKENIZERS)
    except (ValueError, LookupError, TypeError, RecursionError) as error:
        raise ValueError(
            f"{prepared} does not name the tokenizer: {one_line(error)}. Run `elmo-tf2 prepare` "
            "again, or remove the file if words are apart by spaces."
        ) from error


def _wait_for(folder: "RunFolder", seconds: float = 300) -> None:
    """Waits until the first worker has made the run's folder."""
    end = time.monotonic() + seconds
    while not folder.config_file.exists():
        if time.monotonic() > end:
            raise FileNotFoundError(
                f"The first worker has not made {folder.path} within {seconds:.0f} seconds. See "
                "what it says, and that all workers see the same disk."
            )
        time.sleep(0.5)


def _rows(settings: PretrainingConfig, folder: "RunFolder") -> list[tuple[str, str]]:
    from elmo_tf2.convert import num_parameters

    negatives = settings.num_negatives
    return [
        ("encoder", f"{num_parameters(settings.model):,} parameters"),
        ("vocabulary", f"{len(folder.read_vocabulary()):,} words"),
        ("batch", f"{settings.batch_size} rows of {settings.unroll_steps} tokens"),
        ("updates", f"{settings.updates:,}"),
        ("optimizer", f"{settings.optimizer}, learning rate {settings.highest_learning_rate:g}"),
        ("predicted", _predicted(settings)),
        ("negatives", "the whole vocabulary" if negatives is None else f"{negatives:,}"),
        ("precision", settings.precision),
        ("to look on", f"tensorboard --logdir {folder.logs}"),
    ]


def _predicted(settings: PretrainingConfig) -> str:
    masking = settings.masking
    if masking is None:
        return "the next word in each direction"
    return (
        f"{masking.masked_share:.0%} of the words: {masking.random_rate:.0%} of them replaced, "
        f"{masking.kept_rate:.0%} kept, the rest masked"
    )


def _strategy() -> Any:
    import tensorflow as tf

    if "TF_CONFIG" in os.environ:
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.list_physical_devices("GPU")) > 1:
        return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()
