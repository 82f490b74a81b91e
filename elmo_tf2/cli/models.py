"""`elmo-tf2 models`."""

from elmo_tf2.cli.messages import echo_columns
from elmo_tf2.sources.published import PUBLISHED

HELP = """\
List published models.

A command that is given one of these names downloads the model into a cache, the folder ELMO_TF2_CACHE if that is set. NNN is any number in NLPL's repository, http://vectors.nlpl.eu/repository.

\b
Examples:
  elmo-tf2 models
  elmo-tf2 inspect allennlp/small
"""  # noqa: E501


def models() -> None:
    """Lists published models by language."""
    rows = [["language", "name", "parameters", "vector", "licence", "address"]]
    for name, model in sorted(PUBLISHED.items(), key=lambda item: item[1].language):
        parameters = f"{model.parameters / 1e6:.1f} M" if model.parameters else ""
        vector = str(model.vector_dim or "")
        licence = model.licence or "not stated"
        rows.append([model.language, name, parameters, vector, licence, model.addresses[0]])
    echo_columns(rows, to_the_right=range(2, 4))
