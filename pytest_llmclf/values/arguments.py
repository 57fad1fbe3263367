"""What scripts and notebooks give: refused with its name and value where it cannot be meant.

An unset variable of the environment is ``None``, and a text where a list belongs is its letters.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from numbers import Integral

from pytest_llmclf.errors import SettingsError


def texts(name: str, values: object) -> tuple[str, ...]:
    """An argument that is a list of texts.

    Raises:
        SettingsError: It is none.
    """
    listed = tuple(values) if isinstance(values, Iterable) else (values,)
    if isinstance(values, str) or not all(isinstance(one, str) for one in listed):
        raise SettingsError(f"{name}={values!r}: write a list of texts, or leave it out")
    return listed


def check_numbers(**given: object) -> None:
    """Refuse an argument that is not a whole number from 1 on.

    Raises:
        SettingsError: Which one.
    """
    for name, value in given.items():
        if not isinstance(value, Integral) or value < 1:
            raise SettingsError(f"{name}={value!r}: write a whole number from 1, or leave it out")


def path_or_text(name: str, value: object) -> str | os.PathLike[str]:
    """An argument that is a path.

    Raises:
        SettingsError: It is none.
    """
    if not isinstance(value, str | os.PathLike):
        raise SettingsError(f"{name}={value!r} is no path: name a folder")
    return value
