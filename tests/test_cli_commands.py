"""Each command of the command line does what it says."""

import json
import re

import h5py
import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.weights import read_weights
from elmo_tf2.weights import write_model_folder as write_weights
from tests.cli_fixtures import (
    CONFIG,
    expected_vectors,
    read_features,
    run,
    write_model_folder,
)
from tests.weights.helpers import hub_variables, random_language_model, write_hub_module

pytestmark = pytest.mark.usefixtures("cached_encoder")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model_folder(tmp_path_factory.mktemp("cli") / "model")


@pytest.fixture(scope="module")
def saved_model(shared_export):
    """The same, exported."""
    return shared_export("spaces")


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    """A model folder with words and a softmax."""
    folder = tmp_path_factory.mktemp("cli") / "language_model"
    write_weights(random_language_model(CONFIG, np.random.default_rng(0)), folder)
    return folder


# inspect


def test_inspect_tells_a_model_folder(model):
    told = run("inspect", model)
    assert f"{model}: model folder" in told
    assert "parameters        5,204" in told
    assert "2 a direction, 12 units, projected to 8" in told
    assert "3 layers of 16 a word" in told
    assert "cell 1.5, projection 0.7" in told
    assert "weights 0.2, -0.1, 0.4 (shares 34%, 25%, 41%), gamma 1.3" in told


def test_inspect_counts_the_parameters_of_the_models_variables(model, saved_model):
    with h5py.File(model / "weights.hdf5") as file:
        sizes = []
        file.visititems(lambda _, item: sizes.append(getattr(item, "size", 0)))
    padding, mix = 4, 4
    number = sum(sizes) + padding
    assert f"  {number - mix:,}\n" in run("inspect", model)
    assert f"  {number:,}, of which 4 are trainable" in run("inspect", saved_model)


def test_inspect_tells_words_and_softmax_of_a_language_model(language_model):
    told = run("inspect", language_model)
    assert "vocabulary        7 words" in told
    assert "softmax           7 words of 8" in told


def test_inspect_tells_a_weight_file(model):
    assert "weights.hdf5: bilm hdf5" in run("inspect", model / "weights.hdf5")


def test_inspect_tells_a_saved_model_without_its_weights(saved_model, tmp_path):
    told = run("inspect", saved_model)
    assert "saved model" in told
    assert "default, serving_default  takes strings: string [?]" in told
    assert "takes sequence_len: int32 [?], tokens: string [?, ?]" in told
    assert "gives word_emb: float32 [?, ?, 8]" in told
    assert "weights 0.2, -0.1, 0.4" in told
    assert re.search(r"\n  tokenizer +spaces\n", told)
    assert "LSTM layers" in told


def test_convert_takes_a_saved_model(saved_model, model, tmp_path):
    told = run("convert", saved_model, tmp_path / "back")
    assert f"Converted saved model {saved_model} to the model folder" in told
    before, back = read_weights(model), read_weights(tmp_path / "back")
    assert back.config == before.config
    assert back.mix == before.mix
    assert all(np.array_equal(back.arrays[name], of) for name, of in before.arrays.items())


def test_inspect_tells_word_vectors_of_a_vocabulary(tmp_path):
    with h5py.File(tmp_path / "vectors.hdf5", "w") as file:
        file["embedding"] = np.zeros((5, 3), np.float32)
    assert "embedding  5 x 3 (words x numbers)" in run("inspect", tmp_path / "vectors.hdf5")


@pytest.mark.parametrize("content", [b"", b"\xff" * 100])
def test_inspect_tells_a_damaged_saved_model(tmp_path, content):
    (tmp_path / "saved_model.pb").write_bytes(content)
    message = run("inspect", tmp_path, exit_code=1)
    assert "saved_model.pb can't be read as a SavedModel" in message


