"""What a server says, taken only as what it claims to be.

JSON of a stranger may hold numbers that are none, text where a number belongs, or be nested until
the reader gives up. What is only told beside an answer (counts, times, log-probabilities) is then
left out, as if the server had not said it: it must not cost the answer, nor spoil the files and
figures that it would go into.
"""

from __future__ import annotations

import json
import math
from typing import Any

from pytest_llmclf.values.answer import TokenLogprob

MISREAD = (
    ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError
)  # fmt: skip
"""What reading a value raises that is not what it should be."""
_MOST = 2**53
"""Beyond it floats skip whole numbers, and so do readers of JSON."""
_LEAST_LOGPROB = -9999.0
"""What servers write for "impossible"; keeps infinities out of JSON."""


def parse_json(body: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: It is none, or nested deeper than can be read.
    """
    try:
        return json.loads(body)
    except RecursionError:
        msg = "nested too deeply"
        raise ValueError(msg) from None


def shown(value: object) -> str:
    """A parsed value as JSON again, for messages."""
    try:
        return json.dumps(value, default=str)
    except RecursionError:  # it was read with a little more room than there is here
        return f"a deeply nested {type(value).__name__}"


def count(value: object) -> int | None:
    """A number of things, or ``None`` where none is said."""
    return value if type(value) is int and 0 <= value < _MOST else None


def seconds(value: object, unit: float = 1.0) -> float | None:
    """A time in seconds, or ``None`` where none is said.

    Args:
        value: What the server said.
        unit: Seconds that one of its units has.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < _MOST:
        return None
    return value * unit


def logprobs(items: Any) -> tuple[TokenLogprob, ...] | None:
    """The tokens of an answer with their probabilities; ``None`` unless all of them are sound.

    Args:
        items: What should be a list of ``{"token": ..., "logprob": ..., "top_logprobs": [...]}``.
    """
    if not isinstance(items, list):
        return None
    try:
        return tuple(
            TokenLogprob(
                token=_text(item["token"]),
                logprob=_logarithm(item["logprob"]),
                top=tuple(
                    (_text(other["token"]), _logarithm(other["logprob"]))
                    for other in item.get("top_logprobs") or ()
                ),
            )
            for item in items
        )
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _text(value: object) -> str:
    if not isinstance(value, str):
        msg = f"{type(value).__name__} instead of text"
        raise TypeError(msg)
    return value


def _logarithm(value: object) -> float:
    # -inf is how some servers write "impossible"; positive ones are rounding at most.
    if not isinstance(value, int | float) or not value < 1:
        msg = "no logarithm of a probability"
        raise ValueError(msg)
    return float(max(value, _LEAST_LOGPROB)) if math.isfinite(value) else _LEAST_LOGPROB
