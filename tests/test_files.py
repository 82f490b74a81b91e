"""Files and folders that appear under their name only when they are complete."""

import contextlib
import errno
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from elmo_tf2.files import atomic_write, check_free, free_bytes
from tests.processes import run_python


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


# --- atomic_write


def test_a_file_appears_when_it_is_complete(target):
    with atomic_write(target) as unfinished:
        unfinished.write_text("half")
        assert not target.exists()
        unfinished.write_text("whole")
    assert target.read_text() == "whole"
    assert names_beside(target) == ["target"]


def test_a_folder_appears_when_it_is_complete(target):
    with atomic_write(target) as unfinished:
        write_folder(unfinished, a="1")
        assert not target.exists()
        (unfinished / "b").write_text("2")
    assert content(target) == {"a": "1", "b": "2"}
    assert names_beside(target) == ["target"]


def test_the_unfinished_place_is_new_and_on_the_same_disk(target):
    with atomic_write(target) as unfinished:
        assert not unfinished.exists()
        assert unfinished.name == target.name  # some writers look at the ending
        assert unfinished.parent.parent == target.parent
        unfinished.touch()


def test_a_path_may_be_a_string_relative_to_the_working_folder(target, monkeypatch):
    monkeypatch.chdir(target.parent)
    with atomic_write("target") as unfinished:
        monkeypatch.chdir("/")  # what happens in between does not matter
        unfinished.write_text("whole")
    assert target.read_text() == "whole"


def test_parent_folders_are_made(tmp_path):
    with atomic_write(tmp_path / "a" / "b" / "c") as unfinished:
        unfinished.write_text("whole")
    assert (tmp_path / "a" / "b" / "c").read_text() == "whole"


@pytest.mark.parametrize("error", [Breakdown, KeyboardInterrupt, SystemExit])
def test_nothing_stands_there_after_a_failure(error, target):
    with pytest.raises(error), atomic_write(target) as unfinished:
        write_folder(unfinished, a="1")
        raise error
    assert names_beside(target) == []


@pytest.mark.parametrize("error", [Breakdown, KeyboardInterrupt])
def test_what_stood_there_stays_after_a_failure(error, target):
    write_folder(target, old="1")
    with pytest.raises(error), atomic_write(target, overwrite=True) as unfinished:
        write_folder(unfinished, new="2")
        raise error
    assert content(target) == {"old": "1"}
    assert names_beside(target) == ["target"]


def test_what_stood_there_stays_until_its_successor_is_complete(target):
    target.write_text("old")
    with atomic_write(target, overwrite=True) as unfinished:
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
    with pytest.raises(OSError, match="no"), atomic_write(target, overwrite=True) as unfinished:
        write_folder(unfinished, new="2")
    assert content(target) == {"old": "1"}


@pytest.mark.parametrize("old", ["file", "folder"])
@pytest.mark.parametrize("new", ["file", "folder"])
def test_a_file_and_a_folder_can_replace_each_other(old, new, target):
    if old == "file":
        target.write_text("old")
    else:
        write_folder(target, old="1")
    with atomic_write(target, overwrite=True) as unfinished:
        if new == "file":
            unfinished.write_text("new")
        else:
            write_folder(unfinished, new="2")
    assert target.read_text() == "new" if new == "file" else content(target) == {"new": "2"}
    assert names_beside(target) == ["target"]


def test_an_old_folders_files_do_not_survive(target):
    write_folder(target, old="1", both="1")
    with atomic_write(target, overwrite=True) as unfinished:
        write_folder(unfinished, both="2")
    assert content(target) == {"both": "2"}


def test_an_empty_folder_is_replaced_without_being_told(target):
    target.mkdir()
    with atomic_write(target) as unfinished:
        write_folder(unfinished, new="2")
    assert content(target) == {"new": "2"}


def test_what_is_there_is_not_replaced_without_being_told(target):
    target.write_text("old")
    with pytest.raises(FileExistsError), atomic_write(target):
        pytest.fail("the work has begun")
    assert target.read_text() == "old"


def test_nothing_written_is_an_error_that_loses_nothing(target):
    write_folder(target, old="1")
    with pytest.raises(FileNotFoundError), atomic_write(target, overwrite=True):
        pass
    assert content(target) == {"old": "1"}
    assert names_beside(target) == ["target"]


def test_what_appears_meanwhile_stays(target):
    for new in ("file", "folder"):
        with (
            pytest.raises(FileExistsError, match="target exists already"),
            atomic_write(target) as at,
        ):
            at.write_text("made") if new == "file" else write_folder(at, made="1")
            write_folder(target, mine="2")
        assert content(target) == {"mine": "2"}
        assert names_beside(target) == ["target"]
        shutil.rmtree(target)


@pytest.mark.parametrize("new", ["file", "folder"])
@pytest.mark.parametrize("mine", ["file", "folder", "link"])
def test_what_appears_at_the_last_moment_stays(new, mine, target, monkeypatch):
    def appear():
        if mine == "file":
            target.write_text("mine")
        elif mine == "folder":
            write_folder(target, mine="2")
        else:
            target.symlink_to("nowhere")

    link, rename = os.link, Path.rename
    monkeypatch.setattr(os, "link", lambda *paths: (appear(), link(*paths)))
    monkeypatch.setattr(Path, "rename", lambda *paths: (appear(), rename(*paths)))
    with pytest.raises(FileExistsError, match="target exists already"), atomic_write(target) as at:
        at.write_text("made") if new == "file" else write_folder(at, made="1")
    assert os.path.lexists(target)
    assert names_beside(target) == ["target"]
    if mine == "file":
        assert target.read_text() == "mine"
    if mine == "folder":
        assert content(target) == {"mine": "2"}


