"""Exports ELMo weights to a SavedModel that `hub.load` takes: the same as `elmo-tf2 export`.

python export/export_hub.py MODEL OUT [--trainable mix|all|none] [--tar] [--overwrite] …
"""

import sys

from elmo_tf2.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "export")
    main()
