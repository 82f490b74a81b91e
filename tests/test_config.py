"""ElmoConfig: ↔ options.json, the published sizes, and every error."""

import copy
import dataclasses
import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from elmo_tf2.config import ElmoConfig, check_filters
from elmo_tf2.options import read_options

FILTERS = [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]]

# As published with the weights, word for word.
ORIGINAL = {
    "lstm": {
        "use_skip_connections": True,
        "projection_dim": 512,
        "cell_clip": 3,
        "proj_clip": 3,
        "dim": 4096,
        "n_layers": 2,
    },
    "char_cnn": {
        "activation": "relu",
        "filters": FILTERS,
        "n_highway": 2,
        "embedding": {"dim": 16},
        "n_characters": 262,
        "max_characters_per_token": 50,
    },
}

# What a training run of bilm-tf writes.
TRAINING = {
    **ORIGINAL,
    "char_cnn": {**ORIGINAL["char_cnn"], "n_characters": 261},
    "bidirectional": True,
    "dropout": 0.1,
    "all_clip_norm_val": 10.0,
    "n_epochs": 10,
    "n_train_tokens": 768648884,
    "batch_size": 128,
    "n_tokens_vocab": 793471,
    "unroll_steps": 20,
    "n_negative_samples_batch": 8192,
    "learning_rate": 0.2,
    "sample_softmax": True,
    "share_embedding_softmax": False,
}


def options(place=None, value=None, remove=None):
    """The original options with the value at a dotted place changed or removed."""
    changed = copy.deepcopy(ORIGINAL)
    *parents, key = (place or remove).split(".")
    section = changed
    for parent in parents:
        section = section[parent]
    if remove:
        del section[key]
    else:
        section[key] = value
    return changed


# --- options.json


def test_the_published_options_are_the_defaults():
    assert ElmoConfig.from_options(ORIGINAL) == ElmoConfig()


def test_the_defaults_are_written_as_they_were_published():
    assert ElmoConfig().to_options() == ORIGINAL


configs = st.integers(1, 64).flatmap(
    lambda projection_dim: st.builds(
        ElmoConfig,
        filters=st.lists(
            st.tuples(st.integers(1, 10), st.integers(1, 99)), min_size=1, max_size=4
        ).map(tuple),
        char_embedding_dim=st.integers(1, 32),
        max_characters=st.integers(10, 100),
        activation=st.sampled_from(["relu", "tanh"]),
        num_highway_layers=st.integers(0, 3),
        units=st.integers(projection_dim, 128),
        projection_dim=st.just(projection_dim),
        num_layers=st.integers(1, 4),
        cell_clip=st.none() | st.floats(0.1, 10),
        projection_clip=st.none() | st.floats(0.1, 10),
        use_skip_connections=st.booleans(),
        sentence_boundaries=st.booleans(),
    )
)


@given(configs)
def test_options_make_the_same_config_again(config):
    assert ElmoConfig.from_options(json.loads(json.dumps(config.to_options()))) == config


@pytest.mark.parametrize("merge", ["add", "concat"])
def test_options_of_a_merged_model_make_the_same_config_again(merge):
    config = ElmoConfig(architecture="merged", merge=merge)
    written = config.to_options()
    assert (written["architecture"], written["merge"]) == ("merged", merge)
    assert ElmoConfig.from_options(json.loads(json.dumps(written))) == config


def test_the_published_architecture_is_not_written():
    assert not {"architecture", "merge"} & set(ElmoConfig().to_options())


def test_a_merged_model_has_its_own_residual_in_place_of_skip_connections():
    asked = ElmoConfig(architecture="merged", use_skip_connections=True)
    assert asked == ElmoConfig(architecture="merged", use_skip_connections=False)
    assert asked.to_options()["lstm"]["use_skip_connections"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "merge"}, "`architecture` must be one of .*'separate', 'merged'"),
        ({"architecture": "merged", "merge": "sum"}, "`merge` must be one of .*'add', 'concat'"),
        ({"merge": "concat"}, '`merge` is of architecture="merged" alone'),
        ({"architecture": "merged", "num_layers": 1}, "`num_layers` must be at least 2"),
    ],
)
def test_what_no_architecture_has_is_an_error(arguments, message):
    with pytest.raises(ValueError, match=message):
        ElmoConfig(**arguments)


def test_sizes_of_the_merged_inputs_checked_by_hand():
    add = ElmoConfig(projection_dim=5, architecture="merged")
    concat = dataclasses.replace(add, merge="concat")
    separate = ElmoConfig(projection_dim=5)
    assert [add.lstm_input_dim(layer) for layer in range(2)] == [5, 10]
    assert [concat.lstm_input_dim(layer) for layer in range(2)] == [5, 15]
    assert [separate.lstm_input_dim(layer) for layer in range(2)] == [5, 5]
    assert (add.softmax_dim, concat.softmax_dim, separate.softmax_dim) == (10, 10, 5)
    assert add.layer_dim == concat.layer_dim == separate.layer_dim == 10


