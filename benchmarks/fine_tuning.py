"""What a step of fine-tuning costs, beside the same vectors without a gradient: see `--help`."""

import statistics
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import tensorflow as tf
import typer
from rich.console import Console
from rich.table import Table

from elmo_tf2 import ElmoEmbeddings

HERE = Path(__file__).parent

Step = Callable[[tf.Tensor], object]


def make_steps(elmo: ElmoEmbeddings) -> dict[str, Step]:
    """The kinds of steps, by name."""
    weights = [weight.value for weight in elmo.trainable_weights]

    def gradients(sentences: tf.Tensor, training: bool) -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(tf.sin(elmo(sentences, training=training)))
        return tape.gradient(loss, weights)

    steps = {
        "vectors alone": elmo,
        "gradient, training=False": lambda sentences: gradients(sentences, False),
        "gradient, training=True": lambda sentences: gradients(sentences, True),
    }
    signature = [tf.TensorSpec([None, None], tf.string)]
    return {name: tf.function(step, input_signature=signature) for name, step in steps.items()}


def measure(steps: dict[str, Step], sentences: tf.Tensor, repeats: int) -> dict[str, float]:
    """The median seconds of each; they take turns, so that slow spells meet all alike."""
    for step in steps.values():
        step(sentences)
    rounds = [
        [timeit.timeit(lambda step=step: step(sentences), number=1) for step in steps.values()]
        for _ in range(repeats)
    ]
    return dict(zip(steps, map(statistics.median, zip(*rounds, strict=True)), strict=True))


def main(
    model: Annotated[str, typer.Option(help="A preset, or a model folder.")] = "elmo_mini_en",
    batch_size: Annotated[int, typer.Option(help="Sentences of the step.", min=1)] = 32,
    repeats: Annotated[int, typer.Option(help="Rounds; medians are told.", min=1)] = 15,
) -> None:
    """Times the vectors of a batch, and their gradient to all weights, with and without training.

    The values are the same; with training=True, as `fit` calls a layer whose encoder is trainable,
    the LSTMs keep what their gradient needs.
    """
    make = ElmoEmbeddings.from_folder if Path(model).is_dir() else ElmoEmbeddings.from_preset
    lines = (HERE / "sentences.txt").read_text("utf-8").splitlines()
    sentences = tf.ragged.constant([line.split() for line in lines[:batch_size]]).to_tensor("")
    seconds = measure(make_steps(make(model, encoder_trainable=True)), sentences, repeats)
    table = Table(f"{len(sentences)} sentences", "ms", "× vectors alone")
    alone, *_ = seconds.values()
    for name, value in seconds.items():
        table.add_row(name, f"{value * 1e3:.0f}", f"{value / alone:.1f}")
    Console().print(table)


if __name__ == "__main__":
    typer.run(main)
