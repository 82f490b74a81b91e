"""The demonstration: its sentences, its figures checked by hand, its picture, the command."""

import contextlib
import functools
import io
import re
import shutil
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2 import presets
from elmo_tf2.data.tokenizers import tokenize
from elmo_tf2.demo import (
    LANGUAGES,
    VERDICTS,
    demo,
    demonstrate,
    draw_senses,
    read_senses,
    word_vectors,
)
from elmo_tf2.demo.figures import figures_of
from elmo_tf2.plot import Quote
from elmo_tf2.plot.vectors import plane_of
from tests.cli_fixtures import expected_vectors, run, write_model_folder
from tests.processes import run_python
from tests.saved_models import copied

PARTS = {"model", "word_vectors.py", "senses.json", "vectors.npz", "senses.png"}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("demo") / "model")


@pytest.fixture
def one_export(shared_export, monkeypatch):
    """In place of the demo's export, which takes seconds: a copy of one of the same model."""
    monkeypatch.setattr(demo, "export_saved_model", copied(shared_export("words")))


@functools.cache
def loaded(saved_model):
    return tf.saved_model.load(str(saved_model))


@pytest.fixture
def in_this_process(one_export, shared_export, monkeypatch):
    """The script is run without a process of its own, and what it loads is loaded once."""

    def load(path):
        assert Path(path, "saved_model.pb").is_file()
        return loaded(shared_export("words"))

    def run_here(folder, saved_model):
        with monkeypatch.context() as context:
            context.chdir(folder)
            context.setattr(word_vectors.hub, "load", load)
            context.setattr(sys, "argv", ["x", saved_model, "senses.json", "vectors.npz"])
            with contextlib.redirect_stdout(io.StringIO()) as said:
                word_vectors.main()
        return said.getvalue()

    monkeypatch.setattr(demo, "_run", run_here)


# The sentences.


def test_the_words_of_the_issue_are_there_with_their_sentences():
    senses = read_senses()
    assert senses["apple"]["fruit"][0] == "I like to eat apple"
    assert senses["apple"]["company"][0] == "I like apple products"
    assert {"bank", "spring"} <= set(senses)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_has_its_word_once_and_every_sense_as_many(language):
    for word, senses in read_senses(language).items():
        assert len(senses) >= 2 and {len(sentences) for sentences in senses.values()} == {6}
        sentences = [sentence for group in senses.values() for sentence in group]
        assert len(set(sentences)) == len(sentences)
        if language == "zh":
            assert {sentence.count(word) for sentence in sentences} == {1}
        else:
            tokens, _ = tokenize(tf.constant(sentences), "words")
            assert (tokens.numpy() == word.encode()).sum(axis=1).tolist() == [1] * len(sentences)


def test_a_language_without_sentences_is_an_error():
    with pytest.raises(ValueError, match="`language` must be one of"):
        read_senses("de")


# The figures.

# Unit vectors in the plane, by their angles; cosines are those of the angles between them.
ANGLES = np.radians([0, 10, 20, 90, 100])
VECTORS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
SENSES = {"low": ["a", "b", "c"], "high": ["d", "e"]}


def test_figures_checked_by_hand():
    figures = figures_of("word", SENSES, {"top": 3 * VECTORS}, "top")
    low, high = figures.queries
    cos = {angle: np.cos(np.radians(angle)) for angle in (10, 20, 70, 80, 90, 100)}
    assert (low.sentence, low.sense, low.nearest) == ("a", "low", "low")
    assert low.cosines["low"] == pytest.approx((cos[10] + cos[20]) / 2, abs=1e-5)
    assert low.cosines["high"] == pytest.approx((cos[90] + cos[100]) / 2, abs=1e-5)
    assert (high.sentence, high.nearest) == ("d", "high")
    assert high.cosines["low"] == pytest.approx((cos[90] + cos[80] + cos[70]) / 3, abs=1e-5)
    assert high.cosines["high"] == pytest.approx(cos[10], abs=1e-5)
    assert figures.accuracy == {"top": 1.0}
    # of the 20 ordered pairs, 3 * 2 + 2 * 1 are of one sense
    assert figures.chance == pytest.approx(8 / 20)
    assert figures.verdict == "separates"


