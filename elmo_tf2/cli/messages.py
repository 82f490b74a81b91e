"""Everything the command line says: results to stdout; errors, warnings, progress to stderr."""

import contextlib
import errno
import logging
import os
import re
import sys
import tempfile
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

import typer
from rich.cells import cell_len

# TensorFlow's own levels: 0 shows all, 3 nothing but what ends the program.
_TENSORFLOW_LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"


def echo(text: str = "") -> None:
    """Prints a part of the result."""
    try:
        typer.echo(text)
    except OSError as error:
        drop_output()
        if error.errno not in (errno.EPIPE, errno.EBADF):  # nobody reads: the work goes on
            raise


def drop_output() -> None:
    """Lets standard output lead nowhere, or Python would fail at its end with what is buffered."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())


def echo_table(rows: Iterable[tuple[str, str]]) -> None:
    """Prints names and values below one another."""
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        echo(f"  {name:<{width}}  {value}")


def echo_columns(rows: Sequence[Sequence[str]], to_the_right: Collection[int] = ()) -> None:
    """Prints a table whose columns stand below one another."""
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = []
        for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
            spaces = " " * (width - cell_len(cell))  # a Chinese character is two wide
            cells.append(spaces + cell if column in to_the_right else cell + spaces)
        echo(f"  {'  '.join(cells)}".rstrip())


def echo_error(text: str) -> None:
    """Prints a warning or an error."""
    typer.echo(text, err=True)


def error_text(error: BaseException) -> str | None:
    """The message of an error that is the user's or the machine's."""
    if isinstance(error, BrokenPipeError):
        return None  # of a program that this one started
    of_hdf5 = re.search(r"filename = '(.*?)',.* errno = (\d+),", str(error), re.DOTALL)
    if of_hdf5:
        return f"{of_hdf5[1]}: {os.strerror(int(of_hdf5[2]))}"
    if isinstance(error, OSError):
        what = error.strerror or str(error)
        return what if error.filename is None else f"{error.filename}: {what}"
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        where = re.sub(r"\{\{.*?\}\} ", "", str(error))  # a node's name, put first by TensorFlow
        return f"Not enough memory or disk space. {where}"
    if isinstance(error, (ValueError, FloatingPointError)) and _raised_here(error):
        return str(error)
    return None


def _raised_here(error: BaseException) -> bool:
    """Whether this package raised it: it checks what users give, and its messages are for them."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    name = traceback.tb_frame.f_globals.get("__name__", "") if traceback is not None else ""
    return name.partition(".")[0] == "elmo_tf2"


class WarningHandler(logging.Handler):
    """Prints what the library logs."""

    def emit(self, record: logging.LogRecord) -> None:
        """Prints a record."""
        echo_error(f"{record.levelname.capitalize()}: {record.getMessage()}")


def show_warnings() -> None:
    """Lets the library's warnings be printed, once."""
    logger = logging.getLogger("elmo_tf2")
    if not any(isinstance(handler, WarningHandler) for handler in logger.handlers):
        logger.addHandler(WarningHandler(logging.WARNING))


@contextlib.contextmanager
def warnings_later() -> Iterator[None]:
    """Hides the library's warnings of what will be read again."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Hides what TensorFlow prints while it is imported, unless the import fails.

    Some versions, such as 2.21, then print notes on the machine at any log level. With
    TF_CPP_MIN_LOG_LEVEL=0 in the environment everything is printed.
    """
    if os.environ.get(_TENSORFLOW_LOG_LEVEL) == "0" or "tensorflow" in sys.modules:
        yield
        return
    os.environ[_TENSORFLOW_LOG_LEVEL] = "3"
    with warnings.catch_warnings(), tempfile.TemporaryFile() as hidden:
        warnings.simplefilter("ignore")
        stderr = os.dup(2)
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except Exception:
            hidden.seek(0)
            os.write(stderr, hidden.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


@contextlib.contextmanager
def progress_bar(
    waiting_for: str, doing: str = "Embedding", unit: str = "tokens"
) -> Iterator[Callable[..., None]]:
    """Shows how much is done, the rate and the time left, on a terminal."""
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=None),
        progress.TextColumn("{task.fields[rate]}"),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
    )
    bar = progress.Progress(
        *columns, console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()
    )
    with bar:
        task = bar.add_task(waiting_for, total=None, rate="")

        def update(done: int, total: int, doing: str = doing, unit: str = unit) -> None:
            if bar.tasks[task].description != doing:  # the first call; what is done was done before
                bar.reset(task, total=total or None, completed=done, description=doing)
            bar.update(task, completed=done)
            speed = bar.tasks[task].speed
            rate = f" {speed:,.0f} {unit}/s" if speed else ""
            share = f"{done / total:.0%}" if total else f"{done:,} {unit}"
            bar.update(task, rate=f"{share}{rate}")

        yield update
