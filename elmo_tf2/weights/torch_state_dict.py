"""A state dict that `torch.save` wrote, read without torch and without running what it says.

A pickle is a program that can call any function. Here its opcodes are decoded by `pickletools`,
which runs nothing, and only those that a state dict needs are followed: a "call" of torch's is
noted down as a view of a storage, any other is refused.
"""

import io
import math
import os
import pickletools
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from elmo_tf2.files import StrPath, check_file
from elmo_tf2.validation import one_line, shown

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
_MAX_PICKLES = 2**20  # bytes; those of a published model are some 20,000
_MAX_AXES = 8
_ZIP, _PICKLE = b"PK\x03\x04", b"\x80"  # what they begin with

_OF_ZIP = (zipfile.BadZipFile, EOFError, OSError, OverflowError, RuntimeError, struct.error)

_DTYPES: dict[Any, np.dtype] = {
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch HalfStorage": np.dtype("<f2"),
}
_DICT = "collections OrderedDict"
_TENSOR = "torch._utils _rebuild_tensor"
_TENSOR_V2 = "torch._utils _rebuild_tensor_v2"
_PARAMETER = "torch._utils _rebuild_parameter"
_GLOBALS = {*_DTYPES, _DICT, _TENSOR, _TENSOR_V2, _PARAMETER}

_NOTHING = {"PROTO", "FRAME", "STOP"}
_EMPTY: dict[str, type] = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict}
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_NUMBERS = {"BINFLOAT", "BININT", "BININT1", "BININT2", "LONG1"}
_STRINGS = {"BINUNICODE", "SHORT_BINUNICODE", "BINSTRING", "SHORT_BINSTRING"}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


class _Global(NamedTuple):
    """One of `_GLOBALS`: a name, not what it names."""

    name: str


class _Storage(NamedTuple):
    """The numbers from `start` on, `size` of them, of the `numel` that a file has under a key."""

    key: str
    dtype: np.dtype
    numel: int
    start: int
    size: int


class _Tensor(NamedTuple):
    """A view of a storage; all are numbers of elements."""

    storage: _Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


def read_state_dict(path: StrPath) -> dict[str, np.ndarray]:
    """The tensors of a state dict as float32 arrays that can't be written to.

    Both serialisations: that of torch before 1.6 (five pickles, then numbers), and zip files.
    """
    path = check_file(path, "file of torch.save")
    try:
        with open(path, "rb") as file:
            start = file.read(len(_ZIP))
            if start != _ZIP and start[:1] != _PICKLE:
                raise ValueError("it is no file of torch.save; if it was downloaded, do that again")
            file.seek(0)
            tensors, storages = _read_zip(path) if start == _ZIP else _read_pickles(file)
        return {name: _view(name, tensor, storages) for name, tensor in tensors.items()}
    except (ValueError, *_OF_ZIP) as error:
        raise ValueError(
            f"{path} was refused, and nothing in it was run: {one_line(error)}."
        ) from error


def _read_pickles(file: BinaryIO) -> tuple[dict[str, _Tensor], dict[str, np.ndarray]]:
    """Magic number, protocol, system, state dict, keys; then each key's count and numbers."""
    head = io.BytesIO(file.read(_MAX_PICKLES))
    magic, protocol, system = (_interpret(head) for _ in range(3))
    if (magic, protocol) != (_MAGIC, _PROTOCOL):
        raise ValueError("it is a pickle, but not of torch.save")
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ValueError("its numbers are not little-endian")
    tensors = _tensors(_interpret(head))
    needed = _needed(tensors)
    keys = _interpret(head)
    if not isinstance(keys, list) or set(map(type, keys)) - {str} or sorted(keys) != sorted(needed):
        raise ValueError("its list of storages is not that of its tensors")
    end = file.seek(0, os.SEEK_END)
    position = file.seek(head.tell())
    storages = {}
    for key in keys:
        numel = int.from_bytes(file.read(8), "little", signed=True)
        dtype = needed[key].dtype
        position += 8 + numel * dtype.itemsize
        if numel != needed[key].numel or position > end:
            raise ValueError(f"it is damaged, or ends before a storage's {numel:,} numbers do")
        storages[key] = _float32(np.fromfile(file, dtype, numel))
    return tensors, storages


