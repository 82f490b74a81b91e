"""Model folders of ELMoForManyLangs."""

import json
import shutil

import numpy as np
import pytest

from elmo_tf2.weights.elmoformanylangs import is_elmoformanylangs, read_many_langs_model
from tests import elmoformanylangs_reference as reference
from tests.numpy_reference import relu, sigmoid
from tests.weights import torch_files as torch
from tests.weights.many_langs_folder import (
    CHARACTERS,
    PUBLISHED,
    SHAPES,
    WORDS,
    random_tensors,
    write_dictionary,
    write_json,
    write_many_langs_folder,
)


def edit(path, section, **values):
    options = json.loads(path.read_text(encoding="utf-8"))
    options[section] |= values
    write_json(path, options)


@pytest.fixture
def tensors(rng):
    return random_tensors(rng)


@pytest.fixture
def folder(tmp_path, tensors):
    return write_many_langs_folder(tmp_path / "many", tensors)


def save(folder, file, tensors):
    (folder / file).write_bytes(torch.saved(tensors))


def assert_same(actual, expected):
    assert actual.config == expected.config
    assert (actual.words, actual.characters) == (expected.words, expected.characters)
    assert actual.arrays.keys() == expected.arrays.keys()
    for name, array in expected.arrays.items():
        np.testing.assert_array_equal(actual.arrays[name], array, err_msg=name)


# What is read.


def test_sizes_and_dictionaries_are_read(folder):
    model = read_many_langs_model(folder)
    assert model.config == {
        "filters": ((3, 4), (1, 2)),
        "char_embedding_dim": 4,
        "max_characters": 50,
        "activation": "relu",
        "num_highway_layers": 2,
        "units": 5,
        "projection_dim": 3,
        "num_layers": 2,
        "cell_clip": 3.0,
        "projection_clip": 3.0,
        "use_skip_connections": True,
        "always_project": True,
        "token_embedder": "elmoformanylangs",
        "word_dim": 2,
    }
    assert model.words == tuple(WORDS)
    assert model.characters == tuple(CHARACTERS)
    assert model.source == str(folder)
    assert all(array.dtype == np.float32 for array in model.arrays.values())


def test_weights_get_bilm_tfs_layout(folder, tensors):
    """They compute what the original's equations do with its own tensors."""
    model = read_many_langs_model(folder)
    theirs = tensors["token_embedder.pkl"]
    ids = reference.char_ids(model, "cat")
    x = theirs["char_emb_layer.embedding.weight"][ids]
    u = []
    for k, width in enumerate((3, 1)):
        kernel = theirs[f"convolutions.{k}.weight"]
        windows = np.stack([x[t : t + width].T for t in range(len(x) - width + 1)])
        over_time = np.einsum("tdj,fdj->tf", windows, kernel) + theirs[f"convolutions.{k}.bias"]
        u.append(relu(over_time.max(0)))
    u = np.concatenate(u)
    for i in range(2):
        z = theirs[f"highways._layers.{i}.weight"] @ u + theirs[f"highways._layers.{i}.bias"]
        gate = sigmoid(z[6:])
        u = gate * u + (1 - gate) * relu(z[:6])
    word = theirs["word_emb_layer.embedding.weight"][WORDS.index("cat")]
    x = theirs["projection.weight"] @ np.concatenate([word, u]) + theirs["projection.bias"]
    np.testing.assert_allclose(reference.token_vector(model, "cat"), x, atol=1e-5)

    for number, direction in enumerate(("forward", "backward")):
        wx, wh, b, wp = (
            tensors["encoder.pkl"][f"{direction}_layer_1.{key}"]
            for key in (
                "input_linearity.weight",
                "state_linearity.weight",
                "state_linearity.bias",
                "state_projection.weight",
            )
        )
        h, c, expected = np.zeros(3), np.zeros(5), []
        for step in (x, -x):
            i, f, g, o = np.split(wx @ step + wh @ h + b, 4)
            c = np.clip(sigmoid(i) * np.tanh(g) + sigmoid(f) * c, -3, 3)
            h = np.clip(wp @ (sigmoid(o) * np.tanh(c)), -3, 3)
            expected.append(h)
        found = reference.lstm(model, [x, -x], number, 1)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_without_its_architecture_a_published_model_has_the_tensors_sizes(folder):
    expected = read_many_langs_model(folder)
    (folder / PUBLISHED).unlink()
    assert_same(read_many_langs_model(folder), expected)


