"""The engine: threads that work ahead of the tests."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING

from pytest_llmclf.errors import BackendError, ServerFailed
from pytest_llmclf.runner.connections import Contacts
from pytest_llmclf.runner.patience import Patience
from pytest_llmclf.runner.room import FIRST_MIB, FURTHER_MIB, has_room
from pytest_llmclf.runner.work_queue import Lane
from pytest_llmclf.runner.worker import STOPPED, Asker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.runner.answer_cache import AnswerStore
    from pytest_llmclf.runner.job import AnswerRecorder, AskingPolicy, Job, JobKey
    from pytest_llmclf.runner.task import Assignment
    from pytest_llmclf.runner.work_queue import Taken
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.request import ModelIdentity

_EVERY_S = 0.5
_LITTLE_MEMORY = BackendError(
    "there is not enough memory to ask", remedy="raise the limit (ulimit -v), or free some"
)


def unheard(_: float | None) -> None:
    """Tell nobody."""


def _unknown_way(_: Assignment) -> None:
    return None


class Engine:
    """Turns jobs into outcomes, several at once, ahead of whoever waits for them.

    Args:
        connect: Makes the backend of an assignment.
        store: Known answers; every new one is put there.
        policy: How to ask.
        recorder: Keeps a copy of each answer.
        way: Everything that determines who answers an assignment, see `Contacts`.
        run: The same for all processes of a run; one that asks anew does so once in all of them.
        on_wait: Is told about every half second in which somebody waits for an outcome for how
            many seconds a server has been waited for, or ``None`` if all is well.
    """

    def __init__(
        self,
        *,
        connect: Callable[[Assignment], Backend],
        store: AnswerStore,
        policy: AskingPolicy,
        recorder: AnswerRecorder | None = None,
        way: Callable[[Assignment], str | None] = _unknown_way,
        run: str = "",
        on_wait: Callable[[float | None], None] = unheard,
    ) -> None:
        self._on_wait = on_wait
        self._policy = policy
        self._stopping = threading.Event()
        run = run or secrets.token_hex(8)
        self._contacts = Contacts(
            connect=connect,
            store=store,
            policy=policy,
            stopping=self._stopping,
            way=way,
            run=run,
        )
        self._asker = Asker(
            store=store,
            policy=policy,
            contacts=self._contacts,
            stopping=self._stopping,
            recorder=recorder,
            run=run,
        )
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._results: dict[JobKey, Outcome | BaseException | None] = {}
        self._lanes: dict[str, Lane] = {}
        # What each thread has in hand, and for whom it works.
        self._threads: dict[threading.Thread, tuple[Lane, Taken | None]] = {}
        self._started = False

    def expect(self, jobs: Iterable[Job]) -> None:
        """Announce jobs in the order in which they will be wanted; known ones are skipped."""
        with self._lock:
            for job in jobs:
                key = job.key
                if key not in self._results:
                    self._results[key] = None
                    self._lane_of(job.assignment).add(job)
            for lane in self._lanes.values():
                lane.wake_all()

    def outcome(self, job: Job) -> Outcome:
        """Wait for the outcome of one job. It is handed out once and then forgotten."""
        key = job.key
        with self._lock:
            if key not in self._results:
                self.expect([job])
            lane = self._lane_of(job.assignment)
            if self._results[key] is None:
                self._await(lane, key)
            found = self._results.pop(key)
            if found is None:
                lane.drop(key)
                stopped = lane.given_up or ServerFailed(STOPPED)
                return job.assignment.no_answer(job.case, stopped, repeat=job.repeat)
            lane.collected()
        if isinstance(found, BaseException):
            raise found
        return found

    def drop(self, assignment: Assignment) -> None:
        """Ask no more for an assignment; what is in flight still reaches the store.

        Jobs that a test is waiting for at this moment are left.
        """
        with self._lock:
            lane = self._lanes.get(str(assignment.spec))
            if lane is None:
                return
            ours = {key for key in self._results if key[:2] == assignment.key}
            for key in ours - lane.wanted:
                del self._results[key]
                lane.drop(key)
            lane.wake_all()

    def identity(self, assignment: Assignment) -> ModelIdentity | None:
        """Who answers, if that is known already."""
        contact = self._contacts.known(assignment)
        return None if contact is None else contact.identity

    def notices(self, assignment: Assignment | None = None) -> tuple[str, ...]:
        """What people should know of the server of an assignment, or of all; a sentence each."""
        return (
            *self._contacts.notices(assignment),
            *self._asker.asked_without.notices(assignment),
            *self._asker.headroom.notices(assignment),
        )

    def headroom(self, assignment: Assignment) -> tuple[str, ...]:
        """What the first answers tell of limits that are too low; it is among the notices, too."""
        return self._asker.headroom.notices(assignment)

    def close(self, patience_s: float = 2.0) -> None:
        """Stop asking. Answers in flight have `patience_s` seconds to arrive and be stored."""
        self._stopping.set()
        with self._lock:
            self._arrived.notify_all()
            for lane in self._lanes.values():
                lane.wake_all()
        deadline = time.monotonic() + patience_s
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._contacts.close()

    # The lock is held from here to _trouble_s.

    def _lane_of(self, assignment: Assignment) -> Lane:
        spec = str(assignment.spec)
        lane = self._lanes.get(spec)
        if lane is None:
            ahead = self._policy.ahead
            patience = Patience(self._policy, self._stopping)
            lane = self._lanes[spec] = Lane(
                spec, self._lock, ahead=ahead, start=self._start, patience=patience
            )
        return lane

    def _start(self, lane: Lane) -> bool:
        """Start a thread for a lane, unless nobody has waited for an outcome yet or it is over."""
        if not self._started or self._stopping.is_set():
            return False
        # The start of a thread that dies of it before it runs is waited for in vain.
        if not has_room(FURTHER_MIB if self._threads else FIRST_MIB):
            self._without_threads(lane, _LITTLE_MEMORY)
            return False
        thread = threading.Thread(
            target=self._work, args=(lane,), name=f"llmclf {lane.spec}", daemon=True
        )
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # the system gives no more
            self._without_threads(
                lane,
                BackendError(
                    f"no thread can be started ({error})",
                    remedy="raise the limit of processes (ulimit -u), or end some",
                ),
            )
            return False
        self._threads[thread] = lane, None
        return True

    def _without_threads(self, lane: Lane, error: BackendError) -> None:
        """Ask no more where there is no thread and will be none; those that there are will do."""
        if not lane.threads:
            lane.give_up(BackendError(f"{lane.spec}: {error.message}", remedy=error.remedy))
            self._arrived.notify_all()

    def _bury(self) -> None:
        """Answer for threads that ended without a word, as those do that find no memory."""
        if self._stopping.is_set():
            return  # then they end as they should
        for thread, (lane, taken) in list(self._threads.items()):
            if thread.is_alive():
                continue
            del self._threads[thread]
            lane.threads -= 1
            if taken is not None:
                lane.done(taken, held=False)
                job = taken.job
                if job.key in self._results:
                    lost = job.assignment.no_answer(job.case, _LITTLE_MEMORY, repeat=job.repeat)
                    self._results[job.key] = lost
            self._without_threads(lane, _LITTLE_MEMORY)

    def _await(self, lane: Lane, key: JobKey) -> None:
        """Wait until a job is answered, or until nobody is going to."""
        if not self._started:
            self._started = True
            for other in self._lanes.values():
                other.wake_all()
        lane.urge(key)
        try:
            while self._results[key] is None:
                nobody = self._stopping.is_set() or (lane.given_up and not lane.threads)
                if nobody and lane.waits(key):
                    return
                # On Windows a wait without a time-out cannot be ended by Ctrl-C.
                if not self._arrived.wait(_EVERY_S):
                    self._bury()
                    self._on_wait(self._trouble_s())
        finally:
            lane.wanted.discard(key)

    def _trouble_s(self) -> float | None:
        """For how long a server has been waited for; the longest of several."""
        told = [lane.patience.trouble_s for lane in self._lanes.values() if not lane.given_up]
        known = [seconds for seconds in (*told, self._contacts.trouble_s) if seconds is not None]
        return max(known, default=None)

    def _work(self, lane: Lane) -> None:
        while True:
            with self._lock:
                taken = lane.next(self._stopping)
                self._threads[threading.current_thread()] = lane, taken
            if taken is None:
                return
            found: Outcome | BaseException | None
            try:
                found = self._asker.answer(lane, taken)
            except BaseException as error:  # noqa: BLE001 - a defect must reach the waiting test
                found = error
            with self._lock:
                key = taken.job.key
                dropped = key not in self._results
                lane.done(taken, held=found is None and not dropped)
                self._threads[threading.current_thread()] = lane, None
                if found is not None and not dropped:
                    self._results[key] = found
                    if key in lane.wanted:
                        self._arrived.notify_all()
