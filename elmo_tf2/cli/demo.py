"""`elmo-tf2 demo`."""

from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elmo_tf2.cli.arguments import Overwrite, Prove, checked_model, may_run
from elmo_tf2.cli.messages import echo, echo_columns, quiet_imports
from elmo_tf2.demo.senses import LANGUAGES, read_senses
from elmo_tf2.files import check_free
from elmo_tf2.presets import DEFAULT_PRESET, shown_name

if TYPE_CHECKING:
    from elmo_tf2.demo import Demonstration, WordFigures

HELP = """\
Show what ELMo does: a word's vector depends on its sentence.

Exports MODEL to OUT, opens it with hub.load in another process, which needs TensorFlow, tensorflow_hub and NumPy alone, and compares the vectors of words that have several senses: how near is "apple" of "I like to eat apple" to "apple" in sentences on fruit, and how near to that in sentences on a company? The table has the share of a word's sentences whose nearest other one has the same sense. OUT gets the SavedModel, the script that used it (word_vectors.py), the sentences (senses.json), the vectors (vectors.npz) and, if matplotlib is there, a picture of one word's senses (senses.png).

All English words are in lower case, so that the capital of a company's name does not give it away.

\b
Examples:
  elmo-tf2 demo elmo_demo
  elmo-tf2 demo my_demo --model google_elmo_3 --word bank
"""  # noqa: E501


class Language(str, Enum):
    """Languages of the sentences."""

    en = "en"
    zh = "zh"


def demo(
    out: Annotated[Path, typer.Argument(metavar="[OUT]", help="The folder to make.")] = Path(
        "elmo_demo"
    ),
    model: Annotated[
        Path,
        typer.Option(
            metavar="MODEL",
            help="The name of a model that comes with the package, or whatever `convert` takes.",
        ),
    ] = Path(DEFAULT_PRESET),
    word: Annotated[
        str | None,
        typer.Option(
            metavar="WORD",
            help="The word to show first and to draw. [default: apple, 苹果]",
            show_default=False,
        ),
    ] = None,
    language: Annotated[
        Language | None,
        typer.Option(
            help="Language of the sentences. [default: that of the model's name, as in "
            "elmo_mini_zh, or else en]",
            show_default=False,
        ),
    ] = None,
    details: Annotated[
        bool, typer.Option("--details", help="Print the cosines of every word.")
    ] = False,
    overwrite: Overwrite = False,
    prove: Prove = None,
) -> None:
    """Shows what ELMo does."""
    spoken = language.value if language else _language_of(model)
    senses = read_senses(spoken)
    first = next(iter(senses)) if word is None else word
    if first not in senses:
        raise typer.BadParameter(f"There are sentences for these words: {', '.join(senses)}.")
    given, model = model, checked_model(model, only_weights=True)
    check_free(out, overwrite, inputs=[model])
    with quiet_imports():
        from elmo_tf2.demo import demonstrate

    made = demonstrate(model, out, overwrite, may_run(prove, given, model), spoken)
    name = made.saved_model.name
    echo(f"Exported {name} to {made.saved_model}, and opened it with hub.load in another")
    echo(f"process: python word_vectors.py {name} senses.json vectors.npz")
    for figures in made.words:
        if details or figures.word == first:
            echo()
            _say_queries(figures)
    echo()
    _say_words(made.words)
    if not details:
        echo("The cosines of every word: --details")
    _draw(made, first, senses[first])


def _language_of(model: Path) -> str:
    """The language that a model's name ends with, as in elmo_mini_zh; or English."""
    ending = shown_name(model).rpartition("_")[2]
    return ending if ending in LANGUAGES else "en"


def _say_queries(figures: "WordFigures") -> None:
    """How near the first sentence of each sense is to the sentences of all senses."""
    layer = _layer_name(figures.layer)
    echo(f"{figures.word}, mean cosine to its other sentences by sense ({layer}):")
    rows = []
    for query in figures.queries:
        cosines = (f"{sense} {value:+.3f}" for sense, value in query.cosines.items())
        rows.append([query.sentence, *cosines, "" if query.nearest == query.sense else "(wrong)"])
    echo_columns(rows)


def _say_words(words: "Sequence[WordFigures]") -> None:
    """A line for each word, and what the verdicts mean."""
    echo("Sentences whose nearest other one has the same sense, in %:")
    layers = list(words[0].accuracy)
    rows = [["word", "senses", *map(_short_name, layers), "chance", ""]]
    for figures in words:
        shares = [*figures.accuracy.values(), figures.chance]
        senses = ", ".join(query.sense for query in figures.queries)
        rows.append(
            [figures.word, senses, *(f"{100 * share:.0f}" for share in shares), figures.verdict]
        )
    echo_columns(rows, to_the_right=range(2, len(rows[0]) - 1))
    layer = _layer_name(words[0].layer)
    echo(
        f"A word separates if its share in {layer} is nearer to 100 % than to chance, and the first"
    )
    echo("sentence of each sense is nearest to those of its own; in part, if only the share is.")


def _short_name(layer: str) -> str:
    return {"word_emb": "no context", "elmo": "mix"}.get(layer, _layer_name(layer))


def _layer_name(layer: str) -> str:
    from elmo_tf2.demo import layer_title

    return layer_title(layer)


def _draw(made: "Demonstration", word: str, senses: Mapping[str, Sequence[str]]) -> None:
    from elmo_tf2.demo import PICTURE_FILE, draw_senses

    layers = {name: array for name, array in made.vectors[word].items() if name != "elmo"}
    path = made.folder / PICTURE_FILE
    try:
        draw_senses(path, word, senses, layers)
    except ImportError:
        echo(f"For a picture of {word}: pip install matplotlib, and again with --overwrite.")
    else:
        echo(f"A picture of {word}: {path}")