@pytest.mark.parametrize(
    "named", ["sizes.json", "./sizes.json", "configs/sizes.json", "C:\\x\\sizes.json"]
)
def test_the_architecture_is_where_config_json_names_it(folder, named):
    expected = read_many_langs_model(folder)
    write_json(folder / "config.json", {"config_path": named})
    place = folder / ("configs/sizes.json" if "configs" in named else "sizes.json")
    place.parent.mkdir(exist_ok=True)
    (folder / PUBLISHED).rename(place)
    assert_same(read_many_langs_model(folder), expected)


@pytest.mark.parametrize("is_absolute", [True, False])
def test_no_file_outside_of_the_folder_is_read(folder, is_absolute):
    outside = folder.parent / PUBLISHED
    outside.write_text("not JSON")
    named = str(outside) if is_absolute else f"../{PUBLISHED}"
    write_json(folder / "config.json", {"config_path": named})
    read_many_langs_model(folder)
    (folder / PUBLISHED).unlink()
    read_many_langs_model(folder)


def test_no_clip_is_null_or_zero(folder):
    edit(folder / PUBLISHED, "encoder", cell_clip=None, proj_clip=0)
    config = read_many_langs_model(folder).config
    assert config["cell_clip"] is None
    assert config["projection_clip"] is None


def test_names_are_compared_without_case(folder):
    edit(folder / PUBLISHED, "encoder", name="ELMo")
    edit(folder / PUBLISHED, "token_embedder", name="CNN")
    read_many_langs_model(folder)


def without(part, tensors):
    """The token embedder without words or characters."""
    kept = {k: v for k, v in tensors["token_embedder.pkl"].items() if k.startswith("projection")}
    theirs = tensors["token_embedder.pkl"]
    if part == "characters":
        kept |= {k: v for k, v in theirs.items() if k.startswith("word")}
        return kept | {"projection.weight": theirs["projection.weight"][:, :2]}
    kept |= {k: v for k, v in theirs.items() if not k.startswith("word")}
    return kept | {"projection.weight": theirs["projection.weight"][:, 2:]}


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_a_model_of_words_alone_needs_no_characters(folder, tensors, name):
    save(folder, "token_embedder.pkl", without("characters", tensors))
    (folder / "char.dic").unlink()
    edit(folder / PUBLISHED, "token_embedder", char_dim=0, name=name)
    model = read_many_langs_model(folder)
    assert model.config["filters"] == model.characters == ()
    assert model.config["max_characters"] == (50 if name == "cnn" else 10_000)
    assert model.config["num_highway_layers"] == 0
    assert not [name for name in model.arrays if name.startswith(("char", "CNN/", "CNN_high"))]
    if name == "cnn":
        (folder / PUBLISHED).unlink()
        assert_same(read_many_langs_model(folder), model)


def test_a_model_of_characters_alone_needs_no_words(folder, tensors):
    save(folder, "token_embedder.pkl", without("words", tensors))
    (folder / "word.dic").unlink()
    edit(folder / PUBLISHED, "token_embedder", word_dim=0)
    model = read_many_langs_model(folder)
    assert model.words == ()
    assert "embedding" not in model.arrays


# What is refused.


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("encoder", {"name": "LSTM"}, 'the encoder "lstm" is not supported'),
        ("encoder", {"name": "gru"}, "`encoder.name` must be one of"),
        ("encoder", {"dim": 6}, r"expected \(24,\), found \(20,\)"),
        ("encoder", {"dim": 0}, "`dim` must be a positive integer"),
        ("encoder", {"n_layers": 1}, r"layer_1.*: expected no such key, found \(20, 3\)"),
        ("encoder", {"n_layers": 1000}, r"layer_10\..*, found none"),
        ("encoder", {"cell_clip": -1}, "`cell_clip` must be a number > 0"),
        ("token_embedder", {"name": "lstm"}, "with characters does not run in ELMoForManyLangs"),
        ("token_embedder", {"name": None}, "`token_embedder.name` must be one of"),
        ("token_embedder", {"activation": "gelu"}, "`activation` must be one of"),
        ("token_embedder", {"filters": [[1, 2], [3, 4]]}, r"convolutions.0.bias`: expected \(2,\)"),
        ("token_embedder", {"filters": [[51, 4]]}, "no wider than a word's 50 characters"),
        ("token_embedder", {"max_characters_per_token": 6}, "must be an integer >= 7"),
        ("token_embedder", {"n_highway": 1}, "highways._layers.1.*: expected no such key"),
        ("token_embedder", {"word_dim": 0}, "word_emb_layer.*: expected no such key"),
    ],
)
def test_an_architecture_that_is_not_the_tensors_is_refused(folder, section, values, message):
    edit(folder / PUBLISHED, section, **values)
    with pytest.raises(ValueError, match=f"(?s){PUBLISHED}.*{message}"):
        read_many_langs_model(folder)


