"""What an evaluation file raises while it is imported, told by its message alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import LlmclfError

if TYPE_CHECKING:
    import pytest

_PACKAGE: Final = Path(__file__).parent.parent


def message_of(raised: pytest.ExceptionInfo[BaseException], start: Path) -> str | None:
    """Where an error was raised and what it says; ``None`` for an error of somebody else.

    The message says all that is to be known: value, place and remedy. pytest would put the source
    of this package around it.

    Args:
        raised: What ended the import.
        start: The folder that the place is told from.
    """
    if not isinstance(raised.value, LlmclfError):
        return None
    place = ""
    for entry in raised.traceback:
        path = Path(entry.path)
        if path.is_relative_to(_PACKAGE):
            break
        if path.is_file():  # what a dataclass is made by has no file
            shown = path.relative_to(start) if path.is_relative_to(start) else path
            place = f"{shown}:{entry.lineno + 1}: "
    return f"{place}{raised.value}"
