"""One JSON object a line, as manifests and decisions are written: any other is told its place."""

from __future__ import annotations

import json
import math
from typing import Any

from pytest_llmclf.data.manifest_columns import MOST_COLUMNS


def object_of(line: str, place: str, problems: list[str]) -> dict[str, Any] | None:
    """The object on one line; ``None`` where it is none.

    Args:
        line: As it stands in the file.
        place: Where it stands, for messages: ``manifest.jsonl:7``.
        problems: Takes what is wrong with it.
    """
    try:
        # A number may be a label, of which its text is kept; NaN and Infinity are no values.
        row = json.loads(
            line, object_pairs_hook=_each_name_once, parse_float=str, parse_constant=_no_value
        )
    except _Twice as exc:
        problems.append(f"{place}: {exc.args[0]!r} is there twice: remove one")
        return None
    except (ValueError, RecursionError) as exc:
        problems.append(f"{place}: not JSON ({exc}): write one object a line")
        return None
    if not isinstance(row, dict):
        problems.append(f"{place}: not an object: write one object a line")
        return None
    if len(row) > MOST_COLUMNS:
        problems.append(
            f"{place}: {len(row)} names, more than {MOST_COLUMNS}: keep those that are needed"
        )
        return None
    return row


def read_json(text: str | bytes) -> Any:
    """A whole text of JSON, such as a log, in which some of the numbers are labels.

    Raises:
        ValueError: It is none.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, parse_float=_finite_or_text, parse_constant=_no_value)


def _finite_or_text(number: str) -> float | str:
    value = float(number)
    return value if math.isfinite(value) else number


def _no_value(_word: str) -> None:
    """What ``NaN`` and ``Infinity`` say, which JSON has not: that a value is missing."""


class _Twice(Exception):
    """An object has a name more than once; of its values JSON would keep the last."""


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(name)
        found[name] = value
    return found
