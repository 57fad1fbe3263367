"""The jobs of one model: waiting, in flight, held."""

from __future__ import annotations

import heapq
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_llmclf.errors import ContextTooSmall
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.errors import BackendError
    from pytest_llmclf.runner.job import Job, JobKey
    from pytest_llmclf.runner.patience import Patience

_FIRST_LOOK_S = 0.01
_LONGEST_LOOK_S = 0.25
_LOOK_GROWTH = 1.5
_LONGEST_IDLE_S = 30.0
"""Until a thread without work looks by itself whether there is some: nobody else may tell it."""


@dataclass(order=True, slots=True, kw_only=True)
class WorkItem:
    """A job that a thread has in hand, or that is held since someone else asks its question.

    Attributes:
        due: When to look again whether the answer is there, in seconds of the monotonic clock.
        job: The job.
        digest: Of its request, once that is known.
        since: When it was held for the first time; 0.0: never.
        pause_s: How long it is held this time.
    """

    due: float = 0.0
    job: Job = field(compare=False)
    digest: str = field(default="", compare=False)
    since: float = field(default=0.0, compare=False)
    pause_s: float = field(default=_FIRST_LOOK_S, compare=False)


class ModelQueue:
    """The queue of one model, and what is known of its health; guarded by the engine's lock.

    Only `set_limit` and what begins with ``note`` take that lock themselves.

    Args:
        spec: The model.
        lock: The engine's lock.
        ahead: Answers that may wait for their tests; ``None``: no more than may be in flight.
        start: Starts a thread that serves it; says whether it did.
        patience: How long its server is waited for.

    Attributes:
        wanted: Jobs that a test is waiting for at this moment.
        given_up: Why no more is asked, or ``None``.
        threads: How many serve it.
    """

    def __init__(
        self,
        spec: str,
        lock: threading.RLock,
        *,
        ahead: int | None,
        start: Callable[[ModelQueue], bool],
        patience: Patience,
    ) -> None:
        self.spec = spec
        self.patience = patience
        self.wanted: set[JobKey] = set()
        self.given_up: BackendError | None = None
        self._lock = lock
        self._changed = threading.Condition(lock)
        self._most_ahead = ahead
        self._start = start
        self.threads = 0
        # Jobs that may be in hand at once. One thread is enough, and quickest, as long as every
        # answer is known.
        self._limit = 1
        self._failures = 0
        self._answered = False
        self._pending: OrderedDict[JobKey, Job] = OrderedDict()
        self._held: list[WorkItem] = []
        # In hand or held, or answered and not yet collected by its test.
        self._ahead = 0
        self._in_hand = 0
        self._idle = 0

    def add(self, job: Job) -> None:
        """Put a job at the end of the queue."""
        self._pending[job.key] = job

    def urge(self, key: JobKey) -> None:
        """Let a job be the next; whoever waits goes first, whatever order was announced."""
        self.wanted.add(key)
        if key in self._pending:
            self._pending.move_to_end(key, last=False)
        self.wake_all()

    def waits(self, key: JobKey) -> bool:
        """Whether a job is in nobody's hands."""
        return key in self._pending or any(taken.job.key == key for taken in self._held)

    def drop(self, key: JobKey) -> None:
        """Forget a job that no test waits for; one in hand goes on."""
        if self._pending.pop(key, None) is None:
            self._ahead -= 1
            self._held = [taken for taken in self._held if taken.job.key != key]
            heapq.heapify(self._held)

    def collected(self) -> None:
        """Note that a test took its answer: another one may be asked for."""
        self._ahead -= 1
        self.wake()

    def wake(self) -> None:
        """Let a thread look whether there is something to do."""
        if self._idle:
            self._changed.notify()

    def wake_all(self) -> None:
        """Let every thread look, and start those that there is work for."""
        self._changed.notify_all()
        while self.threads < self._limit and (self._pending or self._held) and self._start(self):
            self.threads += 1

    def set_limit(self, in_flight: int) -> None:
        """Note how many questions may be asked at once from now on."""
        with self._lock:
            if in_flight != self._limit:
                self._limit = max(1, in_flight)
                self.wake_all()

    def note_answer(self, in_flight: int) -> None:
        """Note that a question was answered, and how many may be asked at once from now on."""
        self.patience.note_answer()
        with self._lock:
            self._failures = 0
            self._answered = True
            self.set_limit(in_flight)

    def give_up(self, error: BackendError) -> BackendError:
        """Ask no more; the first reason stays, and is what everybody is told."""
        with self._lock:
            self.given_up = self.given_up or error
            return self.given_up

    def note_failure(self, error: BackendError, give_up_after: int) -> None:
        """Note that a job was lost, and give the model up where no further one can do better.

        That is after so many in a row that may pass, or whose question is too long for the context;
        at once after an error of the model itself (it takes no images, the server wants a key)
        before the first answer, and whenever the account is used up.
        """
        with self._lock:
            none_will = error.for_good or (error.of_model and not self._answered)
            if none_will and self.given_up is None:
                self.given_up = error
            too_long = isinstance(error, ContextTooSmall) and not self._answered
            if not error.retryable and not too_long:
                return
            self._failures += 1
            if self._failures >= give_up_after:
                self.give_up(
                    type(error)(
                        f"given up after {self._failures} {noun(self._failures, 'image')} in a "
                        f"row: {error.message}",
                        remedy=error.remedy,
                    )
                )

    def next(self, stopping: threading.Event) -> WorkItem | None:
        """Take a job in hand, and wait for one that may be taken; ``None`` when it is over."""
        while not stopping.is_set():
            taken = self._take() if self._in_hand < self._limit else None
            if taken is not None:
                self._in_hand += 1
                return taken
            patience = self._held[0].due - time.monotonic() if self._held else None
            self._idle += 1
            try:
                self._changed.wait(_LONGEST_IDLE_S if patience is None else max(patience, 0.001))
            finally:
                self._idle -= 1
        return None

    def done(self, taken: WorkItem, *, held: bool) -> None:
        """Lay a job down, answered or to be looked at again after a while."""
        self._in_hand -= 1
        if held:
            now = time.monotonic()
            taken.since = taken.since or now
            taken.due = now + taken.pause_s
            taken.pause_s = min(_LONGEST_LOOK_S, taken.pause_s * _LOOK_GROWTH)
            heapq.heappush(self._held, taken)

    def _take(self) -> WorkItem | None:
        if self._held and self._held[0].due <= time.monotonic():
            return heapq.heappop(self._held)
        # Beyond the bound only what a test is waiting for at this moment.
        bound = self._limit if self._most_ahead is None else self._most_ahead
        if self._pending and (self._ahead < bound or next(iter(self._pending)) in self.wanted):
            self._ahead += 1
            return WorkItem(job=self._pending.popitem(last=False)[1])
        return None
