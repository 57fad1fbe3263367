"""Reaching models: once an evaluation and model, patiently, and remembered for the next run."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_llmclf.errors import BackendError, BadAnswer, ServerFailed, SettingsError
from pytest_llmclf.runner.patience import LONGEST_LOOK_S, Patience
from pytest_llmclf.values.request import ADDRESS, NAME_ONLY, short_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.runner.answer_cache import AnswerStore
    from pytest_llmclf.runner.job import AskingPolicy
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.request import ModelIdentity

_MOST_PLACES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelConnection:
    """A model that was reached, or why it was not.

    Attributes:
        backend: Who can be asked; ``None`` if nobody.
        identity: Who answers, or answered when it was last reached; ``None`` if that is unknown.
        failure: Why nobody can be asked.
        final: Whether all attempts at reaching it were made.
        notice: What people should know: that it was not reached, and old answers were used; that
            it is another one than in the last run.
    """

    backend: Backend | None = None
    identity: ModelIdentity | None = None
    failure: BackendError | None = None
    final: bool = True
    notice: str = ""


class ModelConnections:
    """The models that an engine reached. Thread-safe.

    Args:
        connect: Makes the backend of a task.
        store: Remembers who answered.
        policy: How often and how patiently a server is tried.
        stopping: Ends every wait.
        endpoint_key: Everything that determines who answers a task, without asking anybody;
            ``None`` where that cannot be told: then nothing is remembered of it.
        run: The same for all processes of a run.
    """

    def __init__(
        self,
        *,
        connect: Callable[[Task], Backend],
        store: AnswerStore,
        policy: AskingPolicy,
        stopping: threading.Event,
        endpoint_key: Callable[[Task], str | None],
        run: str,
    ) -> None:
        self._connect = connect
        self._store = store
        self._policy = policy
        self._stopping = stopping
        self._way = endpoint_key
        self._run = run
        self._waiting: dict[TaskName, Patience] = {}
        self._lock = threading.Lock()
        self._locks: dict[TaskName, threading.Lock] = {}
        self._connections: dict[TaskName, ModelConnection] = {}

    def known(self, task: Task) -> ModelConnection | None:
        """What came of reaching a task's model; ``None`` if nobody tried."""
        return self._connections.get(task.connection)

    def reach(self, task: Task) -> ModelConnection:
        """Find out who answers.

        A server that can be reached is asked. Where it cannot, and the store remembers who
        answered when it last could, that will do for answers which are known already.
        """
        connection = self._connections.get(task.connection)
        if connection is None:
            with self._lock_of(task):
                connection = self._connections.get(task.connection) or self._first(task)
                self._connections[task.connection] = connection
        return connection

    def demand(self, task: Task) -> ModelConnection:
        """Someone to ask; a server that was not reached at first is tried patiently now."""
        connection = self.reach(task)
        if connection.final:
            return connection
        with self._lock_of(task):
            connection = self._connections[task.connection]
            if not connection.final:
                connection = self._connections[task.connection] = self._second(task, connection)
        return connection

    def notices(self, task: Task | None = None) -> tuple[str, ...]:
        """What people should know of the model of a task and its servers, or of all."""
        found: list[str] = []
        connections = list(self._connections.values())
        if task is not None:
            connections = [one for one in (self.known(task),) if one is not None]
        for connection in connections:
            told = () if connection.backend is None else connection.backend.notices
            found += [notice for notice in (connection.notice, *told) if notice]
        return tuple(dict.fromkeys(found))

    @property
    def trouble_s(self) -> float | None:
        """Seconds for which a server that was reached before is waited for; ``None``: none is."""
        told = [patience.trouble_s for patience in list(self._waiting.values())]
        return max((seconds for seconds in told if seconds is not None), default=None)

    def close(self) -> None:
        """Let go of every backend."""
        for connection in list(self._connections.values()):
            if connection.backend is not None:
                connection.backend.close()

    def _lock_of(self, task: Task) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(task.connection, threading.Lock())

    def _first(self, task: Task) -> ModelConnection:
        if task.unfit is not None:
            return ModelConnection(failure=task.unfit)
        endpoint_key = None if task.recorded else self._way(task)
        # Asking anew is not served by what is known.
        remembered = endpoint_key if not self._policy.fresh else None
        connection = self._tried(task, remembered)
        if (
            endpoint_key is not None
            and connection.backend is not None
            and connection.identity is not None
        ):
            before = self._store.remembered(endpoint_key)
            self._store.remember(endpoint_key, connection.identity)
            if before is not None and not self._policy.fresh:
                return replace(connection, notice=_changed(task, connection.identity, *before))
            if not self._policy.fresh:
                elsewhere = self._store.remembered_elsewhere(endpoint_key)
                return replace(connection, notice=_not_used(task, connection.identity, elsewhere))
        return connection

    def _second(self, task: Task, before: ModelConnection) -> ModelConnection:
        connection = self._tried(task, None)
        if connection.backend is None or connection.identity is None or before.identity is None:
            return replace(before, failure=connection.failure, final=True)
        if _answering(connection.identity) != _answering(before.identity):
            connection.backend.close()
            changed = ServerFailed(
                f"{task.spec} was not reached at first and is another model now, "
                f"{_short(connection.identity)}; known answers are those of "
                f"{_short(before.identity)}",
                remedy="run again",
            )
            return replace(before, failure=changed, final=True)
        return connection

    def _tried(self, task: Task, remembered: str | None) -> ModelConnection:
        """Reach the model, or find it in the store after the first failure."""
        attempt = 0
        place = f"reached: {task.spec.backend} {task.spec.address}"
        patience = Patience(self._policy, self._stopping)
        while True:
            attempt += 1
            backend = None
            try:
                backend = self._connect(task)
                connection = ModelConnection(backend=backend, identity=backend.identify())
            except BackendError as error:
                if backend is not None:
                    backend.close()
                failure = error
            except SettingsError as error:  # such as a recording that is not there
                return ModelConnection(failure=BackendError(str(error)))
            else:
                self._waiting.pop(task.connection, None)
                self._store.agree(self._run, place, "reached", "")
                return connection
            # An address of something else does not become the right one by waiting.
            passing = failure.retryable and not isinstance(failure, BadAnswer)
            # A server that was there in this run, for another evaluation or another process, is
            # waited for as one that goes while it is asked.
            before = passing and self._store.agreed(self._run, place) is not None
            known = None
            if remembered is not None and passing:
                known = self._remembered(task, remembered, failure)
            if known is not None:
                return known
            again = self._policy.may_retry(attempt, retryable=passing)
            patience.note_trouble()
            if before:
                self._waiting[task.connection] = patience
                again = again or (patience.trouble_s or 0.0) < self._policy.away_s
            if not again or self._stopping.is_set():
                self._waiting.pop(task.connection, None)
                return ModelConnection(failure=self._with_what_is_known(failure, remembered))
            draw = random.random()  # noqa: S311 - jitter
            left = patience.left_s(failure)
            pause = self._policy.pause_after_s(failure, attempt, draw, left)
            self._stopping.wait(min(pause, LONGEST_LOOK_S) if before else pause)

    def _with_what_is_known(self, error: BackendError, endpoint_key: str | None) -> BackendError:
        """Why nobody answers, and from where answers are known that are not used for it."""
        elsewhere = (
            self._store.remembered_elsewhere(endpoint_key)
            if endpoint_key and error.retryable
            else ()
        )
        if not elsewhere or self._store.remembered(endpoint_key or "") is not None:
            return error
        return type(error)(
            f"{error.message}; answers are known from {_places(elsewhere)}",
            remedy=f"{error.remedy}; or name that address if its model is the one that is meant",
        )

    def _remembered(
        self, task: Task, endpoint_key: str, error: BackendError
    ) -> ModelConnection | None:
        found = self._store.remembered(endpoint_key)
        at = ""
        if found is None:
            found = _only_one(self._store.remembered_elsewhere(endpoint_key))
            if found is None:
                return None
            at = f" at {found[0].details.get(ADDRESS, 'another address')}"
        identity, seen = found
        date = _date(seen)
        notice = (
            f"{task.spec} was not reached ({error.message}): known answers of "
            f"{_short(identity)}{at} of {date} were used"
        )
        details = {**identity.details, "reached": f"not in this run; last on {date}{at}"}
        return ModelConnection(
            identity=replace(identity, details=details), failure=error, final=False, notice=notice
        )