def test_a_wrong_neighbour_is_counted():
    vectors = VECTORS[[0, 1, 3, 2, 4]]  # "c" and "d" have changed places
    figures = figures_of("word", SENSES, {"top": vectors}, "top")
    # a is nearest to b, b to a and d alike, c to e, d to b, e to c
    assert figures.accuracy["top"] == pytest.approx(1.5 / 5)
    assert figures.verdict == "does not separate"


def test_equal_vectors_are_as_good_as_chance():
    vectors = np.ones((5, 3)) + 1e-8 * np.random.default_rng(0).normal(size=(5, 3))
    figures = figures_of("word", SENSES, {"word_emb": vectors}, "word_emb")
    assert figures.accuracy["word_emb"] == pytest.approx(figures.chance)
    assert figures.verdict == "does not separate"


def test_a_query_that_is_nearest_to_another_sense_makes_it_separate_in_part():
    # Pairs of neighbours; the first one of "low" lies in the middle of "high".
    angles = np.radians([50, 51, 120, 121, 40, 41, 60, 61])
    vectors = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    senses = {"low": list("abcd"), "high": list("efgh")}
    figures = figures_of("word", senses, {"top": vectors}, "top")
    assert figures.accuracy["top"] == 1.0
    assert figures.queries[0].nearest == "high"
    assert figures.verdict == "separates in part"
    assert figures.verdict in VERDICTS


def test_the_plane_keeps_the_distances_of_unit_vectors_in_a_plane():
    points = plane_of(5 * VECTORS)
    for i, j in ((0, 1), (0, 4), (2, 3)):
        wanted = np.linalg.norm(VECTORS[i] - VECTORS[j])
        assert np.linalg.norm(points[i] - points[j]) == pytest.approx(wanted)


def test_the_plane_of_equal_vectors_is_a_point():
    assert not plane_of(np.ones((4, 6), np.float32)).any()
    assert plane_of(np.array([[1.0], [-1.0]])).shape == (2, 2)


# The picture.


def snippet_of(sentence, word):
    start = sentence.index(word)
    return Quote(sentence, start, start + len(word), "").snippet()


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("I like to eat apple", "I like to eat apple"),
        ("A ripe apple fell from the branch into the grass.", "A ripe apple fell from the…"),
        ("apple", "apple"),
        ("The shares and bonds of an old apple.", "…and bonds of an old apple."),
    ],
)
def test_a_snippet_has_the_word_and_its_neighbours(sentence, expected):
    assert snippet_of(sentence, "apple") == expected


@pytest.mark.parametrize("word", read_senses())
def test_snippets_are_short_and_hold_the_word(word):
    for sentences in read_senses()[word].values():
        for sentence in sentences:
            snippet = snippet_of(sentence, word)
            assert word in snippet and len(snippet) <= 28


def test_a_picture_is_drawn_of_any_vectors(tmp_path, rng):
    senses = read_senses()["spring"]
    layers = {"word_emb": np.ones((18, 8)), "lstm_outputs1": rng.normal(size=(18, 8))}
    draw_senses(tmp_path / "senses.png", "spring", senses, layers)
    assert (tmp_path / "senses.png").read_bytes().startswith(b"\x89PNG")


# The command.


@pytest.mark.usefixtures("in_this_process")
def test_the_demo_prints_what_it_computes_and_writes_its_parts(model, tmp_path):
    said = run("demo", tmp_path / "out", "--model", model, "--word", "bank")
    assert {path.name for path in (tmp_path / "out").iterdir()} == PARTS
    assert f"A picture of bank: {tmp_path / 'out' / 'senses.png'}" in said
    (query,) = re.findall(r"She put all her money in the bank\.  .*", said)
    assert re.search(r"river [+-]0\.\d+  money [+-]0\.\d+", query)
    table = {line.split()[0]: line for line in said.splitlines() if line.startswith("  ")}
    for word, senses in read_senses().items():
        line = table[word]
        assert ", ".join(senses) in line and line.endswith(VERDICTS)
        # without context, layers 1 and 2, mix, chance
        shares = list(map(int, re.findall(r" (\d+)(?= )", line)))
        assert len(shares) == 5 and shares[0] == shares[4]
    assert len(said.splitlines()) < 30 and "I like to eat apple" not in said
    details = run("demo", tmp_path / "out", "--model", model, "--details", "--overwrite")
    assert re.search(r"I like to eat apple {4}fruit [+-]0\.\d+  company [+-]0\.\d+", details)


