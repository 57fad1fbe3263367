"""How long a server in trouble is waited for, before an image is lost to it.

Three kinds of trouble are told apart. A server that is away (nothing listens, or something in
front of it answers in its place) is looked at until it is back, and what was not even delivered to
it is no attempt. One that is there and busy is asked again, which is no attempt either. One that
is there and fails is asked as often as `AskingPolicy.attempts` says; where it answered before and
answers nobody now, the fault is not the image's, and it is given `FAILING_S`.

Everything ends `AskingPolicy.away_s` after the trouble began, and only an answer ends the trouble:
a server that comes and goes without answering is not waited for again and again.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.errors import ServerOverloaded

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.errors import BackendError
    from pytest_llmclf.runner.job import AskingPolicy

FAILING_S: Final = 75.0
"""Longest that a server is asked again which answers, but with errors only; also one that is busy
and never answered: to load a model takes less, and a quota that is used up stays so."""

FIRST_LOOK_S: Final = 0.25
LONGEST_LOOK_S: Final = 3.0
"""Between two looks at a server that is away."""
_LOOK_GROWTH: Final = 1.5
_SHORTEST_S: Final = 0.001

Found = Literal["there", "back", "away", "stopped"]
"""What came of a wait: it was never away, is back, stayed away too long; or the run ended."""


class Patience:
    """What is known of a model's server from how questions to it ended. Thread-safe.

    Args:
        policy: How long is long.
        stopping: Ends every wait.
        clock: Seconds that never go back.
    """

    def __init__(
        self,
        policy: AskingPolicy,
        stopping: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._policy = policy
        self._stopping = stopping
        self._clock = clock
        self._lock = threading.Lock()
        self._answered: float | None = None
        self._since: float | None = None

    def note_answer(self) -> None:
        """Note that a question was answered: whatever was wrong is over."""
        with self._lock:
            self._answered = self._clock()
            self._since = None

    def note_trouble(self) -> None:
        """Note that a question was not answered; the first one is when the trouble began."""
        with self._lock:
            if self._since is None:
                self._since = self._clock()

    @property
    def trouble_s(self) -> float | None:
        """Seconds since the trouble began; ``None`` while there is none."""
        with self._lock:
            return None if self._since is None else self._clock() - self._since

    def may_retry(self, error: BackendError, attempts: int, began: float) -> bool:
        """Whether a question that a server which is there did not answer may be asked again.

        Args:
            error: What it got instead.
            attempts: How often the server could have answered it; its being busy is no attempt.
            began: When it was asked first.
        """
        policy = self._policy
        if policy.attempts <= 1 or not error.retryable:
            return False
        if isinstance(error, ServerOverloaded) and policy.away_s:
            return self.left_s(error) > 0
        spent = self.trouble_s or 0.0
        with self._lock:
            answered = self._answered
        if policy.may_retry(attempts, retryable=True):
            return True
        # Answers to others since then mean that it is this question that fails.
        others = answered is None or answered >= began
        return not others and spent < self._failing_s

    def left_s(self, error: BackendError) -> float:
        """Seconds for which a server in this trouble is still waited for; 0.0: none."""
        busy_at_first = isinstance(error, ServerOverloaded) and self._answered is None
        bound = self._failing_s if busy_at_first else self._policy.away_s
        return max(0.0, bound - (self.trouble_s or 0.0))

    @property
    def _failing_s(self) -> float:
        return min(FAILING_S, self._policy.away_s)

    def wait(self, look: Callable[[], bool]) -> Found:
        """Wait until a server is there.

        Args:
            look: Whether it is, asked of the server itself; takes a bounded time.
        """
        pause, found = FIRST_LOOK_S, False
        while not self._stopping.is_set():
            if look():
                return "back" if found else "there"
            found = True
            left = self._policy.away_s - (self.trouble_s or 0.0)
            if left <= 0:
                return "away"
            self._stopping.wait(max(min(pause, left), _SHORTEST_S))
            pause = min(LONGEST_LOOK_S, pause * _LOOK_GROWTH)
        return "stopped"