def _read_zip(path: Path) -> tuple[dict[str, _Tensor], dict[str, np.ndarray]]:
    """`data.pkl` is the state dict, `data/<key>` a storage's numbers, none compressed."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: info for info in archive.infolist()}
        pickles = [name for name in members if name.rpartition("/")[2] == "data.pkl"]
        if len(pickles) != 1:
            raise ValueError("it is a zip file, but not of torch.save: it has no data.pkl")
        folder = pickles[0].removesuffix("data.pkl")
        kinds = {(info.compress_type, info.flag_bits & 1) for info in members.values()}
        if archive.namelist() != list(members) or kinds != {(zipfile.ZIP_STORED, 0)}:
            raise ValueError("its parts are compressed, encrypted or doubled, unlike torch.save's")
        if sum(info.file_size for info in members.values()) > path.stat().st_size:
            raise ValueError("its parts are larger than it is")
        if members[pickles[0]].file_size > _MAX_PICKLES:
            raise ValueError(f"its data.pkl has more than {_MAX_PICKLES:,} bytes")
        order = members.get(f"{folder}byteorder")
        if order is not None and archive.read(order)[:6] != b"little":
            raise ValueError("its numbers are not little-endian")
        tensors = _tensors(_interpret(io.BytesIO(archive.read(pickles[0]))))
        storages = {}
        for key, storage in _needed(tensors).items():
            member = members.get(f"{folder}data/{key}")
            if member is None or member.file_size != storage.numel * storage.dtype.itemsize:
                raise ValueError(f"its part {shown(f'data/{key}')} is missing or of a wrong size")
            storages[key] = _float32(np.frombuffer(archive.read(member), storage.dtype))
    return tensors, storages


def _tensors(value: Any) -> dict[str, _Tensor]:
    """Checks that what a pickle describes is a state dict."""
    if not isinstance(value, dict):
        raise ValueError("it holds no state dict")
    for name, tensor in value.items():
        if not isinstance(tensor, _Tensor):
            raise ValueError(f"{shown(name)} in it is not a tensor of numbers")
    return value


def _needed(tensors: dict[str, _Tensor]) -> dict[str, _Storage]:
    """The storages of tensors by their keys."""
    storages: dict[str, _Storage] = {}
    for storage, *_ in tensors.values():
        known = storages.setdefault(storage.key, storage)
        if (known.dtype, known.numel) != (storage.dtype, storage.numel):
            raise ValueError(f"its storage {shown(storage.key)} has two types or sizes")
    return storages


def _float32(numbers: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):  # infinite, then, which is for the caller to refuse
        return numbers.astype(np.float32, copy=False)


def _view(name: str, tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    """The tensor's elements; they lie in its storage, and are no more than that has."""
    storage, offset, size, stride = tensor
    first = storage.start + offset
    # the place of the last element; an axis of one element has no steps
    steps = tuple(step if count > 1 else 0 for count, step in zip(size, stride, strict=True))
    last = offset + sum((count - 1) * step for count, step in zip(size, steps, strict=True))
    if last >= storage.size or math.prod(size) > storage.size:
        raise ValueError(
            f"{shown(name)} of shape {shown(size)}, stride {shown(stride)} and offset {offset} "
            f"does not lie in its storage of {storage.size:,} numbers"
        )
    numbers = storages[storage.key]
    strides = tuple(step * numbers.itemsize for step in steps)
    return np.lib.stride_tricks.as_strided(numbers[first:], size, strides, writeable=False)


def _interpret(file: io.BytesIO) -> Any:
    """What the next pickle describes, of numbers, strings, containers and tensors alone."""
    stack: list[Any] = []
    stacks: list[list[Any]] = []  # those below a mark
    memo: dict[Any, Any] = {}
    try:
        for opcode, argument, _ in pickletools.genops(file):
            name = opcode.name
            if name == "MARK":
                stacks.append(stack)
                stack = []
            elif name in ("TUPLE", "APPENDS", "SETITEMS"):
                items, stack = stack, stacks.pop()
                _take(name, stack, items)
            elif name in ("BINPUT", "LONG_BINPUT"):
                memo[argument] = stack[-1]
            elif name == "MEMOIZE":
                memo[len(memo)] = stack[-1]
            elif name in ("BINGET", "LONG_BINGET"):
                stack.append(memo[argument])
            elif name not in _NOTHING:
                _step(name, argument, stack)
        if stacks or len(stack) != 1:
            raise ValueError("its pickle is damaged")
    except (IndexError, KeyError, TypeError):
        raise ValueError("its pickle is damaged") from None
    return stack[0]


