"""One JSON object a line, as manifests and decisions are written: any other is told its place."""

from __future__ import annotations

import json
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
        row = json.loads(line, object_pairs_hook=_each_name_once)
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


class _Twice(Exception):
    """An object has a name more than once; of its values JSON would keep the last."""


def _each_name_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twice(name)
        found[name] = value
    return found
