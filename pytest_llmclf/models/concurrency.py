"""How many requests to have in flight at one server, learnt from how fast it answers.

Servers do not tell how many requests they work on side by side. With no more in flight than that,
a server idles between an answer and the next request; what is beyond only waits, and is lost work
where a run stops early. So the number is doubled while that makes answers come faster by a clear
margin, and halved where that does not make them come slower.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

START = 8
"""In flight at first: a server with four slots is busy 98 % of the time, with 4 only 74 %."""
LEAST = 2
"""Enough for a server with one slot."""
MOST = 64

FASTER = 1.08
"""Doubling is kept from this ratio of answers a second on."""
AS_FAST = 0.97
"""Halving is kept from this ratio of answers a second on."""
SLOW = 5.0
"""Below so many answers a second halving is tried first: what is asked in vain is dear there, and
the moment between an answer and the next request is nothing beside the answer."""

_WINDOW = 24
_FULL = 0.75
_CAUTION = 4
_HOLD = 16
_LONGEST_HOLD = 128


class _Doing(Enum):
    STAY = auto()
    DOUBLE = auto()
    HALVE = auto()


@dataclass(slots=True)
class _Window:
    """Answers since a moment; the first `skip` of them were sent under another limit."""

    skip: int
    size: int
    began: float = 0.0
    answers: int = 0
    waited_s: float = 0.0


class ConcurrencyLimiter:
    """Watches one server and says how many requests it should have; one thread at a time.

    It has no clock and no threads of its own: the caller tells when requests are sent and when
    they end. Answers count only while about as many requests are in flight as it said, since
    otherwise something else than the server is the bound.

    Attributes:
        limit: Requests to have in flight now; `LEAST` to `MOST`, 1 after refusals.
        in_flight: Requests that are.
    """

    def __init__(self, start: int = START) -> None:
        self.limit = start
        self.in_flight = 0
        self._doing = _Doing.STAY
        self._untried: list[_Doing] = []
        self._base, self._rate = start, 0.0  # the limit to fall back to, and its answers a second
        self._floor = LEAST  # halving to less is known to be slower
        self._hold = _HOLD
        self._last = 0.0
        self._window = _Window(skip=start, size=_WINDOW)

    def sent(self, now: float) -> None:
        """Note a request.

        Args:
            now: Seconds on any clock that never goes back.
        """
        self._pass(now)
        self.in_flight += 1

    def answered(self, now: float) -> None:
        """Note an answer."""
        self._pass(now)
        self.in_flight -= 1
        window = self._window
        if window.skip:
            window.skip -= 1
            window.began = now
            return
        window.answers += 1
        elapsed = now - window.began
        if window.answers < window.size or elapsed <= 0:
            return
        if window.waited_s >= _FULL * self.limit * elapsed:
            self._decide(window.answers / elapsed)
        else:
            self._window = _Window(skip=1, size=window.size)

    def refused(self, now: float) -> None:
        """Note that the server had too much to do: half as many from now on."""
        self._pass(now)
        self.in_flight -= 1
        self._base, self._floor, self._untried = max(1, self.limit // 2), LEAST, []
        self._go(_Doing.STAY, self._base, _CAUTION)

    def failed(self, now: float) -> None:
        """Note another failure: what was being measured tells nothing."""
        self._pass(now)
        self.in_flight -= 1
        self._window = _Window(skip=self.limit, size=self._window.size)

    def _pass(self, now: float) -> None:
        if not self._window.skip:
            self._window.waited_s += self.in_flight * (now - self._last)
        self._last = now

    def _decide(self, rate: float) -> None:
        match self._doing:
            case _Doing.STAY:
                self._rate = rate
                self._untried = [_Doing.DOUBLE, _Doing.HALVE]
                if rate < SLOW:
                    self._untried.reverse()
            case _Doing.DOUBLE if rate >= FASTER * self._rate:
                self._base, self._rate, self._hold = self.limit, rate, _HOLD
                self._floor = self.limit
                self._untried = [_Doing.DOUBLE]
            case _Doing.HALVE if rate >= AS_FAST * self._rate:
                self._base, self._rate = self.limit, max(rate, self._rate)
                self._untried = [_Doing.HALVE]
            case _Doing.HALVE:
                self._floor = self._base
            case _:
                pass  # doubling did not help
        self._try_next()

    def _try_next(self) -> None:
        while self._untried:
            doing = self._untried.pop(0)
            if doing is _Doing.DOUBLE and self._base < MOST:
                self._go(doing, min(MOST, 2 * self._base), 2)
                return
            if doing is _Doing.HALVE and self._base > self._floor:
                self._go(doing, max(self._floor, self._base // 2), 1)
                return
        self._rest()

    def _rest(self) -> None:
        """Keep to the limit for a while, longer each time."""
        self._go(_Doing.STAY, self._base, self._hold)
        self._hold = min(_LONGEST_HOLD, 2 * self._hold)

    def _go(self, doing: _Doing, limit: int, windows: int) -> None:
        size = windows * max(_WINDOW, 2 * limit)
        self._window = _Window(skip=max(self.limit, limit), size=size)
        self.limit, self._doing = limit, doing
