"""The engine: threads that work ahead of the tests."""

from __future__ import annotations

import secrets
import threading
import time
from typing import TYPE_CHECKING

from pytest_llmclf.errors import BackendError, ServerFailed
from pytest_llmclf.runner.connections import ModelConnections
from pytest_llmclf.runner.patience import Patience
from pytest_llmclf.runner.room import FIRST_MIB, FURTHER_MIB, has_room, is_scarce, load_numbers
from pytest_llmclf.runner.work_queue import ModelQueue
from pytest_llmclf.runner.worker import STOPPED, Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.runner.answer_cache import AnswerStore
    from pytest_llmclf.runner.job import AnswerRecorder, AskingPolicy, Job, JobKey
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.runner.work_queue import WorkItem
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.request import ModelIdentity

_EVERY_S = 0.5
_LITTLE_MEMORY = BackendError(
    "there is not enough memory to ask", remedy="raise the limit (ulimit -v), or free some"
)


def unheard(_: float | None) -> None:
    """Tell nobody."""


def _unknown_way(_: Task) -> None:
    return None


class Engine:
    """Turns jobs into outcomes, several at once, ahead of whoever waits for them.

    Args:
        connect: Makes the backend of a task.
        store: Known answers; every new one is put there.
        policy: How to ask.
        recorder: Keeps a copy of each answer.
        endpoint_key: Everything that determines who answers a task, see `ModelConnections`.
        run: The same for all processes of a run; one that asks anew does so once in all of them.
        on_wait: Is told about every half second in which somebody waits for an outcome for how
            many seconds a server has been waited for, or ``None`` if all is well.
    """

    def __init__(
        self,
        *,
        connect: Callable[[Task], Backend],
        store: AnswerStore,
        policy: AskingPolicy,
        recorder: AnswerRecorder | None = None,
        endpoint_key: Callable[[Task], str | None] = _unknown_way,
        run: str = "",
        on_wait: Callable[[float | None], None] = unheard,
    ) -> None:
        self._on_wait = on_wait
        self._policy = policy
        self._stopping = threading.Event()
        run = run or secrets.token_hex(8)
        self._connections = ModelConnections(
            connect=connect,
            store=store,
            policy=policy,
            stopping=self._stopping,
            endpoint_key=endpoint_key,
            run=run,
        )
        self._worker = Worker(
            store=store,
            policy=policy,
            connections=self._connections,
            stopping=self._stopping,
            recorder=recorder,
            run=run,
        )
        self._lock = threading.RLock()
        self._arrived = threading.Condition(self._lock)
        self._results: dict[JobKey, Outcome | BaseException | None] = {}
        self._queues: dict[str, ModelQueue] = {}
        # What each thread has in hand, and for whom it works.
        self._threads: dict[threading.Thread, tuple[ModelQueue, WorkItem | None]] = {}
        self._started = False

    def expect(self, jobs: Iterable[Job]) -> None:
        """Announce jobs in the order in which they will be wanted; known ones are skipped."""
        with self._lock:
            longer: set[ModelQueue] = set()
            for job in jobs:
                key = job.key
                if key not in self._results:
                    self._results[key] = None
                    queue = self._queue_of(job.task)
                    queue.add(job)
                    longer.add(queue)
            # Every test announces its own job, which is known: nobody is woken for that.
            for queue in longer:
                queue.wake_all()

    def outcome(self, job: Job) -> Outcome:
        """Wait for the outcome of one job. It is handed out once and then forgotten."""
        key = job.key
        with self._lock:
            if key not in self._results:
                self.expect([job])
            queue = self._queue_of(job.task)
            if self._results[key] is None:
                self._await(queue, key)
            found = self._results.pop(key)
            if found is None:
                queue.drop(key)
                stopped = queue.given_up or ServerFailed(STOPPED)
                return job.task.no_answer(job.case, stopped, repeat=job.repeat)
            queue.collected()
        if isinstance(found, BaseException):
            raise found
        return found

    def drop(self, task: Task) -> None:
        """Ask no more for a task; what is in flight still reaches the store.

        Jobs that a test is waiting for at this moment are left.
        """
        with self._lock:
            queue = self._queues.get(str(task.spec))
            if queue is None:
                return
            ours = {key for key in self._results if key[:-2] == task.key}
            for key in ours - queue.wanted:
                del self._results[key]
                queue.drop(key)
            queue.wake_all()

    def identity(self, task: Task) -> ModelIdentity | None:
        """Who answers, if that is known already."""
        connection = self._connections.known(task)
        return None if connection is None else connection.identity

    def notices(self, task: Task | None = None) -> tuple[str, ...]:
        """What people should know of the server of a task, or of all; a sentence each."""
        return (
            *self._connections.notices(task),
            *self._worker.asked_without.notices(task),
            *self._worker.headroom.notices(task),
            *self._worker.example_room.notices(task),
        )

    def headroom(self, task: Task) -> tuple[str, ...]:
        """What the first answers tell of limits that are too low; it is among the notices, too."""
        return self._worker.headroom.notices(task)

    def halt(self) -> None:
        """Ask no more from here on; what is in flight still reaches the store."""
        self._stopping.set()
        with self._lock:
            self._arrived.notify_all()
            for queue in self._queues.values():
                queue.wake_all()

    def close(self, patience_s: float = 2.0) -> None:
        """Stop asking. Answers in flight have `patience_s` seconds to arrive and be stored."""
        self.halt()
        deadline = time.monotonic() + patience_s
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._connections.close()

    # The lock is held from here to _trouble_s.

    def _queue_of(self, task: Task) -> ModelQueue:
        spec = str(task.spec)
        queue = self._queues.get(spec)
        if queue is None:
            ahead = self._policy.ahead
            patience = Patience(self._policy, self._stopping)
            queue = self._queues[spec] = ModelQueue(
                spec, self._lock, ahead=ahead, start=self._start, patience=patience
            )
        return queue

    def _start(self, queue: ModelQueue) -> bool:
        """Start a thread for a queue, unless nobody has waited for an outcome yet or it is over."""
        if not self._started or self._stopping.is_set():
            return False
        # The start of a thread that dies of it before it runs is waited for in vain.
        if not (has_room(FURTHER_MIB) if self._threads else _has_room_for_a_run()):
            self._without_threads(queue, _LITTLE_MEMORY)
            return False
        thread = threading.Thread(
            target=self._work, args=(queue,), name=f"llmclf {queue.spec}", daemon=True
        )
        try:
            thread.start()
        except (RuntimeError, MemoryError) as error:  # the system gives no more
            self._without_threads(
                queue,
                BackendError(
                    f"no thread can be started ({error})",
                    remedy="raise the limit of processes (ulimit -u), or end some",
                ),
            )
            return False
        self._threads[thread] = queue, None
        return True

    def _without_threads(self, queue: ModelQueue, error: BackendError) -> None:
        """Ask no more where there is no thread and will be none; those that there are will do."""
        if not queue.threads:
            queue.give_up(BackendError(f"{queue.spec}: {error.message}", remedy=error.remedy))
            self._arrived.notify_all()

    def _bury(self) -> None:
        """Answer for threads that ended without a word, as those do that find no memory."""
        if self._stopping.is_set():
            return  # then they end as they should
        for thread, (queue, taken) in list(self._threads.items()):
            if thread.is_alive():
                continue
            del self._threads[thread]
            queue.threads -= 1
            if taken is not None:
                queue.done(taken, held=False)
                job = taken.job
                if job.key in self._results:
                    lost = job.task.no_answer(job.case, _LITTLE_MEMORY, repeat=job.repeat)
                    self._results[job.key] = lost
            self._without_threads(queue, _LITTLE_MEMORY)

    def _await(self, queue: ModelQueue, key: JobKey) -> None:
        """Wait until a job is answered, or until nobody is going to."""
        if not self._started:
            self._started = True
            for other in self._queues.values():
                other.wake_all()
        queue.urge(key)
        try:
            while self._results[key] is None:
                nobody = self._stopping.is_set() or (queue.given_up and not queue.threads)
                if nobody and queue.waits(key):
                    return
                # On Windows a wait without a time-out cannot be ended by Ctrl-C.
                if not self._arrived.wait(_EVERY_S):
                    self._bury()
                    self._on_wait(self._trouble_s())
        except BaseException:
            # Ctrl-C: until pytest has told of it, many more would be asked.
            self.halt()
            raise
        finally:
            queue.wanted.discard(key)

    def _trouble_s(self) -> float | None:
        """For how long a server has been waited for; the longest of several."""
        told = [queue.patience.trouble_s for queue in self._queues.values() if not queue.given_up]
        known = [seconds for seconds in (*told, self._connections.trouble_s) if seconds is not None]
        return max(known, default=None)

    def _work(self, queue: ModelQueue) -> None:
        while True:
            with self._lock:
                taken = queue.next(self._stopping)
                self._threads[threading.current_thread()] = queue, taken
            if taken is None:
                return
            found: Outcome | BaseException | None
            try:
                found = self._worker.answer(queue, taken)
            except BaseException as error:  # noqa: BLE001 - a defect must reach the waiting test
                found = error
            with self._lock:
                key = taken.job.key
                dropped = key not in self._results
                queue.done(taken, held=found is None and not dropped)
                self._threads[threading.current_thread()] = queue, None
                if found is not None and not dropped:
                    self._results[key] = found
                    if key in queue.wanted:
                        self._arrived.notify_all()


def _has_room_for_a_run() -> bool:
    """Whether the first thread has room, and the report at the end."""
    return (not is_scarce() or load_numbers()) and has_room(FIRST_MIB)
