"""Exports ELMo weights in any published form to a SavedModel that `hub.load` takes.

    python export/export_hub.py MODEL OUT [--trainable mix|all|none] [--tar] [--overwrite]
                                           [--options FILE] [--no-prove]

MODEL is a model folder (`options.json`, `weights.hdf5`), a weight file of bilm-tf or AllenNLP, a
TF1 training checkpoint of bilm-tf, or the folder of a TF1 Hub module such as google/elmo/3. The
same as `elmo-tf2 export`.
"""

import argparse
from pathlib import Path

from elmo_tf2.convert import load_weights
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.saved_model import TRAINABLE, export_saved_model


def main() -> None:
    """Reads the flags and exports."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("out", metavar="OUT")
    parser.add_argument("--options", help="JSON file with the sizes, if not beside the weights")
    parser.add_argument("--trainable", choices=TRAINABLE, default="mix")
    parser.add_argument("--tar", action="store_true", help="write OUT.tar.gz too")
    parser.add_argument("--overwrite", action="store_true", help="replace what is at OUT")
    parser.add_argument(
        "--no-prove",
        action="store_true",
        help="don't run a TF1 Hub module's graph to compare its vectors",
    )
    arguments = parser.parse_args()
    try:
        weights = load_weights(arguments.model, arguments.options, prove=not arguments.no_prove)
        folder = export_saved_model(
            ElmoEmbeddings.from_weights(weights),
            arguments.out,
            trainable=arguments.trainable,
            tar=arguments.tar,
            overwrite=arguments.overwrite,
            source=Path(arguments.model).name,
        )
    except (OSError, ValueError) as error:
        parser.exit(1, f"Error: {error}\n")
    print(f"Wrote {folder}. Check it with: python export/check_saved_model.py {folder}")


if __name__ == "__main__":
    main()
