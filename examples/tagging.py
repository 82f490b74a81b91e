"""What the examples share: sentences with parts of speech, and the options that name them."""

import argparse
from pathlib import Path

import tensorflow as tf

TRAIN, TEST = (Path(__file__).parent / "data" / f"{name}.conllu" for name in ("train", "test"))
TAGS = "ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split()
BATCH_SIZE = 16


def options(description, *paths, **defaults):
    """Reads the command line: paths that must be given, and options with their defaults."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in paths:
        parser.add_argument(name, type=Path)
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", default=default, type=type(default))
    parser.add_argument("--sentences", type=int, help="take so many of every file, not all")
    return parser.parse_args()


def read_conllu(path, limit=None):
    """Sentences of a file: of each its text, its words, and the numbers of their tags."""
    sentences = []
    for block in Path(path).read_text(encoding="utf-8").strip().split("\n\n")[:limit]:
        lines = block.splitlines()
        text = next((line[9:] for line in lines if line.startswith("# text = ")), "")
        rows = [line.split("\t") for line in lines if not line.startswith("#")]
        # Not 3-4, a contraction whose words follow, nor 3.1, which the writer left out.
        rows = [row for row in rows if row[0].isdigit()]
        if not rows or any(len(row) != 10 or row[3] not in TAGS for row in rows):
            raise ValueError(
                f"{path} must be CoNLL-U: a blank line after a sentence, for a word ten columns "
                f"apart by tabs, the fourth one of {', '.join(TAGS)}. Found:\n{block}"
            )
        sentences.append((text, [row[1] for row in rows], [TAGS.index(row[3]) for row in rows]))
    return sentences


def batches(sentences, shuffle=False):
    """A dataset of words padded with "", tags, and weights that are 0 for padding.

    All are (batch, tokens). Shuffled batches are as long as their longest sentence, others all of
    one length: Keras 3 gives a word in its metrics the weight 1 / tokens, of the word's batch.
    """
    _, words, tags = zip(*sentences, strict=True)
    words, tags = tf.ragged.constant(words), tf.ragged.constant(tags)
    columns = words, tags, tf.ones_like(tags)
    if not shuffle:
        return tf.data.Dataset.from_tensor_slices(padded(*columns)).batch(BATCH_SIZE)
    dataset = tf.data.Dataset.from_tensor_slices(columns).shuffle(len(sentences), seed=1)
    return dataset.batch(BATCH_SIZE).map(padded)


def saved_tagger(folder):
    """The file of a tagger that was trained before."""
    if not (folder / "tagger.keras").exists():
        raise SystemExit(f"There is no tagger in {folder} yet: train it, without --tag.")
    return folder / "tagger.keras"


def padded(*columns):
    """Ragged tensors as tensors, with "" or 0 past the end of a sentence."""
    return tuple(column.to_tensor() for column in columns)
