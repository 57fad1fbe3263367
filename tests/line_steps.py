"""How many lines of this package a piece of work executes: counted, not timed.

A line counts each time it begins, so that each turn of a loop counts, those of comprehensions
too. What libraries and C code do is not seen.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_llmclf

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_PACKAGE = str(Path(pytest_llmclf.__file__).parent)


def lines_executed(work: Callable[[], object]) -> int:
    """Lines of the package that `work` executes in this thread."""
    count = 0

    def inside(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001
        nonlocal count
        count += event == "line"
        return inside

    def trace(frame: FrameType, event: str, argument: Any) -> Any:  # noqa: ARG001
        return inside if frame.f_code.co_filename.startswith(_PACKAGE) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
