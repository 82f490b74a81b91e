"""`elmo-tf2 evaluate`."""

import itertools
from pathlib import Path
from typing import Annotated

import typer

from elmo_tf2.cli.arguments import Options, Overwrite, Vocab, checked_model, model_argument
from elmo_tf2.cli.messages import echo, echo_table, progress_bar, quiet_imports
from elmo_tf2.files import check_file, check_free
from elmo_tf2.presets import find_model
from elmo_tf2.validation import MAX_INTEGER

HELP = """\
Tell how well a language model predicts a text.

MODEL must have a language model's softmax: the folder of a run, a training checkpoint of bilm-tf, or a model folder with softmax.hdf5. TEXT has one sentence per line, its words apart by spaces, as `prepare` makes it.

Perplexities are by the full softmax, and every word counts once. The states of the LSTMs are carried from sentence to sentence, as in training; the text is read in `--batch-size` parts at once, and as a whole with 1, as bilm-tf counts.

A merged model is a masked language model: every word is predicted once, from those on both sides of it in its sentence, of which every seventh is masked with it. Its perplexity is not to be compared with the others.

\b
Examples:
  elmo-tf2 evaluate run data/heldout.txt
  elmo-tf2 evaluate checkpoints/model.ckpt-400 heldout.txt --batch-size 1
  elmo-tf2 evaluate run sentences.txt --scores scores.tsv
"""  # noqa: E501


def evaluate(
    model: Annotated[Path, model_argument("MODEL", "A language model.")],
    text: Annotated[Path, typer.Argument(metavar="TEXT", help="One tokenised sentence per line.")],
    scores: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the log-probabilities of every sentence, read by itself, to a table: "
            "forward and backward (of a merged model: masked), tokens, words outside the "
            "vocabulary.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_INTEGER,
            metavar="NUMBER",
            help="Parts of the text read at once, or sentences by a merged model.",
        ),
    ] = 32,
    options: Options = None,
    vocab: Vocab = None,
    overwrite: Overwrite = False,
) -> None:
    """Measures perplexity."""
    model = find_model(model)
    text = check_file(text, "text")
    if scores is not None:
        check_free(scores, overwrite, inputs=[model, text, options, vocab])
    checked_model(model, options, vocab, only_weights=True)
    with quiet_imports():
        from elmo_tf2.data.text_files import read_lines, words_between_spaces
        from elmo_tf2.training import Perplexity, language_model, perplexity, write_scores
        from elmo_tf2.weights import read_weights

    weights = read_weights(model, options, vocab)
    lm, vocabulary = language_model(weights)
    more = 0 if weights.config.is_merged else 1  # the end of a sentence is predicted
    lines = itertools.chain.from_iterable(read_lines(text))
    numbers = (len(words_between_spaces(line)) for line in lines)
    total = sum(number + more for number in numbers if number)
    done = 0
    with progress_bar("Reading", "Evaluating") as update:

        def report(targets: int) -> None:
            nonlocal done
            done += targets
            update(done, total)

        lines = itertools.chain.from_iterable(read_lines(text, is_first_time=False))
        found = perplexity(lm, lines, vocabulary, batch_size, report=report)
    unknown = ("<UNK> of them", f"{found.unknown:,} ({found.unknown / found.targets:.2%})")
    if isinstance(found, Perplexity):
        rows = [
            ("perplexity", f"{found.mean:.3f}"),
            ("forward", f"{found.forward:.3f}"),
            ("backward", f"{found.backward:.3f}"),
            ("words predicted", f"{found.targets:,} in each direction"),
        ]
    else:
        rows = [
            ("masked perplexity", f"{found.mean:.3f}"),
            ("words predicted", f"{found.targets:,}, each masked once"),
        ]
    echo_table([*rows, unknown])
    if scores is not None:
        with progress_bar("Reading", "Scoring", "sentences") as update:
            write_scores(lm, text, vocabulary, scores, overwrite=overwrite, on_progress=update)
        echo(f"Wrote {scores}.")
