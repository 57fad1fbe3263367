"""One line that says how far something long is; on a terminal only, so that logs stay quiet."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from typing import Protocol, Self

_EVERY_S = 0.1
_BAR = 24
_CLEAR = "\r\x1b[K"


Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and out of how much (0: not known)."""


class LineStream(Protocol):
    """Where a line is shown: a text file, or anything that is written to like one."""

    def isatty(self) -> bool:
        """Whether people see it as it is written."""

    def write(self, text: str, /) -> object:
        """Write a text."""

    def flush(self) -> None:
        """Let it be seen."""


def silent(_what: str, _done: int, _total: int) -> None:
    """Show nothing."""


class ProgressLine:
    """A line that is written over itself, and gone at the end; use in a ``with`` block.

    Args:
        stream: Where it is shown, if that is a terminal; ``None``: nowhere.
        clock: Seconds, for the time left.
    """

    def __init__(
        self, stream: LineStream | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._shown = stream is not None and stream.isatty()
        self._what = ""
        self._started = self._last = clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            self._write(_CLEAR)

    def __call__(self, what: str, done: int, total: int) -> None:
        """Show that `what` is `done` of `total` (0: not known); cheap to call often."""
        if not self._shown:
            return
        now = self._clock()
        if what != self._what:
            self._what, self._started = what, now
        elif now - self._last < _EVERY_S and done < total:
            return
        self._last = now
        columns = shutil.get_terminal_size().columns - 1
        self._write(_CLEAR + progress_text(what, done, total, now - self._started)[:columns])

    def _write(self, text: str) -> None:
        if self._stream is not None:
            self._stream.write(text)
            self._stream.flush()


def progress_text(what: str, done: int, total: int, spent_s: float) -> str:
    """How far something is, on one line.

    Args:
        what: What is done.
        done: How much of it is.
        total: All of it; 0: not known.
        spent_s: Seconds since it began.
    """
    if not total:
        return f"{what} {done}" if done else f"{what} ..."
    share = min(1.0, done / total)
    bar = "#" * round(_BAR * share)
    left = f", {spent_s * (1 - share) / share:.0f} s left" if share and spent_s >= 1 else ""
    return f"{what} [{bar:<{_BAR}}] {share:.0%}{left}"
