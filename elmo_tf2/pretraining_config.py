"""Everything that decides a pretraining run, in one YAML or JSON file."""

import dataclasses
import difflib
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import yaml

from elmo_tf2.config import ElmoConfig
from elmo_tf2.data.masking import Masking
from elmo_tf2.files import check_file
from elmo_tf2.validation import (
    MAX_SEED,
    check_choice,
    check_integer,
    check_number,
    check_positive,
    check_rate,
    one_line,
    shown,
)

LEARNING_RATES = {"adagrad": 0.2, "adam": 0.001}  # the defaults
DECAYS = ("none", "linear", "cosine")
INITIAL_BIASES = ("zeros", "log_uniform")
PRECISIONS = ("float32", "mixed_bfloat16")
# Names in the files of earlier runs.
_OLD_NAMES = {
    "accumulate": "gradient_accumulation_steps",
    "initial_accumulator": "initial_accumulator_value",
    "masked_share": "mask_rate",
}


@dataclasses.dataclass(frozen=True)
class PretrainingConfig:
    """Everything that decides a pretraining run but the text; frozen and validated.

    The defaults are those of the published models' training.

    Args:
        model: an `ElmoConfig`, or a mapping of its arguments.
        batch_size: int > 0. Rows of a batch over all devices.
        unroll_steps: int > 0. Tokens of a window; the gradient is truncated at its ends.
        updates: int > 0. Number of updates of the whole run.
        dropout: float in [0, 1).
        num_negatives: int > 0, or None for the full softmax in training, which is also used for a
            vocabulary with no more words than this.
        initial_bias: initial values of the softmax's bias: "zeros", or "log_uniform", the log
            probabilities of the negatives' sampler, which saves a short run the many updates until
            rare words occur. Not used if initial weights have a softmax.
        optimizer: "adagrad" or "adam".
        learning_rate: float > 0, the peak; or None: 0.2 for Adagrad and 0.001 for Adam.
        initial_accumulator_value: float >= 0. Initial value of Adagrad's sums of squares.
        warmup_updates: int >= 0. Updates in which the learning rate rises linearly from 0.
        decay: "none", or how the learning rate falls to 0 at the last update: "linear" or "cosine".
        decay_updates: int > 0, or None. Updates of the decay; None: all after the warm-up.
        clip_norm: float > 0 or None. Bound on the global norm of the gradients.
        gradient_accumulation_steps: int > 0. Windows whose gradients one update applies.
        precision: "float32", or "mixed_bfloat16": matrix products in bfloat16, all else in float32.
        lowercase_rate: float in [0, 1). Share of the sentences that are lower-cased.
        mask_rate: float in (0, 1). Share of the words that are masked and predicted, see `Masking`.
            This and the next two are for a merged model only.
        random_rate: float in [0, 1). Share of the chosen words that a random word replaces.
        kept_rate: float in [0, 1]. Share of the chosen words that are kept.
        seed: int >= 0, less than 2^32.

    Raises:
        ValueError: if a value is out of its range, naming it.

    Example:
    >>> PretrainingConfig(batch_size=64, learning_rate=0.1).unroll_steps
    20

    Reference:
     - [bilm-tf](https://github.com/allenai/bilm-tf)
    """

    model: ElmoConfig = ElmoConfig()  # noqa: RUF009
    batch_size: int = 128
    unroll_steps: int = 20
    updates: int = 3_000_000
    dropout: float = 0.1
    num_negatives: int | None = 8192
    initial_bias: str = "zeros"
    optimizer: str = "adagrad"
    learning_rate: float | None = None
    initial_accumulator_value: float = 1.0
    warmup_updates: int = 0
    decay: str = "none"
    decay_updates: int | None = None
    clip_norm: float | None = 10.0
    gradient_accumulation_steps: int = 1
    precision: str = "float32"
    lowercase_rate: float = 0.0
    mask_rate: float = 0.15
    random_rate: float = 0.1
    kept_rate: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        checked: dict[str, Any] = {
            "model": _as_model(self.model),
            "warmup_updates": check_integer("warmup_updates", self.warmup_updates, 0),
            "initial_accumulator_value": check_number(
                "initial_accumulator_value", self.initial_accumulator_value, 0
            ),
            "seed": check_integer("seed", self.seed, 0, MAX_SEED),
        }
        for name in ("batch_size", "unroll_steps", "updates", "gradient_accumulation_steps"):
            checked[name] = check_integer(name, getattr(self, name))
        for name in ("num_negatives", "decay_updates"):
            if getattr(self, name) is not None:
                checked[name] = check_integer(name, getattr(self, name))
        for name in ("dropout", "lowercase_rate"):
            checked[name] = check_rate(name, getattr(self, name))
        for name in ("learning_rate", "clip_norm"):
            checked[name] = check_positive(name, getattr(self, name))
        checked |= dataclasses.asdict(self._masking())
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        check_choice("initial_bias", self.initial_bias, INITIAL_BIASES)
        check_choice("optimizer", self.optimizer, tuple(LEARNING_RATES))
        check_choice("decay", self.decay, DECAYS)
        check_choice("precision", self.precision, PRECISIONS)

    @property
    def peak_learning_rate(self) -> float:
        """`learning_rate`, or the optimizer's default if it is None."""
        if self.learning_rate is None:
            return LEARNING_RATES[self.optimizer]
        return self.learning_rate

    @property
    def masking(self) -> Masking | None:
        """How words are masked; None for a model that predicts the next word."""
        return self._masking() if self.model.is_merged else None

    def _masking(self) -> Masking:
        return Masking(self.mask_rate, self.random_rate, self.kept_rate)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "PretrainingConfig":
        """Reads a YAML or JSON file with these names; missing ones have their defaults.

        Args:
            path: the file.

        Returns:
            A `PretrainingConfig`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is not a mapping, has an unknown name, or a value is out of its range.
        """
        text = check_file(path, "configuration").read_bytes()
        try:
            values = _read_yaml(text)
        except ValueError as error:
            raise ValueError(
                f"{path} is neither YAML nor JSON of plain values: {error}."
            ) from error
        if values is not None and not isinstance(values, dict):
            raise ValueError(f"{path} must hold names and values. Received: {shown(values)}.")
        try:
            return _from_mapping(cls, values or {})
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    def changed(self, changes: Sequence[str]) -> "PretrainingConfig":
        """This configuration with other values.

        Args:
            changes: as "learning_rate=0.1" or "model.units=512", values in YAML.

        Returns:
            A `PretrainingConfig`.

        Raises:
            ValueError: if a name is unknown or a value is out of its range.
        """
        values = dataclasses.asdict(self)
        for change in changes:
            name, equals, text = change.partition("=")
            if not equals:
                raise ValueError(f"A change must be NAME=VALUE. Received: {shown(change)}.")
            parent, _, key = name.strip().rpartition(".")
            if parent not in ("", "model"):
                raise ValueError(f"unknown name `{name}`.")
            try:
                value = _read_yaml(text)
            except ValueError as error:
                raise ValueError(f"`{name}`: the value is not YAML: {error}.") from error
            if not parent:
                values[key] = value
            elif isinstance(values["model"], dict):
                values["model"] = {**values["model"], key: value}
            else:
                _as_model(values["model"])  # raises the error that fits
        return _from_mapping(PretrainingConfig, values)

    def to_yaml(self) -> str:
        """The text of a file that `from_file` reads as this configuration."""
        values = dataclasses.asdict(self)
        model = values["model"]
        model["filters"] = [list(pair) for pair in self.model.filters]
        del model["words"], model["characters"], model["word_dim"]  # as the vocabulary decides
        if self.model.token_embedder == "char_cnn":
            del model["token_embedder"]
        return yaml.safe_dump(values, sort_keys=False, default_flow_style=None)


