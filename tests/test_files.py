"""Files and folders that appear under their name only when they are complete."""

import os
import shutil
from pathlib import Path

import pytest

from elmo_tf2.files import check_free, completed, free_bytes


class Breakdown(Exception):
    """What goes wrong midway."""


@pytest.fixture
def target(tmp_path):
    """A name in a folder of its own, in which nothing else is."""
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder" / "target"


def names_beside(path):
    return sorted(entry.name for entry in path.parent.iterdir())


def write_folder(path, **files):
    path.mkdir()
    for name, text in files.items():
        (path / name).write_text(text)


def content(folder):
    return {file.name: file.read_text() for file in folder.iterdir()}


# --- completed


def test_a_file_appears_when_it_is_complete(target):
    with completed(target) as unfinished:
        unfinished.write_text("half")
        assert not target.exists()
        unfinished.write_text("whole")
    assert target.read_text() == "whole"
    assert names_beside(target) == ["target"]


def test_a_folder_appears_when_it_is_complete(target):
    with completed(target) as unfinished:
        write_folder(unfinished, a="1")
        assert not target.exists()
        (unfinished / "b").write_text("2")
    assert content(target) == {"a": "1", "b": "2"}
    assert names_beside(target) == ["target"]


def test_the_unfinished_place_is_new_and_on_the_same_disk(target):
    with completed(target) as unfinished:
        assert not unfinished.exists()
        assert unfinished.name == target.name  # some writers look at the ending
        assert unfinished.parent.parent == target.parent
        unfinished.touch()


def test_a_path_may_be_a_string_relative_to_the_working_folder(target, monkeypatch):
    monkeypatch.chdir(target.parent)
    with completed("target") as unfinished:
        monkeypatch.chdir("/")  # what happens in between does not matter
        unfinished.write_text("whole")
    assert target.read_text() == "whole"


def test_parent_folders_are_made(tmp_path):
    with completed(tmp_path / "a" / "b" / "c") as unfinished:
        unfinished.write_text("whole")
    assert (tmp_path / "a" / "b" / "c").read_text() == "whole"


@pytest.mark.parametrize("error", [Breakdown, KeyboardInterrupt, SystemExit])
def test_nothing_stands_there_after_a_failure(error, target):
    with pytest.raises(error), completed(target) as unfinished:
        write_folder(unfinished, a="1")
        raise error
    assert names_beside(target) == []


@pytest.mark.parametrize("error", [Breakdown, KeyboardInterrupt])
def test_what_stood_there_stays_after_a_failure(error, target):
    write_folder(target, old="1")
    with pytest.raises(error), completed(target, overwrite=True) as unfinished:
        write_folder(unfinished, new="2")
        raise error
    assert content(target) == {"old": "1"}
    assert names_beside(target) == ["target"]


def test_what_stood_there_stays_until_its_successor_is_complete(target):
    target.write_text("old")
    with completed(target, overwrite=True) as unfinished:
        unfinished.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"


def test_a_folder_that_cannot_take_its_place_leaves_the_old_one(target, monkeypatch):
    write_folder(target, old="1")
    rename = Path.rename

    def failing_rename(self, to):
        if Path(to) == target and "replaced" not in self.name:
            raise OSError("no")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing_rename)
    with pytest.raises(OSError, match="no"), completed(target, overwrite=True) as unfinished:
        write_folder(unfinished, new="2")
    assert content(target) == {"old": "1"}


@pytest.mark.parametrize("old", ["file", "folder"])
@pytest.mark.parametrize("new", ["file", "folder"])
def test_a_file_and_a_folder_can_replace_each_other(old, new, target):
    if old == "file":
        target.write_text("old")
    else:
        write_folder(target, old="1")
    with completed(target, overwrite=True) as unfinished:
        if new == "file":
            unfinished.write_text("new")
        else:
            write_folder(unfinished, new="2")
    assert target.read_text() == "new" if new == "file" else content(target) == {"new": "2"}
    assert names_beside(target) == ["target"]


def test_an_old_folders_files_do_not_survive(target):
    write_folder(target, old="1", both="1")
    with completed(target, overwrite=True) as unfinished:
        write_folder(unfinished, both="2")
    assert content(target) == {"both": "2"}


def test_an_empty_folder_is_replaced_without_being_told(target):
    target.mkdir()
    with completed(target) as unfinished:
        write_folder(unfinished, new="2")
    assert content(target) == {"new": "2"}


def test_what_is_there_is_not_replaced_without_being_told(target):
    target.write_text("old")
    with pytest.raises(FileExistsError), completed(target):
        pytest.fail("the work has begun")
    assert target.read_text() == "old"


def test_nothing_written_is_an_error_that_loses_nothing(target):
    write_folder(target, old="1")
    with pytest.raises(FileNotFoundError), completed(target, overwrite=True):
        pass
    assert content(target) == {"old": "1"}
    assert names_beside(target) == ["target"]


def test_two_that_write_the_same_name_do_not_meet(target):
    with completed(target, overwrite=True) as first:
        first.write_text("first")
        with completed(target, overwrite=True) as second:
            assert second != first
            second.write_text("second")
    assert target.read_text() == "first"


# --- check_free


def test_a_name_that_nothing_has_is_free(target):
    check_free(target)
    check_free(str(target))


def test_an_empty_folder_is_free(target):
    target.mkdir()
    check_free(target)
    check_free(target, parts=["a"])


def test_a_file_is_not_free(target):
    target.touch()
    with pytest.raises(FileExistsError, match="target exists already.*`--overwrite`"):
        check_free(target)


def test_a_folder_with_anything_in_it_is_not_free(target):
    write_folder(target, **{".hidden": ""})
    with pytest.raises(FileExistsError, match="exists already"):
        check_free(target)


def test_a_link_that_leads_nowhere_is_not_free(target):
    target.symlink_to("nowhere")
    with pytest.raises(FileExistsError, match="exists already"):
        check_free(target)


def test_a_file_may_be_overwritten(target):
    target.touch()
    check_free(target, overwrite=True)


def test_a_folder_of_its_successors_parts_may_be_overwritten(target):
    write_folder(target, a="", b="")
    check_free(target, overwrite=True, parts=["a", "b", "c"])
    check_free(target, overwrite=True)


def test_a_folder_with_other_things_may_not_be_overwritten(target):
    write_folder(target, a="", thesis="", diary="")
    with pytest.raises(FileExistsError, match="no part of its successor.*lost: diary, thesis"):
        check_free(target, overwrite=True, parts=["a", "b"])


def test_a_file_may_not_be_overwritten_by_a_folder_of_parts(target):
    target.touch()
    with pytest.raises(FileExistsError, match="is a file. Expected: the name of a folder"):
        check_free(target, overwrite=True, parts=["a"])


# --- free_bytes


def test_free_bytes_are_those_of_the_disk(tmp_path):
    # Others may write meanwhile.
    assert free_bytes(tmp_path) == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


def test_free_bytes_are_known_before_there_is_a_folder(tmp_path):
    assert free_bytes(tmp_path / "not" / "yet" / "there") > 0


def test_free_bytes_take_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert free_bytes("new") > 0
    assert free_bytes(os.curdir) > 0
