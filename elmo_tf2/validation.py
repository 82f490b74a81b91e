"""Checks of arguments that configurations and layers share."""

import math
import numbers
import reprlib
from collections.abc import Sequence
from typing import Any

MAX_INTEGER = 2**31 - 1  # of int32, in which TensorFlow counts
MAX_SEED = 2**32 - 1  # of NumPy, which Keras sets with its own
_SMALLEST, _LARGEST = 2.0**-126, (2 - 2.0**-23) * 2.0**127  # of float32
_SHOWN = 200
_REPR = reprlib.Repr()
_REPR.maxlevel, _REPR.maxstring, _REPR.maxother = 2, 100, 100


def shown(value: Any) -> str:
    """`repr` for a message: one line, and not long, however large or nested the value is."""
    try:
        text = one_line(_REPR.repr(value))
    except ValueError:  # Python writes no integer of more than some 4,300 digits
        return "an integer of thousands of digits"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def one_line(text: object) -> str:
    """A text, perhaps of another library's error, without line breaks."""
    return " ".join(str(text).split())


def _wrong(name: str, expected: str, value: Any) -> ValueError:
    return ValueError(f"`{name}` must be {expected}. Received: {name}={shown(value)}.")


def check_bool(name: str, value: Any) -> bool:
    """Returns `value` if it is True or False."""
    if not isinstance(value, bool):
        raise _wrong(name, "True or False", value)
    return value


def check_integer(name: str, value: Any, minimum: int = 1, maximum: int = MAX_INTEGER) -> int:
    """Returns `value` as an int if it is an integer from `minimum` to `maximum`."""
    is_integer = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    number = int(value) if is_integer else minimum - 1
    if number < minimum:
        raise _wrong(
            name, "a positive integer" if minimum == 1 else f"an integer >= {minimum}", value
        )
    if number > maximum:
        raise ValueError(f"`{name}` must be at most {maximum}. Received: {shown(value)}.")
    return number


def check_choice(name: str, value: Any, choices: Sequence[str]) -> str:
    """Returns `value` if it is one of `choices`."""
    if not isinstance(value, str) or value not in choices:
        raise _wrong(name, f"one of {list(choices)}", value)
    return value


def _float32(value: Any) -> float:
    """A number that float32 holds, NaN for anything else."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return math.nan
    try:
        number = float(value)
    except OverflowError:
        return math.nan
    return number if abs(number) <= _LARGEST else math.nan


def check_number(name: str, value: Any, minimum: float = -math.inf) -> float:
    """Returns `value` as a float if it is a finite number of at least `minimum`, in float32."""
    number = _float32(value)
    if not number >= minimum:
        bound = "" if minimum == -math.inf else f" >= {minimum:g}"
        raise _wrong(name, f"a finite number{bound}, in float32", value)
    return number


def check_positive(name: str, value: Any) -> float | None:
    """Returns `value` as a float if it is a finite number > 0 in float32, or None."""
    if value is None:
        return None
    number = _float32(value)
    if not number >= _SMALLEST:
        raise _wrong(name, "a number > 0 or None, in float32", value)
    return number


def check_rate(name: str, value: Any, may_be_one: bool = False) -> float:
    """Returns `value` as a float if it is a number in [0, 1), or in [0, 1]."""
    number = _float32(value)
    if not (0 <= number < 1 or (may_be_one and number == 1)):
        raise _wrong(name, f"a number in [0, 1{']' if may_be_one else ')'}", value)
    return number


def check_static_last_dim(layer: str, shape: Sequence[int | None]) -> int:
    """Returns the size of the last axis."""
    if not shape or shape[-1] is None:
        raise ValueError(
            f"Layer {layer!r} needs the size of its input's last axis to be known. "
            f"Received: input shape {tuple(shape)}."
        )
    return shape[-1]
