"""Values of every field of the configurations: types, bounds, and errors of one line."""

import dataclasses
import json
import math
import time

import numpy as np
import pytest
import yaml

from elmo_tf2.config import MAX_CHARACTERS, MAX_LAYERS, MAX_SIZE, ElmoConfig
from elmo_tf2.pretraining_config import PretrainingConfig
from elmo_tf2.validation import MAX_INTEGER, MAX_SEED, check_integer, check_number, shown

NO_NUMBERS = ["abc", "3", "", [], {}, [[3]], True, float("nan"), math.inf, -math.inf]
TOO_LARGE = [10**23, 10**400, 10**5000]
WRONG = {
    "integer": [*NO_NUMBERS, *TOO_LARGE, -1, 1.5, 2.0, 1e9, 1e30, None],
    "number": [*NO_NUMBERS, 10**400, 10**5000, 1e39, -1, 0, 1e-60],
    "rate": [*NO_NUMBERS, *TOO_LARGE, -0.1, 1.1, None],
    "bool": ["yes", 1, 0, None, []],
    "choice": ["other", 1, None, [], {}, True, "x" * 10**4],
}
# What the fields take: their kind, and the largest value or None.
FIELDS = {
    ElmoConfig: {
        "char_embedding_dim": ("integer", MAX_SIZE),
        "max_characters": ("integer", MAX_CHARACTERS),
        "activation": ("choice", None),
        "num_highway_layers": ("integer", MAX_LAYERS),
        "units": ("integer", MAX_SIZE),
        "projection_dim": ("integer", 4096),  # that of `units`
        "num_layers": ("integer", MAX_LAYERS),
        "cell_clip": ("number", 1e38),
        "projection_clip": ("number", 1e38),
        "use_skip_connections": ("bool", None),
        "sentence_boundaries": ("bool", None),
        "always_project": ("bool", None),
        "tokenizer": ("choice", None),
        "architecture": ("choice", None),
        "merge": ("choice", None),
        "token_embedder": ("choice", None),
        "word_dim": ("integer", 0),  # of the published token embedder
    },
    PretrainingConfig: {
        "batch_size": ("integer", MAX_INTEGER),
        "unroll_steps": ("integer", MAX_INTEGER),
        "updates": ("integer", MAX_INTEGER),
        "dropout": ("rate", 0.999),
        "num_negatives": ("integer", MAX_INTEGER),
        "initial_bias": ("choice", None),
        "optimizer": ("choice", None),
        "learning_rate": ("number", 1e38),
        "initial_accumulator_value": ("number", 1e38),
        "warmup_updates": ("integer", MAX_INTEGER),
        "decay": ("choice", None),
        "decay_updates": ("integer", MAX_INTEGER),
        "clip_norm": ("number", 1e38),
        "gradient_accumulation_steps": ("integer", MAX_INTEGER),
        "precision": ("choice", None),
        "lowercase_rate": ("rate", 0.999),
        "mask_rate": ("rate", 0.999),
        "random_rate": ("rate", 0.999),
        "kept_rate": ("rate", 0.9),
        "seed": ("integer", MAX_SEED),
    },
}
CASES = [(kind, name) for kind, fields in FIELDS.items() for name in fields]
OPTIONAL = {"num_negatives", "decay_updates"}
FROM_ZERO = {"initial_accumulator_value"}
# Where they are in an options.json.
PLACES = {
    "char_embedding_dim": "char_cnn.embedding.dim",
    "max_characters": "char_cnn.max_characters_per_token",
    "activation": "char_cnn.activation",
    "num_highway_layers": "char_cnn.n_highway",
    "units": "lstm.dim",
    "projection_dim": "lstm.projection_dim",
    "num_layers": "lstm.n_layers",
    "cell_clip": "lstm.cell_clip",
    "projection_clip": "lstm.proj_clip",
    "use_skip_connections": "lstm.use_skip_connections",
}
OF_FILES = [None, "abc", [[1]], {"a": 1}, True, -1, 1.5, 1e30, 10**23, 10**400]


