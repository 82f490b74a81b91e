"""State dicts of torch: what is read, and that nothing else is, nor anything run."""

import io
import zipfile

import numpy as np
import pytest

from elmo_tf2.weights import torch_state_dict
from elmo_tf2.weights.torch_state_dict import read_state_dict
from tests.weights import torch_files as torch

ARRAYS = {"a.weight": np.arange(6.0).reshape(2, 3), "b.bias": np.array([0.5, -1, 65504])}
NUMBERS = {"k": np.arange(12, dtype="<f4")}
EVIL = torch.named("os", "system") + torch.many(torch.text("touch pwned")) + b"R"
SAFE = "was refused, and nothing in it was run: "


@pytest.fixture(autouse=True)
def nothing_is_run(tmp_path, monkeypatch):
    """In all tests of this file."""
    monkeypatch.chdir(tmp_path)
    yield
    assert not list(tmp_path.glob("pwned*"))


def read(data, path="model.pkl"):
    with open(path, "wb") as file:
        file.write(data)
    return read_state_dict(path)


def read_tensor(value, storages=NUMBERS, form=torch.legacy):
    return read(form(torch.state_dict({"a": value}), storages))["a"]


def whole(numel=12, **kwargs):
    return torch.tensor(torch.storage("k", numel, **kwargs), 0, [12], [1])


def assert_same(found, expected):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], array)


# What is read.


@pytest.mark.parametrize("kind", torch.DTYPES)
@pytest.mark.parametrize("form", [torch.legacy, torch.zipped])
def test_both_serialisations_and_three_types_are_read(form, kind):
    assert_same(read(torch.saved(ARRAYS, form, kind)), ARRAYS)


def test_tensors_may_be_views_of_one_storage():
    of = torch.storage("k", 12)
    tensors = {
        "rows": torch.tensor(of, 3, [2, 3], [3, 1]),
        "transposed": torch.tensor(of, 6, [3, 2], [1, 3]),
        "every second": torch.tensor(of, 1, [1, 5], [99, 2]),
        "one": torch.tensor(of, 11, [], []),
    }
    expected = {
        "rows": [[3, 4, 5], [6, 7, 8]],
        "transposed": [[6, 9], [7, 10], [8, 11]],
        "every second": [[1, 3, 5, 7, 9]],
        "one": 11,
    }
    assert_same(read(torch.legacy(torch.state_dict(tensors), NUMBERS)), expected)


def test_a_storage_may_be_a_part_of_another_as_in_the_oldest_files():
    view = torch.many(torch.text("part"), torch.number(4), torch.number(3))
    part = torch.tensor(torch.storage("k", 12, view=view), 1, [2], [1])
    np.testing.assert_array_equal(read_tensor(part), [5, 6])
    beyond = torch.tensor(torch.storage("k", 12, view=view), 1, [3], [1])
    with pytest.raises(ValueError, match="offset 1 does not lie in its storage of 3 numbers"):
        read_tensor(beyond)


def test_the_oldest_call_and_parameters_are_read():
    of = torch.storage("k", 12)
    old = torch.tensor(of, 0, [12], [1], "_rebuild_tensor", more=())
    np.testing.assert_array_equal(read_tensor(old), NUMBERS["k"])
    parameter = torch.named("torch._utils", "_rebuild_parameter")
    parameter += torch.many(whole(), torch.TRUE, torch.ORDERED) + b"R"
    np.testing.assert_array_equal(read_tensor(parameter), NUMBERS["k"])


