"""Everything that decides a pretraining run, in one YAML or JSON file."""

import dataclasses
import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

import yaml

from elmo_tf2.arguments import check_choice, check_integer, check_number, check_rate
from elmo_tf2.config import ElmoConfig
from elmo_tf2.data import Masking
from elmo_tf2.files import check_file

LEARNING_RATES = {"adagrad": 0.2, "adam": 0.001}  # of each optimizer, unless it is told
DECAYS = ("none", "linear", "cosine")
INITIAL_BIASES = ("zeros", "log_uniform")
PRECISIONS = ("float32", "mixed_bfloat16")


@dataclasses.dataclass(frozen=True)
class PretrainingConfig:
    """Everything that decides a pretraining run but the text; frozen and validated.

    The defaults are those that the published models were trained with.

    Args:
        model: an `ElmoConfig`, or a mapping of its arguments.
        batch_size: int > 0. Rows of a batch over all devices.
        unroll_steps: int > 0. Tokens of a window, as far as the gradient goes.
        updates: int > 0. Number of updates of the whole run.
        dropout: float in [0, 1).
        num_negatives: int > 0, or None for the full softmax in training, too; that is also taken
            for a vocabulary that has no more words.
        initial_bias: where the softmax's bias begins: "zeros", or "log_uniform", the logarithms of
            the probabilities that negatives are drawn with, which saves a short run the many
            updates until rare words are met. Not used if initial weights have a softmax.
        optimizer: "adagrad" or "adam".
        learning_rate: float > 0, the highest; or None, which stands for 0.2 of Adagrad and 0.001 of
            Adam.
        initial_accumulator: float >= 0. Where Adagrad's sums of squares begin.
        warmup_updates: int >= 0. Updates in which the learning rate rises linearly from 0.
        decay: "none", or how the learning rate falls to 0 at the last update: "linear" or "cosine".
        decay_updates: int > 0, or None. Updates of that fall; None: all after the warm-up.
        clip_norm: float > 0 or None. Bound on the norm of all gradients together.
        accumulate: int > 0. Windows whose gradients make an update together.
        precision: "float32", or "mixed_bfloat16": matrix products in bfloat16, all else in float32.
        lowercase_rate: float in [0, 1). Share of the sentences that are lower-cased.
        masked_share: float in (0, 1), of a merged model alone as the next two, see `Masking`. Share
            of the words that are chosen to be predicted.
        random_rate: float in [0, 1). Share of the chosen words with another one in their places.
        kept_rate: float in [0, 1]. Share of the chosen words that stay.
        seed: int.

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
    initial_accumulator: float = 1.0
    warmup_updates: int = 0
    decay: str = "none"
    decay_updates: int | None = None
    clip_norm: float | None = 10.0
    accumulate: int = 1
    precision: str = "float32"
    lowercase_rate: float = 0.0
    masked_share: float = 0.15
    random_rate: float = 0.1
    kept_rate: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if isinstance(self.model, Mapping):
            object.__setattr__(self, "model", _from_mapping(ElmoConfig, self.model, "model."))
        for name in ("batch_size", "unroll_steps", "updates", "accumulate"):
            check_integer(name, getattr(self, name))
        check_integer("warmup_updates", self.warmup_updates, 0)
        if self.decay_updates is not None:
            check_integer("decay_updates", self.decay_updates)
        if self.num_negatives is not None:
            check_integer("num_negatives", self.num_negatives)
        for name in ("dropout", "lowercase_rate"):
            check_rate(name, getattr(self, name))
        check_number("initial_accumulator", self.initial_accumulator, 0)
        for name in ("learning_rate", "clip_norm"):
            if getattr(self, name) is not None:
                check_number(name, getattr(self, name), 0)
        check_choice("initial_bias", self.initial_bias, INITIAL_BIASES)
        check_choice("optimizer", self.optimizer, tuple(LEARNING_RATES))
        check_choice("decay", self.decay, DECAYS)
        check_choice("precision", self.precision, PRECISIONS)
        Masking(self.masked_share, self.random_rate, self.kept_rate)  # which checks them

    @property
    def highest_learning_rate(self) -> float:
        """`learning_rate`, or that of the optimizer if it is None."""
        if self.learning_rate is None:
            return LEARNING_RATES[self.optimizer]
        return self.learning_rate

    @property
    def masking(self) -> Masking | None:
        """How words are masked; None for a model that is not merged, which predicts the next."""
        if not self.model.is_merged:
            return None
        return Masking(self.masked_share, self.random_rate, self.kept_rate)

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> "PretrainingConfig":
        """Reads a YAML or JSON file with these names; what is not in it has its default.

        Args:
            path: the file.

        Returns:
            A `PretrainingConfig`.

        Raises:
            FileNotFoundError: if there is no such file.
            ValueError: if it is no mapping, has an unknown name, or a value is out of its range.
        """
        try:
            values = yaml.safe_load(check_file(path, "configuration").read_bytes()) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is neither YAML nor JSON: {error}.") from error
        if not isinstance(values, dict):
            raise ValueError(f"{path} must hold names and values. Received: {values!r}.")
        try:
            return _from_mapping(cls, values)
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
                raise ValueError(f"A change must be NAME=VALUE. Received: {change!r}.")
            place, _, key = name.strip().rpartition(".")
            if place not in ("", "model"):
                raise ValueError(f"unknown name `{name}`.")
            try:
                value = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise ValueError(f"`{change}`: the value is not YAML: {error}.") from error
            (values["model"] if place else values)[key] = value
        return _from_mapping(PretrainingConfig, values)

    def to_yaml(self) -> str:
        """The text of a file that `from_file` reads as this configuration."""
        values = dataclasses.asdict(self)
        values["model"]["filters"] = [list(pair) for pair in self.model.filters]
        return yaml.safe_dump(values, sort_keys=False, default_flow_style=None)


def _from_mapping(kind: Any, values: Mapping[str, Any], parent: str = "") -> Any:
    known = get_type_hints(kind)
    for name in values:
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f"; is `{parent}{near[0]}` meant?" if near else f". Known: {', '.join(known)}."
            raise ValueError(f"unknown name `{parent}{name}`{hint}")
    return kind(**values)
