"""What an evaluation that ``llmclf new`` writes may be called, and where it lies."""

from __future__ import annotations

import keyword
import re
from itertools import count
from typing import TYPE_CHECKING

from pytest_llmclf.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")
_LONGEST_STEM = 50
"""Of a name that a number may follow."""


def own_name(folder: Path) -> str:
    """The name of an evaluation that is called as its folder."""
    return _NOT_IN_NAMES.sub("-", folder.name).strip("-")


def free_name(folder: Path, root: Path) -> str:
    """A name that ``llmclf new`` takes for a folder with a model; empty where its own will do."""
    own = own_name(folder.expanduser().resolve())
    stem = own if _NAME.fullmatch(own) else f"images-{own}"[:_LONGEST_STEM].strip("-")
    names = (stem if number == 1 else f"{stem[:_LONGEST_STEM]}-{number}" for number in count(1))
    free = next(name for name in names if not evaluation_file(root, name).exists())
    return "" if free == own else free


def evaluation_file(root: Path, name: str) -> Path:
    """Where the evaluation of that name is written."""
    return root / "evals" / f"test_{identifier(name)}.py"


def identifier(name: str) -> str:
    """The name as Python writes it.

    Raises:
        SettingsError: It cannot be one.
    """
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is no name for an evaluation: begin with a letter, and use letters, digits, "
            "- and _ only (at most 60): llmclf new NAME FOLDER"
        )
    identifier = name.replace("-", "_")
    return f"{identifier}_" if keyword.iskeyword(identifier) else identifier