def test_other_opcodes_of_the_same_are_read():
    """A plain dict filled item by item, a list likewise, protocol 4, strings of Python 2, memos."""
    kind = b"\x8c\x05torch\x94\x8c\x0cFloatStorage\x93"
    identity = b"(U\x07storage" + kind + b"T\x01\0\0\0kU\x03cpuM\x0c\0tQ"
    call = torch.named("torch._utils", "_rebuild_tensor_v2")
    shape = b"K\x0cK\x01\x86K\x01q\x05h\x05\x86"  # (12, 1), (1, 1)
    value = call + b"(" + identity + b"J\0\0\0\0" + shape + torch.FALSE
    value += torch.ORDERED + b"r\x01\x01\0\0tR"
    parameter = torch.named("torch._utils", "_rebuild_parameter")
    value = parameter + value + torch.TRUE + b"j\x01\x01\0\0\x87R"
    plain = b"\x80\x04\x95" + bytes(8) + b"}" + torch.text("a") + value + b"s."
    keys = b"\x80\x02]" + torch.text("k") + b"a."
    data = torch.heads() + plain + keys + (12).to_bytes(8, "little") + NUMBERS["k"].tobytes()
    np.testing.assert_array_equal(read(data)["a"], NUMBERS["k"][:, np.newaxis])


def test_bytes_after_the_end_are_passed_over():
    assert_same(read(torch.saved(ARRAYS) + b"trailing"), ARRAYS)


def test_too_large_doubles_are_infinite_without_a_warning():
    found = read(torch.saved({"a": np.array([1e300])}, kind="DoubleStorage"))
    assert np.isinf(found["a"]).all()


# What is refused.

GOOD = torch.state_dict({"a": whole()})
HIDDEN = {
    "magic": torch.legacy(GOOD, NUMBERS, torch.heads(magic=EVIL)),
    "protocol": torch.legacy(GOOD, NUMBERS, torch.heads(protocol=EVIL)),
    "system": torch.legacy(
        GOOD, NUMBERS, torch.heads(system=torch.SYSTEM.replace(torch.TRUE, EVIL))
    ),
    "value": torch.legacy(torch.state_dict({"a": whole(), "b": EVIL}), NUMBERS),
    "attributes": torch.legacy(torch.state_dict({"a": whole()}, end=EVIL + b"b"), NUMBERS),
    "keys": torch.legacy(GOOD, NUMBERS).replace(b"e." + (12).to_bytes(8, "little"), EVIL + b"e."),
    "persistent id": torch.legacy(torch.state_dict({"a": EVIL + b"Q"}), NUMBERS),
    "zip": torch.zipped(torch.state_dict({"a": EVIL}), {}),
    "alone": b"\x80\x02" + EVIL + b".",
    "eval": b"\x80\x02" + EVIL.replace(b"os\nsystem", b"builtins\neval") + b".",
    "dotted": b"\x80\x04" + torch.text("torch") + torch.text("serialization.os.system") + b"\x93.",
    "beginning like an allowed one": b"\x80\x02ctorch\nFloatStorage.__init__\n.",
    "INST": b"\x80\x02(" + torch.text("touch pwned") + b"ios\nsystem\n.",
    "OBJ": b"\x80\x02(" + torch.named("torch", "FloatStorage") + b"o.",
    "NEWOBJ": b"\x80\x02" + torch.named("torch", "FloatStorage") + b")\x81.",
    "EXT1": b"\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("where", HIDDEN)
def test_a_call_is_refused_wherever_it_hides(where):
    with pytest.raises(ValueError, match=SAFE + r"it (names|has the opcode) .*no state dict needs"):
        read(HIDDEN[where])


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.number(3), "'a' in it is not a tensor"),
        (b"G" + bytes(8), "'a' in it is not a tensor"),
        (whole(kind="LongStorage"), "it names 'torch LongStorage'"),
        (torch.text("module") + b"Q", "it refers to 'module', which is no storage"),
        (torch.many(torch.text("module"), torch.text("x")) + b"Q", "it refers to .*no storage"),
        (torch.storage("k", -1), "it refers to .*no storage"),
        (torch.named("torch._utils", "_rebuild_tensor_v2") + b")R", "it calls .*otherwise"),
        (torch.named("collections", "OrderedDict") + torch.many(b"]") + b"R", "it calls"),
        (torch.text("f") + b")R", "it calls 'f' otherwise"),
        (torch.text("x") + b"}b", "it sets attributes of an object"),
        (torch.ORDERED + b"]b", "it sets attributes of an object"),
        (b"}(" + torch.number(1) * 2 + b"u", "a key that is no string"),
        (b"}(" + torch.text("b") + b"u", "shorter|longer|argument"),
        (b"}" + torch.number(1) + b"a", "appends to what is no list"),
        (b"h\x99", "its pickle is damaged"),
        (b"e", "appends to what is no list"),
        (torch.number(1) * 2 + b"\x93", "its pickle is damaged"),
        (b"(", "a key that is no string"),
    ],
)
def test_what_is_no_state_dict_of_tensors_is_refused(value, message):
    with pytest.raises(ValueError, match=SAFE + f".*({message})"):
        read_tensor(value)


