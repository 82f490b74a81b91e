"""HDF5 files: plain float arrays are read, and nothing else."""

import re
import time

import h5py
import numpy as np
import pytest

from elmo_tf2.weights.hdf5 import DTYPES, open_hdf5, root_names, write_hdf5
from tests.processes import run_python


@pytest.fixture
def path(tmp_path):
    write_hdf5(tmp_path / "file.hdf5", {"a/b": np.arange(6.0).reshape(2, 3), "c": np.float32(4)})
    return tmp_path / "file.hdf5"


def read_all(path):
    with open_hdf5(path) as file:
        file.check_stored(file.datasets)
        return {name: file.read(name) for name in file.datasets}


def test_what_was_written_is_read(path):
    arrays = read_all(path)
    np.testing.assert_array_equal(arrays.pop("a/b"), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(arrays.pop("c"), 4)
    assert not arrays
    assert root_names(path) == {"a", "c"}


@pytest.mark.parametrize("dtype", ["<f2", ">f2", ">f4", "<f8", ">f8"])
def test_every_float_type_becomes_float32(tmp_path, dtype):
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        file["x"] = np.array([0.5, -2.0], dtype)
    array = read_all(tmp_path / "file.hdf5")["x"]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [0.5, -2.0])


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no weight file '.*none.hdf5'"):
        read_all(tmp_path / "none.hdf5")
    with pytest.raises(ValueError, match=f"{re.escape(str(tmp_path))} is a folder"):
        read_all(tmp_path)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "file.hdf5").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ValueError, match="file.hdf5 can't be read as an HDF5 file: .*download"):
        read_all(tmp_path / "file.hdf5")
    with pytest.raises(ValueError, match="file.hdf5 can't be read as an HDF5 file"):
        root_names(tmp_path / "file.hdf5")


@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file_is_refused(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match="file.hdf5 can't be read .* cut short"):
        read_all(path)


def test_damage_anywhere_is_a_clear_error_or_changes_values_only(path, rng):
    content = np.frombuffer(path.read_bytes(), np.uint8)
    for _ in range(300):
        damaged = content.copy()
        damaged[rng.integers(len(content), size=8)] = rng.integers(256, size=8)
        path.write_bytes(damaged.tobytes())
        try:
            read_all(path)
        except ValueError as error:
            assert str(path) in str(error)


def test_damaged_values_of_a_checked_file_are_a_clear_error(tmp_path):
    path = tmp_path / "file.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=np.ones((64, 64), "f"), fletcher32=True)
        offset = file["x"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset + 5] ^= 255
    path.write_bytes(content)
    with pytest.raises(ValueError, match="file.hdf5 can't be read as an HDF5 file: .*damaged"):
        read_all(path)


@pytest.mark.parametrize(
    "values",
    [[1, 2], [True], [b"abc"], np.array(["a"], h5py.string_dtype()), np.array([1j])],
)
def test_what_is_no_float_is_refused(tmp_path, values):
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        file["x"] = values
    with pytest.raises(ValueError, match="`x` must be a plain float array. Found: type"):
        read_all(tmp_path / "file.hdf5")


def test_a_dataset_without_shape_is_refused(tmp_path):
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        file["x"] = h5py.Empty("f")
    with pytest.raises(ValueError, match="`x` must be a plain float array. Found: no shape"):
        read_all(tmp_path / "file.hdf5")


def test_a_named_type_is_refused(tmp_path):
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        file["x"] = np.dtype("f")
    with pytest.raises(ValueError, match="`x` must be a plain float array. Found: a named type"):
        read_all(tmp_path / "file.hdf5")


@pytest.mark.parametrize("kind", ["soft", "dangling", "external"])
def test_links_are_never_followed(path, tmp_path, kind):
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["secret"] = np.ones(3, "f")
    with h5py.File(path, "a") as file:
        file["a/link"] = {
            "soft": h5py.SoftLink("/c"),
            "dangling": h5py.SoftLink("/nowhere"),
            "external": h5py.ExternalLink("other.hdf5", "/secret"),
        }[kind]
    with pytest.raises(ValueError, match="`a/link` must be a plain float array. Found: a link"):
        read_all(path)


def test_values_in_another_file_are_never_read(path, tmp_path):
    (tmp_path / "raw").write_bytes(b"0123")
    with h5py.File(path, "a") as file:
        file.create_dataset("x", (1,), "f", external=[(str(tmp_path / "raw"), 0, 4)])
    with pytest.raises(ValueError, match="`x` must be .* Found: values of another file"):
        read_all(path)


