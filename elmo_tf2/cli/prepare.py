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
Prepare any text for training a language model.

TEXT is running text of any length, in UTF-8: files, plain or compressed with gzip or xz, patterns such as 'texts/*.txt', or - for standard input. It is split into sentences, and those into words. The folder OUT gets train/shard-00000.txt and so on, shuffled, with one sentence per line and spaces between words; heldout.txt; vocab.txt; and prepared.json, with their sizes and how they were made.

A line's end always ends a sentence. For text that is tokenized already, use --tokenized.

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


def _number(help: str, minimum: int = 1, maximum: int = MAX_INTEGER) -> Any:
    return typer.Option(min=minimum, max=maximum, metavar="NUMBER", help=help)


_Texts = Annotated[list[str], typer.Argument(metavar="TEXT...", help="Files, patterns or -.")]
_Out = Annotated[Path, typer.Argument(metavar="OUT", help="The folder to write.")]
_TokenizerOption = Annotated[
    Tokenizer | None,
    typer.Option(
        help="words: punctuation apart, Chinese and Japanese by character, English as in the "
        "Penn treebank (do n't). spaces: splits at spaces. [default: words, with --tokenized "
        "spaces]",
    ),
]
_Tokenized = Annotated[
    bool,
    typer.Option(
        "--tokenized", help="The text has one sentence per line, words separated by spaces."
    ),
]
_OneSentencePerLine = Annotated[
    bool, typer.Option("--one-sentence-per-line", help="Do not split lines into sentences.")
]
_Normalize = Annotated[
    Normalize,
    typer.Option(
        help="The normal form of Unicode to bring the text into. A model's own tokenizer does "
        "not do this, so bring what you give it later into the same form."
    ),
]
_Heldout = Annotated[
    float,
    typer.Option(min=0, max=1, metavar="RATE", help="Share of the sentences to hold out."),
]
_Shards = Annotated[
    int | None,
    _number("Files of the train part. [default: one for every 8 MB, at most 128]", 1, MAX_FILES),
]
_MinCount = Annotated[int, _number("Rarer words are not in the vocabulary.")]
_VocabSize = Annotated[
    int | None,
    _number("Maximum size of the vocabulary, with <S>, </S> and <UNK>. [default: no bound]", 4),
]
_Seed = Annotated[int, _number("The same text and seed give the same files.", 0, MAX_SEED)]


def prepare(
    texts: _Texts,
    out: _Out,
    tokenizer: _TokenizerOption = None,
    tokenized: _Tokenized = False,
    one_sentence_per_line: _OneSentencePerLine = False,
    normalize: _Normalize = Normalize.none,
    heldout: _Heldout = 0.01,
    shards: _Shards = None,
    min_count: _MinCount = 3,
    vocab_size: _VocabSize = None,
    seed: _Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Prepares text for training a language model."""
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
        prepared = library.prepare(
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
    rows = [
        ("sentences", _both("{:,}", prepared.sentences)),
        ("words", _both("{:,}", prepared.tokens)),
        ("distinct words", f"{prepared.distinct_words:,} to train on"),
        ("vocabulary", f"{prepared.vocabulary:,} words"),
        ("<UNK>", _both("{:.2%} of the words", prepared.unknown_share)),
        ("tokenizer", prepared.tokenizer),
        ("shards", f"{prepared.shards:,}"),
        ("seconds", f"{time.monotonic() - start:,.1f}"),
    ]
    echo_table(rows)


def _both(form: str, parts: dict[str, Any]) -> str:
    return f"{form.format(parts['train'])} to train on, {form.format(parts['heldout'])} held out"
