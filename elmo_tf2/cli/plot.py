"""`elmo-tf2 plot`."""

import functools
from pathlib import Path
from typing import Annotated

import typer

from elmo_tf2.cli.arguments import Overwrite, Prove, Tokenizer, checked_model, may_run
from elmo_tf2.cli.embed import readable_model
from elmo_tf2.cli.messages import echo, echo_table, progress_bar, quiet_imports
from elmo_tf2.config import MAX_LAYERS
from elmo_tf2.data.text_files import find_texts
from elmo_tf2.feature_files import check_picture
from elmo_tf2.files import check_free
from elmo_tf2.plot.styles import MAX_GROUPS
from elmo_tf2.presets import DEFAULT_PRESET
from elmo_tf2.validation import MAX_INTEGER

HELP = """\
Draw a word's vectors in every sentence of a text.

TEXT has one sentence per line, as for `embed`; it may be compressed with gzip or xz, and "-" is standard input. Every occurrence of WORD is a point in the plane of the two principal components of its vectors, in one panel for each layer. Colours and marks tell clusters (k-means); or labels, with --labels, of a text that has a label, a tab and a sentence on every line.

\b
.html       A page with the sentences beside the panels. Point at a mark, and
            it shows its sentence; at a sentence, and its marks are shown in
            every layer. One file, which needs no network.
.png, .svg  The panels alone, with a few words of the sentences.

Pictures and clusters need matplotlib and scikit-learn: pip install 'elmo_tf2[plots]'

\b
Examples:
  elmo-tf2 plot bank sentences.txt
  elmo-tf2 plot spring sentences.txt.gz --clusters 3 --out spring.png
  elmo-tf2 plot apple labelled.tsv --labels --out apple.svg
"""  # noqa: E501


def plot(
    word: Annotated[
        str, typer.Argument(metavar="WORD", help="The word, as it is written.", show_default=False)
    ],
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="One sentence per line.", show_default=False)
    ],
    out: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The file to make, with an ending .html, .png or .svg."),
    ] = Path("plot.html"),
    model: Annotated[
        Path,
        typer.Option(
            metavar="MODEL",
            help="The name of a model that comes with the package, or whatever `embed` takes.",
        ),
    ] = Path(DEFAULT_PRESET),
    clusters: Annotated[
        int,
        typer.Option(
            min=1, max=MAX_GROUPS, metavar="NUMBER", help="Number of clusters; 1 for none."
        ),
    ] = 2,
    layer: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=MAX_LAYERS,
            metavar="NUMBER",
            help="The layer whose vectors are clustered; 0 is without context. [default: the last]",
            show_default=False,
        ),
    ] = None,
    labels: Annotated[
        bool,
        typer.Option(
            "--labels", help="A line is a label, a tab and the sentence: every label has a colour."
        ),
    ] = False,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", help="Take apple, Apple and APPLE alike.")
    ] = False,
    max_points: Annotated[
        int,
        typer.Option(
            "--max-points",
            min=2,
            max=MAX_INTEGER,
            metavar="NUMBER",
            help="The most occurrences to draw; of more, so many are chosen at random.",
        ),
    ] = 500,
    tokenizer: Annotated[
        Tokenizer | None,
        typer.Option(
            help="What makes words of a line, as of `embed`. [default: the model's own]",
            show_default=False,
        ),
    ] = None,
    overwrite: Overwrite = False,
    prove: Prove = None,
) -> None:
    """Draws the vectors of a word."""
    check_picture(out, 1 if labels else clusters)
    check_free(out, overwrite, inputs=find_texts([text]))
    found = checked_model(model)
    source = readable_model(found, may_run(prove, model, found))
    with quiet_imports():
        from elmo_tf2.plot import plot_word

    with progress_bar("Reading the text") as update:
        made = plot_word(
            source,
            word,
            text,
            out,
            clusters,
            layer,
            labels,
            ignore_case,
            max_points,
            None if tokenizer is None else tokenizer.value,
            overwrite,
            on_search=functools.partial(update, doing="Searching", unit="bytes"),
            on_embed=update,
        )
    echo(f"{made.word}: {made.number:,} times in {made.sentences:,} sentences of {text}")
    if made.number > len(made.quotes):
        left_out = made.number - len(made.quotes)
        echo(
            f"{len(made.quotes):,} of them, chosen at random, are drawn; {left_out:,} are left out "
            "(--max-points)."
        )
    if len(made.groups) > 1:
        echo_table(
            (group.name[:40], f"{group.size:5,}  {group.example.snippet()}")
            for group in made.groups
        )
    echo(f"Wrote {out}.")