def test_a_file_is_read(tmp_path):
    path = tmp_path / "options.json"
    path.write_text(json.dumps(ORIGINAL))
    assert ElmoConfig.from_file(path) == ElmoConfig()
    assert ElmoConfig.from_file(str(path)) == ElmoConfig()
    assert read_options(path) == ORIGINAL


def test_boundaries_are_written_only_when_there_are_none():
    assert "sentence_boundaries" not in ElmoConfig().to_options()
    assert ElmoConfig(sentence_boundaries=False).to_options()["sentence_boundaries"] is False


@pytest.mark.parametrize(
    ("key", "field", "default"),
    [
        ("char_cnn.n_highway", "num_highway_layers", 0),
        ("lstm.n_layers", "num_layers", 1),
        ("lstm.cell_clip", "cell_clip", None),
        ("lstm.proj_clip", "projection_clip", None),
        ("lstm.use_skip_connections", "use_skip_connections", False),
        ("char_cnn.n_characters", "num_layers", 2),
    ],
)
def test_what_bilm_does_without_may_be_missing(key, field, default):
    assert getattr(ElmoConfig.from_options(options(remove=key)), field) == default


@pytest.mark.parametrize("key", ["n_highway"])
def test_null_for_no_highway_is_taken(key):
    assert ElmoConfig.from_options(options(f"char_cnn.{key}", None)).num_highway_layers == 0


@pytest.mark.parametrize("number", [261, 262])
def test_261_and_262_characters_mean_the_same(number):
    config = ElmoConfig.from_options(options("char_cnn.n_characters", number))
    assert config == ElmoConfig()
    assert config.to_options()["char_cnn"]["n_characters"] == 262


@pytest.mark.parametrize("number", [260, 263, 50, "262", None])
def test_other_numbers_of_characters_are_explained(number):
    with pytest.raises(ValueError, match=r"must be 261 .* or 262 .* Received: .*=" + repr(number)):
        ElmoConfig.from_options(options("char_cnn.n_characters", number))


# --- keys


def test_keys_of_training_are_passed_over_in_silence(caplog):
    with caplog.at_level(logging.DEBUG):
        assert ElmoConfig.from_options(TRAINING) == ElmoConfig()
    assert not caplog.records


@pytest.mark.parametrize("place", ["", "char_cnn.", "lstm.", "char_cnn.embedding."])
def test_a_key_that_nobody_knows_is_reported(place, caplog):
    with caplog.at_level(logging.WARNING):
        config = ElmoConfig.from_options(options(f"{place}frobnicate", 1), "my.json")
    assert config == ElmoConfig()
    assert caplog.messages == [f"my.json: unknown key `{place}frobnicate` is passed over."]


@pytest.mark.parametrize(
    ("section", "right", "wrong"),
    [
        ("lstm", "cell_clip", "cel_clip"),
        ("lstm", "proj_clip", "prj_clip"),
        ("lstm", "n_layers", "n_layer"),
        ("lstm", "use_skip_connections", "use_skip_connection"),
        ("char_cnn", "n_highway", "n_higway"),
        ("char_cnn", "n_characters", "n_charaters"),
    ],
)
def test_a_misspelt_key_is_an_error_that_names_the_right_one(section, right, wrong):
    misspelt = options(remove=f"{section}.{right}")
    misspelt[section][wrong] = ORIGINAL[section][right]
    message = f"^my.json: unknown key `{section}.{wrong}`; is `{right}` meant"
    with pytest.raises(ValueError, match=message):
        ElmoConfig.from_options(misspelt, "my.json")


def test_a_key_like_another_that_is_there_too_is_not_taken_for_it(caplog):
    config = ElmoConfig.from_options(options("lstm.n_layers2", 3))
    assert config.num_layers == 2
    assert "unknown key `lstm.n_layers2`" in caplog.text


@pytest.mark.parametrize(
    "key",
    [
        "char_cnn",
        "lstm",
        "char_cnn.embedding",
        "char_cnn.embedding.dim",
        "char_cnn.filters",
        "char_cnn.max_characters_per_token",
        "char_cnn.activation",
        "lstm.dim",
        "lstm.projection_dim",
    ],
)
def test_a_missing_key_is_named(key):
    with pytest.raises(ValueError, match=f"my.json has no `{key}`"):
        ElmoConfig.from_options(options(remove=key), "my.json")


@pytest.mark.parametrize("key", ["char_cnn", "lstm", "char_cnn.embedding"])
@pytest.mark.parametrize("value", [None, 3, [], "lstm"])
def test_a_section_must_be_an_object(key, value):
    with pytest.raises(ValueError, match=f"my.json: `{key}` must be an object"):
        ElmoConfig.from_options(options(key, value), "my.json")


