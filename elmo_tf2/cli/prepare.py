"""`elmo-tf2 prepare`."""

import time
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from elmo_tf2.cli.arguments import Overwrite, Tokenizer
from elmo_tf2.cli.messages import echo, echo_table, progress_bar, quiet_imports
from elmo_tf2.data.shards import MAX_FILES
from elmo_tf2.data.text_files import find_texts
from elmo_tf2.files import check_free
from elmo_tf2.validation import MAX_INTEGER, MAX_SEED, check_rate

HELP = """\
Turn any text into what a language model is trained on.

TEXT is running text of any length, in UTF-8: files, plain or compressed with gzip or xz, patterns such as 'texts/*.txt', or - for standard input. It is broken into sentences, and those into words. OUT gets train/shard-00000.txt and so on, shuffled, with one sentence per line and spaces between words; heldout.txt; vocab.txt; and prepared.json, which tells their sizes and how they were made.

A line's end always ends a sentence. Text that is tokenised already is best taken as it is, with --tokenized.

\b
Examples:
  elmo-tf2 prepare text.txt prepared
  elmo-tf2 prepare 'articles/*.txt.gz' novels.txt.xz prepared --vocab-size 50000
  elmo-tf2 prepare sentences.txt prepared --tokenized
"""  # noqa: E501


class Normalize(str, Enum):
    """Normal forms of Unicode."""

    none = "none"
    nfc = "nfc"
    nfkc = "nfkc"


def prepare(
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXT...", help="Files, patterns or -.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The folder to make.", show_default=False)
    ],
    tokenizer: Annotated[
        Tokenizer | None,
        typer.Option(
            help="words: punctuation apart, Chinese and Japanese by character, English as in the "
            "Penn treebank (do n't). spaces: words are what is between spaces. [default: words, "
            "with --tokenized spaces]",
            show_default=False,
        ),
    ] = None,
    tokenized: Annotated[
        bool,
        typer.Option(
            "--tokenized",
            help="Take the text as it is: one sentence per line, words between spaces.",
        ),
    ] = False,
    one_sentence_per_line: Annotated[
        bool,
        typer.Option("--one-sentence-per-line", help="Do not break lines into sentences."),
    ] = False,
    normalize: Annotated[
        Normalize,
        typer.Option(
            help="The normal form of Unicode to bring the text into. A model's own tokenizer does "
            "not do this, so bring what you give it later into the same form."
        ),
    ] = Normalize.none,
    heldout: Annotated[
        float,
        typer.Option(
            min=0, max=1, metavar="SHARE", help="About how many of the sentences are held out."
        ),
    ] = 0.01,
    shards: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_FILES,
            metavar="NUMBER",
            help="Files of the train part. [default: one for every 8 MB, at most 128]",
            show_default=False,
        ),
    ] = None,
    min_count: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_INTEGER,
            metavar="NUMBER",
            help="Words that are rarer are not in the vocabulary.",
        ),
    ] = 3,
    vocab_size: Annotated[
        int | None,
        typer.Option(
            min=4,
            max=MAX_INTEGER,
            metavar="NUMBER",
            help="The most words of the vocabulary, with <S>, </S> and <UNK>. [default: no bound]",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0,
            max=MAX_SEED,
            metavar="NUMBER",
            help="The same text and seed give the same files.",
        ),
    ] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Turns text into what a language model is trained on."""
    start = time.monotonic()
    if tokenized and tokenizer is Tokenizer.words:
        raise ValueError(
            "--tokenizer must be 'spaces' with --tokenized, which takes words as they are."
        )
    check_rate("heldout", heldout)
    check_free(out, overwrite)
    find_texts(texts)
    with quiet_imports():
        from elmo_tf2.data import prepare as library

    with progress_bar("Reading the text", "Preparing", "KB") as update:
        made = library.prepare(
            texts,
            out,
            tokenizer=None if tokenizer is None else tokenizer.value,
            tokenized=tokenized,
            one_sentence_per_line=one_sentence_per_line,
            normalize=normalize.value,
            heldout=heldout,
            shards=shards,
            min_count=min_count,
            vocab_size=vocab_size,
            seed=seed,
            overwrite=overwrite,
            on_progress=lambda done, total: update(done // 1000, total // 1000),
        )
    echo(f"Wrote {out}:")
    echo_table(
        [
            ("sentences", _both("{:,}", made.sentences)),
            ("words", _both("{:,}", made.tokens)),
            ("distinct words", f"{made.distinct_words:,} to train on"),
            ("vocabulary", f"{made.vocabulary:,} words"),
            ("<UNK>", _both("{:.2%} of the words", made.unknown_share)),
            ("tokenizer", made.tokenizer),
            ("shards", f"{made.shards:,}"),
            ("seconds", f"{time.monotonic() - start:,.1f}"),
        ]
    )


def _both(form: str, parts: dict[str, Any]) -> str:
    return f"{form.format(parts['train'])} to train on, {form.format(parts['heldout'])} held out"
