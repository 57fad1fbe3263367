"""Slots with a queue before them: first come, first served.

A timer of an event loop fires late, by a millisecond and more on a busy machine. A slot therefore
begins with the next question at the moment at which it was *due* to be free, not at the one at
which the timer fired: the service time is what was asked for, whatever the machine does.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.stub_ollama.counts import Counts


class Ticket:
    """One question on its way through the server.

    Args:
        number: Tells it apart from others.
        arrived: When it came, on the loop's clock.
        served: Called once, when its service time is over.
    """

    __slots__ = ("arrived", "began", "holds", "number", "served", "timer")

    def __init__(self, number: int, arrived: float, served: Callable[[Ticket], None]) -> None:
        self.number = number
        self.arrived = arrived
        self.served = served
        self.began: float | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.holds = False


class Slots:
    """So many questions are served side by side, each for the same time.

    Args:
        count: How many slots.
        service_s: Seconds of service.
        queue: How many may wait.
        counts: Where the busy time is counted.
    """

    def __init__(self, count: int, service_s: float, queue: int, counts: Counts) -> None:
        self._free = count
        self._service_s = service_s
        self._queue = queue
        self._counts = counts
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Ticket] = deque()
        self._in_flight = 0
        self._number = 0

    def enter(self, served: Callable[[Ticket], None]) -> Ticket | None:
        """Begin to serve or to wait; ``None`` if too many wait already."""
        now = self._loop.time()
        if not self._free and len(self._waiting) >= self._queue:
            return None
        self._number += 1
        ticket = Ticket(self._number, now, served)
        self._in_flight += 1
        self._counts.load(self._in_flight, len(self._waiting) + (not self._free))
        if self._free:
            self._begin(ticket, now)
        else:
            self._waiting.append(ticket)
        return ticket

    def hold(self, ticket: Ticket) -> None:
        """Keep the slot beyond the service time, until `leave`; to be called from `served`."""
        ticket.holds = True

    def leave(self, ticket: Ticket) -> None:
        """The client went: the slot or the place in the queue is free."""
        if ticket.began is None:
            self._waiting.remove(ticket)
            self._in_flight -= 1
        elif ticket.timer is not None or ticket.holds:
            if ticket.timer is not None:
                ticket.timer.cancel()
            self._end(ticket, self._loop.time())

    def _begin(self, ticket: Ticket, at: float) -> None:
        self._free -= 1
        ticket.began = at
        self._counts.begun(ticket.number, at)
        if self._service_s:
            ticket.timer = self._loop.call_at(at + self._service_s, self._over, ticket)
        else:
            self._over(ticket)

    def _over(self, ticket: Ticket) -> None:
        ticket.timer = None
        ticket.served(ticket)
        if not ticket.holds:
            self._end(ticket, (ticket.began or 0.0) + self._service_s)

    def _end(self, ticket: Ticket, at: float) -> None:
        self._counts.ended(ticket.number, at)
        ticket.holds = False
        self._in_flight -= 1
        self._free += 1
        if self._waiting:
            following = self._waiting.popleft()
            self._begin(following, max(at, following.arrived))