def _changed(task: Task, now: ModelIdentity, before: ModelIdentity, seen: float) -> str:
    """That another model or server answers than in the last run; empty if it is the same."""
    if _answering(now) == _answering(before):
        return ""
    what = "server" if now.digest == before.digest else "model"
    return (
        f"{task.spec}: another {what} than on {_date(seen)} answers, {_short(now)} instead "
        f"of {_short(before)}: the answers of that one are kept and not used here, and every image "
        "whose answer by this one is not known is asked about"
    )


def _only_one(
    elsewhere: Sequence[tuple[ModelIdentity, float]],
) -> tuple[ModelIdentity, float] | None:
    """The one model that answers at every other address, if it is known to be one.

    A name is not enough for that: a digest of the model's content is, on one version of the server.
    """
    if any(NAME_ONLY in identity.details for identity, _ in elsewhere):
        return None
    return elsewhere[0] if len({_answering(identity) for identity, _ in elsewhere}) == 1 else None


def _not_used(
    task: Task,
    now: ModelIdentity,
    elsewhere: Sequence[tuple[ModelIdentity, float]],
) -> str:
    """That answers are known from other addresses only, and why they do not count here."""
    if not elsewhere or any(_answering(now) == _answering(other) for other, _ in elsewhere):
        return ""
    why = "another model or server answers here"
    if NAME_ONLY in now.details:
        why = "the server tells no digest, so it may be another model (if not, name that address)"
    return f"{task.spec}: answers are known from {_places(elsewhere)} and not used here: {why}"


def _places(elsewhere: Sequence[tuple[ModelIdentity, float]]) -> str:
    """Where models of the same name answered, and when; the latest few."""
    told = (
        f"{identity.details.get(ADDRESS, 'another address')} ({_short(identity)}, {_date(seen)})"
        for identity, seen in elsewhere[:_MOST_PLACES]
    )
    return ", ".join(told)


def _date(seen: float) -> str:
    return datetime.fromtimestamp(seen, UTC).strftime("%Y-%m-%d")


def _answering(identity: ModelIdentity) -> tuple[str, str, str]:
    """What of an identity goes into a request's digest."""
    return identity.backend, identity.digest, identity.server


def _short(identity: ModelIdentity) -> str:
    digest = f"digest {short_digest(identity.digest)}"
    return f"{digest} ({identity.server})" if identity.server else digest
