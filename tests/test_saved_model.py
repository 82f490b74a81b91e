"""The exporter, in this process; users of what it writes are in test_saved_model_consumers.py."""

import dataclasses
import tarfile
from pathlib import PurePosixPath

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_hub as hub

from elmo_tf2 import saved_model
from elmo_tf2.models import ElmoEmbeddings
from elmo_tf2.saved_model import ExportedElmo, export_saved_model
from elmo_tf2.weights.saved_graph import load_graph
from tests import numpy_reference as reference
from tests.layer_checks import to_float64
from tests.small_elmo import CONFIG, GAMMA, W, random_elmo

TEXT = ["the cat is on the mat", "dogs are in the fog", ""]
PARTS = {"assets", "fingerprint.pb", "model_card.md", "saved_model.pb", "variables"}

# The project's bound in float32.
BOUND = {"rtol": 0, "atol": 1e-5}


def make(config=CONFIG, **kwargs):
    """A layer with random weights."""
    if config.num_layers == 2:
        kwargs = {"initial_weights": W, "initial_gamma": GAMMA, **kwargs}
    return random_elmo(config, **kwargs)


def reference_outputs(text, config, w, gamma):
    """All outputs of one sentence, in NumPy."""
    arrays = reference.random_arrays(config.to_options())
    result = reference.bilm(text.split(), config.to_options(), arrays)
    layers = result.layers()
    mixed = reference.scalar_mix(layers, np.array(w), gamma)
    return {
        "word_emb": result.word_vectors,
        **{f"lstm_outputs{index}": layers[index] for index in range(1, len(layers))},
        "elmo": mixed,
        "default": mixed.mean(0) if text else np.zeros(mixed.shape[1]),
        "sequence_len": len(text.split()),
    }