def test_an_architecture_has_two_sections(folder):
    write_json(folder / PUBLISHED, {"encoder": 3})
    with pytest.raises(
        ValueError, match=f"{PUBLISHED}: `encoder`, `token_embedder` must be objects. Found"
    ):
        read_many_langs_model(folder)
    write_json(folder / PUBLISHED, {})
    with pytest.raises(ValueError, match="`encoder`, `token_embedder` must be objects"):
        read_many_langs_model(folder)


def test_an_architecture_is_json(folder):
    (folder / PUBLISHED).write_text("<html>")
    with pytest.raises(ValueError, match=f"^[^ ]*{PUBLISHED} is not a JSON file"):
        read_many_langs_model(folder)


def test_an_unknown_architecture_must_be_there(folder):
    write_json(folder / "config.json", {"config_path": "/home/me/mine.json"})
    with pytest.raises(FileNotFoundError, match=r"has no file 'mine.json',.*Put it there"):
        read_many_langs_model(folder)


@pytest.mark.parametrize("config", [{}, {"config_path": None}, {"config_path": "a\0b"}])
def test_config_json_names_an_architecture(folder, config):
    write_json(folder / "config.json", config)
    with pytest.raises(ValueError, match="config.json: `config_path` must name a file"):
        read_many_langs_model(folder)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("encoder.pkl", "forward_layer_0.", "encoder.", 'the encoder "lstm" is not'),
        (
            "encoder.pkl",
            "state_projection",
            "state",
            r"input_linearity.weight`: expected .16384, 512",
        ),
        ("token_embedder.pkl", "convolutions.0.bias", "char_lstm.weight_ih_l0", "does not run in"),
        ("token_embedder.pkl", "convolutions.1.weight", "x", "no such key"),
        ("token_embedder.pkl", "highways._layers.1.", "highways._layers.2.", "no such key"),
        ("token_embedder.pkl", "word_emb_layer", "words", "no such key"),
    ],
)
def test_tensors_of_no_published_model_are_refused(folder, tensors, file, old, new, message):
    (folder / PUBLISHED).unlink()
    save(folder, file, {key.replace(old, new): value for key, value in tensors[file].items()})
    with pytest.raises(ValueError, match=message):
        read_many_langs_model(folder)


@pytest.mark.parametrize("name", ["word_emb_layer.embedding.weight", "convolutions.0.weight"])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4, 5)])
def test_tensors_of_other_axes_are_refused(folder, tensors, name, shape):
    (folder / PUBLISHED).unlink()
    tensors["token_embedder.pkl"][name] = np.ones(shape)
    save(folder, "token_embedder.pkl", tensors["token_embedder.pkl"])
    with pytest.raises(ValueError, match="does not fit the sizes|filters: width|word_dim"):
        read_many_langs_model(folder)


@pytest.mark.parametrize("file", SHAPES)
def test_weights_are_finite(folder, tensors, file):
    next(iter(tensors[file].values()))[0] = np.nan
    save(folder, file, tensors[file])
    with pytest.raises(ValueError, match=f"{file}: `.*` must hold finite float32 numbers"):
        read_many_langs_model(folder)


@pytest.mark.parametrize("file", ["config.json", "encoder.pkl", "token_embedder.pkl"])
def test_a_missing_file_is_named(folder, file):
    (folder / file).unlink()
    assert is_elmoformanylangs(folder)
    with pytest.raises(FileNotFoundError, match=file):
        read_many_langs_model(folder)


@pytest.mark.parametrize("file", ["word.dic", "char.dic"])
def test_a_missing_dictionary_is_named(folder, file):
    (folder / file).unlink()
    with pytest.raises(FileNotFoundError, match=file):
        read_many_langs_model(folder)