def wrong_values(kind, name):
    for value in WRONG[FIELDS[kind][name][0]]:
        if not (value is None and name in OPTIONAL) and not (
            name in FROM_ZERO and value in (0, 1e-60)
        ):
            yield value


def check_message(error, name):
    text = str(error)
    assert f"`{name}`" in text and "must be" in text
    assert "\n" not in text and len(text) < 600


def test_every_field_has_its_row():
    for kind, fields in FIELDS.items():
        names = {field.name for field in dataclasses.fields(kind)} - {
            "filters",
            "model",
            "words",
            "characters",
        }
        assert set(fields) == names


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_wrong_value_of_any_field_is_told_in_a_line(kind, name):
    for value in wrong_values(kind, name):
        with pytest.raises(ValueError) as error:
            kind(**{name: value})
        check_message(error.value, name)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_the_largest_value_is_taken_and_one_more_is_not(kind, name):
    form, most = FIELDS[kind][name]
    if form in ("bool", "choice"):
        return
    rates = {"random_rate": 0.0, "kept_rate": 0.0} if form == "rate" else {}
    rates = {key: value for key, value in rates.items() if kind is PretrainingConfig}
    assert getattr(kind(**{**rates, name: most}), name) == most
    if form == "integer":
        with pytest.raises(ValueError, match=f"`{name}` must be at most {most}|at most `units`"):
            kind(**{name: most + 1})


@pytest.mark.parametrize("name", PLACES)
def test_an_options_file_with_a_wrong_value_names_file_and_key(name, tmp_path):
    path = tmp_path / "options.json"
    for value in OF_FILES:
        form = FIELDS[ElmoConfig][name][0]
        taken = {"number": (None, 1.5, 1e30, 10**23), "bool": (True,)}.get(form, ())
        if value in taken or (value is None and name == "num_highway_layers"):
            continue
        options = ElmoConfig().to_options()
        *parents, key = PLACES[name].split(".")
        section = options
        for parent in parents:
            section = section[parent]
        section[key] = value
        path.write_text(json.dumps(options))
        with pytest.raises(ValueError, match=f"^{path}: ") as error:
            ElmoConfig.from_file(path)
        check_message(error.value, name)
        assert f"`{PLACES[name]}`" in str(error.value)


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_configuration_with_a_wrong_value_names_file_and_name(kind, name, tmp_path):
    path = tmp_path / "config.yaml"
    place = "model." if kind is ElmoConfig else ""
    for value in wrong_values(kind, name):
        if isinstance(value, int) and value > 10**4000:
            continue  # it is no YAML, see below
        values = {"model": {name: value}} if place else {name: value}
        path.write_text(yaml.safe_dump(values))
        with pytest.raises(ValueError, match=f"^{path}: ") as error:
            PretrainingConfig.from_file(path)
        check_message(error.value, name)
        with pytest.raises(ValueError) as error:
            PretrainingConfig().changed([f"{place}{name}={json.dumps(value)}"])
        check_message(error.value, name)


def test_integers_and_numbers_of_numpy_become_pythons():
    config = PretrainingConfig(
        model={"units": np.int64(600), "cell_clip": np.float32(2)},
        learning_rate=1,
        clip_norm=np.float64(2),
        seed=np.uint32(7),
    )
    values = (config.model.units, config.model.cell_clip, config.learning_rate, config.clip_norm)
    assert [(type(value), value) for value in values] == [
        (int, 600),
        (float, 2.0),
        (float, 1.0),
        (float, 2.0),
    ]
    assert yaml.safe_load(config.to_yaml())["seed"] == 7


@pytest.mark.parametrize("model", [5, None, [], "original", True])
def test_a_model_must_be_a_mapping(model, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps({"model": model}))
    with pytest.raises(ValueError, match=f"^{path}: `model` must be an ElmoConfig, or a mapping"):
        PretrainingConfig.from_file(path)
    changes = [f"model={json.dumps(model)}", "model.units=600"]
    with pytest.raises(ValueError, match="^`model` must be an ElmoConfig, or a mapping"):
        PretrainingConfig().changed(changes)


