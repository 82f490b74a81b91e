"""embed_file in processes of their own: killed at any moment, and measured."""

import sys

import pytest

from tests.cli_fixtures import random_text
from tests.processes import run_new_interpreter, run_python

pytestmark = pytest.mark.slow

# Each name is a moment at which a process of its own is killed, one after the other on one text.
_KILLED_AT = """
import os, pathlib, signal, sys

import h5py
import numpy as np

from elmo_tf2.features import embed, embed_file, text
from elmo_tf2.features.work_folder import WorkFolder

text_path, output, uninterrupted = sys.argv[1:]
text._WINDOW_TOKENS = 50


class Encoder:  # of numbers: what is killed is the writing

    layers, dim, fingerprint, tokenizer, sentence, dtype = ["a", "b"], 3, "", "spaces", None, "f4"

    def _replace(self, **_):
        return self

    def shape(self, sentence):
        return 2, len(sentence.words), 3

    def num_bytes(self, sentences, tokens):
        return 24 * tokens

    def encode(self, batch):
        return [np.full(self.shape(line), line.number + 1, np.float32) for line in batch]

    def learn_words(self, batch):
        pass

    def forget_words(self):
        pass


embed.encoder_of = lambda *_: Encoder()


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


def allocating():
    h5py.h5d.create = killing(h5py.h5d.create, 20)


def allocated_but_not_recorded():
    WorkFolder.record = killing(WorkFolder.record)


def allocated():
    WorkFolder.record = killing(WorkFolder.record, after=True)


def half_of_a_sentence_written():
    def write(dataset, place, vectors):
        if dataset.name == "/12":
            original(dataset, 0, 7)
            kill()
        original(dataset, place, vectors)

    original = h5py.Dataset.__setitem__
    h5py.Dataset.__setitem__ = write


def window_written_but_not_recorded():
    WorkFolder.record = killing(WorkFolder.record, 3)


def progress_written_but_not_renamed():
    pathlib.Path.replace = killing(pathlib.Path.replace, 2)


def some_windows_recorded():
    WorkFolder.record = killing(WorkFolder.record, 2, after=True)


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
    allocating,
    allocated_but_not_recorded,
    allocated,
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
        embed_file("model", text_path, output)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, moment
    assert os.path.exists(output) == (moment is renamed), moment
    print(moment.__name__)
try:
    embed_file("model", text_path, output)
except FileExistsError:
    print("FileExistsError")
embed_file("model", text_path, uninterrupted)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_kill_at_any_moment_does_no_harm(tmp_path):
    text, output = tmp_path / "text.txt", tmp_path / "out.hdf5"
    text.write_text(random_text(50))
    uninterrupted = tmp_path / "uninterrupted.hdf5"
    result = run_python("-c", _KILLED_AT, text, output, uninterrupted)
    assert result.returncode == 0, result.stderr
    assert len(result.stdout.split()) == 10 and result.stdout.endswith("FileExistsError\n")
    assert not (tmp_path / "out.hdf5.unfinished").exists()  # what the last kill left
    assert output.read_bytes() == uninterrupted.read_bytes()


_MEASURE = """
import resource, sys
from elmo_tf2.config import ElmoConfig
from elmo_tf2.models import BiLM
model = BiLM(ElmoConfig(filters=((1, 8),), num_highway_layers=1, units=64, projection_dim=64))
for text in sys.argv[1:]:
    embed_file(model, text, text + ".hdf5")
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_text(tmp_path):
    pytest.importorskip("resource")
    texts = tmp_path / "short.txt", tmp_path / "long.txt"
    for text, number in zip(texts, (1, 8), strict=True):
        text.write_text(random_text(1_000) * number)  # 10,000 and 80,000 words
    # oneDNN keeps code for the last 1,024 shapes it met, which looks like growth until then.
    result = run_new_interpreter("-c", _MEASURE, *texts, TF_ENABLE_ONEDNN_OPTS="0")
    assert result.returncode == 0, result.stderr
    short, long = (int(peak) // 1024 for peak in result.stdout.split())  # MB
    assert (tmp_path / "long.txt.hdf5").stat().st_size > 100 * 2**20  # nothing of it is kept
    assert long - short < 30
