"""What the server counts, as `/stats` tells it."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any


class Counts:
    """Counts of questions and of the time that slots were busy.

    Attributes:
        slots: Slots that the server has.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self._serving: dict[int, float] = {}
        self.reset()

    def reset(self) -> None:
        """Forget everything but what is being served at this moment."""
        self.chats = 0
        self.answered = 0
        self.repeated = 0
        self.refused = 0
        self.failed = 0
        self.connections = 0
        self.redirected = 0
        self.most_in_flight = 0
        self.most_waiting = 0
        self.other_requests: Counter[str] = Counter()
        self._seen: set[int] = set()
        self._done: set[int] = set()
        self._busy_s = 0.0
        self._first: float | None = None
        self._last: float | None = None
        self._cpu_s = time.process_time()

    def asked(self, body: bytes) -> int:
        """Count a question; its key tells it apart from others."""
        key = hash(body)
        self.chats += 1
        self._seen.add(key)
        self.repeated += key in self._done
        return key

    def done(self, key: int) -> None:
        """Count a question that was answered fully."""
        self.answered += 1
        self._done.add(key)

    def load(self, in_flight: int, waiting: int) -> None:
        """Note how much there is to do at this moment."""
        self.most_in_flight = max(self.most_in_flight, in_flight)
        self.most_waiting = max(self.most_waiting, waiting)

    def begun(self, ticket: int, at: float) -> None:
        """A slot begins to serve."""
        self._serving[ticket] = at
        if self._first is None:
            self._first = at

    def ended(self, ticket: int, at: float) -> None:
        """A slot is free again."""
        self._busy_s += max(0.0, at - self._serving.pop(ticket))
        self._last = at

    def told(self, now: float) -> dict[str, Any]:
        """Everything, as JSON built-ins.

        `busy_s` counts what is being served at this moment up to now, and `span_s` then ends now.
        `first_s` and `last_s` are on the machine's monotonic clock, so that those of several
        servers can be compared.
        """
        serving = self._serving.values()
        busy = self._busy_s + sum(max(0.0, now - max(at, self._first or at)) for at in serving)
        last = now if serving else self._last
        span = 0.0 if self._first is None or last is None else max(0.0, last - self._first)
        return {
            "chats": self.chats,
            "answered": self.answered,
            "distinct": len(self._seen),
            "repeated": self.repeated,
            "refused": self.refused,
            "failed": self.failed,
            "connections": self.connections,
            "redirected": self.redirected,
            "busy_s": busy,
            "slots": self.slots,
            "first_s": self._first,
            "last_s": last,
            "span_s": span,
            "utilisation": busy / (self.slots * span) if span else 0.0,
            "most_in_flight": self.most_in_flight,
            "most_waiting": self.most_waiting,
            "cpu_s": time.process_time() - self._cpu_s,
            "other_requests": dict(self.other_requests),
        }
