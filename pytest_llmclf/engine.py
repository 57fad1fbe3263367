"""Asks ahead of the running test, so that a test usually finds its answer waiting.

Jobs are asked in the order in which tests will run, by a few threads a model; how far ahead is
bounded. Every answer is stored the moment it arrives. What goes wrong with one job ends as that
job's `error` outcome; nothing here raises into a test except a defect of this program.
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llmclf.errors import BackendError, PictureError, ServerFailed, SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pytest_llmclf.answer import Answer
    from pytest_llmclf.assignment import Assignment
    from pytest_llmclf.backends.base import Backend
    from pytest_llmclf.case import Case
    from pytest_llmclf.outcome import Outcome
    from pytest_llmclf.request import ModelIdentity, Request
    from pytest_llmclf.store import AnswerStore

JobKey = tuple[str, str, str, int]


class AnswerRecorder(Protocol):
    """Whatever keeps a copy of each answer, such as a recording for replay."""

    def record(
        self,
        request_digest: str,
        request_summary: Mapping[str, Any],
        identity: ModelIdentity,
        answer: Answer,
    ) -> None:
        """Keep one answer; called from several threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One case to put to one model, for the first time or once more."""

    assignment: Assignment
    case: Case
    repeat: int = 0

    @property
    def key(self) -> JobKey:
        """Evaluation, model, case and repeat."""
        return (*self.assignment.key, self.case.id, self.repeat)

    def again(self, repeat: int) -> Job:
        """The same question once more."""
        return replace(self, repeat=repeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingPolicy:
    """How the engine asks.

    Attributes:
        in_flight: Requests in flight a model; ``None``: twice the slots that its server has,
            since with no more requests than slots a server idles between answers.
        ahead: Answers that may wait for their tests, a model; ``None``: no more than are in
            flight, for a run that may find the rest not needed.
        attempts: Times that one question is asked when errors say that it may help.
        first_pause_s: Mean pause before the second attempt; doubles with each further one.
        longest_pause_s: No pause is longer.
        budget_s: No attempt starts later than this after the first.
        give_up_after: Consecutive jobs lost to retryable errors after which a model is given up.
        fresh: Ask even where the store has an answer, and replace that answer.
    """

    in_flight: int | None = None
    ahead: int | None = 128
    attempts: int = 4
    first_pause_s: float = 0.5
    longest_pause_s: float = 20.0
    budget_s: float = 600.0
    give_up_after: int = 3
    fresh: bool = False

    def pause_s(self, attempt: int, draw: float) -> float:
        """Seconds to wait after the given attempt (1 for the first).

        Exponential back-off with equal jitter: half of the pause is fixed, half random, so that
        requests refused together do not come back together. `draw` is uniform in [0, 1).
        """
        pause = min(self.longest_pause_s, self.first_pause_s * 2.0 ** (attempt - 1))
        return pause * (0.5 + 0.5 * draw)


@dataclass(slots=True, kw_only=True)
class _Lane:
    """The jobs of one model and what is known of its health; guarded by the engine's lock."""

    spec: str
    pending: OrderedDict[JobKey, Job] = field(default_factory=OrderedDict)
    ahead: int = 0
    wanted: set[JobKey] = field(default_factory=set)
    threads: int = 0
    wanted_threads: int = 1
    failures: int = 0
    given_up: BackendError | None = None


@dataclass(frozen=True, slots=True)
class _Contact:
    """A model that was reached, or why it was not."""

    backend: Backend | None
    identity: ModelIdentity | None
    failure: BackendError | None