def assert_equals_the_reference(outputs, config=CONFIG, w=W, gamma=GAMMA):
    for row, text in enumerate(TEXT):
        wanted = reference_outputs(text, config, w, gamma)
        assert set(outputs) == set(wanted)
        for name, value in wanted.items():
            found = outputs[name][row]
            if found.shape.rank == 2:
                assert not np.any(found[len(value) :]), name
                found = found[: len(value)]
            np.testing.assert_allclose(found, value, err_msg=name, **BOUND)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An exported model with its archive."""
    path = tmp_path_factory.mktemp("exported") / "elmo"
    export_saved_model(make(l2=0.1), path, tar=True, source="a place")
    return path


@pytest.fixture(scope="module")
def loaded(folder):
    return tf.saved_model.load(str(folder))


# --- what is computed


def test_the_outputs_are_those_of_the_reference(loaded):
    assert_equals_the_reference(loaded.signatures["default"](strings=tf.constant(TEXT)))


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"num_layers": 1, "projection_dim": 6}, id="one layer, no projection"),
        pytest.param(
            {"num_layers": 3, "sentence_boundaries": False, "activation": "tanh"},
            id="three layers, no boundaries, tanh",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"architecture": "merged", "merge": "concat", "num_layers": 3},
            id="three layers, merged",
        ),
    ],
)
def test_models_of_other_forms_give_the_outputs_of_the_reference(changes):
    config = dataclasses.replace(CONFIG, **changes)
    exported = ExportedElmo(make(config), "none")
    w = [0.0] * (config.num_layers + 1)
    assert_equals_the_reference(exported.default(tf.constant(TEXT)), config, w, 1.0)


def test_a_merged_model_is_loaded_by_hub_load_and_equals_the_layer(tmp_path):
    elmo = make(dataclasses.replace(CONFIG, architecture="merged"))
    export_saved_model(elmo, tmp_path / "elmo", trainable="all")
    loaded = hub.load(str(tmp_path / "elmo"))
    found = loaded(TEXT, signature="elmo", as_dict=True)["elmo"]
    np.testing.assert_allclose(found, elmo(TEXT), **BOUND)
    card = (tmp_path / "elmo" / "model_card.md").read_text(encoding="utf-8")
    assert "with the word vector added to each" in card


def test_layer_norm_is_over_the_batch_as_in_the_layer():
    elmo = make(layer_norm=True)
    exported = ExportedElmo(elmo, "mix")
    np.testing.assert_allclose(exported.elmo(tf.constant(TEXT))["elmo"], elmo(TEXT), **BOUND)


def test_vectors_of_stored_words_are_those_of_computed_ones(loaded, tmp_path):
    words = ["the", "fog", "the", "", "</S>", "never"]
    folder = export_saved_model(make(), tmp_path / "elmo", words=words)
    exported = hub.load(str(folder))
    sentences = tf.constant([*TEXT, "fog 日本語 the " + "x" * 60])
    found, expected = exported.default(sentences), loaded.default(sentences)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], err_msg=name, **BOUND)
    empty_word = {"tokens": tf.constant([["", "cat", ""]]), "sequence_len": tf.constant([2])}
    found, expected = exported.embed_tokens(empty_word), loaded.embed_tokens(empty_word)
    np.testing.assert_allclose(found["word_emb"], expected["word_emb"], **BOUND)
    assert exported.variables[-1].shape == (5, CONFIG.projection_dim)
    assert "| the word vectors of 5 words |" in (folder / "model_card.md").read_text("utf-8")


def test_stored_words_are_looked_up():
    exported = ExportedElmo(make(), "mix", ["cat"])
    exported.variables[-1].assign(tf.ones_like(exported.variables[-1]))
    found = exported.default(tf.constant(["the cat"]))["word_emb"][0]
    np.testing.assert_array_equal(found[1], 1)
    assert not np.any(found[0] == 1)


def test_words_can_not_be_stored_of_an_encoder_that_trains(tmp_path):
    with pytest.raises(ValueError, match="`--vocab`"):
        export_saved_model(make(), tmp_path / "elmo", trainable="all", words=["cat"])
    assert not (tmp_path / "elmo").exists()


def test_dropout_is_not_exported():
    exported = ExportedElmo(make(dropout=0.9), "mix")
    found = exported(tf.constant(TEXT), training=True, signature="elmo")
    np.testing.assert_allclose(found, make()(TEXT), **BOUND)


@pytest.mark.parametrize(
    ("lengths", "fault"),
    [([3, 1], "too long"), ([2, -1], "below 0"), ([2], "too few"), ([2, 1, 1], "too many")],
)
@pytest.mark.parametrize("by", ["signature", "embed_tokens"])
def test_a_wrong_sequence_len_is_an_error(by, lengths, fault, loaded):
    call = loaded.signatures["tokens"] if by == "signature" else lambda **x: loaded.embed_tokens(x)
    tokens = tf.constant([["a", "b"], ["c", ""]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="`sequence_len`"):
        call(tokens=tokens, sequence_len=tf.constant(lengths))


@pytest.mark.parametrize("lengths", [[2, 2**32 + 1], [2, 2**31], [2], [2, 1, 1], [2, -(2**32)]])
def test_lengths_of_64_bits_are_checked_before_they_are_cut_to_32(lengths, loaded):
    inputs = {"tokens": tf.constant([["a", "b"], ["c", ""]])}
    # TensorFlow may know the shapes, and find before the check runs that they do not fit.
    errors = tf.errors.InvalidArgumentError, ValueError
    with pytest.raises(errors, match="`sequence_len` must be a number|Dimensions must be equal"):
        loaded(
            {**inputs, "sequence_len": tf.constant(lengths, tf.int64)},
            signature="tokens",
            as_dict=True,
        )


@pytest.mark.parametrize(
    ("changes", "settings"),
    [
        pytest.param({}, {}, id="default"),
        pytest.param({}, {"trainable": "all"}, id="all", marks=pytest.mark.slow),
        pytest.param({}, {"words": ["cat"], "dtype": "bfloat16"}, id="words, bfloat16"),
        pytest.param(
            {"architecture": "merged", "tokenizer": "words", "num_layers": 3},
            {"trainable": "none"},
            id="merged, raw text",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_export_is_loaded_where_foreign_graphs_are_refused(changes, settings, tmp_path):
    config = dataclasses.replace(CONFIG, **changes)
    folder = export_saved_model(make(config), tmp_path / "elmo", **settings)
    loaded = load_graph(folder)
    # and its signatures take lists by position
    found = loaded.signatures["default"](TEXT)["elmo"]
    np.testing.assert_array_equal(found, loaded.default(tf.constant(TEXT))["elmo"])


# --- what is trainable


@pytest.mark.parametrize("changes", [{}, {"sentence_boundaries": False}])
def test_of_an_encoder_that_trains_every_output_follows_the_weights(changes):
    elmo = make(dataclasses.replace(CONFIG, **changes))
    exported = ExportedElmo(elmo, "all")
    for variable, weight in zip(exported.variables, elmo.weights, strict=True):
        variable.assign(variable * 0.5)
        weight.assign(weight * 0.5)
    before = make(dataclasses.replace(CONFIG, **changes))(TEXT)
    found = exported.elmo(tf.constant(TEXT))["elmo"]
    np.testing.assert_allclose(found, elmo(TEXT), **BOUND)
    assert np.abs(found - before).max() > 0.1


@pytest.mark.parametrize(("trainable", "number"), [("mix", 2), ("all", None), ("none", 0)])
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_what_is_trainable_is_as_told(dropout, trainable, number):
    elmo = make(l2=0.1, dropout=dropout)  # of dropout nothing is exported, no random state either
    exported = ExportedElmo(elmo, trainable)
    expected = len(elmo.weights) if number is None else number
    assert len(exported.variables) == len(elmo.weights)
    assert len(exported.trainable_variables) == expected
    for variable in exported.variables:
        assert variable.trainable == any(variable is v for v in exported.trainable_variables)
    assert len(exported.regularization_losses) == (0 if trainable == "none" else 1)


def test_the_weighted_sum_is_trainable_of_a_layer_that_is_not():
    exported = ExportedElmo(make(trainable=False), "mix")
    assert [variable.shape.rank for variable in exported.trainable_variables] == [1, 0]


def test_the_loss_is_l2_times_the_squares_of_the_weights(loaded):
    (loss,) = loaded.regularization_losses
    assert float(loss()) == pytest.approx(0.1 * np.sum(np.square(W)), rel=1e-6)


def test_without_l2_there_is_no_loss():
    assert list(ExportedElmo(make(), "mix").regularization_losses) == []


# --- the layer that is exported


def test_the_exported_variables_are_copies():
    elmo = make()
    exported = ExportedElmo(elmo, "all")
    before = exported.elmo(tf.constant(TEXT))["elmo"]
    for weight in elmo.weights:
        weight.assign(weight + 1.0)
    np.testing.assert_array_equal(exported.elmo(tf.constant(TEXT))["elmo"], before)


def test_a_change_of_the_exported_variables_leaves_the_layer_alone():
    elmo = make()
    exported = ExportedElmo(elmo, "all")
    before = elmo(TEXT)
    for variable in exported.variables:
        variable.assign_add(tf.ones_like(variable))
    np.testing.assert_array_equal(elmo(TEXT), before)


def test_exporting_leaves_the_layer_as_it_was():
    elmo = make(encoder_trainable=True)
    config, output = elmo.get_config(), elmo(TEXT)
    weights = [to_float64(weight) for weight in elmo.weights]
    ExportedElmo(elmo, "none")
    assert elmo.get_config() == config
    assert len(elmo.trainable_weights) == len(elmo.weights)
    for weight, value in zip(elmo.weights, weights, strict=True):
        np.testing.assert_array_equal(to_float64(weight), value)
    np.testing.assert_array_equal(elmo(TEXT), output)


@pytest.mark.parametrize(
    "policy", ["mixed_bfloat16", pytest.param("float64", marks=pytest.mark.slow)]
)
def test_a_layer_of_another_precision_is_exported_in_float32(policy, tmp_path):
    elmo = make(dtype=policy)
    exported = tf.saved_model.load(str(export_saved_model(elmo, tmp_path / "exported")))
    outputs = exported.signatures["default"](strings=tf.constant(TEXT))
    assert {value.dtype for value in outputs.values()} == {tf.float32, tf.int32}
    assert {variable.dtype for variable in exported.variables} == {tf.float32}
    assert_equals_the_reference(outputs)
    assert elmo.dtype_policy.name == policy


def test_an_export_in_bfloat16_is_half_as_large_and_gives_float32(tmp_path):
    elmo = make()
    words = ["the", "cat", "dogs"]
    path = export_saved_model(elmo, tmp_path / "exported", dtype="bfloat16", words=words)
    exported = tf.saved_model.load(str(path))
    outputs = exported.signatures["default"](strings=tf.constant(TEXT))
    assert {value.dtype for value in outputs.values()} == {tf.float32, tf.int32}
    encoder = [variable for variable in exported.variables if "mix" not in variable.name]
    assert {variable.dtype for variable in encoder} == {tf.bfloat16}
    assert {variable.dtype for variable in exported.trainable_variables} == {tf.float32}
    np.testing.assert_allclose(outputs["elmo"], elmo(TEXT), rtol=0, atol=0.03)
    assert "| numbers | weights and matrix products in bfloat16" in (
        path / "model_card.md"
    ).read_text(encoding="utf-8")
    assert elmo.dtype_policy.name == "float32"


def test_an_encoder_in_bfloat16_is_not_trained(tmp_path):
    with pytest.raises(ValueError, match="bfloat16 can't be trained"):
        export_saved_model(make(), tmp_path / "exported", dtype="bfloat16", trainable="all")
    with pytest.raises(ValueError, match="`dtype` must be one of"):
        export_saved_model(make(), tmp_path / "exported", dtype="float16")


def test_a_layer_that_was_never_called_is_exported_to_a_path_that_is_a_string(tmp_path):
    path = export_saved_model(ElmoEmbeddings(CONFIG), str(tmp_path / "exported"))
    assert path == tmp_path / "exported"
    loaded = tf.saved_model.load(str(path))
    assert loaded.elmo(tf.constant(["a b"]))["elmo"].shape == (1, 2, 8)


# --- errors


def test_an_unknown_choice_of_what_is_trainable_is_an_error(tmp_path):
    with pytest.raises(ValueError, match=r"`trainable` must be one of .*trainable='encoder'"):
        export_saved_model(make(), tmp_path / "exported", trainable="encoder")


@pytest.mark.parametrize(
    ("kwargs", "found"),
    [
        ({"num_mixes": 2}, "output='mix' and 2 mixes"),
        ({"output": "layers"}, "output='layers' and 0 mixes"),
    ],
)
def test_a_layer_without_exactly_one_mix_is_an_error(kwargs, found, tmp_path):
    elmo = ElmoEmbeddings(CONFIG, **kwargs)
    with pytest.raises(ValueError, match=f"`elmo` must have one mix .*{found}"):
        export_saved_model(elmo, tmp_path / "exported")
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def no_work(monkeypatch):
    """Makes it a failure to begin the work."""

    def begin(*args):
        pytest.fail("the work has begun")

    monkeypatch.setattr(saved_model, "ExportedElmo", begin)


def test_the_working_folder_may_be_the_place(no_work, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "saved_model.pb").write_text("precious")
    with pytest.raises(FileExistsError, match="exists already"):
        export_saved_model(make(), ".", tar=True)


@pytest.mark.parametrize("name", ["exported", "exported.tar.gz"])
def test_what_is_in_the_way_is_told_before_the_work(name, no_work, tmp_path):
    (tmp_path / name).write_text("precious")
    with pytest.raises(FileExistsError, match=f"{name} exists already"):
        export_saved_model(make(), tmp_path / "exported", tar=True)
    assert (tmp_path / name).read_text() == "precious"


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_other_things_is_never_overwritten(overwrite, no_work, tmp_path):
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported" / "thesis.tex").write_text("precious")
    with pytest.raises(FileExistsError):
        export_saved_model(make(), tmp_path / "exported", overwrite=overwrite)
    assert (tmp_path / "exported" / "thesis.tex").read_text() == "precious"


def test_a_failure_midway_leaves_nothing(monkeypatch, tmp_path):
    def save(exported, folder, signatures):
        tf.io.gfile.makedirs(folder)
        raise OSError("no space left")

    monkeypatch.setattr(tf.saved_model, "save", save)
    with pytest.raises(OSError, match="no space left"):
        export_saved_model(make(), tmp_path / "exported", tar=True)
    assert list(tmp_path.iterdir()) == []


# --- what is written


def test_the_folder_has_these_parts_and_no_keras(folder):
    assert {entry.name for entry in folder.iterdir()} == PARTS


def test_overwriting_replaces_folder_and_archive(folder, tmp_path):
    path = tmp_path / "exported"
    path.mkdir()
    (path / "saved_model.pb").write_text("old")
    (tmp_path / "exported.tar.gz").write_text("old")
    export_saved_model(make(), path, tar=True, overwrite=True)
    assert {entry.name for entry in path.iterdir()} == PARTS
    assert (path / "saved_model.pb").read_bytes() != b"old"
    assert tarfile.is_tarfile(tmp_path / "exported.tar.gz")
    assert {entry.name for entry in tmp_path.iterdir()} == {"exported", "exported.tar.gz"}


def test_without_tar_an_archive_that_is_there_stays(folder):
    archive = folder.with_name("exported.tar.gz")
    archive.write_text("another's")
    export_saved_model(make(), folder.with_name("exported"))
    assert archive.read_text() == "another's"


def test_the_model_card_has_the_figures(folder):
    card = (folder / "model_card.md").read_text(encoding="utf-8")
    assert f"| parameters | {make().count_params():,} |" in card
    assert "| weights from | a place |" in card
    assert "| trainable | the weighted sum |" in card


# --- the archive


@pytest.fixture(scope="module")
def archive(folder):
    with tarfile.open(folder.with_name("elmo.tar.gz"), "r:gz") as tar:
        yield tar


def test_the_archive_has_the_model_at_its_root(archive):
    tops = {PurePosixPath(name).parts[0] for name in archive.getnames()}
    assert tops == PARTS


def test_the_archives_members_are_files_and_folders_inside_it(archive):
    for member in archive.getmembers():
        path = PurePosixPath(member.name)
        assert not path.is_absolute() and ".." not in path.parts, member.name
        assert member.isfile() or member.isdir(), member.name
        assert not member.mode & 0o7000, member.name  # no setuid and the like


def test_the_archive_does_not_tell_who_made_it(archive):
    owners = {
        (member.uid, member.gid, member.uname, member.gname) for member in archive.getmembers()
    }
    assert owners == {(0, 0, "", "")}


def test_the_archives_content_is_the_folders(archive, folder):
    files = {
        str(path.relative_to(folder).as_posix()): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    members = [member for member in archive.getmembers() if member.isfile()]
    assert {member.name: archive.extractfile(member).read() for member in members} == files


def test_the_unpacked_archive_is_loaded(archive, tmp_path):
    archive.extractall(tmp_path, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    loaded = tf.saved_model.load(str(tmp_path))
    assert_equals_the_reference(loaded.signatures["default"](TEXT))


def test_a_models_own_tokenizer_goes_into_the_export(tmp_path):
    elmo = random_elmo(dataclasses.replace(CONFIG, tokenizer="words"))
    export_saved_model(elmo, tmp_path / "elmo")
    loaded = tf.saved_model.load(str(tmp_path / "elmo"))
    outputs = loaded.default(tf.constant(["It's a cat!", ""]))
    assert outputs["sequence_len"].numpy().tolist() == [5, 0]
    words = [["It", "'s", "a", "cat", "!"], []]
    np.testing.assert_allclose(outputs["elmo"], elmo(words), atol=1e-6)
    np.testing.assert_allclose(elmo(["It's a cat!", ""]), elmo(words), atol=1e-6)
    card = (tmp_path / "elmo" / "model_card.md").read_text(encoding="utf-8")
    assert "split into words, punctuation apart" in card