def test_a_folder_is_known_by_its_files(folder, model_folder):
    assert is_elmoformanylangs(folder)
    assert not is_elmoformanylangs(model_folder)
    assert not is_elmoformanylangs(folder / "nothing")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<oov>\t0\n", "word.dic has 1 entries, but the table in .* has 6 rows: .*different"),
        ("a\tx\n", "word.dic, line 1: expected an entry, a tab, a number. Found: 'a.tx"),
        ("a\t1\nb\tc\t2\n", "word.dic, line 2: expected"),
        ("a\t1\n\nb\t2\n", "word.dic, line 2: expected"),
        ("a\t-1\n", "word.dic, line 1: expected"),
        ("a\t1\na\t2\n", "word.dic, line 2: the entry 'a' is there twice"),
        ("a\t0\nb\t1\nc\t2\nd\t3\ne\t4\nf\t6\n", "its entries must have the numbers 0 to 5"),
        ("a\t0\nb\t1\nc\t2\nd\t3\ne\t4\nf\t4\n", "its entries must have the numbers 0 to 5"),
        ("a\t0\nb\t1\nc\t2\nd\t3\ne\t4\nf\t5\n", "word.dic has no entry `<oov>`"),
        ("\u00e9\t0\n".encode("latin-1"), "word.dic is not UTF-8"),
    ],
)
def test_a_dictionary_is_one_of_the_table(folder, text, message):
    (folder / "word.dic").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        read_many_langs_model(folder)


@pytest.mark.parametrize("name", ["<bos>", "<eos>", "<oov>", "<pad>", "<bow>", "<eow>"])
def test_six_characters_have_fixed_names(folder, name):
    write_dictionary(folder / "char.dic", [c.replace(name, "zz") for c in CHARACTERS])
    with pytest.raises(ValueError, match=f"char.dic has no entry `{name}`"):
        read_many_langs_model(folder)


# The golden models.

GOOD = ["both", "char", "word", "lstm", "tanh3", "noclip", "cuda"]
STILL_READ = {"encoder_name_ELMo", "trailing_bytes"}  # these mean what they seem to


def golden_folder(golden, name):
    folder = golden / "elmoformanylangs" / name
    if not folder.is_dir():
        pytest.skip("the golden models of ELMoForManyLangs are not here")
    return folder


@pytest.mark.parametrize("name", GOOD)
def test_golden_models_give_the_originals_layers(golden, name):
    folder = golden_folder(golden, name)
    model = read_many_langs_model(folder)
    # of float32; a mistake gives 0.02 or more
    for files, prefix, atol in (("", "s", 2e-5), ("edge_", "e", 5e-5)):
        sentences = json.loads((folder / f"{files}sentences.json").read_text(encoding="utf-8"))
        with np.load(folder / f"{files}expected.npz") as expected:
            assert len(expected.files) == len(sentences)
            for i, sentence in enumerate(sentences):
                found, wanted = reference.layers(model, sentence), expected[f"{prefix}{i}"]
                np.testing.assert_allclose(found, wanted, rtol=0, atol=atol, err_msg=str(i))


@pytest.mark.parametrize("name", GOOD)
def test_golden_models_give_the_originals_ids(golden, name):
    folder = golden_folder(golden, name)
    model = read_many_langs_model(folder)
    sentences = json.loads((folder / "sentences.json").read_text(encoding="utf-8"))
    with np.load(folder / "ids.npz") as expected:
        for i, sentence in enumerate(sentences):
            tokens = ["<bos>", *sentence, "<eos>"]
            if model.words:
                found = [reference.word_id(model, token) for token in tokens]
                np.testing.assert_array_equal(found, expected[f"w{i}"])
            if model.characters:
                found = [reference.char_ids(model, token) for token in tokens]
                np.testing.assert_array_equal(found, expected[f"c{i}"])


@pytest.mark.parametrize("name", GOOD)
def test_golden_models_are_the_same_in_zip_files(golden, name):
    zipped = read_many_langs_model(golden_folder(golden, f"{name}_zip"))
    assert_same(zipped, read_many_langs_model(golden_folder(golden, name)))


def test_golden_variants_are_read(golden):
    expected = read_many_langs_model(golden_folder(golden, "noclip"))
    for folder in golden_folder(golden, "variants").iterdir():
        assert_same(read_many_langs_model(folder), expected)


def test_golden_models_are_read_without_their_architecture(golden, tmp_path):
    folder = golden_folder(golden, "both")
    without = shutil.ignore_patterns("cnn_*.json")
    shutil.copytree(folder, tmp_path / "both", ignore=without, copy_function=shutil.copyfile)
    assert_same(read_many_langs_model(tmp_path / "both"), read_many_langs_model(folder))


def test_golden_broken_models_give_one_clear_error(golden, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [*golden_folder(golden, "broken").iterdir()]
    assert len(folders) > 30
    folders += [golden_folder(golden, name) for name in ("tampered", "lstm_encoder")]
    for folder in folders:
        assert is_elmoformanylangs(folder)
        if folder.name in STILL_READ:
            read_many_langs_model(folder)
        else:
            with pytest.raises((ValueError, FileNotFoundError), match=folder.name):
                read_many_langs_model(folder)
    assert not [*tmp_path.iterdir()]
