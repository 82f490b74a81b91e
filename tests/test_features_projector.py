"""A text's vectors for TensorBoard's Embedding Projector, read as its plugin reads them."""

import json
import types

import numpy as np
import pytest
from werkzeug.test import Client

from elmo_tf2.features import write_projector
from elmo_tf2.features.sample import Sample
from tests.cli_fixtures import expected_vectors, run, write_model_folder

pytestmark = pytest.mark.usefixtures("cached_encoder")

LINES = ["the cat is on the mat", "", 'dogs <b>\x07 "are" in', "the fog"]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("projector") / "model")


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text("\n".join([*LINES, ""]))
    return tmp_path / "text.txt"


class Plugin:
    """TensorBoard's plugin, asked as its page asks it."""

    def __init__(self, folder):
        from tensorboard.plugins.base_plugin import TBContext
        from tensorboard.plugins.projector.projector_plugin import ProjectorPlugin

        no_runs = types.SimpleNamespace(list_runs=lambda *_, **__: [])
        plugin = ProjectorPlugin(TBContext(logdir=str(folder), data_provider=no_runs))
        self._clients = {name: Client(app) for name, app in plugin.get_plugin_apps().items()}

    def get(self, what, name=""):
        response = self._clients[f"/{what}"].get(f"/?run=.&name={name}")
        assert response.status_code == 200, response.data
        return response.data

    def shapes(self):
        embeddings = json.loads(self.get("info"))["embeddings"]
        return {embedding["tensorName"]: embedding["tensorShape"] for embedding in embeddings}

    def tensor(self, name):
        return np.frombuffer(self.get("tensor", name), np.float32).reshape(self.shapes()[name])

    def metadata(self, name):
        return [row.split("\t") for row in self.get("metadata", name).decode().splitlines()]


def test_tensorboards_plugin_reads_the_words_and_their_vectors(model, text, tmp_path):
    written = write_projector(model, text, tmp_path / "logs")
    assert (written.points, written.all_points, written.dim) == (12, 12, 16)
    plugin = Plugin(tmp_path / "logs")
    assert json.loads(plugin.get("runs")) == ["."]
    assert plugin.shapes() == {name: [12, 16] for name in ("layer0", "layer1", "layer2")}
    header, *rows = plugin.metadata("layer1")
    assert header == ["word", "line", "sentence"]
    assert rows[1] == ["cat", "0", LINES[0]]
    assert rows[-1] == ["fog", "3", LINES[3]]
    assert rows[7] == ["<b> ", "2", LINES[2].replace("\x07", " ")]
    expected = np.concatenate([expected_vectors(line.split()) for line in LINES if line], axis=1)
    for number, name in enumerate(written.layers):
        np.testing.assert_allclose(plugin.tensor(name), expected[number], atol=1e-5)


def test_sentences_may_be_the_points(model, text, tmp_path):
    written = write_projector(model, text, tmp_path / "logs", layers=(2,), sentence="mean")
    assert written.points == 3
    plugin = Plugin(tmp_path / "logs")
    assert plugin.metadata("layer2")[::3] == [["line", "sentence"], ["3", LINES[3]]]
    expected = expected_vectors(LINES[3].split())[2].mean(axis=0)
    np.testing.assert_allclose(plugin.tensor("layer2")[2], expected, atol=1e-5)


def test_of_too_many_words_whole_sentences_are_drawn(model, tmp_path):
    (tmp_path / "text.txt").write_text("".join(f"word{n} a b\n" for n in range(100)))
    written = write_projector(model, tmp_path / "text.txt", tmp_path / "logs", max_points=10)
    assert (written.points, written.all_points) == (9, 300)
    lines = [row[1] for row in Plugin(tmp_path / "logs").metadata("layer0")[1:]]
    assert len(lines) == 9 and len(set(lines)) == 3


def test_a_single_sentence_of_too_many_words_is_cut(model, tmp_path):
    (tmp_path / "text.txt").write_text("a b c d e f\n")
    assert write_projector(model, tmp_path / "text.txt", tmp_path / "l", max_points=4).points == 4
    plugin = Plugin(tmp_path / "l")
    assert [row[0] for row in plugin.metadata("layer0")] == ["word", "a", "b", "c", "d"]
    assert plugin.tensor("layer2").shape == (4, 16)


def test_a_sample_is_as_likely_to_have_one_item_as_another():
    counts = np.zeros(50)
    sample = Sample(5)
    for _ in range(400):  # one generator goes on, so that the draws differ
        sample._heap, sample.kept = [], 0
        for item in range(50):
            sample.add(item)
        counts[sample.items()] += 1
    # 40 expected of each, with a deviation of 6
    assert counts.sum() == 2_000 and counts.min() > 15 and counts.max() < 70


def test_a_text_without_words_is_an_error(model, tmp_path):
    (tmp_path / "text.txt").write_text("\n \n")
    with pytest.raises(ValueError, match="has no words"):
        write_projector(model, tmp_path / "text.txt", tmp_path / "logs")
    assert not (tmp_path / "logs").exists()


def test_embed_projector_tells_what_it_left_out_and_what_to_do(model, text, tmp_path):
    logs = tmp_path / "logs"
    said = run("embed", model, text, logs, "--projector", "--max-points", 6)
    number = len((logs / "metadata.tsv").read_text().splitlines()) - 1
    assert f"Wrote {logs}: {number} words, each layer0, layer1, layer2 of 16 numbers." in said
    assert f"The text has 12; {12 - number} are left out" in said
    assert f"tensorboard --logdir {logs}" in said
    assert "exists already" in run("embed", model, text, logs, "--projector", exit_code=1)
    again = [model, text, logs, "--projector", "--overwrite", "--layers", "mix"]
    said = run("embed", *again, "--sentence", "max")
    assert "3 sentences, each mix of 16 numbers" in said and "left out" not in said
    files = {"metadata.tsv", "mix.tsv", "projector_config.pbtxt"}
    assert {path.name for path in logs.iterdir()} == files
    (logs / "thesis.tex").write_text("precious")
    assert "thesis.tex" in run("embed", *again, exit_code=1)


def test_embed_projector_has_no_float16(model, text, tmp_path):
    arguments = [model, text, tmp_path / "logs", "--projector", "--dtype", "float16"]
    assert "--dtype" in run("embed", *arguments, exit_code=2)