@pytest.mark.parametrize(
    ("offset", "size", "stride"),
    [
        (1, [12], [1]),
        (0, [4, 4], [4, 1]),
        (0, [2, 2], [11, 1]),
        (0, [4, 4], [0, 0]),  # more elements than the storage has
        (11, [12], [-1]),
        (-1, [2], [1]),
        (0, [-1], [1]),
        (0, [0], [1]),
        (0, [2], [1, 1]),
        (0, [1] * 9, [1] * 9),
        (0, [2**62, 2**62], [0, 0]),
    ],
)
def test_a_view_that_does_not_lie_in_its_storage_is_refused(offset, size, stride):
    view = torch.tensor(torch.storage("k", 12), offset, size, stride)
    with pytest.raises(ValueError, match=SAFE + ".*(does not lie in|it has a tensor of shape)"):
        read_tensor(view)


@pytest.mark.parametrize("form", [torch.legacy, torch.zipped])
def test_an_announced_size_is_not_believed(form):
    with pytest.raises(ValueError, match=SAFE + "it(s part 'data/k' is missing| is damaged)"):
        read_tensor(whole(2**40), form=form)


def test_a_size_before_the_numbers_is_not_believed():
    data = torch.legacy(torch.state_dict({"a": whole(2**40)}), NUMBERS)
    count = (12).to_bytes(8, "little")
    at = data.rindex(count, 0, -40)
    data = data[:at] + (2**40).to_bytes(8, "little") + data[at + 8 :]
    with pytest.raises(ValueError, match="it is damaged, or ends before .* 1,099,511,627,776"):
        read(data)


@pytest.mark.parametrize("keys", [[], ["other"], ["k", "k"], ["k", "other"]])
def test_the_keys_are_those_of_the_tensors(keys):
    with pytest.raises(ValueError, match="its list of storages is not that of its tensors"):
        read(torch.legacy(GOOD, NUMBERS, keys=keys))


def test_a_storage_has_one_size():
    pickle = torch.state_dict({"a": whole(), "b": whole(13)})
    with pytest.raises(ValueError, match="its storage 'k' has two types or sizes"):
        read(torch.legacy(pickle, NUMBERS))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "it is no file of torch.save; if it was downloaded, do that again"),
        (b"<html>Not found</html>", "it is no file of torch.save"),
        (torch.heads(magic=torch.number(1)), "it is a pickle, but not of torch.save"),
        (torch.heads(protocol=torch.number(1002)), "it is a pickle, but not of torch.save"),
        (
            torch.heads(system=torch.SYSTEM.replace(torch.TRUE, torch.FALSE)),
            "its numbers are not little-endian",
        ),
        (torch.heads(system=b"\x80\x02N."), "its numbers are not little-endian"),
        (torch.legacy(b"\x80\x02].", {}), "it holds no state dict"),
        (torch.legacy(b"\x80\x02}(.", {}), "its pickle is damaged"),
        (torch.legacy(b"\x80\x02}}.", {}), "its pickle is damaged"),
    ],
)
def test_other_files_are_refused(data, message):
    with pytest.raises(ValueError, match=SAFE + message):
        read(data)


