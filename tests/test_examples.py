"""The examples, each run as a user runs it: in a process of its own."""

import re
import runpy
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.features import embed_file
from tests import REPOSITORY
from tests.processes import run_python

EXAMPLES = REPOSITORY / "examples"
SHORT = ("--sentences", 20, "--epochs", 1)


@pytest.fixture
def saved_model(shared_export):
    """A small exported model."""
    return shared_export("one_layer")


@pytest.fixture(scope="module")
def no_package(tmp_path_factory):
    """A folder for the path, by which elmo_tf2 can't be imported."""
    folder = tmp_path_factory.mktemp("no_package")
    (folder / "elmo_tf2.py").write_text("raise ImportError('elmo_tf2 was imported')\n")
    return folder


@pytest.fixture(scope="module")
def shared():
    """What is in the module that the examples share."""
    return runpy.run_path(str(EXAMPLES / "tagging.py"))


def run(script, *arguments, path=REPOSITORY, eagerly=True):
    """What an example prints."""
    script = EXAMPLES / f"{script}.py"
    result = run_python(script, *arguments, cwd="/", eagerly=eagerly, PYTHONPATH=str(path))
    assert result.returncode == 0, result.stderr[-3000:]
    return result.stdout


def accuracies(said):
    """The shares of a tagger's right tags, in the order in which they were printed."""
    return [float(share) for share in re.findall(r"^  .* ([\d.]+)%", said, re.MULTILINE)]


@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.stem)
def test_an_example_has_fewer_than_80_lines(script):
    assert len(script.read_text(encoding="utf-8").splitlines()) < 80


@pytest.mark.parametrize("part", ["train", "test"])
def test_the_words_of_the_data_are_those_of_its_text(shared, part):
    for text, words, tags in shared["read_conllu"](EXAMPLES / "data" / f"{part}.conllu"):
        assert "".join(words) == text.replace(" ", "")
        assert len(words) == len(tags)


@pytest.mark.parametrize("text", ["", "It\tPRON\n", "1\tIt\t_\tPRP" + "\t_" * 6])
def test_a_file_that_is_no_conllu_is_refused(shared, tmp_path, text):
    (tmp_path / "own.conllu").write_text(text)
    with pytest.raises(ValueError, match="own.conllu must be CoNLL-U"):
        shared["read_conllu"](tmp_path / "own.conllu")


def test_the_accuracy_is_the_share_of_the_words_whatever_the_padding(shared):
    test = shared["batches"](shared["read_conllu"](shared["TEST"], 40))
    vocabulary = ["the", ".", "a", "to"]
    words = keras.Input((None,), dtype="string")
    ids = keras.layers.StringLookup(vocabulary=vocabulary, mask_token="")(words)
    scores = keras.layers.Embedding(6, len(shared["TAGS"]), "normal", mask_zero=True)(ids)
    model = keras.Model(words, keras.layers.Activation("softmax")(scores))
    model.compile(loss="sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    right = [
        (model(words).numpy().argmax(-1) == tags)[weights > 0]
        for words, tags, weights in test.as_numpy_iterator()
    ]
    _, accuracy = model.evaluate(test, verbose=0)
    assert accuracy == pytest.approx(np.concatenate(right).mean(), abs=1e-6)


def assert_a_tagger_was_saved(said, tagged, folder, inputs):
    """Both accuracies were printed, the mix has learned, and what was exported serves."""
    without, with_elmo = accuracies(said)
    assert 0 < without < 100
    assert 0 < with_elmo < 100
    shares = [float(share) for share in re.search(r"Shares .*: (.*)", said)[1].split(", ")]
    assert sum(shares) == pytest.approx(1, abs=2e-3)  # each was rounded to 3 digits
    assert len(set(shares)) > 1  # as they were in the beginning
    tags = [word.split("/")[1] for word in tagged.split()]
    served = tf.saved_model.load(str(folder / "serving"))
    (probabilities,) = served.serve(inputs)
    names = runpy.run_path(str(EXAMPLES / "tagging.py"))["TAGS"]
    assert tags == [names[number] for number in np.argmax(probabilities, axis=-1)]


@pytest.mark.slow
def test_the_tagger_with_the_preset_is_ahead_and_is_used_by_another_process(tmp_path):
    # `fit` makes graphs here, as it does for users, and not in the other examples
    said = run("keras_tagger", tmp_path, "--sentences", 40, "--epochs", 2, eagerly=False)
    tagged = run("keras_tagger", tmp_path, "--tag", "It rains .")
    assert_a_tagger_was_saved(said, tagged, tmp_path, tf.constant([["It", "rains", "."]]))
    without, with_elmo = accuracies(said)
    assert with_elmo > without + 5  # some 20 in fact


@pytest.mark.slow
def test_the_tagger_of_a_saved_model_needs_no_package(saved_model, no_package, tmp_path):
    arguments = saved_model, tmp_path
    said = run("saved_model_tagger", *arguments, *SHORT, path=no_package)
    tagged = run("saved_model_tagger", *arguments, "--tag", "It rains .", path=no_package)
    inputs = {"tokens": tf.constant([["It", "rains", "."]]), "sequence_len": tf.constant([3])}
    assert_a_tagger_was_saved(said, tagged, tmp_path, inputs)


@pytest.mark.slow
def test_the_tagger_of_tf_keras_leaves_elmo_alone_and_then_tunes_it(saved_model, no_package):
    said = run("tf_keras_hub_layer", saved_model, *SHORT, path=no_package)
    assert len(accuracies(said)) == 2
    moved = re.findall(r"(\d+) of ELMo's \d+ variables moved", said)
    assert moved == ["0", "2"]  # the weighted sum's, of a model that was exported to train these


@pytest.mark.slow
def test_the_eager_script_tells_outputs_and_words_apart(saved_model, no_package):
    said = run("eager_hub_load", saved_model, "--sentences", 60, path=no_package)
    assert "  lstm_outputs1 float32  (2, 5, 8)" in said
    shares = dict(re.findall(r"^  (\w+) +([\d.]+)%", said, re.MULTILINE))
    assert set(shares) == {"elmo", "lstm_outputs1", "word_emb"}


@pytest.mark.slow
def test_the_pipeline_gives_the_same_of_text_and_of_a_feature_file(
    saved_model, no_package, shared, tmp_path, monkeypatch, capsys
):
    sentences = shared["read_conllu"](shared["TEST"], 50)
    (tmp_path / "text.txt").write_text("\n".join(text for text, _, _ in sentences))
    vectors = tmp_path / "vectors.tfrecord"
    embed_file(saved_model, tmp_path / "text.txt", vectors, layers="mix")
    of_text = run("tf_data_pipeline", saved_model, "--sentences", 50, path=no_package)
    # In this process, which has imported TensorFlow already.
    monkeypatch.syspath_prepend(EXAMPLES)
    monkeypatch.setattr(sys, "argv", ["tf_data_pipeline.py", str(vectors)])
    runpy.run_path(str(EXAMPLES / "tf_data_pipeline.py"), run_name="__main__")
    of_file = capsys.readouterr().out
    assert "1 of shape (" in of_text
    in_seconds = re.compile(r"in [\d.]+ s")
    assert in_seconds.sub("", of_text) == in_seconds.sub("", of_file)
