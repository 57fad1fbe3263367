"""What stands behind the question mark of a model as written: ``train=FOLDER&most=500``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import SettingsError, nearest, some_of

if TYPE_CHECKING:
    from collections.abc import Sequence

PREDICTION_OPTIONS: Final = ("image", "predicted", "text", "name")
"""Of a file of predictions: three columns, and what it is called."""
_QUERY: Final = re.compile(r"(?P<front>.*?)\?(?P<query>\w+=.*)", re.DOTALL)


def split_query(text: str) -> tuple[str, str]:
    """What stands before and behind the question mark, which may be part of a file's name."""
    found = _QUERY.fullmatch(text)
    return (found["front"], found["query"]) if found else (text, "")


def read_query(query: str, known: Sequence[str], place: str) -> dict[str, str]:
    """Options by name.

    Args:
        query: As written, such as ``train=FOLDER&most=500``; nothing in it is encoded.
        known: The names that there are.
        place: The model as written, for messages.

    Raises:
        SettingsError: There is no such option, it is there twice, or it has no value.
    """
    found: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if name not in known:
            raise SettingsError(
                f"{place}: {name!r} is not one of {some_of(known)}{nearest(name, known)}"
            )
        if name in found or not value:
            what = "is there twice" if name in found else "has no value"
            raise SettingsError(f"{place}: {name} {what}: write {name}=VALUE once")
        found[name] = value
    return found