def _take(name: str, stack: list[Any], items: list[Any]) -> None:
    """Makes a tuple of the items, or puts them into the list or dict on the stack."""
    if name == "TUPLE":
        stack.append(tuple(items))
    elif name == "APPENDS":
        if not isinstance(stack[-1], list):
            raise ValueError("its pickle appends to what is no list")
        stack[-1].extend(items)
    else:
        keys, values = items[::2], items[1::2]
        if not isinstance(stack[-1], dict) or not all(type(key) is str for key in keys):
            raise ValueError("its pickle has a key that is no string")
        stack[-1].update(zip(keys, values, strict=True))


def _step(name: str, argument: Any, stack: list[Any]) -> None:
    """Follows an opcode that needs the stack alone."""
    if name in _EMPTY:
        stack.append(_EMPTY[name]())
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name in _NUMBERS | _STRINGS:
        stack.append(argument)
    elif name in _TUPLES:
        stack.append(tuple([stack.pop() for _ in range(_TUPLES[name])][::-1]))
    elif name in ("APPEND", "SETITEM"):
        items = [stack.pop() for _ in range(1 if name == "APPEND" else 2)]
        _take(f"{name}S", stack, items[::-1])
    elif name == "GLOBAL":
        stack.append(_global(argument))
    elif name == "STACK_GLOBAL":
        stack.append(_global(" ".join([stack.pop(), stack.pop()][::-1])))
    elif name == "BINPERSID":
        stack.append(_storage(stack.pop()))
    elif name == "REDUCE":
        arguments, function = stack.pop(), stack.pop()
        stack.append(_call(function, arguments))
    elif name == "BUILD":  # the attributes of a state dict: the versions of its modules
        attributes = stack.pop()
        if not isinstance(stack[-1], dict) or not isinstance(attributes, dict):
            raise ValueError("it sets attributes of an object")
    else:
        raise ValueError(f"it has the opcode {name}, which no state dict needs")


def _global(name: Any) -> _Global:
    if name not in _GLOBALS:
        raise ValueError(f"it names {shown(name)}, which no state dict needs")
    return _Global(name)


def _storage(identity: Any) -> _Storage:
    """("storage", type, key, location, numel[, None or (view's key, offset, size)])."""
    match identity:
        case ("storage", _Global(kind), str(key), str(), int(numel), *view) if kind in _DTYPES:
            match view:
                case [] | [None] if numel >= 0:
                    return _Storage(key, _DTYPES[kind], numel, 0, numel)
                case [(str(), int(start), int(size))] if 0 <= start <= start + size <= numel:
                    return _Storage(key, _DTYPES[kind], numel, start, size)
    raise ValueError(f"it refers to {shown(identity)}, which is no storage of numbers")


def _call(function: Any, arguments: Any) -> Any:
    """What one of the four functions of a state dict would make."""
    match function, arguments:
        case _Global(name), () if name == _DICT:
            return {}
        case _Global(name), (_Storage(), int(), tuple(), tuple()) if name == _TENSOR:
            return _tensor(*arguments)
        case _Global(name), (_Storage(), int(), tuple(), tuple(), bool(), {}) if name == _TENSOR_V2:
            return _tensor(*arguments[:4])
        case _Global(name), (_Tensor(), bool(), {}) if name == _PARAMETER:
            return arguments[0]
    raise ValueError(f"it calls {shown(function)} otherwise than a state dict does")


def _tensor(storage: _Storage, offset: int, size: tuple[Any, ...], stride: Any) -> _Tensor:
    is_natural = all(type(number) is int and number >= 0 for number in (offset, *size, *stride))
    if not is_natural or 0 in size or len(size) != len(stride) or len(size) > _MAX_AXES:
        raise ValueError(f"it has a tensor of shape {shown(size)} and stride {shown(stride)}")
    return _Tensor(storage, offset, size, stride)
