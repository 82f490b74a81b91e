"""bilm-tf's training checkpoints, read and written."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf

from elmo_tf2.config import ElmoConfig
from elmo_tf2.weights import (
    ElmoWeights,
    Softmax,
    read_tf1_checkpoint,
    write_tf1_checkpoint,
)
from elmo_tf2.weights.checkpoint_variables import open_checkpoint
from tests.cli_fixtures import write_model_folder
from tests.processes import run_python
from tests.weights.helpers import (
    assert_same_arrays,
    assert_same_weights,
    random_weights,
    save_variables,
)


@pytest.fixture
def saved(language_model):
    """A checkpoint has everything but the mix."""
    return dataclasses.replace(language_model, mix=None)


def variables_of(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def change(prefix, changes):
    """Writes the checkpoint anew with these variables; None takes one out."""
    variables = variables_of(prefix) | changes
    save_variables(prefix, {name: v for name, v in variables.items() if v is not None})


def test_a_language_model_comes_back_as_it_was(checkpoint, saved):
    assert_same_weights(read_tf1_checkpoint(checkpoint), saved)
    assert read_tf1_checkpoint(checkpoint).source == str(checkpoint)


def test_the_variables_are_those_of_bilm_tf(checkpoint):
    names = set(variables_of(checkpoint))
    assert "lm/RNN_1/rnn/multi_rnn_cell/cell_1/lstm_cell/projection/kernel" in names
    assert {"lm/char_embed", "lm/CNN/W_cnn_0", "lm/CNN_proj/b_proj", "lm/softmax/W"} < names
    assert all(name.startswith("lm/") for name in names)


@pytest.mark.parametrize(
    "config",
    [
        ElmoConfig(filters=((1, 4),), units=7, projection_dim=3, num_layers=1),
        ElmoConfig(filters=((1, 4),), units=4, projection_dim=4, num_highway_layers=0),
        ElmoConfig(filters=((1, 4),), units=7, projection_dim=3, num_layers=3),
    ],
)
def test_an_encoder_alone_comes_back_as_it_was(tmp_path, rng, config):
    weights = random_weights(config, rng)
    write_tf1_checkpoint(weights, tmp_path / "model.ckpt-0")
    assert_same_weights(read_tf1_checkpoint(tmp_path), weights)


def test_a_merged_model_is_refused(tmp_path, rng, config, checkpoint):
    merged = dataclasses.replace(config, architecture="merged")
    weights = random_weights(merged, rng, source="here")
    with pytest.raises(ValueError, match='^here is of architecture "merged".* a model folder'):
        write_tf1_checkpoint(weights, tmp_path / "merged" / "model.ckpt-0")
    assert not (tmp_path / "merged").exists()
    options = checkpoint.with_name("options.json")
    options.write_text(json.dumps(merged.to_options()))
    with pytest.raises(ValueError, match='options.json is of architecture "merged"'):
        read_tf1_checkpoint(checkpoint)


def test_the_softmax_is_not_read_unless_wanted(checkpoint, saved):
    change(checkpoint, {"lm/softmax/W": np.full((7, 6), np.nan, "f")})
    weights = read_tf1_checkpoint(checkpoint, read_softmax=False)
    assert_same_weights(weights, dataclasses.replace(saved, softmax=None))


def test_an_optimizers_state_is_passed_over(checkpoint, saved):
    slots = {
        f"{name}/{slot}": np.full_like(array, np.nan)
        for name, array in variables_of(checkpoint).items()
        for slot in ("Adagrad", "Adam", "Adam_1", "ExponentialMovingAverage")
    }
    scalars = {"train_perplexity": np.float32(5), "lm/beta1_power": np.float32(0.9)}
    change(checkpoint, {**slots, **scalars, "global_step": np.int64(400)})
    assert_same_weights(read_tf1_checkpoint(checkpoint), saved)


def test_a_fresh_optimizer_is_that_of_bilm_tf_before_its_first_update(tmp_path, language_model):
    write_tf1_checkpoint(language_model, tmp_path / "model.ckpt-0", fresh_optimizer=True)
    variables = variables_of(tmp_path / "model.ckpt-0")
    assert variables.pop("global_step") == 0
    assert variables.pop("train_perplexity") == 0
    slots = {name for name in variables if name.endswith("/Adagrad")}
    assert {f"{name}/Adagrad" for name in set(variables) - slots} == slots
    for name in slots:
        assert variables[name].shape == variables[name.removesuffix("/Adagrad")].shape
        assert (variables[name] == 1).all()


def test_options_and_words_are_written_beside(checkpoint):
    options = json.loads(checkpoint.with_name("options.json").read_text())
    assert options["char_cnn"]["n_characters"] == 261
    assert options["n_tokens_vocab"] == 7
    assert options["bidirectional"] is True
    assert checkpoint.with_name("vocab.txt").read_text("utf-8").split()[-1] == "猫"
    assert not list(checkpoint.parent.glob(".*"))


def test_options_and_words_that_are_there_stay(tmp_path, language_model):
    options = language_model.config.to_options() | {"batch_size": 128}
    (tmp_path / "options.json").write_text(json.dumps(options))
    (tmp_path / "vocab.txt").write_text("\r\n".join(language_model.vocabulary))
    write_tf1_checkpoint(language_model, tmp_path / "model.ckpt-0")
    assert json.loads((tmp_path / "options.json").read_text()) == options
    assert not (tmp_path / "vocab.txt").read_bytes().endswith(b"\n")


def test_options_or_words_of_another_model_are_refused(tmp_path, language_model):
    (tmp_path / "options.json").write_text(json.dumps(ElmoConfig().to_options()))
    with pytest.raises(ValueError, match="options.json is of another model"):
        write_tf1_checkpoint(language_model, tmp_path / "model.ckpt-0")
    (tmp_path / "options.json").unlink()
    (tmp_path / "vocab.txt").write_text("other\nwords\n")
    with pytest.raises(ValueError, match="vocab.txt is of another model"):
        write_tf1_checkpoint(language_model, tmp_path / "model.ckpt-0")
    assert [path.name for path in tmp_path.iterdir()] == ["vocab.txt"]


def test_a_checkpoint_is_never_overwritten(checkpoint, weights, saved):
    with pytest.raises(ValueError, match="There is a checkpoint '.*model.ckpt-400' already"):
        write_tf1_checkpoint(weights, checkpoint)
    assert_same_weights(read_tf1_checkpoint(checkpoint), saved)


def test_a_folders_latest_checkpoint_is_read(checkpoint, saved, rng):
    newer = random_weights(saved.config, rng)
    write_tf1_checkpoint(newer, checkpoint.with_name("model.ckpt-800"))
    assert_same_arrays(read_tf1_checkpoint(checkpoint.parent), newer)
    assert_same_arrays(read_tf1_checkpoint(checkpoint), saved)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001", ".meta"])
def test_each_of_a_checkpoints_files_means_it(checkpoint, saved, suffix):
    assert_same_weights(read_tf1_checkpoint(f"{checkpoint}{suffix}"), saved)


@pytest.mark.parametrize(
    "path", ["/home/someone/model.ckpt-400", r"C:\\models\\elmo\\model.ckpt-400"]
)
def test_a_moved_folders_latest_checkpoint_is_found(checkpoint, saved, path):
    checkpoint.with_name("checkpoint").write_text(f'model_checkpoint_path: "{path}"\n')
    assert_same_weights(read_tf1_checkpoint(checkpoint.parent), saved)


def test_a_checkpoint_elsewhere_may_be_the_latest(tmp_path, checkpoint, saved):
    (tmp_path / "here").mkdir()
    shutil.copy(checkpoint.with_name("options.json"), tmp_path / "here")
    (tmp_path / "here" / "checkpoint").write_text(f'model_checkpoint_path: "{checkpoint}"\n')
    assert_same_weights(read_tf1_checkpoint(tmp_path / "here"), saved)


def test_a_latest_checkpoint_that_is_gone_is_named(checkpoint):
    checkpoint.with_name("checkpoint").write_text('model_checkpoint_path: "/gone/model.ckpt-9"\n')
    with pytest.raises(FileNotFoundError, match="names the checkpoint '/gone/model.ckpt-9'"):
        read_tf1_checkpoint(checkpoint.parent)


@pytest.mark.parametrize("content", [b"", b"what is this", b"\xff\xfe\x00"])
def test_an_unreadable_checkpoint_file_is_named(checkpoint, content):
    checkpoint.with_name("checkpoint").write_bytes(content)
    with pytest.raises(ValueError, match="checkpoint can't be read. Name the checkpoint itself"):
        read_tf1_checkpoint(checkpoint.parent)


def test_the_only_checkpoint_needs_no_checkpoint_file(checkpoint, saved):
    checkpoint.with_name("checkpoint").unlink()
    assert_same_weights(read_tf1_checkpoint(checkpoint.parent), saved)


def test_several_checkpoints_without_a_checkpoint_file_are_listed(checkpoint, weights):
    write_tf1_checkpoint(
        dataclasses.replace(weights, vocabulary=None), checkpoint.with_name("model.ckpt-800")
    )
    checkpoint.with_name("checkpoint").unlink()
    with pytest.raises(ValueError, match="latest one of model.ckpt-400, model.ckpt-800. Name the"):
        read_tf1_checkpoint(checkpoint.parent)


def test_a_missing_checkpoint_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no checkpoint: no file `checkpoint`"):
        read_tf1_checkpoint(tmp_path)
    with pytest.raises(FileNotFoundError, match="no checkpoint index '.*model.ckpt-1.index'"):
        read_tf1_checkpoint(tmp_path / "model.ckpt-1")


def test_missing_options_are_named(checkpoint):
    checkpoint.with_name("options.json").unlink()
    with pytest.raises(FileNotFoundError, match="There is no options file '.*options.json'"):
        read_tf1_checkpoint(checkpoint)


def test_options_and_words_may_be_elsewhere(tmp_path, checkpoint, saved):
    for name in ("options.json", "vocab.txt"):
        checkpoint.with_name(name).rename(tmp_path / name)
    weights = read_tf1_checkpoint(checkpoint, tmp_path / "options.json", tmp_path / "vocab.txt")
    assert_same_weights(weights, saved)


def test_options_of_another_model_are_refused_with_both_named(checkpoint):
    options = ElmoConfig(units=512, projection_dim=128).to_options()
    checkpoint.with_name("options.json").write_text(json.dumps(options))
    with pytest.raises(ValueError, match="model.ckpt-400 does not fit .*options.json:"):
        read_tf1_checkpoint(checkpoint)


def test_options_of_a_model_of_words_are_refused(checkpoint):
    checkpoint.with_name("options.json").write_text('{"lstm": {"dim": 7, "projection_dim": 6}}')
    with pytest.raises(ValueError, match="no `char_cnn`"):
        read_tf1_checkpoint(checkpoint)


def test_missing_and_superfluous_variables_are_listed(checkpoint):
    change(checkpoint, {"lm/char_embed": None, "lm/embedding": np.zeros((7, 6), "f")})
    with pytest.raises(ValueError, match="`char_embed`: expected shape .* no such key") as error:
        read_tf1_checkpoint(checkpoint)
    assert "`embedding`: found shape (7, 6), but nothing takes this key" in str(error.value)


def test_a_softmax_that_is_the_word_embedding_is_refused(checkpoint):
    change(checkpoint, {"lm/softmax/W": None})
    with pytest.raises(ValueError, match="has `softmax/b` alone .* embedding is not supported"):
        read_tf1_checkpoint(checkpoint)


def test_a_softmax_that_does_not_fit_the_words_is_refused(checkpoint):
    change(checkpoint, {"lm/softmax/W": np.zeros((8, 6), "f"), "lm/softmax/b": np.zeros(8, "f")})
    with pytest.raises(ValueError, match="model.ckpt-400: .* 7 rows, one per word"):
        read_tf1_checkpoint(checkpoint)


def test_a_value_that_is_not_finite_is_refused(checkpoint):
    change(checkpoint, {"lm/CNN/b_cnn_1": np.full(5, np.inf, "f")})
    with pytest.raises(ValueError, match="model.ckpt-400: `lm/CNN/b_cnn_1` must hold finite"):
        read_tf1_checkpoint(checkpoint)


def test_variables_that_are_no_floats_are_refused(checkpoint):
    change(checkpoint, {"lm/CNN/b_cnn_1": np.ones(5, np.int32)})
    with pytest.raises(ValueError, match="`lm/CNN/b_cnn_1` must be a float array. .* int32"):
        read_tf1_checkpoint(checkpoint)


def test_other_float_types_are_read(checkpoint, saved):
    values = np.arange(5) / 4
    change(checkpoint, {"lm/CNN/b_cnn_1": tf.constant(values, tf.bfloat16)})
    np.testing.assert_array_equal(read_tf1_checkpoint(checkpoint).arrays["CNN/b_cnn_1"], values)


def test_a_checkpoint_of_objects_is_refused(tmp_path):
    tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(tmp_path / "ckpt-1"))
    (tmp_path / "options.json").write_text(json.dumps(ElmoConfig().to_options()))
    with pytest.raises(ValueError, match="ckpt-1 is a checkpoint of TensorFlow 2's objects"):
        read_tf1_checkpoint(tmp_path / "ckpt-1")


def test_a_truncated_data_file_is_refused_before_it_is_read(checkpoint):
    data = checkpoint.with_name("model.ckpt-400.data-00000-of-00001")
    data.write_bytes(data.read_bytes()[:-500])
    with pytest.raises(ValueError, match="model.ckpt-400: .* cut short or damaged: its weights"):
        read_tf1_checkpoint(checkpoint)


def test_a_missing_data_file_is_a_clear_error(checkpoint):
    checkpoint.with_name("model.ckpt-400.data-00000-of-00001").unlink()
    with pytest.raises(ValueError, match="model.ckpt-400: the checkpoint is cut short"):
        read_tf1_checkpoint(checkpoint)


def test_a_damaged_data_file_is_a_clear_error(checkpoint):
    data = checkpoint.with_name("model.ckpt-400.data-00000-of-00001")
    content = bytearray(data.read_bytes())
    content[1000] ^= 255
    data.write_bytes(content)
    with pytest.raises(ValueError, match="model.ckpt-400: `lm/.*` can't be read: .*hecksum"):
        read_tf1_checkpoint(checkpoint)


@pytest.mark.parametrize("content", [b"", b"not an index", bytes(300)])
def test_a_damaged_index_is_a_clear_error(checkpoint, content):
    checkpoint.with_name("model.ckpt-400.index").write_bytes(content)
    with pytest.raises(ValueError, match="model.ckpt-400 can't be read as a TensorFlow checkp"):
        read_tf1_checkpoint(checkpoint)


def test_damage_anywhere_in_the_index_is_a_clear_error(checkpoint, rng):
    index = checkpoint.with_name("model.ckpt-400.index")
    content = np.frombuffer(index.read_bytes(), np.uint8)
    for _ in range(100):
        damaged = content.copy()
        damaged[rng.integers(len(content), size=3)] = rng.integers(256, size=3)
        index.write_bytes(damaged.tobytes())
        try:
            read_tf1_checkpoint(checkpoint)
        except ValueError as error:
            assert str(checkpoint) in str(error)


def test_a_path_that_looks_like_a_pattern_is_read_or_explained(tmp_path, language_model, saved):
    write_tf1_checkpoint(language_model, tmp_path / "a?*" / "model.ckpt-0")
    assert_same_weights(read_tf1_checkpoint(tmp_path / "a?*"), saved)
    write_tf1_checkpoint(language_model, tmp_path / "[a]" / "model.ckpt-0")
    with pytest.raises(ValueError, match="no checkpoint whose path has a `\\["):
        read_tf1_checkpoint(tmp_path / "[a]")


def test_an_open_checkpoint_names_what_is_in_it(checkpoint):
    variables = open_checkpoint(checkpoint)
    assert not variables.is_of_objects
    assert variables.shapes["lm/char_embed"] == (261, 3)
    assert variables.types["lm/char_embed"] == tf.float32


def test_a_softmax_without_words_is_kept(tmp_path, config, weights):
    softmax = Softmax(np.ones((9, 6), "f"), np.arange(9, dtype="f"))
    write_tf1_checkpoint(
        ElmoWeights(config, weights.arrays, softmax=softmax), tmp_path / "model.ckpt-0"
    )
    read = read_tf1_checkpoint(tmp_path)
    assert read.vocabulary is None
    np.testing.assert_array_equal(read.softmax.bias, np.arange(9))
    assert not (tmp_path / "vocab.txt").exists()


_FULL = """
import resource, sys
from elmo_tf2.weights import read_weights, write_tf1_checkpoint
weights = read_weights(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (4_000, 4_000))
write_tf1_checkpoint(weights, sys.argv[2])
"""


def test_a_full_disk_is_told_and_leaves_no_half_checkpoint(tmp_path):
    pytest.importorskip("resource")
    model = write_model_folder(tmp_path / "model")
    result = run_python("-c", _FULL, model, tmp_path / "out" / "model.ckpt-0")
    assert "OSError: [Errno 27] File too large" in result.stderr
    assert f"'{tmp_path}/out/model.ckpt-0'" in result.stderr.splitlines()[-1]
    assert not any((tmp_path / "out").glob("model.ckpt*"))