def test_inspect_tells_a_saved_model_of_other_things(tmp_path):
    module = tf.Module()
    module.weight = tf.Variable(2.0)
    module.double = tf.function(lambda x: module.weight * x, input_signature=[tf.TensorSpec(None)])
    tf.saved_model.save(module, str(tmp_path), signatures={"double": module.double})
    told = run("inspect", tmp_path)
    assert "double  takes x: float32\n" in told
    assert "mix" not in told


def test_inspect_tells_golden_models_of_every_kind(golden):
    hub = run("inspect", golden / "tf1_hub")
    assert "tf1 hub module" in hub
    assert "to be found out  activation, clips" in hub
    assert "gamma 1.3" in hub
    assert "default  takes strings: string [?]" in hub
    checkpoint = run("inspect", golden / "bilm_checkpoint" / "model.ckpt-400")
    assert "tf1 checkpoint" in checkpoint
    assert "softmax           3,003 words of 32" in checkpoint
    assert "name" in run("inspect", golden / "bilm_checkpoint", exit_code=1).lower()


# convert


def test_convert_makes_the_same_model(model, tmp_path):
    said = run("convert", model / "weights.hdf5", tmp_path / "out")
    assert f"to the model folder {tmp_path / 'out'}" in said
    weights, copy = read_weights(model), read_weights(tmp_path / "out")
    assert copy.config == weights.config and copy.mix == weights.mix
    for name, array in weights.arrays.items():
        np.testing.assert_array_equal(copy.arrays[name], array)


def test_convert_takes_options_and_words_from_elsewhere(model, tmp_path):
    weights = tmp_path / "weights.hdf5"
    weights.write_bytes((model / "weights.hdf5").read_bytes())
    assert "options" in run("convert", weights, tmp_path / "out", exit_code=1)
    (tmp_path / "words").write_text("the\ncat\n")
    options = ["--options", model / "options.json", "--vocab", tmp_path / "words"]
    run("convert", weights, tmp_path / "out", *options)
    assert read_weights(tmp_path / "out").vocabulary == ("the", "cat")


def test_convert_overwrites_on_demand(model, tmp_path):
    for arguments, exit_code in (([], 0), ([], 1), (["--overwrite"], 0)):
        run("convert", model, tmp_path / "out", *arguments, exit_code=exit_code)


def test_convert_rounds_to_float16_on_demand(model, tmp_path):
    said = run("convert", model, tmp_path / "out", "--dtype", "float16")
    assert "Rounded to float16: 0.1 MB. The vectors of a few sentences change by " in said
    assert read_weights(tmp_path / "out").config == CONFIG


def test_convert_proves_a_tf1_hub_module(golden, tmp_path):
    said = run("convert", golden / "tf1_hub", tmp_path / "out")
    assert "differ by" in said and "e-0" in said
    assert "sentence boundaries are added inside" in said


def test_convert_tells_what_is_not_known_of_a_module_that_was_not_run(tmp_path):
    variables = hub_variables(random_language_model(CONFIG, np.random.default_rng(0)))
    module = write_hub_module(tmp_path / "module", variables)  # its graph is no graph
    said = run("convert", module, tmp_path / "out", "--no-prove")
    assert "The module was not run: activation, clips, skip connections and boundaries" in said


# export


@pytest.mark.slow
def test_export_tells_how_to_use_what_it_made(tmp_path, capsys):
    model = write_model_folder(tmp_path / "model", num_layers=1)
    said = run("export", model, tmp_path / "out", "--trainable", "all", "--tar")
    assert (tmp_path / "out.tar.gz").stat().st_size > 0
    assert "3,383, of which 3,383 are trainable" in run("inspect", tmp_path / "out")
    lines = said[said.index("import tensorflow_hub") :].strip().splitlines()
    code = "\n".join([*lines[:-1], f"print({lines[-1]}.shape)"])
    exec(code, {})
    assert capsys.readouterr().out.strip() == "(2, 6, 16)"


