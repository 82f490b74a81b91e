"""embed_file after an interruption: it goes on, and the end is the same."""

import errno
import json
import os
import time

import h5py
import numpy as np
import pytest

from elmo_tf2.features import embed, embed_file, text
from elmo_tf2.features.encoder import _WordCache
from tests.cli_fixtures import (
    assert_same_features,
    random_text,
    read_features,
    write_model_folder,
)

pytestmark = pytest.mark.usefixtures("cached_encoder")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("resume") / "model")


@pytest.fixture(autouse=True)
def small_windows(monkeypatch):
    monkeypatch.setattr(text, "_WINDOW_TOKENS", 50)


class Run:
    """A text of ten windows, and where its vectors go."""

    def __init__(self, model, folder):
        folder.mkdir(exist_ok=True)
        self.model = model
        self.text = folder / "text.txt"
        self.text.write_text(random_text(50))
        self.output = folder / "out.hdf5"
        self.folder = folder / "out.hdf5.unfinished"
        self.tokens = len(self.text.read_text().split())

    def __call__(self, **arguments):
        return embed_file(
            **{
                "model": self.model,
                "text_path": self.text,
                "output_path": self.output,
                **arguments,
            }
        )

    def interrupt(self, share=0.5):
        """Runs until a share of the words is done, as after Ctrl-C."""

        def interrupt(done, total):
            if done > share * total:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            self(on_progress=interrupt)
        assert not self.output.exists()

    def finished_tokens(self):
        """How many words a new run would not compute again."""
        return json.loads((self.folder / "progress.json").read_text())["finished_tokens"]


@pytest.fixture
def run(model, tmp_path):
    return Run(model, tmp_path)


