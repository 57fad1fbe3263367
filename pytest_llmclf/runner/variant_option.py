"""Variants from the command line: ``short: prompt=Which?; think=on; options.temperature=0.5``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, get_args

from pytest_llmclf.errors import SettingsError, nearest
from pytest_llmclf.prompting.modelfile import PARAMETERS, parameter_value
from pytest_llmclf.prompting.prompt import AnswerMode
from pytest_llmclf.prompting.readers import check_reader
from pytest_llmclf.runner.variant import Variant, check_variants
from pytest_llmclf.values.thinking import parse_think

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OPTION: Final = "options."
_NEXT: Final = re.compile(r";\s*(?=[A-Za-z_]+(?:\.[A-Za-z_]+)?\s*=)")
"""Ends a value: a semicolon with ``KEY=`` behind it. Any other is part of the value."""
_FORM: Final = "write NAME: KEY=VALUE; KEY=VALUE, such as short: prompt=Which animal?; think=on"


def parse_variant(text: str) -> tuple[str, Variant]:
    """Read one variant, name and changes; a name alone with its colon changes nothing.

    Raises:
        SettingsError: Which part is wrong, why, and what was probably meant.
    """
    name, colon, rest = text.partition(":")
    name = name.strip()
    if not colon:
        raise SettingsError(f"{text!r} has no colon behind a name: {_FORM}")
    said: dict[str, Any] = {}
    for part in _NEXT.split(rest.strip()) if rest.strip() else ():
        key, equals, value = (each.strip() for each in part.partition("="))
        if not equals:
            raise SettingsError(f"variant {name!r}: {part!r} says no KEY=VALUE: {_FORM}")
        _take(said, name, key, value)
    variant = Variant(**said)
    check_variants({name: variant})
    return name, variant


def parse_variants(texts: Sequence[str]) -> tuple[tuple[str, Variant], ...]:
    """Read several variants.

    Raises:
        SettingsError: One makes no sense, or two are called the same.
    """
    found: dict[str, Variant] = {}
    for text in texts:
        name, variant = parse_variant(text)
        if found.get(name, variant) == variant:
            check_variants({name: variant}, [other for other in found if other != name])
            found[name] = variant
        else:
            raise SettingsError(f"variant {name!r} is said twice: give one of them another name")
    return tuple(found.items())


def _take(said: dict[str, Any], name: str, key: str, value: str) -> None:
    """Add what one part says."""
    known = (*_READ, *(f"{_OPTION}{option}" for option in PARAMETERS))
    option = key.removeprefix(_OPTION)
    if key in said or option in said.get("options", {}):
        raise SettingsError(f"variant {name!r} says {key} twice: leave one out")
    if key not in known:
        inside = (
            f"; a text in which '; {key}=' stands can be declared in the evaluation's file, "
            "variants={...}"
        ) * bool(said)
        raise SettingsError(
            f"variant {name!r}: there is no {key!r}; there are {', '.join(_READ)} and "
            f"{_OPTION}NAME{inside}{nearest(key, known)}"
        )
    try:
        if key in _READ:
            said[key] = _READ[key](value)
        else:
            found = parameter_value(option, value)
            options = said.setdefault("options", {})
            options[option] = [found] if option == "stop" else found
    except SettingsError as error:
        raise SettingsError(f"variant {name!r}: {error}") from error


def _number(value: str) -> int:
    if not value.isdecimal():
        raise SettingsError(f"{value!r} is no whole number from 0 on")
    return int(value)


def _answer(value: str) -> str:
    if value not in get_args(AnswerMode):
        known = get_args(AnswerMode)
        raise SettingsError(f"{value!r} is not one of {', '.join(known)}{nearest(value, known)}")
    return value


def _reader(value: str) -> str:
    check_reader(value)
    return value


def _names(value: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in value.split(","))


_READ: Final[dict[str, Callable[[str], Any]]] = {
    "modelfile": str,
    "system": str,
    "prompt": str,
    "labels": _names,
    "answer": _answer,
    "top_logprobs": _number,
    "think": parse_think,
    "reader": _reader,
    "image_size": _number,
    "examples": _number,
}
