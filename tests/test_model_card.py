"""The model card that goes with an exported model."""

import dataclasses
import re

import pytest

from elmo_tf2.config import ElmoConfig
from elmo_tf2.saved_model.model_card import model_card
from tests import REPOSITORY

CONFIG = ElmoConfig(filters=((1, 8),), units=24, projection_dim=12, num_layers=3)


@pytest.fixture(scope="module")
def card():
    return model_card(CONFIG, 1_234_567, "mix", "a folder")


def rows(card):
    """The rows of all tables, by their first cell."""
    cells = [re.split(r"\s*\|\s*", line.strip("| ")) for line in card.splitlines() if "|" in line]
    return {row[0].strip("`"): row[1:] for row in cells}


def test_the_card_tells_the_sizes(card):
    found = rows(card)
    assert found["parameters"] == ["1,234,567"]
    assert found["word vectors"] == ["12"]
    assert found["LSTM layers a direction"] == ["3, 24 units, projected to 12"]
    assert found["weighted sum"] == ["24"]


def test_the_card_of_a_model_without_projection_tells_of_none():
    config = dataclasses.replace(CONFIG, projection_dim=24)
    assert rows(model_card(config, 1, "mix"))["LSTM layers a direction"] == ["3, 24 units"]


@pytest.mark.parametrize(
    ("merge", "told"), [("add", "word vector added to each"), ("concat", "[word vector; forward;")]
)
def test_the_card_tells_of_a_merged_model(merge, told):
    config = dataclasses.replace(CONFIG, architecture="merged", merge=merge)
    (cell,) = rows(model_card(config, 1, "mix"))["LSTM layers a direction"]
    assert cell.startswith("3, 24 units, projected to 12; above the first, both read")
    assert told in cell


def test_the_card_tells_where_the_weights_come_from(card):
    assert rows(card)["weights from"] == ["a folder"]


def test_without_a_source_the_card_says_so():
    assert rows(model_card(CONFIG, 1, "mix"))["weights from"] == ["not stated"]


@pytest.mark.parametrize(
    ("trainable", "told"),
    [
        ("mix", "the weighted sum"),
        ("all", "the weighted sum and the encoder"),
        ("none", "nothing"),
    ],
)
def test_the_card_tells_what_is_trainable(trainable, told):
    assert rows(model_card(CONFIG, 1, trainable))["trainable"] == [told]


def test_the_card_has_a_row_for_every_output(card):
    found = rows(card)
    assert found["word_emb"][0] == "[batch, max_length, 12]"
    for layer in (1, 2, 3):
        assert found[f"lstm_outputs{layer}"] == [
            "[batch, max_length, 24]",
            f"[forward; backward] of layer {layer}",
        ]
    assert "lstm_outputs4" not in found
    assert found["elmo"][0] == "[batch, max_length, 24]"
    assert found["default"][0] == "[batch, 24]"
    assert found["sequence_len"][0] == "int32 [batch]"


def test_the_card_has_the_lines_that_load_the_model(card):
    code = card.split("```python\n")[1].split("```")[0]
    compile(code, "the card", "exec")
    assert 'elmo = hub.load("PATH")' in code
    assert 'signature="default", as_dict=True)["elmo"]' in code


def test_no_placeholder_is_left(card):
    assert not re.search(r"\{(?!\")|\\$", card, flags=re.MULTILINE)


def test_the_card_promises_the_outputs_that_the_contract_has(card):
    contract = (REPOSITORY / "export" / "README.md").read_text(encoding="utf-8")
    names = re.findall(r"^\| `(\w+)`", contract, flags=re.MULTILINE)
    assert {"word_emb", "lstm_outputs1", "elmo", "default", "sequence_len", "tokens"} <= set(names)
    for name in names:
        assert f"| `{name}`" in card