# --- values


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ("char_cnn.filters", [[51, 4]], "no wider than a word's 50 characters. .*width=51"),
        ("char_cnn.filters", [], "`filters` must have at least one pair"),
        ("char_cnn.filters", 3, "`filters` must be pairs"),
        ("char_cnn.filters", [[1, 2, 3]], "`filters` must be pairs"),
        ("char_cnn.filters", [[0, 3]], "`filters: width` must be a positive integer"),
        ("char_cnn.filters", [[1, 0.5]], "`filters: number` must be a positive integer"),
        ("char_cnn.embedding.dim", 0, "`char_embedding_dim` must be a positive integer"),
        ("char_cnn.max_characters_per_token", 2, "`max_characters` must be an integer >= 3"),
        ("char_cnn.activation", "selu", r"`activation` must be one of \['relu', 'tanh'\]"),
        ("char_cnn.n_highway", -1, "`num_highway_layers` must be an integer >= 0"),
        ("lstm.dim", "4096", "`units` must be a positive integer"),
        ("lstm.dim", 256, "`projection_dim` must be at most `units`. .*512, units=256"),
        ("lstm.projection_dim", None, "`projection_dim` must be a positive integer"),
        ("lstm.n_layers", 0, "`num_layers` must be a positive integer"),
        ("lstm.cell_clip", -3, "`cell_clip` must be a number > 0 or None"),
        ("lstm.proj_clip", "3", "`projection_clip` must be a number > 0 or None"),
        ("lstm.use_skip_connections", 1, "`use_skip_connections` must be True or False"),
        ("sentence_boundaries", "no", "`sentence_boundaries` must be True or False"),
    ],
)
def test_a_value_out_of_range_is_named_with_its_file(place, value, message):
    with pytest.raises(ValueError, match=f"^my.json: .*{message}"):
        ElmoConfig.from_options(options(place, value), "my.json")


@pytest.mark.parametrize("value", [True, 2.0, "2", None, 0, -1])
@pytest.mark.parametrize("name", ["char_embedding_dim", "units", "projection_dim", "num_layers"])
def test_sizes_must_be_positive_integers(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a positive integer. .*={value!r}"):
        ElmoConfig(**{name: value})


@pytest.mark.parametrize("name", ["num_layers", "num_highway_layers"])
def test_a_number_of_layers_that_no_model_has_is_an_error(name):
    assert getattr(ElmoConfig(**{name: 1000}), name) == 1000
    with pytest.raises(ValueError, match=f"`{name}` must be at most 1000. Received: 1001"):
        ElmoConfig(**{name: 1001})


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), "3", True])
@pytest.mark.parametrize("name", ["cell_clip", "projection_clip"])
def test_clips_must_be_positive_numbers(name, value):
    with pytest.raises(ValueError, match=f"`{name}` must be a number > 0 or None. .*={value!r}"):
        ElmoConfig(**{name: value})


def test_a_filter_as_wide_as_a_word_is_allowed():
    assert ElmoConfig(filters=((50, 4),)).filters == ((50, 4),)
    assert ElmoConfig(filters=((3, 4),), max_characters=3).filters == ((3, 4),)


def test_filters_alone_are_not_bound_by_a_word():
    assert check_filters([[99, 4]]) == ((99, 4),)


def test_a_config_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ElmoConfig().units = 3


def test_a_config_can_be_a_key():
    assert len({ElmoConfig(), ElmoConfig(filters=[list(pair) for pair in FILTERS])}) == 1


def test_derived_sizes_checked_by_hand():
    config = ElmoConfig()
    assert config.num_filters == 32 + 32 + 64 + 128 + 256 + 512 + 1024
    assert config.layer_dim == 1024


# --- files


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="There is no options file '.*nothing.json'"):
        ElmoConfig.from_file(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"\xff\xfe{}", b"{'a': 1}", b'{"a": 1} x', b"[" * 100_000],
    ids=["empty", "cut", "not UTF-8", "not JSON", "more after it", "too deep"],
)
def test_a_file_that_is_not_json_is_an_error(content, tmp_path):
    path = tmp_path / "options.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="options.json is not a JSON file"):
        read_options(path)


@pytest.mark.parametrize("content", ["[]", "3", '"lstm"', "null"])
def test_a_file_that_holds_no_object_is_an_error(content, tmp_path):
    path = tmp_path / "options.json"
    path.write_text(content)
    with pytest.raises(ValueError, match="options.json must hold a JSON object. Received: "):
        read_options(path)


def test_errors_in_a_file_name_the_file(tmp_path):
    path = tmp_path / "options.json"
    path.write_text(json.dumps(options("lstm.n_layers", 0)))
    with pytest.raises(ValueError, match="options.json: `num_layers`"):
        ElmoConfig.from_file(path)
