"""embed_file in processes of their own: killed at any moment, and measured."""

import sys

import pytest

from elmo_tf2.features import embed_file
from tests.cli_fixtures import random_text, write_model_folder
from tests.processes import run_new_interpreter, run_python

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("processes") / "model")


# Each name is a moment at which a process of its own is killed, one after the other on one text.
_KILLED_AT = """
import os, pathlib, signal, sys

import h5py

from elmo_tf2.features import embed_file, text, unfinished

model, text_path, output, uninterrupted = sys.argv[1:]
text._WINDOW_TOKENS = 50


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def killing(function, number=1, after=False):
    calls = []

    def wrapper(*args, **kwargs):
        calls.append(None)
        if len(calls) == number and not after:
            kill()
        result = function(*args, **kwargs)
        if len(calls) == number and after:
            kill()
        return result

    return wrapper


def laying_out():
    h5py.h5d.create = killing(h5py.h5d.create, 20)


def laid_out_but_not_recorded():
    unfinished.UnfinishedFile.record = killing(unfinished.UnfinishedFile.record)


def laid_out():
    unfinished.UnfinishedFile.record = killing(unfinished.UnfinishedFile.record, after=True)


def half_of_a_sentence_written():
    def write(self, sentence, vectors):
        if sentence.number == 12:
            self._data.seek(self._places["12"].id.get_offset())
            self._data.write(vectors.tobytes()[: vectors.nbytes // 2])
            self._data.flush()
            kill()
        original(self, sentence, vectors)

    original = unfinished.Writer.write
    unfinished.Writer.write = write


def window_written_but_not_recorded():
    unfinished.UnfinishedFile.record = killing(unfinished.UnfinishedFile.record, 3)


def progress_written_but_not_renamed():
    pathlib.Path.replace = killing(pathlib.Path.replace, 2)


def some_windows_recorded():
    unfinished.UnfinishedFile.record = killing(unfinished.UnfinishedFile.record, 2, after=True)


def at_the_last_renaming(after):
    def link(source, target):
        if not after:
            kill()
        original(source, target)
        kill()

    original = os.link
    os.link = link


def complete_but_not_renamed():
    at_the_last_renaming(after=False)


def renamed():
    at_the_last_renaming(after=True)


for moment in (
    laying_out,
    laid_out_but_not_recorded,
    laid_out,
    half_of_a_sentence_written,
    window_written_but_not_recorded,
    progress_written_but_not_renamed,
    some_windows_recorded,
    complete_but_not_renamed,
    renamed,
):
    pid = os.fork()  # TensorFlow is imported, but has not computed yet: no thread is lost
    if pid == 0:
        moment()
        embed_file(model, text_path, output)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, moment
    assert os.path.exists(output) == (moment is renamed), moment
    print(moment.__name__)
embed_file(model, text_path, uninterrupted)  # after the last fork
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_kill_at_any_moment_does_no_harm(model, tmp_path):
    text, output = tmp_path / "text.txt", tmp_path / "out.hdf5"
    text.write_text(random_text(50))
    uninterrupted = tmp_path / "uninterrupted.hdf5"
    result = run_python("-c", _KILLED_AT, model, text, output, uninterrupted)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.split()) == 9
    with pytest.raises(FileExistsError):
        embed_file(model, text, output)
    assert not (tmp_path / "out.hdf5.unfinished").exists()  # what the last kill left
    assert output.read_bytes() == uninterrupted.read_bytes()


_MEASURE = """
import resource, sys
from elmo_tf2.features import embed_file
model, *texts = sys.argv[1:]
for text in texts:
    embed_file(model, text, text + ".hdf5")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_text(model, tmp_path):
    pytest.importorskip("resource")
    texts = tmp_path / "short.txt", tmp_path / "long.txt"
    for text, number in zip(texts, (1, 8), strict=True):
        text.write_text(random_text(4_000) * number)  # 40,000 and 320,000 words
    # oneDNN keeps code for the last 1,024 shapes it met, which looks like growth until then.
    result = run_new_interpreter("-c", _MEASURE, model, *texts, TF_ENABLE_ONEDNN_OPTS="0")
    assert result.returncode == 0, result.stderr
    short, long = (int(peak) // 1024 for peak in result.stdout.split())  # MB
    assert (tmp_path / "long.txt.hdf5").stat().st_size > 50 * 2**20  # nothing of it is kept
    assert long - short < 30