def test_virtual_datasets_are_never_read(path, tmp_path):
    layout = h5py.VirtualLayout((2, 3), "f")
    layout[:] = h5py.VirtualSource(path, "a/b", (2, 3))
    with h5py.File(tmp_path / "virtual.hdf5", "w") as file:
        file.create_virtual_dataset("x", layout)
    with pytest.raises(ValueError, match="`x` must be .* Found: values of another file"):
        read_all(tmp_path / "virtual.hdf5")


def test_a_group_within_itself_is_refused(path):
    with h5py.File(path, "a") as file:
        file["a/again"] = file["a"]
    with pytest.raises(ValueError, match="the group `a/again` has two names in the file"):
        read_all(path)


def test_a_dataset_that_was_never_written_is_refused(path):
    with h5py.File(path, "a") as file:
        file.create_dataset("x", (3,), "f")
    with pytest.raises(ValueError, match="`x` was never written; the file is unfinished"):
        read_all(path)


def test_a_shape_that_the_file_does_not_fill_is_refused(tmp_path):
    path = tmp_path / "file.hdf5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", (10**9, 10**6), "f", chunks=(1, 1000))[0, 0] = 1
    with (
        open_hdf5(path) as file,
        pytest.raises(ValueError, match=r"`x` claims the shape \(1000000000, 1000000\)"),
    ):
        file.check_stored(["x"])


def test_compressed_arrays_are_read(tmp_path, rng):
    values = rng.normal(size=(50, 20)).astype("f")
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        file.create_dataset("x", data=values, compression="gzip", shuffle=True)
    np.testing.assert_array_equal(read_all(tmp_path / "file.hdf5")["x"], values)


# float16.


def test_float16_rounds_matrices_and_leaves_vectors_and_scalars(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {"matrix": rng.normal(size=(64, 64)), "vector": rng.normal(size=64), "scalar": 1.3}
    write_hdf5(tmp_path / "file.hdf5", arrays, "float16")
    found = read_all(tmp_path / "file.hdf5")
    assert {array.dtype for array in found.values()} == {np.dtype(np.float32)}
    np.testing.assert_array_equal(found["matrix"], arrays["matrix"].astype(np.float16))
    np.testing.assert_array_equal(found["vector"], arrays["vector"].astype(np.float32))
    assert found["scalar"] == np.float32(1.3)
    with h5py.File(tmp_path / "file.hdf5") as file:
        assert file["matrix"].dtype == np.float16
        assert file["matrix"].id.get_storage_size() < 2 * 64 * 64


@pytest.mark.parametrize("value", [65520.0, -1e30, np.inf, np.nan])
def test_what_float16_does_not_hold_is_refused(tmp_path, value):
    with pytest.raises(ValueError, match=r"`x` can't be written in float16.*65504.* Write float32"):
        write_hdf5(tmp_path / "file.hdf5", {"x": np.array([[1.0, value]])}, "float16")


def test_an_unknown_type_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"`dtype` must be one of .*dtype='bfloat16'"):
        write_hdf5(tmp_path / "file.hdf5", {"x": np.ones(2)}, "bfloat16")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_float16_that_is_no_number_is_an_error(tmp_path, value):
    with h5py.File(tmp_path / "file.hdf5", "w") as file:
        file["x"] = np.array([[0.5, value]], np.float16)
    with pytest.raises(ValueError, match="`x` must hold finite float32 numbers"):
        read_all(tmp_path / "file.hdf5")


# Writing.


def test_equal_arrays_give_equal_bytes_at_any_time(tmp_path, rng):
    arrays = {"a/b": rng.normal(size=(50, 20)), "c": np.ones(3)}
    for time_of_writing in ("first", "second"):
        for dtype in DTYPES:
            write_hdf5(tmp_path / f"{time_of_writing}_{dtype}", arrays, dtype)
        if time_of_writing == "first":
            time.sleep(1.1)  # HDF5 tells time in seconds
    for dtype in DTYPES:
        first, second = (tmp_path / f"{when}_{dtype}" for when in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()


_FULL = """
import resource, sys
import numpy as np
from elmo_tf2.weights.hdf5 import write_hdf5
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
write_hdf5(sys.argv[1], {"x": np.ones((100, 100))})
"""


def test_a_full_disk_is_an_error_and_no_crash(tmp_path):
    pytest.importorskip("resource")
    result = run_python("-c", _FULL, tmp_path / "weights.hdf5")
    assert result.returncode == 1
    assert "OSError: [Errno 27] File too large" in result.stderr
    assert "h5py" not in result.stderr
