"""`elmo-tf2 demo`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elmo_tf2.cli.arguments import Overwrite, Prove, checked_model
from elmo_tf2.cli.messages import quiet_imports, say, say_table
from elmo_tf2.demo.senses import read_senses
from elmo_tf2.files import check_free
from elmo_tf2.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from elmo_tf2.demo import Demonstration, WordFigures

HELP = """\
Show what ELMo does: a word's vector depends on its sentence.

Exports MODEL to OUT, opens it with hub.load in another process, which needs TensorFlow, tensorflow_hub and NumPy alone, and compares the vectors of words that have several senses: how near is "apple" of "I like to eat apple" to "apple" in sentences on fruit, and how near to that in sentences on a company? OUT gets the SavedModel, the script that used it (word_vectors.py), the sentences (senses.json), the vectors (vectors.npz) and, if matplotlib is there, a picture of one word's senses (senses.png).

All words are written in small letters, lest the capital of a company's name give it away.

\b
Examples:
  elmo-tf2 demo elmo_demo
  elmo-tf2 demo my_demo --model google_elmo_3 --word bank
"""  # noqa: E501


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
            help="The word to draw. [default: the one whose senses are best told apart]",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    prove: Prove = True,
) -> None:
    """Shows what ELMo does."""
    senses = read_senses()
    if word is not None and word not in senses:
        raise typer.BadParameter(f"There are sentences for these words: {', '.join(senses)}.")
    model = checked_model(model, only_weights=True)
    check_free(out, overwrite, inputs=[model])
    with quiet_imports():
        from elmo_tf2.demo import demonstrate

    made = demonstrate(model, out, overwrite, prove)
    name = made.saved_model.name
    say(f"Exported {name} to {made.saved_model}, and opened it with hub.load in another")
    say(f"process: python word_vectors.py {name} senses.json vectors.npz")
    for figures in made.words:
        say()
        _say_word(figures)
    say()
    _say_summary(made.words)
    _draw(made, max(made.words, key=_rank).word if word is None else word)


def _say_word(figures: "WordFigures") -> None:
    say(f"{figures.word}: {figures.verdict}")
    say(f"  mean cosine to other sentences, by sense ({_layer_name(figures.layer)}):")
    width = max(len(query.sentence) for query in figures.queries)
    for query in figures.queries:
        cosines = "   ".join(f"{sense} {value:+.3f}" for sense, value in query.cosines.items())
        wrong = "" if query.nearest == query.sense else "   (wrong)"
        say(f"    {query.sentence:<{width}}  {cosines}{wrong}")
    say("  the nearest of the other sentences has the same sense:")
    rows = [(_layer_name(name), share) for name, share in figures.accuracy.items()]
    rows.append(("by chance", figures.chance))
    say_table((f"  {name}", f"{share:4.0%}") for name, share in rows)


def _layer_name(layer: str) -> str:
    from elmo_tf2.demo import layer_title

    return layer_title(layer)


def _rank(figures: "WordFigures") -> tuple[int, float]:
    from elmo_tf2.demo import VERDICTS

    share = figures.accuracy[figures.layer]
    return VERDICTS.index(figures.verdict), share - figures.chance


def _say_summary(words: "Sequence[WordFigures]") -> None:
    """Which words' senses the vectors tell apart, from the best to the worst."""
    from elmo_tf2.demo import VERDICTS

    say(f"In short, by the nearest sentence in {_layer_name(words[0].layer)}:")
    ordered = sorted(words, key=_rank, reverse=True)
    for verdict in reversed(VERDICTS):
        found = [
            f"{figures.word} {figures.accuracy[figures.layer]:.0%} (chance {figures.chance:.0%})"
            for figures in ordered
            if figures.verdict == verdict
        ]
        if found:
            say(f"  {verdict}: {', '.join(found)}")
    say(
        "A word separates if that share is nearer to 100% than to chance and each cosine above is\n"
        "highest for the sentence's own sense; in part, if only the share is."
    )


def _draw(made: "Demonstration", word: str) -> None:
    from elmo_tf2.demo import PICTURE_FILE, draw_senses

    layers = {name: array for name, array in made.vectors[word].items() if name != "elmo"}
    path = made.folder / PICTURE_FILE
    try:
        draw_senses(path, word, read_senses()[word], layers)
    except ImportError:
        say(f"For a picture of the senses of {word!r}: pip install matplotlib, and again with")
        say("--overwrite.")
    else:
        say(f"The senses of {word!r} as points: {path}")