class _Loader(yaml.SafeLoader):
    """YAML of plain values, without aliases: a few lines of those can fill the memory."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise ValueError(f"it has an alias, `*{self.peek_event().anchor}`")
        return super().compose_node(parent, index)


# 1e-3 is a number in YAML 1.2 and in JSON, but text to PyYAML.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _read_yaml(text: Any) -> Any:
    """The value of a YAML or JSON text; a ValueError of one line if it is neither."""
    try:
        return yaml.load(text, _Loader)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except (yaml.YAMLError, ValueError, TypeError, LookupError, AttributeError) as error:
        # PyYAML raises all of these for malformed values, such as the date 2024-02-30.
        raise ValueError(one_line(error)) from error


def _as_model(value: Any) -> ElmoConfig:
    if isinstance(value, ElmoConfig):
        return value
    if not isinstance(value, Mapping):
        raise ValueError(
            "`model` must be an ElmoConfig, or a mapping of its arguments. Received: "
            f"model={shown(value)}."
        )
    try:
        return _from_mapping(ElmoConfig, value, "model.")
    except ValueError as error:
        raise ValueError(f"`model`: {error}") from error


def _from_mapping(kind: Any, values: Mapping[str, Any], parent: str = "") -> Any:
    known = get_type_hints(kind)
    if kind is PretrainingConfig:
        values = {_OLD_NAMES.get(name, name): value for name, value in values.items()}
    for name in values:
        if name not in known:
            name = one_line(name)[:100]
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; is `{parent}{near[0]}` meant?" if near else f". Known: {', '.join(known)}."
            raise ValueError(f"unknown name `{parent}{name}`{hint}")
    return kind(**values)
