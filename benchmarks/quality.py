"""What the vectors of an ELMo know, by layer: see `--help` and `QUALITY.md`."""

import importlib.util
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from quality_data import AmbiguousWord, Treebank, read_treebank, read_wsd
from quality_report import draw, parts_of_speech_table, word_senses_table
from rich.console import Console

from elmo_tf2.cli.messages import quiet_imports

if TYPE_CHECKING:
    from elmo_tf2.weights import ElmoWeights

console = Console()


def check_arguments(wsd: Path | None, ud: Path | None, outputs: list[Path | None]) -> None:
    """Finds what would go wrong only at the end."""
    if wsd is None and ud is None:
        raise typer.BadParameter("at least one of `--wsd FOLDER` and `--ud FOLDER` is needed.")
    for path in outputs:
        if path is not None and not path.absolute().parent.is_dir():
            raise typer.BadParameter(f"there is no folder {str(path.parent)!r} for {path.name}.")
    missing = [name for name in ("matplotlib", "sklearn") if not importlib.util.find_spec(name)]
    if missing:
        raise typer.BadParameter(
            f"{' and '.join(missing)} must be installed: python -m pip install '.[benchmarks]'"
        )


def run(
    weights: "ElmoWeights",
    words: list[AmbiguousWord],
    treebank: Treebank,
    seed: int | None,
    bfloat16: bool,
) -> dict[str, Any]:
    """Computes and prints; returns the report.

    Args:
        weights: the model's.
        words: the words to tell the senses of; there may be none.
        treebank: the sentences to tag; there may be none.
        seed: of the untrained network, or None for none.
        bfloat16: whether to look at the trained network in bfloat16, too.

    Returns:
        dict that JSON can hold.
    """
    from quality_tasks import (
        most_frequent_senses,
        most_frequent_tags,
        parts_of_speech,
        word_senses,
    )
    from quality_vectors import make_encoders

    encoders = make_encoders(weights, seed, bfloat16)
    report: dict[str, Any] = {"options": weights.config.to_options(), "untrained_seed": seed}
    if words:
        report["word_senses"] = {
            "train_instances": sum(len(word.train) for word in words),
            "test_instances": sum(len(word.test) for word in words),
            "baseline": most_frequent_senses(words),
            "networks": {
                name: word_senses(encoder, words, f"{name}, word senses")
                for name, encoder in encoders.items()
            },
        }
        console.print(word_senses_table(report["word_senses"]))
    if treebank.test:
        report["parts_of_speech"] = {
            "train_words": sum(len(each.words) for each in treebank.train),
            "test_words": sum(len(each.words) for each in treebank.test),
            "baseline": most_frequent_tags(treebank),
            "networks": {
                name: parts_of_speech(encoder, treebank, f"{name}, parts of speech")
                for name, encoder in encoders.items()
            },
        }
        console.print(parts_of_speech_table(report["parts_of_speech"]))
    return report


def main(
    model: Annotated[
        str,
        typer.Argument(
            help="A model folder, or published weights in any form that `elmo-tf2 convert` takes.",
            show_default=False,
        ),
    ],
    wsd: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", exists=True, file_okay=False, help="CoarseWSD-20, for word senses."
        ),
    ] = None,
    ud: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            exists=True,
            file_okay=False,
            help="UD English EWT or another treebank, for parts of speech.",
        ),
    ] = None,
    untrained: Annotated[
        bool,
        typer.Option(
            "--untrained/--no-untrained",
            help="Compare with the same network before training, its weights random.",
        ),
    ] = True,
    seed: Annotated[int, typer.Option(min=0, help="Of the untrained network's weights.")] = 1,
    bfloat16: Annotated[
        bool,
        typer.Option(
            "--bfloat16", help="Also look at what `elmo-tf2 embed --dtype bfloat16` computes."
        ),
    ] = False,
    json_report: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write all figures, also those by word."),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(metavar="FILE.png", help="Draw accuracy by layer."),
    ] = None,
) -> None:
    """Tell what the vectors of an ELMo know: word senses and parts of speech.

    Layer 0 is the word vector, which knows no context; the LSTM layers follow.
    Means of layers are looked at too: that of all is what an ELMo gives whose
    mix was not trained.

    Word senses (CoarseWSD-20, 20 ambiguous nouns): an instance gets the sense
    of the train instance whose vector of the noun is nearest by cosine (1-NN),
    or of the nearest mean of a sense's train instances (centroid). Micro is
    the share of all instances, macro the mean over nouns. A noun is always
    spelt the same, so layer 0 can only give its most frequent sense.

    Parts of speech (UD English EWT): a linear classifier learns to tell the
    UPOS tag from a word's vector alone. The baseline is a word's most frequent
    tag.

    An untrained network knows something too, for even random weights see
    context and spelling: what training is good for is the difference.

    QUALITY.md tells how to get both data sets, and more. The whole:

    python benchmarks/quality.py MODEL --wsd CoarseWSD-20 --ud UD_English-EWT

    A first look:

    python benchmarks/quality.py MODEL --ud UD_English-EWT --no-untrained
    """
    check_arguments(wsd, ud, [json_report, plot])
    with quiet_imports():
        from elmo_tf2.convert import load_weights

    start = time.perf_counter()
    try:
        words = read_wsd(wsd) if wsd else []
        treebank = read_treebank(ud) if ud else Treebank([], [])
        weights = load_weights(model)
    except (OSError, ValueError) as error:
        console.print(str(error), style="red", markup=False, soft_wrap=True)
        raise typer.Exit(code=1) from error
    report = {
        "model": model,
        **run(weights, words, treebank, seed if untrained else None, bfloat16),
    }
    report["seconds"] = round(time.perf_counter() - start)
    if json_report is not None:
        json_report.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
        console.print(f"Report: {json_report}")
    if plot is not None:
        draw(report, plot)
        console.print(f"Picture: {plot}")


if __name__ == "__main__":
    typer.run(main)
