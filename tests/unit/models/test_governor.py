"""What is learnt of simulated servers: enough in flight, and not many more."""

from __future__ import annotations

import heapq
import random

import pytest

from pytest_llmclf.models import concurrency as limiters
from pytest_llmclf.models.concurrency import LEAST, MOST, START, ConcurrencyLimiter


class Simulated:
    """A server with so many slots and a queue, and a client that keeps to the concurrency limiter.

    Attributes:
        limiter: What is tested.
        now: Seconds since the beginning.
        busy_s: Seconds of slots that worked.
        limits: Each limit that there was.
    """

    def __init__(self, slots: int, service_s: float, *, spread: float, gap_s: float) -> None:
        self.limiter = ConcurrencyLimiter()
        self.now = self.busy_s = 0.0
        self.limits = [START]
        self._slots = slots
        self._service_s = service_s
        self._spread = spread
        self._gap_s = gap_s
        self._random = random.Random(5)  # noqa: S311 - the same times in every run
        self._events: list[tuple[float, int, bool]] = []
        self._asking = self._serving = self._waiting = self._count = 0

    def answer(self, count: int) -> float:
        """Go on until so many more answers have come; the share of its slots that worked."""
        began, busy = self.now, self.busy_s
        self._grow()
        while count:
            self.now, _, sending = heapq.heappop(self._events)
            if sending:
                self.limiter.sent(self.now)
                self._waiting += 1
            else:
                count -= 1
                self._serving -= 1
                self.limiter.answered(self.now)
                self.limits.append(self.limiter.limit)
                if self._asking > self.limiter.limit:
                    self._asking -= 1
                else:
                    self._later(self._gap_s, sending=True)
            self._serve()
            self._grow()
        return (self.busy_s - busy) / (self._slots * (self.now - began))

    def _grow(self) -> None:
        while self._asking < self.limiter.limit:
            self._asking += 1
            self._later(0.0, sending=True)

    def _serve(self) -> None:
        while self._waiting and self._serving < self._slots:
            self._waiting -= 1
            self._serving += 1
            took = self._service_s * max(0.1, self._random.gauss(1, self._spread))
            self.busy_s += took
            self._later(took, sending=False)

    def _later(self, seconds: float, *, sending: bool) -> None:
        self._count += 1
        heapq.heappush(self._events, (self.now + seconds, self._count, sending))


@pytest.mark.parametrize("spread", [0.0, 0.3])
@pytest.mark.parametrize("service_s", [0.02, 0.5, 5.0])
@pytest.mark.parametrize("slots", [1, 2, 4, 16])
def test_a_server_is_kept_busy_with_few_more_than_it_can_use(
    slots: int, service_s: float, spread: float
) -> None:
    """Whatever its slots and its speed; the beginning, where it is learnt, costs little."""
    server = Simulated(slots, service_s, spread=spread, gap_s=0.002)
    assert server.answer(500) > (0.8 if slots > START else 0.93)
    assert server.answer(2000) > 0.96
    assert server.limiter.limit <= max(16, 4 * slots)
    assert min(server.limits) >= LEAST
    assert max(server.limits) <= MOST


def test_a_slow_server_with_one_slot_soon_has_two() -> None:
    """Where an answer takes seconds, what is asked in vain is dear: less is tried first."""
    server = Simulated(1, 5.0, spread=0.0, gap_s=0.002)
    server.answer(70)
    assert server.limiter.limit == LEAST
    assert max(server.limits) == START


def test_a_large_server_gets_as_many_as_allowed() -> None:
    """The number has a bound of its own, whatever the server could do."""
    server = Simulated(1000, 0.02, spread=0.2, gap_s=0.0)
    server.answer(3000)
    assert server.limiter.limit == MOST


def test_a_client_that_is_the_bound_learns_nothing() -> None:
    """With two requests in flight where eight may be, eight stay the limit."""
    limiter = ConcurrencyLimiter()
    limiter.sent(0.0)
    for number in range(1000):
        limiter.sent(number * 0.01)
        limiter.answered(number * 0.01 + 0.009)
    assert (limiter.limit, limiter.in_flight) == (START, 1)


def test_refusals_halve_at_once() -> None:
    """A server that has too much to do gets half as many, down to one."""
    limiter = ConcurrencyLimiter()
    limits = []
    for number in range(5):
        limiter.sent(float(number))
        limiter.refused(float(number))
        limits.append(limiter.limit)
    assert limits == [4, 2, 1, 1, 1]
    assert limiter.in_flight == 0


def test_it_rises_again_after_refusals() -> None:
    """A bad moment is not for ever."""
    server = Simulated(4, 0.02, spread=0.1, gap_s=0.002)
    server.answer(10)
    for _ in range(4):
        server.limiter.sent(server.now)
        server.limiter.refused(server.now)
    assert server.limiter.limit == 1
    server.answer(3000)
    assert server.limiter.limit >= 8


def test_a_failure_spoils_the_measure() -> None:
    """What failed quickly is not taken for speed."""
    limiter = ConcurrencyLimiter()
    for number in range(500):
        limiter.sent(number * 0.001)
        limiter.failed(number * 0.001)
    assert (limiter.limit, limiter.in_flight) == (START, 0)
    assert limiters.FASTER > 1 > limiters.AS_FAST