class Engine:
    """Turns jobs into outcomes, several at once, ahead of whoever waits for them."""

    def __init__(
        self,
        *,
        connect: Callable[[Assignment], Backend],
        store: AnswerStore,
        policy: AskingPolicy,
        recorder: AnswerRecorder | None = None,
    ) -> None:
        self._connect = connect
        self._store = store
        self._policy = policy
        self._recorder = recorder
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._results: dict[JobKey, Future[Outcome]] = {}
        self._lanes: dict[str, _Lane] = {}
        self._contacts: dict[tuple[str, str], _Contact] = {}
        self._contact_locks: dict[tuple[str, str], threading.Lock] = {}
        self._threads: list[threading.Thread] = []
        self._started = False

    def expect(self, jobs: Iterable[Job]) -> None:
        """Announce jobs in the order in which they will be wanted; known ones are skipped."""
        with self._changed:
            for job in jobs:
                if job.key in self._results:
                    continue
                spec = str(job.assignment.spec)
                lane = self._lanes.setdefault(spec, _Lane(spec=spec))
                self._results[job.key] = Future()
                lane.pending[job.key] = job
            self._grow()
            self._changed.notify_all()

    def outcome(self, job: Job) -> Outcome:
        """Wait for the outcome of one job. It is handed out once and then forgotten."""
        self.expect([job])
        with self._changed:
            if self._stopping.is_set() and not self._results[job.key].done():
                stopped = ServerFailed("not asked: the run was stopped")
                return job.assignment.no_answer(job.case, stopped, repeat=job.repeat)
            self._started = True
            lane = self._lanes[str(job.assignment.spec)]
            # Tests may run in another order than announced; whoever waits goes first.
            if job.key in lane.pending:
                lane.pending.move_to_end(job.key, last=False)
            result = self._results[job.key]
            lane.wanted.add(job.key)
            self._grow()
            self._changed.notify_all()
        try:
            outcome = _interruptible(result)
        finally:
            with self._changed:
                lane.wanted.discard(job.key)
        with self._changed:
            if self._results.pop(job.key, None) is not None:
                lane.ahead -= 1
            self._changed.notify_all()
        return outcome

    def drop(self, assignment: Assignment) -> None:
        """Ask no more for an assignment; what is in flight still reaches the store.

        Jobs that a test is waiting for at this moment are left.
        """
        with self._changed:
            lane = self._lanes.get(str(assignment.spec))
            if lane is None:
                return
            ours = [key for key in self._results if key[:2] == assignment.key]
            for key in set(ours) - lane.wanted:
                del self._results[key]
                if lane.pending.pop(key, None) is None:
                    lane.ahead -= 1
            self._changed.notify_all()

    def identity(self, assignment: Assignment) -> ModelIdentity | None:
        """Who answers, if it was reached already."""
        contact = self._contacts.get(assignment.key)
        return None if contact is None else contact.identity

    def close(self, patience_s: float = 2.0) -> None:
        """Stop asking. Answers in flight have `patience_s` seconds to arrive and be stored."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        deadline = time.monotonic() + patience_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for contact in self._contacts.values():
            if contact.backend is not None:
                contact.backend.close()

    # The lock is held in _grow and _next_job.

    def _grow(self) -> None:
        if not self._started or self._stopping.is_set():
            return
        for lane in self._lanes.values():
            while lane.pending and lane.threads < lane.wanted_threads:
                lane.threads += 1
                thread = threading.Thread(
                    target=self._work, args=(lane,), name=f"llmclf {lane.spec}", daemon=True
                )
                self._threads.append(thread)
                thread.start()

    def _next_job(self, lane: _Lane) -> Job | None:
        while not self._stopping.is_set():
            # `ahead` counts what is in flight or done and not yet collected by its test.
            # Beyond the bound only what a test is waiting for at this moment.
            if lane.pending and (
                lane.ahead < self._bound(lane) or next(iter(lane.pending)) in lane.wanted
            ):
                lane.ahead += 1
                return lane.pending.popitem(last=False)[1]
            self._changed.wait()
        return None

    def _bound(self, lane: _Lane) -> int:
        return lane.wanted_threads if self._policy.ahead is None else self._policy.ahead

    def _work(self, lane: _Lane) -> None:
        while True:
            with self._changed:
                job = self._next_job(lane)
                if job is None:
                    return
                result = self._results[job.key]
            try:
                result.set_result(self._answer(lane, job))
            except BaseException as error:  # noqa: BLE001 - a defect must reach the waiting test
                result.set_exception(error)

    def _answer(self, lane: _Lane, job: Job) -> Outcome:
        assignment, case = job.assignment, job.case
        try:
            request = assignment.request(case, job.repeat)
        except PictureError as error:
            return assignment.no_answer(case, error, repeat=job.repeat)
        contact = self._reach(lane, assignment)
        if contact.failure is not None or contact.identity is None or contact.backend is None:
            failure = contact.failure or ServerFailed(f"{assignment.spec}: not connected")
            return assignment.no_answer(case, failure, repeat=job.repeat)
        identity = contact.identity
        digest = request.digest(identity)
        # A recording is played back as it is: neither helped out by the store nor put into it.
        known = not (self._policy.fresh or assignment.recorded)
        answer = self._store.get(digest) if known else None
        cached, attempts = answer is not None, 0
        if answer is None:
            try:
                answer, attempts = self._ask(lane, contact.backend, request)
            except _Unanswered as unanswered:
                return assignment.no_answer(
                    case,
                    unanswered.error,
                    model_digest=identity.digest,
                    request_digest=digest,
                    attempts=unanswered.attempts,
                    repeat=job.repeat,
                )
            if not assignment.recorded:
                self._store.put(digest, identity, answer, replace=self._policy.fresh)
        if self._recorder is not None:
            self._recorder.record(digest, request.summary(), identity, answer)
        return assignment.judge(
            case,
            answer,
            model_digest=identity.digest,
            request_digest=digest,
            cached=cached,
            attempts=attempts,
            repeat=job.repeat,
        )

    def _reach(self, lane: _Lane, assignment: Assignment) -> _Contact:
        with self._changed:
            lock = self._contact_locks.setdefault(assignment.key, threading.Lock())
        with lock:
            contact = self._contacts.get(assignment.key)
            if contact is None:
                contact = self._contacts[assignment.key] = self._first_contact(assignment)
                with self._changed:
                    if contact.backend is not None:
                        lane.wanted_threads = max(
                            lane.wanted_threads,
                            self._policy.in_flight or 2 * contact.backend.slots,
                        )
                    self._grow()
            return contact

    def _first_contact(self, assignment: Assignment) -> _Contact:
        attempt = 0
        while True:
            attempt += 1
            backend = None
            try:
                backend = self._connect(assignment)
                return _Contact(backend, backend.identify(), None)
            except BackendError as error:
                if backend is not None:
                    backend.close()
                if not self._may_retry(error, attempt):
                    return _Contact(None, None, error)
            except SettingsError as error:  # such as a recording that is not there
                return _Contact(None, None, BackendError(str(error)))
            self._stopping.wait(self._policy.pause_s(attempt, random.random()))  # noqa: S311

    def _ask(self, lane: _Lane, backend: Backend, request: Request) -> tuple[Answer, int]:
        deadline = time.monotonic() + self._policy.budget_s
        attempt = 0
        while True:
            if lane.given_up is not None:
                raise _Unanswered(lane.given_up, attempt)
            if self._stopping.is_set():
                raise _Unanswered(ServerFailed("not asked: the run was stopped"), attempt)
            attempt += 1
            try:
                answer = backend.ask(request)
            except BackendError as error:
                pause = self._policy.pause_s(attempt, random.random())  # noqa: S311 - jitter
                if self._may_retry(error, attempt) and time.monotonic() + pause < deadline:
                    self._stopping.wait(pause)
                    continue
                self._note_failure(lane, error)
                raise _Unanswered(error, attempt) from error
            with self._changed:
                lane.failures = 0
            return answer, attempt

    def _may_retry(self, error: BackendError, attempt: int) -> bool:
        return error.retryable and attempt < self._policy.attempts and not self._stopping.is_set()

    def _note_failure(self, lane: _Lane, error: BackendError) -> None:
        if not error.retryable:
            return
        with self._changed:
            lane.failures += 1
            if lane.failures >= self._policy.give_up_after and lane.given_up is None:
                lane.given_up = type(error)(
                    f"given up after {lane.failures} pictures in a row: {error.message}",
                    remedy=error.remedy,
                )


class _Unanswered(Exception):
    """No attempt brought an answer."""

    def __init__(self, error: BackendError, attempts: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.attempts = attempts


def _interruptible(result: Future[Outcome]) -> Outcome:
    # On Windows a wait without a time-out cannot be ended by Ctrl-C.
    while True:
        try:
            return result.result(timeout=0.5)
        except FutureTimeout:
            if result.done():
                return result.result()
