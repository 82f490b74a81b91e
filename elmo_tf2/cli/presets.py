"""`elmo-tf2 presets`."""

from elmo_tf2.cli.messages import echo, echo_columns
from elmo_tf2.presets import describe_presets

HELP = """\
List the models that come with the package.

Their names stand for a model in every command and in ElmoEmbeddings.from_preset.

\b
Example:
  elmo-tf2 presets
"""


def presets() -> None:
    """Lists the models that come with the package."""
    found = describe_presets()
    if not found:
        echo("This copy of the package has no presets.")
        return
    rows = [["name", "language", "layers", "units", "projection", "vector", "softmax", "on disk"]]
    for name, preset in found.items():
        softmax = f"{preset.softmax_words:,} words" if preset.softmax_words else "none"
        sizes = (preset.num_layers, preset.units, preset.projection_dim, preset.vector_dim)
        size = f"{preset.num_bytes / 1e6:.1f} MB"
        rows.append([name, preset.language, *map(str, sizes), softmax, size])
    echo_columns(rows, to_the_right=range(2, 8))
