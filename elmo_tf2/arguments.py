"""Checks of arguments that configurations and layers share."""

import math
import numbers
from collections.abc import Sequence
from typing import Any


def check_bool(name: str, value: Any) -> bool:
    """Returns `value` if it is True or False.

    Raises:
        ValueError: if it is not, naming the argument.
    """
    if not isinstance(value, bool):
        raise ValueError(f"`{name}` must be True or False. Received: {name}={value!r}.")
    return value


def check_integer(name: str, value: Any, minimum: int = 1) -> int:
    """Returns `value` if it is an integer of at least `minimum`.

    Raises:
        ValueError: if it is not, naming the argument.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        kind = "a positive integer" if minimum == 1 else f"an integer >= {minimum}"
        raise ValueError(f"`{name}` must be {kind}. Received: {name}={value!r}.")
    return value


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Returns `value` if it is one of `choices`.

    Raises:
        ValueError: if it is not, naming the argument and the choices.
    """
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {list(choices)}. Received: {name}={value!r}.")
    return value


def check_number(name: str, value: Any, minimum: float = -math.inf) -> float:
    """Returns `value` as a float if it is a finite number of at least `minimum`.

    Raises:
        ValueError: if it is not, naming the argument.
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (is_number and math.isfinite(value) and value >= minimum):
        bound = "" if minimum == -math.inf else f" >= {minimum:g}"
        raise ValueError(f"`{name}` must be a finite number{bound}. Received: {name}={value!r}.")
    return float(value)


def check_clip(name: str, value: Any) -> float | None:
    """Returns `value` as a float if it is a finite number > 0, or None.

    Raises:
        ValueError: if it is not, naming the argument.
    """
    if value is None:
        return None
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not (is_number and 0 < value < math.inf):
        raise ValueError(f"`{name}` must be a number > 0 or None. Received: {name}={value!r}.")
    return float(value)


def check_rate(name: str, value: Any) -> float:
    """Returns `value` if it is a number in [0, 1).

    Raises:
        ValueError: if it is not, naming the argument.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1:
        raise ValueError(f"`{name}` must be a number in [0, 1). Received: {name}={value!r}.")
    return float(value)


def check_static_last_dim(layer: str, shape: Sequence[int | None]) -> int:
    """Returns the size of the last axis.

    Raises:
        ValueError: if it is unknown.
    """
    if not shape or shape[-1] is None:
        raise ValueError(
            f"Layer {layer!r} needs the size of its input's last axis to be known. "
            f"Received: input shape {tuple(shape)}."
        )
    return shape[-1]
