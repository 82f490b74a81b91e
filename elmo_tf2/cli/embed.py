"""`elmo-tf2 embed`."""

from pathlib import Path
from typing import Annotated

import typer

from elmo_tf2.cli.arguments import Tokenizer, model_argument
from elmo_tf2.cli.messages import complain, progress_bar, quiet_imports, say
from elmo_tf2.presets import find_model

HELP = """\
Compute the vectors of a text.

All layers of every word go into an HDF5 file. TEXT has one sentence a line, as it was written: the model's own tokenizer makes words of it, those that it was trained on (`inspect` tells which; of imported weights it is spaces, for they were trained on tokenised text). If TEXT is tokenised already, say so with --tokenizer spaces. OUT gets a dataset for every line, named by its number, "0", "1" and so on: float32 (layers, tokens, dimensions), the layout of bilm-tf's dump_bilm_embeddings. Layer 0 is the word vector, twice side by side; the others are forward and backward vectors side by side.

A text of any length is taken, in constant memory. An interrupted run goes on when the same command is given again. OUT is there when it is complete, not before; until then the work is in the folder OUT.unfinished.

\b
Examples:
  elmo-tf2 embed elmo_mini_en sentences.txt vectors.hdf5
  elmo-tf2 embed elmo_saved_model sentences.txt vectors.hdf5
  elmo-tf2 embed google_elmo_3 tokenised.txt vectors.hdf5 --tokenizer spaces
\b
To read the result:
  import h5py
  vectors = h5py.File("vectors.hdf5")["0"][:]
"""  # noqa: E501


def embed(
    model: Annotated[
        Path,
        model_argument(
            "MODEL",
            "A model folder, a SavedModel made by `export`, or published weights in any form that "
            "`convert` takes.",
        ),
    ],
    text: Annotated[
        Path,
        typer.Argument(metavar="TEXT", help="One sentence a line.", show_default=False),
    ],
    out: Annotated[
        Path, typer.Argument(metavar="OUT", help="The HDF5 file to make.", show_default=False)
    ],
    batch_size: Annotated[
        int,
        typer.Option(
            min=1,
            metavar="NUMBER",
            help="The most sentences that are computed together. Long ones are fewer; smaller "
            "batches need less memory.",
        ),
    ] = 128,
    tokenizer: Annotated[
        Tokenizer | None,
        typer.Option(
            help="What makes words of a line: words, as `prepare` does (punctuation apart), or "
            "spaces, for tokenised text. [default: the model's own]",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Replace OUT if it is there, and give up an unfinished run with another model or "
            "text.",
        ),
    ] = False,
) -> None:
    """Computes the vectors of a text."""
    model = find_model(model)
    with quiet_imports():
        from elmo_tf2.convert import load_weights
        from elmo_tf2.features import embed_file
        from elmo_tf2.models import ElmoEmbeddings
        from elmo_tf2.weights import detect

    # A TF1 Hub module must be proven first; anything else is read once the arguments are checked.
    is_hub_module = detect(model) == "tf1 hub module"
    source = ElmoEmbeddings.from_weights(load_weights(model)) if is_hub_module else model
    try:
        with progress_bar("Reading the text") as update:
            written = embed_file(
                source,
                text,
                out,
                batch_size,
                overwrite=overwrite,
                on_progress=update,
                tokenizer=None if tokenizer is None else tokenizer.value,
            )
    except KeyboardInterrupt:
        complain("Interrupted. Give the same command again to go on.")
        raise typer.Exit(130) from None
    say(
        f"Wrote {out}: {written.sentences:,} sentences, {written.tokens:,} words, each "
        f"{written.num_layers} layers of {written.dim:,} numbers."
    )