@pytest.mark.parametrize("form", [torch.legacy, torch.zipped])
def test_a_file_cut_off_anywhere_is_refused(form):
    data = torch.saved({"a": np.arange(2.0)}, form)
    for size in range(0, len(data), 2):
        with pytest.raises(ValueError, match=SAFE):
            read(data[:size])


@pytest.mark.parametrize("form", [torch.legacy, torch.zipped])
def test_a_damaged_byte_gives_other_numbers_or_one_clear_error(form, rng):
    data = torch.saved({"a": np.arange(2.0)}, form)
    refused = 0
    for place in range(0, len(data), 2):
        damaged = bytearray(data)
        damaged[place] ^= int(rng.integers(1, 256))
        try:
            found = read(bytes(damaged))
        except ValueError as error:
            refused += 1
            assert SAFE in str(error)
        else:
            assert all(array.size <= 2 for array in found.values())
    assert refused > len(data) // 6


# Zip files.


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (torch.zipped(GOOD, NUMBERS, zipfile.ZIP_DEFLATED), "its parts are compressed"),
        (torch.zipped(GOOD, NUMBERS, more={"data/k": b"123"}), "'data/k' is missing or of a wrong"),
        (torch.zipped(GOOD, {}), "'data/k' is missing or of a wrong"),
        (torch.zipped(GOOD, NUMBERS, more={"byteorder": b"big"}), "not little-endian"),
        (torch.zipped(GOOD, NUMBERS, more={"x/data.pkl": GOOD}), "not of torch.save"),
        (torch.zipped(GOOD, NUMBERS).replace(b"data.pkl", b"fata.pkl"), "not of torch.save"),
    ],
)
def test_zip_files_of_others_are_refused(data, message):
    with pytest.raises(ValueError, match=SAFE + f".*{message}"):
        read(data)


def test_parts_that_share_their_bytes_are_refused():
    """So a small file would have far more numbers than bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model/data.pkl", GOOD)
        archive.writestr("model/data/k", bytes(10_000))
        for i in range(20):
            info = zipfile.ZipInfo(f"model/data/{i}")
            first = archive.getinfo("model/data/k")
            info.header_offset, info.file_size = first.header_offset, first.file_size
            info.compress_size, info.CRC = first.compress_size, first.CRC
            archive.filelist.append(info)
        archive._didModify = True
    with pytest.raises(ValueError, match="its parts are larger than it is"):
        read(file.getvalue())


def test_long_pickles_are_refused(monkeypatch):
    monkeypatch.setattr(torch_state_dict, "_MAX_PICKLES", 100)
    with pytest.raises(ValueError, match="its data.pkl has more than 100 bytes"):
        read(torch.zipped(GOOD, NUMBERS))
    with pytest.raises(ValueError, match=SAFE):
        read(torch.legacy(GOOD, NUMBERS))


# The golden files.


def golden_files(golden, pattern):
    files = sorted((golden / "elmoformanylangs").glob(pattern))
    if not files:
        pytest.skip("the golden models of ELMoForManyLangs are not here")
    return files


def test_every_tampered_golden_file_is_refused(golden):
    files = golden_files(golden, "tampered/more/*.pkl")
    files += golden_files(golden, "tampered/token_embedder.pkl")
    assert len(files) > 12
    for file in files:
        with pytest.raises(ValueError, match=SAFE):
            read_state_dict(file)


def test_every_variant_has_the_same_tensors(golden):
    for name in ("encoder.pkl", "token_embedder.pkl"):
        (expected,) = golden_files(golden, f"noclip/{name}")
        expected = read_state_dict(expected)
        files = golden_files(golden, f"variants/*/{name}") + golden_files(golden, f"*_zip/{name}")
        for file in files:
            if file.parent.parent.name == "variants" or file.parent.name == "noclip_zip":
                assert_same(read_state_dict(file), expected)