@pytest.mark.usefixtures("in_this_process")
def test_the_demo_has_chinese_sentences(model, tmp_path):
    named = tmp_path / "elmo_zh"
    shutil.copytree(model, named)
    said = run("demo", tmp_path / "out", "--model", named)
    assert "苹果, mean cosine" in said and "  我喜欢吃苹果    水果 " in said
    with np.load(tmp_path / "out" / "vectors.npz") as arrays:
        found = arrays["苹果/lstm_outputs2"][6]
    characters = expected_vectors(list("我喜欢苹果产品"))  # (layers, tokens, dimensions)
    expected = characters[2, 3:5].mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.usefixtures("in_this_process")
def test_the_vectors_are_those_of_the_reference(model, tmp_path):
    made = demonstrate(model, tmp_path / "out")
    layers = made.vectors["apple"]
    assert list(layers) == ["word_emb", "lstm_outputs1", "lstm_outputs2", "elmo"]
    expected = expected_vectors("I like apple products".split())[:, 2]
    np.testing.assert_allclose(layers["lstm_outputs2"][6], expected[2], atol=1e-5)
    np.testing.assert_allclose(layers["word_emb"][6], expected[0, :8], atol=1e-5)
    again = demonstrate(model, tmp_path / "out", overwrite=True)
    assert again.words == made.words


@pytest.mark.usefixtures("in_this_process")
def test_without_matplotlib_the_demo_tells_how_to_get_a_picture(model, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said = run("demo", tmp_path / "out", "--model", model)
    assert "pip install matplotlib" in said
    assert {path.name for path in (tmp_path / "out").iterdir()} == PARTS - {"senses.png"}


@pytest.fixture
def forked(monkeypatch):
    """The script's process has imported TensorFlow already, and can't import this package."""

    def run_forked(command, cwd, env, **_):
        return run_python(*command[1:], cwd=cwd, blocked=("elmo_tf2",), **env)

    monkeypatch.setattr(demo, "subprocess", types.SimpleNamespace(run=run_forked))


@pytest.mark.slow
@pytest.mark.usefixtures("forked")
def test_another_process_that_knows_tensorflow_alone_computes_the_same(model, tmp_path):
    made = demonstrate(model, tmp_path / "out")
    assert "apple: 'I like to eat apple' is nearest to" in made.said
    script = (made.folder / "word_vectors.py").read_text(encoding="utf-8")
    imports = set(re.findall(r"^(?:import|from) (\w+)", script, flags=re.MULTILINE))
    assert imports == {"json", "os", "sys", "typing", "numpy", "tensorflow", "tensorflow_hub"}
    expected = expected_vectors("I like apple products".split())[2, 2]
    np.testing.assert_allclose(made.vectors["apple"]["lstm_outputs2"][6], expected, atol=1e-5)


@pytest.mark.slow
def test_a_script_that_fails_is_an_error_and_leaves_nothing(model, tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "export_saved_model", lambda elmo, path, source: path.mkdir())
    with pytest.raises(ChildProcessError, match="(?s)ended with code 1.*contains neither"):
        demonstrate(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_demo_without_the_presets_weights_is_an_error_in_a_line(tmp_path, monkeypatch):
    (tmp_path / "presets" / "elmo_mini_en").mkdir(parents=True)
    monkeypatch.setattr(presets, "_presets_folder", lambda: tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    (line,) = run("demo", exit_code=1).splitlines()
    assert line.startswith("Error: The weights of the preset 'elmo_mini_en' did not come with")
    assert not (tmp_path / "elmo_demo").exists()


def test_mistakes_are_told_before_the_work(model, tmp_path):
    (tmp_path / "thesis.tex").write_text("precious")
    assert "exists already" in run("demo", tmp_path, "--model", model, exit_code=1)
    said = run("demo", tmp_path, "--model", model, "--overwrite", exit_code=1)
    assert "thesis.tex" in said and (tmp_path / "thesis.tex").exists()
    said = run("demo", tmp_path / "out", "--model", model, "--word", "pear", exit_code=2)
    assert "There are sentences for these words: apple, bank" in said
