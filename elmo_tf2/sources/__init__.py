"""A model by its path, a name, an archive, an address or a handle of a hub."""

import os
import re
from pathlib import Path

from elmo_tf2.files import StrPath
from elmo_tf2.presets import find_model as path_or_preset
from elmo_tf2.sources.archives import is_archive, unpack
from elmo_tf2.sources.downloads import OnProgress, download, download_model
from elmo_tf2.sources.handles import from_hub, from_hugging_face, hub_address
from elmo_tf2.sources.published import PUBLISHED, addresses_of
from elmo_tf2.weights.kinds import model_inside

__all__ = ["PUBLISHED", "find_file", "find_model", "is_foreign"]


def find_model(
    model: StrPath, with_options: bool = True, on_progress: OnProgress | None = None
) -> Path:
    """The local path of a model, which is downloaded and unpacked if need be.

    A local path takes precedence. `with_options=False`: those beside a weight file at an address
    are not wanted.
    """
    name = _as_given(model)
    path = Path(os.path.expanduser(name))
    if path.is_file() and is_archive(path):
        return model_inside(unpack(path))
    if os.path.lexists(path):
        return path
    if name.startswith("hf://"):
        return model_inside(from_hugging_face(name))
    hub = hub_address(name)
    if hub is not None:
        return model_inside(from_hub(hub))
    if _is_address(name):
        return _from_addresses((name,), with_options, None, on_progress)
    published = addresses_of(name)
    if published is not None:
        sha256 = PUBLISHED[name].sha256 if name in PUBLISHED else None
        return _from_addresses(published, with_options, sha256, on_progress)
    return path_or_preset(name)


def find_file(file: StrPath | None) -> Path | None:
    """The local path of a file that is given by its path or address; None remains None."""
    if file is None:
        return None
    name = _as_given(file)
    return download(name) if _is_address(name) else Path(name)


def is_foreign(model: StrPath, found: Path) -> bool:
    """Whether what `find_model` found came from an address, archive or handle."""
    return found != Path(os.path.expanduser(model))


def _from_addresses(
    addresses: tuple[str, ...],
    with_options: bool,
    sha256: str | None,
    on_progress: OnProgress | None,
) -> Path:
    file = download_model(addresses, with_options, sha256, on_progress)
    return model_inside(unpack(file)) if is_archive(file, by_content=True) else file


def _is_address(name: str) -> bool:
    return name.startswith(("http://", "https://"))


def _as_given(model: StrPath) -> str:
    """What was given; `Path` makes one slash of an address's two."""
    name = os.fspath(model)
    found = re.match(r"(https?|hf):[/\\]+", name)
    return f"{found[1]}://{name[found.end() :]}".replace("\\", "/") if found else name
