"""Reaching models: once an evaluation and model, patiently, and remembered for the next run."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pytest_llmclf.errors import BackendError, BadAnswer, ServerFailed, SettingsError
from pytest_llmclf.runner.patience import LONGEST_LOOK_S, Patience
from pytest_llmclf.values.request import ADDRESS, NAME_ONLY

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.runner.answer_cache import AnswerStore
    from pytest_llmclf.runner.job import AskingPolicy
    from pytest_llmclf.runner.task import Assignment
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.request import ModelIdentity

_SHORT_DIGEST = 19
_MOST_PLACES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
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


class Contacts:
    """The models that an engine reached. Thread-safe.

    Args:
        connect: Makes the backend of an assignment.
        store: Remembers who answered.
        policy: How often and how patiently a server is tried.
        stopping: Ends every wait.
        way: Everything that determines who answers an assignment, without asking anybody;
            ``None`` where that cannot be told: then nothing is remembered of it.
        run: The same for all processes of a run.
    """

    def __init__(
        self,
        *,
        connect: Callable[[Assignment], Backend],
        store: AnswerStore,
        policy: AskingPolicy,
        stopping: threading.Event,
        way: Callable[[Assignment], str | None],
        run: str,
    ) -> None:
        self._connect = connect
        self._store = store
        self._policy = policy
        self._stopping = stopping
        self._way = way
        self._run = run
        self._waiting: dict[TaskName, Patience] = {}
        self._lock = threading.Lock()
        self._locks: dict[TaskName, threading.Lock] = {}
        self._contacts: dict[TaskName, Contact] = {}

    def known(self, assignment: Assignment) -> Contact | None:
        """What came of reaching an assignment's model; ``None`` if nobody tried."""
        return self._contacts.get(assignment.key)

    def reach(self, assignment: Assignment) -> Contact:
        """Find out who answers.

        A server that can be reached is asked. Where it cannot, and the store remembers who
        answered when it last could, that will do for answers which are known already.
        """
        contact = self._contacts.get(assignment.key)
        if contact is None:
            with self._lock_of(assignment):
                contact = self._contacts.get(assignment.key) or self._first(assignment)
                self._contacts[assignment.key] = contact
        return contact

    def demand(self, assignment: Assignment) -> Contact:
        """Someone to ask; a server that was not reached at first is tried patiently now."""
        contact = self.reach(assignment)
        if contact.final:
            return contact
        with self._lock_of(assignment):
            contact = self._contacts[assignment.key]
            if not contact.final:
                contact = self._contacts[assignment.key] = self._second(assignment, contact)
        return contact

    def notices(self, assignment: Assignment | None = None) -> tuple[str, ...]:
        """What people should know of the model of an assignment and its servers, or of all."""
        found: list[str] = []
        contacts = list(self._contacts.values())
        if assignment is not None:
            contacts = [one for one in (self.known(assignment),) if one is not None]
        for contact in contacts:
            told = () if contact.backend is None else contact.backend.notices
            found += [notice for notice in (contact.notice, *told) if notice]
        return tuple(dict.fromkeys(found))

    @property
    def trouble_s(self) -> float | None:
        """Seconds for which a server that was reached before is waited for; ``None``: none is."""
        told = [patience.trouble_s for patience in list(self._waiting.values())]
        return max((seconds for seconds in told if seconds is not None), default=None)

    def close(self) -> None:
        """Let go of every backend."""
        for contact in list(self._contacts.values()):
            if contact.backend is not None:
                contact.backend.close()

    def _lock_of(self, assignment: Assignment) -> threading.Lock:
        with self._lock:
            return self._locks.setdefault(assignment.key, threading.Lock())

    def _first(self, assignment: Assignment) -> Contact:
        if assignment.unfit is not None:
            return Contact(failure=assignment.unfit)
        way = None if assignment.recorded else self._way(assignment)
        # Asking anew is not served by what is known.
        remembered = way if not self._policy.fresh else None
        contact = self._tried(assignment, remembered)
        if way is not None and contact.backend is not None and contact.identity is not None:
            before = self._store.remembered(way)
            self._store.remember(way, contact.identity)
            if before is not None and not self._policy.fresh:
                return replace(contact, notice=_changed(assignment, contact.identity, *before))
            if not self._policy.fresh:
                elsewhere = self._store.remembered_elsewhere(way)
                return replace(contact, notice=_not_used(assignment, contact.identity, elsewhere))
        return contact

    def _second(self, assignment: Assignment, before: Contact) -> Contact:
        contact = self._tried(assignment, None)
        if contact.backend is None or contact.identity is None or before.identity is None:
            return replace(before, failure=contact.failure, final=True)
        if _answering(contact.identity) != _answering(before.identity):
            contact.backend.close()
            changed = ServerFailed(
                f"{assignment.spec} was not reached at first and is another model now, "
                f"{_short(contact.identity)}; known answers are those of "
                f"{_short(before.identity)}",
                remedy="run again",
            )
            return replace(before, failure=changed, final=True)
        return contact

    def _tried(self, assignment: Assignment, remembered: str | None) -> Contact:
        """Reach the model, or find it in the store after the first failure."""
        attempt = 0
        place = f"reached: {assignment.spec.backend} {assignment.spec.address}"
        patience = Patience(self._policy, self._stopping)
        while True:
            attempt += 1
            backend = None
            try:
                backend = self._connect(assignment)
                contact = Contact(backend=backend, identity=backend.identify())
            except BackendError as error:
                if backend is not None:
                    backend.close()
                failure = error
            except SettingsError as error:  # such as a recording that is not there
                return Contact(failure=BackendError(str(error)))
            else:
                self._waiting.pop(assignment.key, None)
                self._store.agree(self._run, place, "reached", "")
                return contact
            # An address of something else does not become the right one by waiting.
            passing = failure.retryable and not isinstance(failure, BadAnswer)
            # A server that was there in this run, for another evaluation or another process, is
            # waited for as one that goes while it is asked.
            before = passing and self._store.agreed(self._run, place) is not None
            known = None
            if remembered is not None and passing:
                known = self._remembered(assignment, remembered, failure)
            if known is not None:
                return known
            again = self._policy.may_retry(attempt, retryable=passing)
            if before:
                patience.note_trouble()
                self._waiting[assignment.key] = patience
                again = again or (patience.trouble_s or 0.0) < self._policy.away_s
            if not again or self._stopping.is_set():
                self._waiting.pop(assignment.key, None)
                return Contact(failure=self._with_what_is_known(failure, remembered))
            draw = random.random()  # noqa: S311 - jitter
            pause = self._policy.pause_after_s(failure, attempt, draw)
            self._stopping.wait(min(pause, LONGEST_LOOK_S) if before else pause)

    def _with_what_is_known(self, error: BackendError, way: str | None) -> BackendError:
        """Why nobody answers, and from where answers are known that are not used for it."""
        elsewhere = self._store.remembered_elsewhere(way) if way and error.retryable else ()
        if not elsewhere or self._store.remembered(way or "") is not None:
            return error
        return type(error)(
            f"{error.message}; answers are known from {_places(elsewhere)}",
            remedy=f"{error.remedy}; or name that address if its model is the one that is meant",
        )

    def _remembered(self, assignment: Assignment, way: str, error: BackendError) -> Contact | None:
        found = self._store.remembered(way)
        at = ""
        if found is None:
            found = _only_one(self._store.remembered_elsewhere(way))
            if found is None:
                return None
            at = f" at {found[0].details.get(ADDRESS, 'another address')}"
        identity, seen = found
        date = _date(seen)
        notice = (
            f"{assignment.spec} was not reached ({error.message}): known answers of "
            f"{_short(identity)}{at} of {date} were used"
        )
        details = {**identity.details, "reached": f"not in this run; last on {date}{at}"}
        return Contact(
            identity=replace(identity, details=details), failure=error, final=False, notice=notice
        )


def _changed(assignment: Assignment, now: ModelIdentity, before: ModelIdentity, seen: float) -> str:
    """That another model or server answers than in the last run; empty if it is the same."""
    if _answering(now) == _answering(before):
        return ""
    what = "server" if now.digest == before.digest else "model"
    return (
        f"{assignment.spec}: another {what} than on {_date(seen)} answers, {_short(now)} instead "
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
    assignment: Assignment,
    now: ModelIdentity,
    elsewhere: Sequence[tuple[ModelIdentity, float]],
) -> str:
    """That answers are known from other addresses only, and why they do not count here."""
    if not elsewhere or any(_answering(now) == _answering(other) for other, _ in elsewhere):
        return ""
    why = "another model or server answers here"
    if NAME_ONLY in now.details:
        why = "the server tells no digest, so it may be another model (if not, name that address)"
    return (
        f"{assignment.spec}: answers are known from {_places(elsewhere)} and not used here: {why}"
    )


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
    digest = identity.digest if ":" in identity.digest else f"sha256:{identity.digest}"
    return f"{digest[:_SHORT_DIGEST]} ({identity.server})" if identity.server else digest