@pytest.fixture(scope="module")
def expected(model, tmp_path_factory):
    """The vectors of an uninterrupted run."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(text, "_WINDOW_TOKENS", 50)
        run = Run(model, tmp_path_factory.mktemp("uninterrupted"))
        run()
    return read_features(run.output)


# Going on.


def test_a_run_goes_on_where_it_was_interrupted(run, expected):
    run.interrupt(0.5)
    finished = run.finished_tokens()
    assert 0.3 * run.tokens < finished <= 0.5 * run.tokens + 60
    calls = []
    run(on_progress=lambda *call: calls.append(call))
    assert calls[0] == (finished, run.tokens) and calls[-1] == (run.tokens, run.tokens)
    assert_same_features(read_features(run.output), expected)
    assert not run.folder.exists()


def test_a_run_may_be_interrupted_again_and_again(run, expected):
    finished = []
    for share in (0.0, 0.2, 0.2, 0.7, 0.9):
        run.interrupt(share)
        finished.append(run.finished_tokens())
    run()
    assert finished == sorted(finished)
    assert_same_features(read_features(run.output), expected)


def test_a_run_with_overwrite_goes_on_too(run, expected):
    run.interrupt()
    calls = []
    run(overwrite=True, on_progress=lambda *call: calls.append(call))
    assert calls[0][0] > 0
    assert_same_features(read_features(run.output), expected)


def test_the_output_stays_as_it_was_until_its_successor_is_complete(run, expected):
    run.output.write_text("old")
    with pytest.raises(ZeroDivisionError):
        run(overwrite=True, on_progress=lambda done, total: 1 / (total - done))
    assert run.output.read_text() == "old"
    run(overwrite=True)
    assert_same_features(read_features(run.output), expected)


def test_another_batch_size_may_go_on(run, expected):
    run.interrupt()
    run(batch_size=2)
    for found, wanted in zip(read_features(run.output), expected, strict=True):
        np.testing.assert_allclose(found, wanted, atol=1e-6)  # the same sums in other batches


def test_a_run_goes_on_with_the_same_model_in_another_place(run, expected, tmp_path):
    run.interrupt()
    copy = write_model_folder(tmp_path / "copy")
    run(model=copy)
    assert_same_features(read_features(run.output), expected)


# Another model, another text.


@pytest.mark.parametrize(
    ("another_model", "another_text", "message"),
    [
        (True, False, "unfinished run, and the model differs"),
        (False, True, "unfinished run, and the text differs"),
        (True, True, "unfinished run, and the model differs and the text differs"),
    ],
)
def test_a_run_of_something_else_does_not_go_on(
    run, tmp_path, another_model, another_text, message
):
    run.interrupt()
    finished = run.finished_tokens()
    model = write_model_folder(tmp_path / "another", seed=1) if another_model else run.model
    if another_text:
        run.text.write_text(run.text.read_text().replace("word1 ", "word2 "))
    with pytest.raises(ValueError, match=f"{message}.*overwrite=True"):
        run(model=model)
    assert run.finished_tokens() == finished


def test_a_run_with_another_tokenizer_does_not_go_on(run, expected):
    run.interrupt()
    with pytest.raises(ValueError, match="unfinished run, and the tokenizer differs"):
        run(tokenizer="words")
    run(tokenizer="spaces")
    assert_same_features(read_features(run.output), expected)


def test_overwriting_gives_up_a_run_of_something_else(run, expected):
    content = run.text.read_text()
    run.text.write_text("something else\n" * 200)
    run.interrupt()
    run.text.write_text(content)
    run(overwrite=True)
    assert_same_features(read_features(run.output), expected)


def test_a_text_that_grows_while_it_is_read_is_an_error(run):
    def grow(done, total):
        if done == 0:
            run.text.write_text(run.text.read_text() + "more words\n")

    with pytest.raises(ValueError, match="text.txt was changed while it was read"):
        run(on_progress=grow)
    assert not run.output.exists()


def test_a_text_that_changes_its_words_while_it_is_read_is_an_error(run):
    def change(done, total):
        if done == 0:
            run.text.write_text(run.text.read_text().replace("word", "work"))

    with pytest.raises(ValueError, match="text.txt was changed while it was read"):
        run(on_progress=change)
    assert not run.output.exists()
    with pytest.raises(ValueError, match="the text differs"):
        run()


@pytest.mark.parametrize("content", ["", "[]", '{"model": 1}', "{"])
def test_a_damaged_progress_file_is_an_error(run, content):
    run.interrupt()
    (run.folder / "progress.json").write_text(content)
    with pytest.raises(ValueError, match="progress.json can't be read.*Remove the folder"):
        run()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sentences", "abc"),
        ("sentences", None),
        ("tokens", -1),
        ("finished_sentences", 10**23),
        ("finished_sentences", -1),
        ("finished_tokens", 1e30),
    ],
)
def test_numbers_of_a_progress_file_that_are_none_are_an_error(name, value, run):
    run.interrupt()
    path = run.folder / "progress.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(ValueError, match=f"progress.json can't be read: `{name}` must be"):
        run()
    assert path.exists()


# The machine.


def test_a_second_run_waits_for_the_first(run):
    pytest.importorskip("fcntl")

    def start_another(done, total):
        with pytest.raises(ValueError, match="Another run is at work in .*unfinished"):
            run()

    run(on_progress=start_another)
    assert run.output.exists()


def test_a_file_system_without_locks_will_do(run, monkeypatch, expected):
    fcntl = pytest.importorskip("fcntl")

    def no_locks(*_):
        raise OSError(errno.ENOTSUP, "not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    run()
    assert_same_features(read_features(run.output), expected)


def test_a_disk_without_room_for_all_is_told_before_the_work(run, monkeypatch):
    calls = []
    with monkeypatch.context() as context:
        context.setattr("elmo_tf2.features.embed.free_bytes", lambda _: 1000)
        with pytest.raises(OSError, match=r"0\.0 GB are needed .* GB free\. What is fin") as error:
            run(on_progress=lambda *call: calls.append(call))
    assert error.value.errno == errno.ENOSPC
    assert not calls


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RuntimeError("flush failed (errno = 28, error message = 'No space')"), "No space left"),
        (RuntimeError("something else"), "something else"),
    ],
)
def test_what_hdf5_says_of_a_full_disk_is_told_as_such(run, monkeypatch, error, text):
    def refuse(*_):
        raise error

    monkeypatch.setattr(h5py.h5d, "create", refuse)
    with pytest.raises(OSError if "errno" in str(error) else RuntimeError, match=text):
        run()
    assert not run.folder.exists()


def test_after_a_full_disk_a_run_goes_on(run, monkeypatch, expected):
    write = h5py.Dataset.__setitem__
    written = []

    def write_until_full(dataset, place, vectors):
        if len(written) == 30:
            # What HDF5 says, in short.
            raise OSError(errno.ENOSPC, "Can't write data (errno = 28, error message = 'No space')")
        written.append(dataset)
        write(dataset, place, vectors)

    with monkeypatch.context() as context:
        context.setattr(h5py.Dataset, "__setitem__", write_until_full)
        with pytest.raises(OSError, match="No space left on device. What is finished stays in"):
            run()
    assert run.finished_tokens() > 0
    run()
    assert_same_features(read_features(run.output), expected)


def test_filling_changes_nothing_of_the_files_structure(run):
    run.interrupt(0.0)
    with h5py.File(run.folder / "features.hdf5") as file:
        places = [
            (dataset.id.get_offset(), dataset.nbytes) for dataset in file.values() if dataset.size
        ]
    before = np.fromfile(run.folder / "features.hdf5", np.uint8)
    run()
    after = np.fromfile(run.output, np.uint8)
    is_value = np.zeros(len(after), bool)
    for offset, size in places:
        assert not is_value[offset : offset + size].any()
        is_value[offset : offset + size] = True
    np.testing.assert_array_equal(after[~is_value], before[~is_value])


# The folder of the work.


def test_a_run_killed_between_windows_of_a_cache_gives_the_same_bytes(model, tmp_path, monkeypatch):
    monkeypatch.setattr(embed, "_WINDOWS_OF_A_CACHE", 3)
    whole, resumed = (Run(model, path) for path in (tmp_path / "whole", tmp_path / "resumed"))
    whole()
    for share in (0.1, 0.5, 0.9):
        resumed.interrupt(share)
    resumed()
    assert resumed.output.read_bytes() == whole.output.read_bytes()


def test_words_are_computed_in_the_same_company_after_an_interruption(run, monkeypatch):
    monkeypatch.setattr(embed, "_WINDOWS_OF_A_CACHE", 3)
    computed = []
    compute = _WordCache.vectors

    def vectors(self, words):
        known = set(self._places)
        found = compute(self, words)
        computed.append([word for word in dict.fromkeys(words) if word not in known])
        return found

    monkeypatch.setattr(_WordCache, "vectors", vectors)
    run()
    whole = computed[:]
    run.output.unlink()
    run.interrupt(0.6)
    computed.clear()
    run()
    assert whole[-len(computed) :] == computed
    assert 0 < len(computed) < len(whole)  # what was before is not computed again


def test_equal_commands_give_equal_bytes_at_any_time(run, monkeypatch):
    run()
    first = run.output.read_bytes()
    time.sleep(1.1)  # HDF5 tells time in seconds
    run(overwrite=True)
    assert run.output.read_bytes() == first


@pytest.mark.parametrize("kind", ["folder", "file", "link", "of another user"])
def test_what_has_the_name_of_the_work_but_is_not_ours_stays(run, tmp_path, kind):
    (tmp_path / "elsewhere").mkdir()
    if kind == "file":
        run.folder.write_text("mine")
    elif kind == "link":
        run.folder.symlink_to(tmp_path / "elsewhere")
    else:
        run.interrupt()
        (run.folder / "thesis").write_text("mine")
    if kind == "folder":
        (run.folder / ".elmo_tf2-lock").unlink()
    if kind == "of another user":
        if not hasattr(os, "getuid") or os.getuid() != 0:
            pytest.skip("gives a folder to another user")
        os.chown(run.folder, 12345, -1)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileExistsError, match="unfinished is needed .* not made by this program"):
        run(overwrite=True)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("name", ["features.hdf5", "converted", "progress.json.new"])
def test_links_in_the_folder_of_the_work_are_not_followed(run, tmp_path, name):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    run.interrupt()
    (run.folder / name).unlink(missing_ok=True)
    (run.folder / name).symlink_to(victim)
    with pytest.raises(FileExistsError, match=f"{name} is a link or no file"):
        run(overwrite=True)
    assert victim.read_text() == "precious"


def test_an_empty_folder_of_the_users_stays(run):
    run.folder.mkdir()
    run()
    assert run.folder.is_dir() and not any(run.folder.iterdir())


def test_a_file_of_the_users_in_the_folder_of_the_work_stays(run):
    run.interrupt()
    (run.folder / "notes").write_text("mine")
    run()
    assert (run.folder / "notes").read_text() == "mine"


def test_what_appears_at_the_output_meanwhile_stays(run):
    def appear(done, total):
        if done == total:
            run.output.write_text("mine")

    with pytest.raises(FileExistsError, match="exists already"):
        run(on_progress=appear)
    assert run.output.read_text() == "mine"
    run.output.unlink()
    run()  # and the vectors are not lost
    assert len(read_features(run.output)) == 50
