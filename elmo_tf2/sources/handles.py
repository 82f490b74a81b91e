"""Handles of hubs: TF Hub, Kaggle, Hugging Face."""

import os
import re
from pathlib import Path

_TFHUB = "https://tfhub.dev/"
_KAGGLE = "https://www.kaggle.com/models/"


def hub_address(name: str) -> str | None:
    """The address of a handle of TF Hub or Kaggle, such as google/elmo/3; None if it is none."""
    if name.startswith((_TFHUB, _KAGGLE)):
        return name
    is_handle = re.fullmatch(r"[A-Za-z][\w-]*/[A-Za-z][\w.-]*(/[\w.-]+)*/\d+", name)
    if not is_handle or os.path.lexists(name.partition("/")[0]):
        return None
    return (_TFHUB if name.count("/") == 2 else _KAGGLE) + name


def from_hub(address: str) -> Path:
    """The folder of a TF Hub module, in tensorflow_hub's cache."""
    if address.startswith(_KAGGLE):
        return _from_kaggle(address)
    import tensorflow_hub as hub

    try:
        return Path(hub.resolve(address))
    except Exception as error:  # of urllib, tarfile or TensorFlow
        raise OSError(f"{address} could not be downloaded: {error}") from error


def _from_kaggle(address: str) -> Path:
    try:
        import kagglehub
    except ImportError:
        raise ValueError(
            f"{address} is a model of Kaggle, which kagglehub downloads: pip install kagglehub"
        ) from None
    try:
        return Path(kagglehub.model_download(address.removeprefix(_KAGGLE)))
    except Exception as error:
        raise OSError(f"{address} could not be downloaded: {error}") from error


def from_hugging_face(address: str) -> Path:
    """The folder of hf://owner/name[/folder], in huggingface_hub's cache."""
    owner, name, folder = (*address.removeprefix("hf://").strip("/").split("/", 2), "", "")[:3]
    if not owner or not name or ".." in folder.split("/"):
        raise ValueError(f"Expected: hf://owner/name or hf://owner/name/folder. Found: {address}.")
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ValueError(
            f"{address} is on Hugging Face, which huggingface_hub downloads: "
            "pip install huggingface_hub"
        ) from None
    pattern = f"{folder}/*" if folder else None
    try:
        return Path(snapshot_download(f"{owner}/{name}", allow_patterns=pattern), folder)
    except Exception as error:
        raise OSError(f"{address} could not be downloaded: {error}") from error