def test_export_takes_a_tokenizer_and_words_and_says_so(model, tmp_path):
    (tmp_path / "words.txt").write_text("cat\n's\n")
    words = ["--vocab", tmp_path / "words.txt"]
    run("export", model, tmp_path / "out", "--tokenizer", "words", *words)
    card = (tmp_path / "out" / "model_card.md").read_text(encoding="utf-8")
    assert "| the word vectors of 2 words |" in card
    assert "string [batch], split into words, punctuation apart |" in card
    assert re.search(r"\n  tokenizer +words\n", run("inspect", tmp_path / "out"))
    (tmp_path / "text.txt").write_text("It's a cat.\n")
    run("embed", tmp_path / "out", tmp_path / "text.txt", tmp_path / "out.hdf5")
    (vectors,) = read_features(tmp_path / "out.hdf5")
    expected = expected_vectors(["It", "'s", "a", "cat", "."])
    np.testing.assert_allclose(vectors, expected, atol=1e-5)


# embed


def test_embed_writes_the_vectors_of_every_line(model, saved_model, tmp_path):
    text = tmp_path / "text.txt"
    text.write_text("the cat\n\ndogs are in the fog")
    for source in (model, saved_model):
        out = tmp_path / f"{source.name}.hdf5"
        said = run("embed", source, text, out, "--batch-size", 1)
        assert f"Wrote {out}: 3 sentences, 7 words, each 3 layers of 16 numbers." in said
        features = read_features(out)
        for line, vectors in zip(text.read_text().split("\n"), features, strict=True):
            expected = expected_vectors(line.split()) if line else np.zeros((3, 0, 16))
            np.testing.assert_allclose(vectors, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [("words", ["It", "'s", "a", "cat", "."]), ("spaces", ["It's", "a", "cat."])],
)
def test_embed_takes_a_tokenizer(model, tmp_path, tokenizer, words):
    (tmp_path / "text.txt").write_text("It's a cat.\n")
    out = tmp_path / "out.hdf5"
    run("embed", model, tmp_path / "text.txt", out, "--tokenizer", tokenizer)
    (vectors,) = read_features(out)
    np.testing.assert_allclose(vectors, expected_vectors(words), atol=1e-5)


def test_embed_gives_a_tf1_hub_modules_own_vectors(golden, tmp_path):
    expected = np.load(golden / "tf1_hub.expected.npz")
    text = json.loads(str(expected["text"]))
    (tmp_path / "text.txt").write_text("\n".join([*text, ""]))
    run("embed", golden / "tf1_hub", tmp_path / "text.txt", tmp_path / "out.hdf5")
    for row, vectors in enumerate(read_features(tmp_path / "out.hdf5")):
        length = expected["default__sequence_len"][row]
        word_layer = np.tile(expected["default__word_emb"][row, :length], 2)
        layers = [expected[f"default__lstm_outputs{number}"][row, :length] for number in (1, 2)]
        np.testing.assert_allclose(vectors, [word_layer, *layers], atol=1e-5)


def test_embed_and_plot_do_not_run_a_module_that_is_not_trusted(tmp_path):
    variables = hub_variables(random_language_model(CONFIG, np.random.default_rng(0)))
    module = write_hub_module(tmp_path / "module", variables)  # its graph is no graph
    run("convert", module, tmp_path / "folder", "--no-prove")
    text = tmp_path / "text.txt"
    text.write_text("the cat\nthe cat is on the mat\n")
    vectors = []
    for model in (module, tmp_path / "folder"):
        run("embed", model, text, tmp_path / f"{model.name}.hdf5", "--no-prove")
        vectors.append(np.concatenate(list(read_features(tmp_path / f"{model.name}.hdf5")), axis=1))
        page = tmp_path / f"{model.name}.html"
        run("plot", "cat", text, "--model", model, "--out", page, "--no-prove")
    np.testing.assert_array_equal(*vectors)
    assert "can't be loaded" in run("embed", module, text, tmp_path / "out.hdf5", exit_code=1)
