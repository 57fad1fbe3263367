"""One job: its answer known, asked for, or awaited from whoever asks the same question."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.data.image import SentImage, preparation
from pytest_llmclf.errors import (
    BackendError,
    ImageError,
    ServerFailed,
    ServerOverloaded,
    ServerUnreachable,
)
from pytest_llmclf.runner.asked_without import AskedWithout
from pytest_llmclf.runner.example_room import ExampleRoom
from pytest_llmclf.runner.headroom import Headroom
from pytest_llmclf.runner.room import is_lack
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    import threading

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.runner.answer_cache import AnswerStore
    from pytest_llmclf.runner.connections import ModelConnections
    from pytest_llmclf.runner.job import AnswerRecorder, AskingPolicy, Job
    from pytest_llmclf.runner.patience import Found
    from pytest_llmclf.runner.work_queue import ModelQueue, WorkItem
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.request import ModelIdentity, Request

STOPPED = "not asked: the run was stopped"


class Worker:
    """Turns one job after the other into its outcome. Thread-safe.

    Args:
        store: Known answers; every new one is put there.
        policy: How to ask.
        connections: Who can be asked.
        stopping: Ends every wait.
        recorder: Keeps a copy of each answer.
        run: The same for all processes of a run.

    Attributes:
        asked_without: What answers, known ones too, were asked without.
        headroom: Whether questions and answers have room, by the first answers.
        example_room: Whether example images have, by what the server counts before.
    """

    def __init__(
        self,
        *,
        store: AnswerStore,
        policy: AskingPolicy,
        connections: ModelConnections,
        stopping: threading.Event,
        recorder: AnswerRecorder | None,
        run: str,
    ) -> None:
        self._store = store
        self._policy = policy
        self._connections = connections
        self._stopping = stopping
        self._recorder = recorder
        self.asked_without = AskedWithout()
        self.headroom = Headroom()
        self.example_room = ExampleRoom(store)
        # Answers of an earlier run do not count for one that asks anew.
        self._fresh_in = run if policy.fresh else ""

    def answer(self, queue: ModelQueue, taken: WorkItem) -> Outcome | None:
        """The outcome of a job; ``None`` while someone else asks the same question."""
        job, case = taken.job, taken.job.case
        try:
            return self._answered(queue, taken)
        except _Unanswered as unanswered:
            return job.task.no_answer(
                case,
                unanswered.error,
                model_digest=unanswered.identity.digest,
                request_digest=taken.digest,
                attempts=unanswered.attempts,
                repeat=job.repeat,
            )
        except (ImageError, BackendError) as error:
            return job.task.no_answer(case, error, repeat=job.repeat)
        except (MemoryError, OSError) as error:
            if not is_lack(error):
                raise
            lacking = BackendError(
                "there was not enough memory to ask about it", remedy="lower --llmclf-in-flight"
            )
            return job.task.no_answer(case, lacking, repeat=job.repeat)

    def _answered(self, queue: ModelQueue, taken: WorkItem) -> Outcome | None:
        job, task = taken.job, taken.job.task
        if job.case.problem is not None:
            raise ImageError(f"{job.case.path}: {job.case.problem}")
        connection = self._connections.reach(task)
        if connection.identity is None:
            raise connection.failure or ServerFailed(f"{task.spec}: not connected")
        identity = connection.identity
        # A recording is played back as it is: neither helped out by the store nor put into it.
        if task.recorded:
            return self._asked(queue, taken, identity, None)
        request, answer = self._request_or_answer(taken, identity)
        if answer is None:
            # One process at a time asks a question, and whoever comes too late finds the answer.
            patient = not taken.since or time.monotonic() - taken.since < self._policy.budget_s
            digest = taken.digest
            claimed = self._store.claim(digest)
            if not claimed and patient:
                return None
            try:
                return self._found_or_asked(queue, taken, identity, request)
            finally:
                if claimed:
                    self._store.release(digest)
        return self._judged(taken, identity, request, answer, attempts=0)

    def _found_or_asked(
        self, queue: ModelQueue, taken: WorkItem, identity: ModelIdentity, request: Request | None
    ) -> Outcome | None:
        """What somebody else was answered meanwhile, or what is answered now."""
        job, digest = taken.job, taken.digest
        answer = self._store.get(digest, fresh_in=self._fresh_in)
        if answer is not None:
            if request is not None:
                self._store.keep_image(_source(job), _sent(request))
            return self._judged(taken, identity, request, answer, attempts=0)
        if request is None:
            request = job.task.request(job.case, job.repeat)
            taken.digest = request.digest(identity)
        if taken.digest != digest:
            # What the store said of the image was wrong: it is corrected, and the question, which
            # is another one then, claimed anew.
            self._store.keep_image(_source(job), _sent(request))
            return None
        return self._asked(queue, taken, identity, request)

    def _request_or_answer(
        self, taken: WorkItem, identity: ModelIdentity
    ) -> tuple[Request | None, Answer | None]:
        """The request where its image is new to the store, else the stored answer, if any."""
        job, store = taken.job, self._store
        if not taken.digest:
            sent = store.sent_image(_source(job))
            if sent is None:
                request = job.task.request(job.case, job.repeat)
                taken.digest = request.digest(identity)
                return request, None
            taken.digest = job.task.outline(job.case, sent, job.repeat).digest(identity)
        return None, store.get(taken.digest, fresh_in=self._fresh_in)

    def _asked(
        self, queue: ModelQueue, taken: WorkItem, identity: ModelIdentity, request: Request | None
    ) -> Outcome:
        """Ask, and keep the answer."""
        job, task = taken.job, taken.job.task
        if request is None:
            request = task.request(job.case, job.repeat)
            taken.digest = request.digest(identity)
        answer, attempts = self._ask(queue, job, identity, request)
        if not task.recorded:
            self._store.put(
                taken.digest,
                identity,
                answer,
                fresh_in=self._fresh_in,
                image=(_source(job), _sent(request)),
            )
        return self._judged(taken, identity, request, answer, attempts=attempts)

    def _judged(
        self,
        taken: WorkItem,
        identity: ModelIdentity,
        request: Request | None,
        answer: Answer,
        *,
        attempts: int,
    ) -> Outcome:
        """What an answer means; one that took no attempt was known."""
        job, task = taken.job, taken.job.task
        self.asked_without.note(task, answer)
        if attempts == 0:
            self.example_room.recall(task, identity)
        self.headroom.note(task, answer)
        if self._recorder is not None:
            request = request or task.request(job.case, job.repeat)
            self._recorder.introduce(identity, task.key, task.facts)
            self._recorder.record(taken.digest, request.summary(), identity, answer)
        return task.judge(
            job.case,
            answer,
            model_digest=identity.digest,
            request_digest=taken.digest,
            cached=attempts == 0,
            attempts=attempts,
            repeat=job.repeat,
        )

    def _ask(
        self, queue: ModelQueue, job: Job, identity: ModelIdentity, request: Request
    ) -> tuple[Answer, int]:
        """Ask until there is an answer or no hope; says how many attempts it took."""
        connection = self._connections.demand(job.task)
        if connection.backend is None:
            error = connection.failure or ServerFailed(f"{job.task.spec}: not connected")
            raise _Unanswered(error, identity, 0)
        backend = connection.backend
        limit = self._policy.in_flight
        queue.set_limit(limit or backend.in_flight)
        now = time.monotonic()
        question = _Question(
            began=now, deadline=now + self._policy.budget_s, counts=not job.task.probe
        )
        while True:
            if queue.given_up is not None:
                raise _Unanswered(queue.given_up, identity, question.asked)
            if self._stopping.is_set():
                raise _Unanswered(ServerFailed(STOPPED), identity, question.asked)
            question.asked += 1
            try:
                self.example_room.require(job.task, identity, backend.ask)
                answer = backend.ask(request)
                self.headroom.require_whole(job.task, answer)
            except BackendError as error:
                queue.set_limit(limit or backend.in_flight)
                last = self._troubled(queue, backend, question, error)
                if last is not None:
                    raise _Unanswered(last, identity, question.asked) from error
            else:
                queue.note_answer(limit or backend.in_flight)
                return answer, question.asked

    def _troubled(
        self, queue: ModelQueue, backend: Backend, question: _Question, error: BackendError
    ) -> BackendError | None:
        """Wait until a question can be asked again; the last word on it where that is no use."""
        failed = time.monotonic()
        found = self._waited(queue, backend, error)
        if found == "back":
            # What was in flight when the server went may be what ended it: that counts.
            question.attempts += not isinstance(error, ServerUnreachable)
            question.deadline += time.monotonic() - failed
            if question.attempts < self._policy.attempts:
                return None
        elif found == "away":
            return queue.give_up(_gone_too_long(error, self._policy.away_s))
        elif found == "there":
            busy = isinstance(error, ServerOverloaded) and self._policy.away_s > 0
            question.attempts += not busy
            draw = random.random()  # noqa: S311 - jitter
            left = queue.patience.left_s(error)
            pause = self._policy.pause_after_s(error, question.asked, draw, left)
            again = queue.patience.may_retry(error, question.attempts, question.began)
            if again and failed + pause < question.deadline and not self._stopping.is_set():
                self._stopping.wait(pause)
                return None
            if question.counts:
                queue.note_failure(error, self._policy.give_up_after)
        return error

    def _waited(self, queue: ModelQueue, backend: Backend, error: BackendError) -> Found:
        """Wait for a server that is away, if it is."""
        if not error.retryable:
            return "there"
        queue.patience.note_trouble()
        look = getattr(backend, "look", None)
        # Whoever must not wait does not look either.
        return "there" if look is None or not self._policy.away_s else queue.patience.wait(look)


def _gone_too_long(error: BackendError, away_s: float) -> BackendError:
    # Minutes, as the option has them.
    return type(error)(
        f"given up: the server did not come back within {away_s / 60:g} "
        f"{noun(away_s / 60, 'minute')}: {error.message}",
        remedy=error.remedy,
    )


@dataclass(slots=True, kw_only=True)
class _Question:
    """One question and what was tried.

    Attributes:
        began: When it was asked first, in seconds of the monotonic clock.
        deadline: No attempt starts later.
        asked: How often it was asked.
        attempts: How often it was the server's turn to answer, and it did not.
        counts: Whether its failure says anything of others: what a probe changes may be its cause.
    """

    began: float
    deadline: float
    asked: int = 0
    attempts: int = 0
    counts: bool = True


class _Unanswered(Exception):
    """No attempt brought an answer."""

    def __init__(self, error: BackendError, identity: ModelIdentity, attempts: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.identity = identity
        self.attempts = attempts


def _source(job: Job) -> str:
    """An image's bytes, and all that decides what they are sent as."""
    return f"{job.case.sha256} {preparation(job.task.limits)}"


def _sent(request: Request) -> SentImage:
    return SentImage(sha256=request.image_sha256(), media_type=request.media_type)
