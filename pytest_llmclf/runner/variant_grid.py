"""A grid of variants: every combination of a few prompts, Modelfiles, options and so on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from itertools import product as combinations
from pathlib import Path
from typing import Any, Final

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.runner.variant import NOT_IN_NAMES, Variant

_FIELDS: Final = tuple(field.name for field in fields(Variant))
_SHORT: Final = 24
"""Characters of a text that is its own name."""


def product(
    **axes: Mapping[str, Any] | Iterable[Any],
) -> dict[str, Variant]:
    """Every combination of values, as variants of an evaluation.

    ``variants=product(prompt={"short": "Which?", "long": LONG}, think=[False, True])`` makes four:
    ``short, think=off``, ``short, think=on``, ``long, think=off`` and ``long, think=on``. ``None``
    leaves a field as the evaluation has it.

    Args:
        **axes: By field of `Variant`, its values: by name, or a list. What a list's values are
            called is made of them; a long text is called by its place, ``prompt 2``.

    Raises:
        SettingsError: There is no such field, it has no values, or two are called the same.
    """
    if not axes:
        raise SettingsError('product() has no values: write product(prompt={"short": "Which?"})')
    named = [_named(field, values) for field, values in axes.items()]
    return {
        ", ".join(name for name, _ in chosen): Variant(
            **dict(zip(axes, (value for _, value in chosen), strict=True))
        )
        for chosen in combinations(*named)
    }


def _named(field: str, values: Mapping[str, Any] | Iterable[Any]) -> list[tuple[str, Any]]:
    """The values of one field with what they are called."""
    place = f"product({field}=...)"
    if field not in _FIELDS:
        raise SettingsError(f"{place}: a variant has no {field}{nearest(field, _FIELDS)}")
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise SettingsError(f"{place}: {values!r} is one value; write a list, or {{name: value}}")
    if isinstance(values, Mapping):
        found = list(values.items())
    else:
        found = [(_name(field, one, place), one) for place, one in enumerate(values, start=1)]
    names = [name for name, _ in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None or not found:
        slip = "has no values" if twice is None else f"has two values called {twice!r}"
        raise SettingsError(f"{place} {slip}: write {{name: value, name: value}}")
    return found


def _name(field: str, value: object, place: int) -> str:
    """What a value of a list is called."""
    said = {True: "on", False: "off"}.get(value, value) if isinstance(value, bool) else value
    called = getattr(value, "__name__", f"{field} {place}")
    if value is None:
        called = f"{field} as it is"
    elif isinstance(value, bool | int | float) or field in ("think", "answer", "reader"):
        called = f"{field}={said}" if isinstance(value, bool | int | float | str) else called
    elif isinstance(value, Path):
        called = value.stem
    elif isinstance(value, str) and _is_short(value):
        called = value
    elif isinstance(value, Mapping) and value:
        called = ", ".join(f"{name}={one}" for name, one in value.items())
    return called


def _is_short(text: str) -> bool:
    """Whether a text can be its own name."""
    plain = text.isprintable() and not NOT_IN_NAMES & set(text)
    return plain and text == text.strip() and 0 < len(text) <= _SHORT
