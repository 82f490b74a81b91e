"""Writing a SavedModel."""

import contextlib
import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from elmo_tf2.files import atomic_write, check_free, check_utf8
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.models.precision import DTYPES, in_dtype
from elmo_tf2.saved_model.contract import MODEL_CARD, SAVED_MODEL_PARTS, SIGNATURES, TRAINABLE
from elmo_tf2.saved_model.exported import ExportedElmo
from elmo_tf2.saved_model.model_card import model_card
from elmo_tf2.validation import check_choice


def export_saved_model(
    elmo: ElmoEmbeddings,
    path: str | os.PathLike[str],
    trainable: str = "mix",
    tar: bool = False,
    overwrite: bool = False,
    source: str = "",
    words: Sequence[str] = (),
    dtype: str = "float32",
) -> Path:
    """Writes a SavedModel that `hub.load` takes where this package is not installed.

    `model_card.md`, written with it, has its signatures, its outputs and the object's functions.

    Args:
        elmo: the layer to export, with one mix. It stays as it is.
        path: the folder to make.
        trainable: what a consumer's training may change: "mix" (the weighted sum), "all" (the
            encoder too) or "none".
        tar: whether to write `path` + ".tar.gz" too, as TF Hub lays an archive out.
        overwrite: whether an existing folder or archive may be replaced.
        source: where the weights come from, for the model card.
        words: words whose vectors are computed now and stored, `4 * projection_dim` bytes each
            (half of it in bfloat16). They are looked up, which is faster; the character CNN
            computes all others. The vectors are the same.
        dtype: of the weights and the matrix products, "float32" or "bfloat16", which is half as
            large, and faster on processors with instructions for it (AVX512-BF16, AMX). Outputs
            are float32 in both; with bfloat16 about two digits are right, and as many are the
            same in another batch.

    Returns:
        The folder's path.

    Raises:
        FileExistsError: if there is something at `path` and `overwrite` is False, or what is there
            is more than a SavedModel.
        ValueError: if `trainable` or `dtype` is unknown; if `trainable` is "all" with `words`,
            whose stored vectors training would leave as they are, or with bfloat16, whose steps
            are too coarse to learn by; or if the layer does not have exactly one mix.

    Example:
    >>> config = ElmoConfig(filters=((1, 8), (2, 8)), units=16, projection_dim=4)
    >>> folder = export_saved_model(ElmoEmbeddings(config), tempfile.mkdtemp())
    >>> tf.saved_model.load(str(folder))(["the cat"]).shape
    TensorShape([1, 8])

    Reference:
     - [Reusable SavedModels](https://www.tensorflow.org/hub/reusable_saved_models)
    """
    _check(elmo, trainable, dtype, words)
    path = Path(os.path.abspath(path))  # "." has no name
    archive = Path(f"{path}.tar.gz")
    check_utf8(path)
    check_free(path, overwrite, SAVED_MODEL_PARTS)
    if tar:
        check_free(archive, overwrite)
    exported = ExportedElmo(in_dtype(elmo, dtype), trainable, words)
    functions = {name: getattr(exported, name) for name in SIGNATURES if name != "serving_default"}
    signatures = {**functions, "serving_default": exported.default}
    exported.list_calls()
    with contextlib.ExitStack() as stack:  # neither is there before both are complete
        temporary = stack.enter_context(atomic_write(path, overwrite, SAVED_MODEL_PARTS))
        temporary_archive = stack.enter_context(atomic_write(archive, overwrite)) if tar else None
        tf.saved_model.save(exported, str(temporary), signatures=signatures)
        _allow_positions(temporary / "saved_model.pb")
        card = model_card(
            elmo.config,
            elmo.count_params(),
            trainable,
            source,
            elmo.mixes[0].layer_norm,
            len(set(words)),
            dtype,
        )
        (temporary / MODEL_CARD).write_text(card, encoding="utf-8")
        if temporary_archive is not None:
            _write_archive(temporary, temporary_archive)
    return path


def _check(elmo: ElmoEmbeddings, trainable: str, dtype: str, words: Sequence[str]) -> None:
    """Checks the arguments of `export_saved_model`."""
    check_choice("trainable", trainable, tuple(TRAINABLE))
    check_choice("dtype", dtype, DTYPES)
    if dtype == "bfloat16" and trainable == "all":
        raise ValueError(
            "An encoder in bfloat16 can't be trained: its steps are too coarse. Received: dtype="
            '"bfloat16", trainable="all". Take dtype="float32", or trainable="mix" or "none".'
        )
    if words and trainable == "all":
        raise ValueError(
            "`words` (on the command line `--vocab`) have stored vectors, which an encoder that "
            'trains would leave behind. Received: trainable="all". Take "mix" or "none".'
        )
    if len(elmo.mixes) != 1:
        raise ValueError(
            "`elmo` must have one mix to be exported. Received a layer with "
            f"output={elmo.output_kind!r} and {len(elmo.mixes)} mixes."
        )


def _allow_positions(file: Path) -> None:
    """Lets signatures take lists and arrays by position too, as those of TF1 Hub modules do.

    TensorFlow saves the inputs of a signature as arguments that are given by name alone.
    """
    saved_model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    nodes = saved_model.meta_graphs[0].object_graph_def.nodes
    (signatures,) = (c.node_id for c in nodes[0].children if c.local_name == "signatures")
    for child in nodes[signatures].children:
        spec = nodes[child.node_id].bare_concrete_function.function_spec.fullargspec
        of = {pair.key: pair.value.list_value for pair in spec.named_tuple_value.values}
        of["args"].CopyFrom(of["kwonlyargs"])
        of["kwonlyargs"].Clear()
    file.write_bytes(saved_model.SerializeToString(deterministic=True))


def _write_archive(folder: Path, archive: Path) -> None:
    """A .tar.gz with the folder's content at its root, without the maker's name."""

    def anonymous(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        return member

    with tarfile.open(archive, "w:gz") as tar:
        for entry in sorted(folder.iterdir()):
            tar.add(entry, arcname=entry.name, filter=anonymous)
