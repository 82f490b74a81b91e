"""`elmo-tf2 evaluate`."""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from elmo_tf2.cli.arguments import (
    Options,
    Overwrite,
    Vocab,
    checked_model,
    local_model,
    model_argument,
)
from elmo_tf2.cli.messages import echo, echo_table, progress_bar, quiet_imports
from elmo_tf2.files import check_file, check_free
from elmo_tf2.sources import find_file
from elmo_tf2.validation import MAX_INTEGER

if TYPE_CHECKING:
    from elmo_tf2.training import MaskedPerplexity, Perplexity

HELP = """\
Measure how well a language model predicts a text.

MODEL must have a language model's softmax: the folder of a run, a training checkpoint of bilm-tf, or a model folder with softmax.hdf5. TEXT has one sentence per line, words separated by spaces, as `prepare` writes it.

Perplexities are by the full softmax, and every word counts once. The states of the LSTMs are carried from sentence to sentence, as in training; the text is read in `--batch-size` parts at once, or with 1 as a whole, as bilm-tf does.

A merged model is a masked language model: it predicts every word once, from the words on both sides of it in its sentence; every seventh word is masked at a time. Do not compare its perplexity with the others.

\b
Examples:
  elmo-tf2 evaluate run data/heldout.txt
  elmo-tf2 evaluate checkpoints/model.ckpt-400 heldout.txt --batch-size 1
  elmo-tf2 evaluate run sentences.txt --scores scores.tsv
"""  # noqa: E501


_Text = Annotated[Path, typer.Argument(metavar="TEXT", help="One tokenized sentence per line.")]
_Scores = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the log-probabilities of every sentence, read by itself, to a table: "
        "forward and backward (for a merged model: masked), tokens, words outside the "
        "vocabulary.",
    ),
]
_BatchSize = Annotated[
    int,
    typer.Option(
        min=1,
        max=MAX_INTEGER,
        metavar="NUMBER",
        help="Parts of the text that are read at once; for a merged model, sentences.",
    ),
]


def evaluate(
    model: Annotated[Path, model_argument("MODEL", "A language model.")],
    text: _Text,
    scores: _Scores = None,
    batch_size: _BatchSize = 32,
    options: Options = None,
    vocab: Vocab = None,
    overwrite: Overwrite = False,
) -> None:
    """Measures perplexity."""
    options = find_file(options)
    model = local_model(model, with_options=options is None)
    text = check_file(text, "text")
    if scores is not None:
        check_free(scores, overwrite, inputs=[model, text, options, vocab])
    checked_model(model, options, vocab, only_weights=True)
    with quiet_imports():
        from elmo_tf2.data.text_files import read_lines, words_between_spaces
        from elmo_tf2.training import language_model, perplexity, write_scores
        from elmo_tf2.weights import read_weights

    lm, vocabulary = language_model(read_weights(model, options, vocab))
    eos = 0 if lm.config.is_merged else 1  # the end of a sentence is predicted
    lines = itertools.chain.from_iterable(read_lines(text))
    lengths = (len(words_between_spaces(line)) for line in lines)
    total = sum(length + eos for length in lengths if length)
    done = 0
    with progress_bar("Reading", "Evaluating") as update:

        def report(targets: int) -> None:
            nonlocal done
            done += targets
            update(done, total)

        lines = itertools.chain.from_iterable(read_lines(text, warn=False))
        measured = perplexity(lm, lines, vocabulary, batch_size, report=report)
    echo_table(_rows(measured))
    if scores is not None:
        with progress_bar("Reading", "Scoring", "sentences") as update:
            write_scores(lm, text, vocabulary, scores, overwrite=overwrite, on_progress=update)
        echo(f"Wrote {scores}.")


def _rows(measured: "Perplexity | MaskedPerplexity") -> list[tuple[str, str]]:
    from elmo_tf2.training import Perplexity

    unknown = f"{measured.unknown:,} ({measured.unknown / measured.targets:.2%})"
    if isinstance(measured, Perplexity):
        return [
            ("perplexity", f"{measured.mean:.3f}"),
            ("forward", f"{measured.forward:.3f}"),
            ("backward", f"{measured.backward:.3f}"),
            ("words predicted", f"{measured.targets:,} in each direction"),
            ("<UNK> of them", unknown),
        ]
    return [
        ("masked perplexity", f"{measured.mean:.3f}"),
        ("words predicted", f"{measured.targets:,}, each masked once"),
        ("<UNK> of them", unknown),
    ]
