"""What an answer in JSON gives, and which of several named values is the answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.prompting.label_text import (
    CARRIERS,
    SUBJECTS,
    fold,
    normalise,
    parts,
    takes_back,
)
from pytest_llmclf.prompting.readers.word_lists import COMPARES, DOUBTS, LACKS, MEASURES, NOT_ASKED
from pytest_llmclf.prompting.spellings import separated

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_KEYS: Final = ("label", "class", "answer")


def json_values(text: str) -> tuple[str, ...] | None:
    """The strings and numbers that a JSON answer gives, or `None` if it is not JSON.

    Numbers stay as written (7.0 is not 7); a value of another kind comes out as the empty string,
    which names nothing.
    """
    data = _parsed(text)
    if data is None:
        return None
    if not isinstance(data, _Pairs):
        return (data,) if isinstance(data, str) else ("",)
    values = [value for key, value in data if normalise(key) in _KEYS]
    if not values and len(data) == 1 and not takes_back(fold(data[0][0].replace("_", " "))):
        values = [data[0][1]]
    return tuple(value if isinstance(value, str) else "" for value in values)


def json_fields(text: str) -> tuple[tuple[str, str], ...]:
    """Every key of a JSON object with its value, those of objects and lists inside it as well."""
    data = _parsed(text)
    return tuple(_fields("", data)) if isinstance(data, _Pairs) else ()


def one_label(fields: Sequence[tuple[str, str]], whole: Callable[[str], str | None]) -> str | None:
    """The only label among the values of named fields, if its name can be what was asked for.

    A number counts only where its field is called like a class: "x" may be anything. None is read
    where another field that is called like a class holds something else than a label, nor
    where the field is a measure, or tells what the image is not, or what it is beside.

    Args:
        fields: Names and values.
        whole: What gives the label that all of a text is.
    """
    answers: list[tuple[bool, str]] = []
    for key, value in fields:
        words = set(separated(key))
        asked = bool(words) and words <= _ASKED
        name = whole(value)
        if name is None:
            if (asked and len(value.split()) < _TEXT) or not DOUBTS.isdisjoint(parts(fold(value))):
                return None
        elif not words.isdisjoint(_NO_ANSWERS) or (value.isdecimal() and not asked):
            return None
        else:
            answers.append((asked, name))
    unasked = len(answers) > 1 and not all(asked for asked, _ in answers)
    names = {name for _, name in answers}
    return names.pop() if len(names) == 1 and not unasked else None


_NO_ANSWERS: Final = LACKS | DOUBTS | COMPARES | MEASURES | NOT_ASKED
_ASKED: Final = CARRIERS | SUBJECTS | {"predicted", "type", "species"}
_TEXT: Final = 5
"""Words from which on a value explains, and is no class."""


def _fields(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, _Pairs):
        for name, inside in value:
            yield from _fields(f"{key} {name}", inside)
    elif isinstance(value, list):
        for inside in value:
            yield from _fields(f"{key} list", inside)
    else:
        yield key, value if isinstance(value, str) else ""


def _parsed(text: str) -> Any:
    """The data of a JSON object or text, or `None` if it is neither."""
    body = text.strip()
    if not body.startswith(("{", '"')):
        return None
    try:
        return json.loads(
            body, object_pairs_hook=_Pairs, parse_int=str, parse_float=str, parse_constant=str
        )
    except (ValueError, RecursionError):
        return None


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with every key, repeated ones too."""
