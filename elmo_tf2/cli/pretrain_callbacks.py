"""Keras callbacks of `elmo-tf2 pretrain`."""

import contextlib
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

from elmo_tf2.cli.messages import echo


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Any]:
    """A Keras callback that ends a run after an update in which Ctrl-C or SIGTERM came.

    An exception raised by the signal itself may be lost: Python drops those in destructors and in
    callbacks of weak references. A second signal raises it nevertheless.
    """
    import keras

    is_asked = False

    def ask(number: int, frame: FrameType | None) -> None:
        nonlocal is_asked
        if is_asked:
            signal.default_int_handler(number, frame)
        is_asked = True
        with contextlib.suppress(OSError):  # `print` cannot be entered twice
            os.write(2, b"\nStopping after this update. Again to stop at once.\n")

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if is_asked:
                raise KeyboardInterrupt

    signals = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, ask) for number in signals]
    try:
        yield Stop()
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)


@contextlib.contextmanager
def show_progress(updates: int) -> Iterator[Any]:
    """A Keras callback that shows a run's progress on a terminal."""
    import keras
    from rich import progress
    from rich.console import Console

    bar = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(bar_width=None),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[state]}"),
        progress.TimeRemainingColumn(elapsed_when_finished=True),
        console=Console(stderr=True),
        transient=True,
        disable=not sys.stderr.isatty(),
    )

    class Progress(keras.callbacks.Callback):
        def on_train_begin(self, logs: Any = None) -> None:
            done = self.model.num_updates
            self.task = bar.add_task("Pretraining", total=updates, completed=done, state="")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            state = (
                f"loss {logs['loss']:.3f}  perplexity {logs['perplexity']:.1f}  "
                f"{logs['tokens_per_second']:,.0f} tokens/s"
            )
            bar.update(self.task, completed=logs["update"], state=state)
            if "heldout_perplexity" in logs:
                echo(
                    f"  update {logs['update']:,}: loss {logs['loss']:.3f}, held-out perplexity "
                    f"{logs['heldout_perplexity']:.2f}"
                )

    with bar:
        yield Progress()
