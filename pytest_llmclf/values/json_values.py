"""What values in a file of an earlier run, a recording or a store must be, before they are used.

JSON says that a field is there, not that it holds what it should: a file that was cut, edited or
written by something else is refused where it is read, and not by whatever stumbles over it later.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_LARGEST = 2**53  # beyond it floats, and with them many readers of JSON, skip whole numbers
_ROUNDING = 1e-9  # what a sum of probabilities may be beyond 1
_SHOWN = 40


def require(data: Mapping[str, Any], fits: Mapping[str, Callable[[object], bool]]) -> None:
    """Check the fields of a JSON object; absent ones pass.

    Raises:
        ValueError: Which field holds what it cannot hold.
    """
    for name, check in fits.items():
        if name in data and not check(data[name]):
            shown = repr(data[name])
            shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
            raise ValueError(f"{name} is {shown}")


def or_none(fits: Callable[[object], bool]) -> Callable[[object], bool]:
    """Whether a value is nothing, or what it should be."""
    return lambda value: value is None or fits(value)


def is_text(value: object) -> bool:
    """Whether it is text."""
    return isinstance(value, str)


def is_flag(value: object) -> bool:
    """Whether it is true or false."""
    return isinstance(value, bool)


def is_count(value: object) -> bool:
    """Whether it is a whole number that something can be counted by."""
    return type(value) is int and 0 <= value < _LARGEST


def is_counts(value: object) -> bool:
    """Whether it is a list of counts."""
    return isinstance(value, list) and all(map(is_count, value))


def is_number(value: object) -> bool:
    """Whether it is a finite number."""
    return type(value) in {int, float} and abs(value) < _LARGEST  # type: ignore[arg-type]


def is_share(value: object) -> bool:
    """Whether it is a number from 0 to 1."""
    return is_number(value) and -_ROUNDING <= value <= 1 + _ROUNDING  # type: ignore[operator]


def is_texts(value: object) -> bool:
    """Whether it is a list of texts."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def is_object(value: object) -> bool:
    """Whether it is an object."""
    return isinstance(value, dict)


def is_objects(value: object) -> bool:
    """Whether it is a list of objects."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def is_texts_by_name(value: object) -> bool:
    """Whether it is an object that holds texts."""
    return isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def is_shares_by_name(value: object) -> bool:
    """Whether it is an object that holds numbers from 0 to 1."""
    return isinstance(value, dict) and all(map(is_share, value.values()))


def is_logprob(value: object) -> bool:
    """Whether it is a finite logarithm of a probability; rounding may lift it above zero."""
    return type(value) in {int, float} and math.isfinite(value) and value < 1  # type: ignore[arg-type, operator]


def is_json(line: bytes) -> bool:
    """Whether a line is JSON."""
    try:
        json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return False
    return True
