"""What an answer in JSON gives."""

from __future__ import annotations

import json
from typing import Any, Final

from pytest_llmclf.prompting.label_text import fold, normalise, takes_back

_KEYS: Final = ("label", "class", "answer")


def json_values(text: str) -> tuple[str, ...] | None:
    """The strings and numbers that a JSON answer gives, or `None` if it is not JSON.

    Numbers stay as written (7.0 is not 7); a value of another kind comes out as the empty string,
    which names nothing.
    """
    body = text.strip()
    if not body.startswith(("{", '"')):
        return None
    try:
        data: Any = json.loads(
            body, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, _Pairs):
        return (data,) if isinstance(data, str) else ("",)
    values = [value for key, value in data if normalise(key) in _KEYS]
    if not values and len(data) == 1 and not takes_back(fold(data[0][0].replace("_", " "))):
        values = [data[0][1]]
    return tuple(value if isinstance(value, str) else "" for value in values)


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with every key, repeated ones too."""
