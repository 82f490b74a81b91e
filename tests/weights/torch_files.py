"""Files as `torch.save` writes them, byte by byte, so that a test can write any other, too."""

import io
import zipfile

import numpy as np

DTYPES = {"FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2"}


def text(value):
    data = value.encode()
    return b"X" + len(data).to_bytes(4, "little") + data


def number(value):
    size = value.bit_length() // 8 + 1
    return b"\x8a" + bytes([size]) + value.to_bytes(size, "little", signed=True)


def many(*parts):
    """A tuple."""
    return b"(" + b"".join(parts) + b"t"


def named(module, name):
    return f"c{module}\n{name}\n".encode()


NONE, FALSE, TRUE = b"N", b"\x89", b"\x88"
ORDERED = named("collections", "OrderedDict") + b")R"


def storage(key, numel, kind="FloatStorage", view=NONE):
    parts = text("storage"), named("torch", kind), text(key), text("cpu"), number(numel), view
    return many(*parts) + b"Q"


def tensor(of, offset, size, stride, function="_rebuild_tensor_v2", more=(FALSE, ORDERED)):
    shape = many(*map(number, size)), many(*map(number, stride))
    arguments = many(of, number(offset), *shape, *more)
    return named("torch._utils", function) + arguments + b"R"


def strides(shape):
    return [int(np.prod(shape[i + 1 :])) for i in range(len(shape))]


METADATA = b"}(" + text("_metadata") + ORDERED + b"ub"
MAGIC, PROTOCOL = number(0x1950A86A20F9469CFC6C), number(1001)
SYSTEM = b"\x80\x02}" + text("little_endian") + TRUE + b"s."


def state_dict(tensors, end=METADATA):
    items = b"".join(text(name) + value for name, value in tensors.items())
    return b"\x80\x02" + ORDERED + b"(" + items + b"u" + end + b"."


def heads(magic=MAGIC, protocol=PROTOCOL, system=SYSTEM):
    """The first three pickles."""
    return b"".join(b"\x80\x02" + part + b"." for part in (magic, protocol)) + system


def legacy(pickle, storages, head=None, keys=None):
    """Five pickles, then for each key the count and the numbers."""
    names = b"".join(map(text, storages if keys is None else keys))
    data = (heads() if head is None else head) + pickle + b"\x80\x02](" + names + b"e."
    for numbers in storages.values():
        data += numbers.size.to_bytes(8, "little") + numbers.tobytes()
    return data


def zipped(pickle, storages, compression=zipfile.ZIP_STORED, more=()):
    """`data.pkl` and `data/<key>` in a folder."""
    parts = {"data.pkl": pickle, "byteorder": b"little", "version": b"3\n"}
    parts |= {f"data/{key}": numbers.tobytes() for key, numbers in storages.items()} | dict(more)
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(f"model/{name}", data)
    return file.getvalue()


def saved(arrays, form=legacy, kind="FloatStorage"):
    """Arrays as torch saves them, each in a storage of its own."""
    storages = {
        str(i): np.asarray(array, DTYPES[kind]).ravel() for i, array in enumerate(arrays.values())
    }
    tensors = {
        name: tensor(storage(str(i), array.size, kind), 0, array.shape, strides(array.shape))
        for i, (name, array) in enumerate(arrays.items())
    }
    return form(state_dict(tensors), storages)
