"""An extension of griffe: what it knows no section for in our docstrings."""

import re
import textwrap
from typing import Any

import griffe


class DocstringSections(griffe.Extension):
    """Call arguments as a table, examples as code, references as a list."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        """Rewrites the docstring of an object.

        Args:
            obj: a module, class or function.
            **kwargs: of griffe.
        """
        if obj.docstring:
            obj.docstring.value = with_sections(obj.docstring.value)


def with_sections(docstring: str) -> str:
    """A docstring with the sections that griffe's reader of Google's style knows.

    Args:
        docstring: one of ours.

    Returns:
        The same with other titles and indentation.
    """
    text, *tail = re.split(r"^(Example|Reference):\n", docstring, flags=re.MULTILINE)
    # Markdown has lists after an empty line alone.
    text = re.sub(r"^( *(?!- )\S.*\n)(?= *- )", r"\1\n", text, flags=re.MULTILINE)
    text = text.replace("Call arguments:\n", "Other Parameters: Call arguments\n")
    sections = dict(zip(tail[::2], tail[1::2], strict=True))
    if "Example" in sections:
        text += "Examples:\n" + textwrap.indent(sections["Example"], " " * 4) + "\n"
    if "Reference" in sections:
        text += "**Reference**\n\n" + textwrap.dedent(sections["Reference"])
    return text
