"""Ctrl-C: the first one ends the tests and leaves a report, one after that ends at once."""

from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import FrameType

NAME: Final = "llmclf-interrupts"

ONE_S: Final = 1.0
"""Signals this close together are one Ctrl-C: a terminal sends it to all processes of a command,
and what started pytest may pass it on once more."""
_LATE: Final = "llmclf: Ctrl-C: the report is being finished; once more ends without it"
_AT_ONCE: Final = (
    "llmclf: ended at once by a further Ctrl-C: what was answered is kept, files of this run may "
    "be missing"
)


class Interrupts:
    """Sees to it that Ctrl-C never breaks into what pytest or this package does at the end.

    Python raises its exception wherever the program is; once the tests are over nobody is left to
    catch it. So from then on the signal is noted, and a further one ends the process.

    Args:
        config: Of the session.
        halt: Sends no further question.
    """

    def __init__(self, config: pytest.Config, halt: Callable[[], None]) -> None:
        self._config = config
        self._halt = halt
        self._session: pytest.Session | None = None
        self._broken_off = False
        self._last_s: float | None = None
        # Whoever has a handler of their own keeps it. Threads other than the main one have none.
        self._ours = (
            threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler
        )
        if self._ours:
            signal.signal(signal.SIGINT, self._interrupted)

    @pytest.hookimpl(tryfirst=True)
    def pytest_keyboard_interrupt(self) -> None:
        """Ask no more at once: pytest takes a while to tell of it."""
        self._broken_off = True
        self._halt()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, Any, Any]:
        """From here on nothing is broken off; see `_interrupted`."""
        self._session = session
        return (yield)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self) -> None:
        """Leave Ctrl-C as it was."""
        if self._ours and signal.getsignal(signal.SIGINT) == self._interrupted:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        """Raise as Python does while tests run, note the first one after that, then end."""
        __tracebackhide__ = True  # pytest tells where it came
        now, before = time.monotonic(), self._last_s
        self._last_s = now
        if before is not None and now - before < ONE_S:
            return
        if self._broken_off:
            self._say(_AT_ONCE)
            os._exit(pytest.ExitCode.INTERRUPTED)
        if self._session is None:
            signal.default_int_handler(number, frame)
        self._broken_off = True
        self._session.exitstatus = pytest.ExitCode.INTERRUPTED
        self._say(_LATE)

    def _say(self, text: str) -> None:
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        # In the middle of a write nothing else may be written.
        with suppress(RuntimeError, ValueError, OSError):
            if terminal is not None:
                terminal.ensure_newline()
                terminal.write_line(text, yellow=True)
                terminal.flush()