def test_several_changes_of_a_model_are_checked_together():
    config = PretrainingConfig().changed(["model.units=8", "model.projection_dim=4"])
    assert (config.model.units, config.model.projection_dim) == (8, 4)


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1.0), ("1e-3", 0.001), ("1E2", 100.0), ("+2e+1", 20.0), ("0.5", 0.5)]
)
def test_a_number_is_one_however_it_is_written(text, value, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(f"learning_rate: {text}")
    assert PretrainingConfig.from_file(path).learning_rate == value
    assert PretrainingConfig().changed([f"learning_rate={text}"]).learning_rate == value


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)
NO_YAML = {
    "aliases": (BOMB, "it has an alias, `\\*a`"),
    "merged aliases": ("a: &a {x: 1}\n<<: [*a, *a]", "it has an alias"),
    "an alias of itself": ("a: &a [*a]", "it has an alias"),
    "nested": ("[" * 5_000, "it is nested too deep"),
    "nested mappings": ("{a: " * 5_000, "it is nested too deep"),
    "several lines": ("a:\n  b: [\n c: d\n", "while parsing"),
    "no date": ("seed: 2024-02-30", "day is out of range"),
    "no integer": ("seed: !!int ''", "string index"),
    "a long integer": (f"seed: {'9' * 5000}", "Exceeds the limit"),
    "no timestamp": ("seed: !!timestamp x", ""),
    "a Python object": ("seed: !!python/object/apply:os.getcwd []", "constructor"),
    "a key that is a list": ("? [a]\n: 3", "unhashable"),
    "control characters": ("seed: \x00", "special characters"),
    "no UTF-8": (b"seed: \xff", "invalid start byte"),
    "two documents": ("a: 1\n---\nb: 2", "expected a single document"),
}


@pytest.mark.parametrize("case", NO_YAML)
def test_what_is_no_plain_yaml_is_told_in_a_line(case, tmp_path):
    text, message = NO_YAML[case]
    path = tmp_path / "config.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    start = time.monotonic()
    with pytest.raises(ValueError, match=f"^{path} is neither YAML nor JSON.*{message}") as error:
        PretrainingConfig.from_file(path)
    assert "\n" not in str(error.value)
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("text", ["[]", "0", "false", "''", "5", "a"])
def test_a_file_that_holds_no_mapping_is_no_configuration(text, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="must hold names and values. Received: "):
        PretrainingConfig.from_file(path)
    path.write_text("")
    assert PretrainingConfig.from_file(path) == PretrainingConfig()


def test_filters_are_bounded():
    for filters, message in [
        ([[1, 10**23]], "`filters: number` must be at most 1000000"),
        ([[10**400, 1]], "`filters: width` must be at most 10000"),
        ([[1, 1]] * 1001, "`filters: number of pairs` must be at most 1000"),
        ([[[1], 1]], "`filters: width` must be a positive integer"),
    ]:
        with pytest.raises(ValueError, match=message):
            ElmoConfig(filters=filters)


@pytest.mark.parametrize("options", [5, None, [], "lstm"])
def test_options_must_be_a_mapping(options):
    with pytest.raises(ValueError, match="^options must be a mapping. Received: "):
        ElmoConfig.from_options(options)


# What is shown of a value.


def test_a_value_is_shown_in_a_short_line():
    nested = ["x"]
    for _ in range(40):
        nested = [nested] * 10  # 10^40 of them
    for value in (nested, "a\nb" * 10**6, np.zeros((100, 100)), 10**5000, {"a": nested}):
        text = shown(value)
        assert len(text) <= 201 and "\n" not in text
    assert shown("abc") == "'abc'"
    assert shown(10**22) == "1" + "0" * 22


@pytest.mark.parametrize("value", [0, -1, 2**31, True, 1.0, "1"])
def test_an_integer_is_from_1_to_what_32_bits_hold(value):
    with pytest.raises(ValueError, match="`n` must be (a positive integer|at most 2147483647)"):
        check_integer("n", value)


def test_a_number_is_one_of_float32():
    assert check_number("n", -3) == -3.0
    assert check_number("n", np.float16(0.5)) == 0.5
    for value in (1e39, -(10**400), complex(1), None):
        with pytest.raises(ValueError, match="`n` must be a finite number, in float32"):
            check_number("n", value)