def test_what_is_put_into_a_folder_that_is_replaced_stays(target):
    write_folder(target, a="old")
    with pytest.raises(FileExistsError, match="would be lost: diary"):
        with atomic_write(target, overwrite=True, parts=["a"]) as unfinished:
            write_folder(unfinished, a="new")
            (target / "diary").write_text("mine")
    assert content(target) == {"a": "old", "diary": "mine"}
    assert names_beside(target) == ["target"]


def test_what_appears_between_two_renamings_stays_and_so_does_the_old(target, monkeypatch):
    write_folder(target, old="1")
    rename = Path.rename

    def rename_and_appear(self, to):
        rename(self, to)
        if self == target:
            write_folder(target, mine="2")

    monkeypatch.setattr(Path, "rename", rename_and_appear)
    with pytest.raises(FileExistsError, match="appeared while it was replaced.*replaced"):
        with atomic_write(target, overwrite=True) as unfinished:
            write_folder(unfinished, new="3")
    monkeypatch.undo()
    assert content(target) == {"mine": "2"}
    with pytest.raises(FileExistsError, match="Move one of the three away"):
        check_free(target, overwrite=True)
    target.rename(target.with_name("mine"))
    with pytest.raises(FileExistsError, match="exists already"):
        check_free(target)
    assert content(target) == {"old": "1"}
    assert names_beside(target) == ["mine", "target"]


def test_a_second_process_is_refused_and_the_first_is_not_spoiled(target):
    with atomic_write(target, overwrite=True) as first:
        first.write_text("first")
        for second in (atomic_write(target, overwrite=True).__enter__, lambda: check_free(target)):
            with pytest.raises(ValueError, match="Another process is making .*target. Wait"):
                second()
    assert target.read_text() == "first"
    assert names_beside(target) == ["target"]


def test_a_link_to_a_folder_is_followed(target):
    real = target.with_name("real")
    real.mkdir()
    target.symlink_to("real")
    with atomic_write(target) as unfinished:
        write_folder(unfinished, a="1")
    assert target.is_symlink() and content(real) == {"a": "1"}


# --- after a kill

_KILLED = """
import os, pathlib, signal, sys
from elmo_tf2.files import atomic_write

def kill(*_):
    os.kill(os.getpid(), signal.SIGKILL)

target, moment = pathlib.Path(sys.argv[1]), sys.argv[2]
rename = pathlib.Path.rename

def killing(self, to):
    if moment == "before" or moment == "between" and to == target:
        kill()
    rename(self, to)
    if moment == "after" and to == target:
        kill()

pathlib.Path.rename = killing
with atomic_write(target, overwrite=True) as unfinished:
    unfinished.mkdir()
    (unfinished / "new").write_text("2")
    if moment == "working":
        kill()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
@pytest.mark.parametrize("moment", ["working", "before", "between", "after"])
@pytest.mark.parametrize("old", [True, False])
def test_a_kill_loses_nothing_and_what_it_leaves_is_removed(moment, old, target):
    if old:
        write_folder(target, old="1")
    assert run_python("-c", _KILLED, target, moment).returncode == -signal.SIGKILL
    with contextlib.suppress(FileExistsError):
        check_free(target)
    if moment == "after":
        assert content(target) == {"new": "2"}
    elif old:
        assert content(target) == {"old": "1"}
    assert names_beside(target) == (["target"] if old or moment == "after" else [])


# --- what is not ours


def place_beside(target):
    return target.with_name(f".{target.name}.elmo_tf2")


@pytest.mark.parametrize("kind", ["file", "folder", "link", "of another user"])
def test_what_was_not_made_by_this_program_is_neither_used_nor_removed(kind, target):
    place, elsewhere = place_beside(target), target.with_name("elsewhere")
    write_folder(elsewhere, thesis="1")
    if kind == "file":
        place.write_text("1")
    elif kind == "link":
        place.symlink_to(elsewhere)
    else:
        write_folder(place, thesis="1")
    if kind == "of another user":
        if sys.platform == "win32" or os.getuid() != 0:
            pytest.skip("gives a folder to another user")
        (place / ".elmo_tf2-lock").touch()
        os.chown(place, 12345, -1)
    for check in (atomic_write(target).__enter__, lambda: check_free(target)):
        with pytest.raises(FileExistsError, match="not made by this program for you"):
            check()
    assert content(elsewhere) == {"thesis": "1"}
    assert (
        place.read_text() == "1"
        if kind == "file"
        else (place / "thesis").exists() or kind == "link"
    )


# --- inputs


def test_an_output_is_no_input(target, tmp_path):
    write_folder(target, **{"options.json": "{}", "vectors.npy": ""})
    text = target / "text"
    text.write_text("the cat")
    link = tmp_path / "link"
    link.symlink_to(text)
    for output, source in (
        (text, text),
        (link, text),
        (text, link),
        (target, text),
        (target.parent, link),
        (target / "options.json", target),
    ):
        with pytest.raises(ValueError, match="is the input .* itself, holds it, or is a part of"):
            check_free(output, overwrite=True, inputs=[None, object(), source])
    check_free(target / "vectors.npy", overwrite=True, inputs=[target])
    check_free(target / "new", inputs=[target, text, "-"])


# --- a full disk


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EFBIG, "File too large", "/hidden/place"),
        RuntimeError("flush failed (errno = 28, error message = 'No space left on device')"),
    ],
)
def test_a_full_disk_is_told_with_the_outputs_name(error, target):
    with pytest.raises(OSError, match=r"bytes are free there\). Make room") as told:
        with atomic_write(target) as unfinished:
            write_folder(unfinished, half="1")
            raise error
    assert told.value.filename == str(target)
    assert names_beside(target) == []


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
