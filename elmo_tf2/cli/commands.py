"""The commands put together, and what becomes of errors."""

import os
import re
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from elmo_tf2.cli import (
    convert,
    demo,
    embed,
    evaluate,
    export,
    inspect,
    models,
    plot,
    prepare,
    presets,
    pretrain,
)
from elmo_tf2.cli.messages import drop_output, echo, echo_error, error_text, show_warnings

_HELP = """\
ELMo word vectors on TensorFlow 2: published weights in, a SavedModel or vectors out.

\b
From a TF1 Hub module to what hub.load takes, in one command:
  elmo-tf2 export google_elmo_3 elmo_saved_model
What is in a file or folder:
  elmo-tf2 inspect google_elmo_3
Help on a command:
  elmo-tf2 export --help
"""


class Commands(TyperGroup):
    """Tells users of their mistakes in a line instead of a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Runs a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            echo_error("Interrupted.")
            raise typer.Exit(130) from None
        except Exception as error:
            text = error_text(error)
            if text is None:
                raise
            echo_error("Error: " + re.sub(r"\s*\n\s*", " ", text))
            raise typer.Exit(1) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        try:
            echo(f"elmo-tf2 {version('elmo_tf2')}")
        except PackageNotFoundError:
            echo("elmo-tf2, not installed")
        raise typer.Exit


app = typer.Typer(
    name="elmo-tf2",
    cls=Commands,
    help=_HELP,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def before_all(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """What happens before any command."""
    show_warnings()


app.command("demo", help=demo.HELP)(demo.demo)
app.command("presets", help=presets.HELP)(presets.presets)
app.command("models", help=models.HELP)(models.models)
app.command("inspect", help=inspect.HELP)(inspect.inspect)
app.command("convert", help=convert.HELP)(convert.convert)
app.command("export", help=export.HELP)(export.export)
app.command("embed", help=embed.HELP)(embed.embed)
app.command("plot", help=plot.HELP)(plot.plot)
app.command("prepare", help=prepare.HELP)(prepare.prepare)
app.command("pretrain", help=pretrain.HELP)(pretrain.pretrain)
app.command("evaluate", help=evaluate.HELP)(evaluate.evaluate)


def _threads_of_an_operation() -> int:
    """Half the processors: an ELMo's two directions run at once.

    With all of them, as TensorFlow has it, the operations of both wait for one another.
    """
    try:
        processors = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        processors = os.cpu_count() or 1
    return max(1, processors // 2)


def _open_what_is_closed() -> None:
    """Makes standard streams that were closed (`>&-`) empty ones.

    The next files to be opened would get their numbers, and what is printed.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # which gets the lowest number, this one's


def main() -> None:
    """Runs the command line."""
    _open_what_is_closed()
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal can't show is no reason to fail.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    # Schedulers end a job by SIGTERM: what is half-made is removed then, as after Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(_threads_of_an_operation()))
    os.environ["KERAS_BACKEND"] = "tensorflow"  # whatever the user's own programs run on
    try:
        app(prog_name="elmo-tf2")
    except (
        OSError
    ) as error:  # of printing the help or the version: those of commands have been printed
        drop_output()
        sys.exit(f"Error: standard output: {error.strerror}")
