"""What an evaluation file raises while it is collected: the place, and the message alone."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.errors import LlmclfError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_llmclf.runner.evaluation import Evaluation

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
            place = _place(path, entry.lineno + 1, start)
    return f"{place}{raised.value}"


def placed(
    error: LlmclfError, evaluation: Evaluation, function: Callable[..., object], start: Path
) -> str:
    """What is wrong with what an evaluation names, in the same form.

    Args:
        error: Raised when the evaluation was loaded, by which time its file was imported.
        evaluation: Whose name is told, unless the error tells it.
        function: The test that the evaluation stands over: its first line is the place.
        start: The folder that the place is told from.
    """
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = "" if code is None else _place(Path(code.co_filename), code.co_firstlineno, start)
    name = f"Evaluation({evaluation.title!r})"
    return f"{place}{error}" if str(error).startswith(name) else f"{place}{name}: {error}"


def _place(path: Path, line: int, start: Path) -> str:
    shown = path.relative_to(start) if path.is_relative_to(start) else path
    return f"{shown}:{line}: "
