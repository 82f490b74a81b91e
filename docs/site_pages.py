"""A hook of MkDocs: the repository's documents where they are, and a page for each module."""

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
# What is not seen in a package's source: names that are found when they are first used, and a
# function that has its module's name.
MORE = {
    "elmo_tf2": """
- [`ElmoEmbeddings`][elmo_tf2.models.ElmoEmbeddings]
- [`BiLM`][elmo_tf2.models.BiLM]
- [`ElmoConfig`][elmo_tf2.config.ElmoConfig]
- [`ElmoWeights`][elmo_tf2.weights.ElmoWeights]
- [`read_weights`][elmo_tf2.weights.read_weights]
- [`export_saved_model`][elmo_tf2.saved_model.export_saved_model]
""",
    "elmo_tf2.training": "::: elmo_tf2.training.pretrain.pretrain",
}


def on_files(files: Files, config: Any) -> Files:
    """Gives every page the place of its document, so that links between documents hold.

    Args:
        files: those of `docs`.
        config: of MkDocs.

    Returns:
        The pages of the navigation, their pictures, and the theme's own files.
    """
    made = Files([file for file in files if not file.is_documentation_page()])
    for uri in re.findall(r"[\w./-]+\.md", str(config.nav)):
        module = Path(uri).stem
        if uri.startswith("reference/"):
            text = f"# {module}\n\n::: {module}\n    options: {{show_root_heading: false}}\n\n"
            text += MORE.get(module, "")
            made.append(File.generated(config, uri, content=text))
        else:
            made.append(File.generated(config, uri, abs_src_path=str(ROOT / uri)))
    for picture in (ROOT / "docs").glob("*.png"):
        made.append(File.generated(config, f"docs/{picture.name}", abs_src_path=str(picture)))
    return made
