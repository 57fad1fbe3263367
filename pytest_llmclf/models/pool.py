"""Several servers as one backend: work goes to whichever is free, and the dead are left out.

How much each server can use is learnt by a `ConcurrencyLimiter` each. One that cannot be reached
is dropped, its request goes to another one at once, and from time to time it is asked whether it
is back. All servers must have the same model; a single server is a pool of one.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from pytest_llmclf import errors
from pytest_llmclf.models.base import Backend
from pytest_llmclf.models.concurrency import ConcurrencyLimiter
from pytest_llmclf.models.http.client import ConnectionBroken
from pytest_llmclf.values.request import BASE_DIGEST, short_digest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.request import ModelIdentity, Request

FIRST_PAUSE_S = 1.0
"""After being dropped a server is looked at again; the pause doubles each time."""
LONGEST_PAUSE_S = 30.0

REFUSALS = 4
"""So many answers of "too busy" in a row drop a server while others work."""
LOOK_S = 2.0
"""Longest wait when looking whether a dropped server is back."""

MOST_NOTICES = 40
"""A server that comes and goes for days is not told of any more often."""

_GONE = (errors.ServerUnreachable, errors.RequestTimedOut, ConnectionBroken)
_LEFT_OUT = (*_GONE, errors.ModelMissing)


class Member(Backend, Protocol):
    """A backend at one address."""

    def is_there(self, timeout_s: float) -> bool:
        """Whether the server answers at this moment, asked cheaply."""
        ...

    def forget(self) -> None:
        """Look again who answers before the next question."""
        ...


@dataclass(slots=True, kw_only=True)
class _Place:
    """One server and what is known of its health; guarded by the pool's lock."""

    netloc: str
    member: Member
    limiter: ConcurrencyLimiter = field(default_factory=ConcurrencyLimiter)
    lost: errors.BackendError | None = None
    doubt: errors.BackendError | None = None
    lost_at: float = 0.0
    looked_at: float = float("-inf")
    refused: bool = False
    again_at: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    looking: bool = False
    refusals: int = 0

    @property
    def load(self) -> float:
        """Share of what it can use that it has."""
        return self.limiter.in_flight / self.limiter.limit


class Pool:
    """A backend over servers that have the same model. Thread-safe.

    Args:
        members: Backends by address, such as ``127.0.0.1:11434``; at least one.
        clock: Seconds that never go back.
    """

    def __init__(
        self, members: Sequence[tuple[str, Member]], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._places = [_Place(netloc=netloc, member=member) for netloc, member in members]
        self._clock = clock
        self._lock = threading.Lock()
        self._identifying = threading.Lock()
        self._looking = threading.Lock()
        self._identity: ModelIdentity | None = None
        self._digest = ""
        self._notices: list[str] = []

    @property
    def in_flight(self) -> int:
        """What all servers that are there can use together."""
        with self._lock:
            return max(1, sum(place.limiter.limit for place in self._places if not place.lost))

    @property
    def notices(self) -> tuple[str, ...]:
        """Servers that were dropped, that came back, and that were refused; the first in order."""
        own = [notice for place in self._places for notice in place.member.notices]
        with self._lock:
            return (*self._notices, *own)

    def identify(self) -> ModelIdentity:
        """Who answers: the same model everywhere. Servers that are not there are left out.

        Where versions of the server differ, all of them are named, so that answers of such a
        pool are never taken for those of one version.

        Raises:
            ModelMissing: A server lacks the model, or has another one under its name.
            BackendError: No server is there, or one of them cannot derive the model.
        """
        with self._identifying:
            if self._identity is None:
                self._identity = self._identified()
            return self._identity

    def ask(self, request: Request) -> Answer:
        """Ask whichever server is free; another one where that one cannot be reached.

        Raises:
            BackendError: There is no answer; where no server can be reached, the last error.
        """
        self.identify()
        tried: list[_Place] = []
        while True:
            place, limiter = self._chosen(tried)
            tried.append(place)
            try:
                answer = place.member.ask(request)
            except errors.BackendError as error:
                if not self._move_on(place, limiter, error, tried):
                    raise
            except BaseException:
                with self._lock:
                    limiter.failed(self._clock())
                raise
            else:
                with self._lock:
                    place.refusals = 0
                    limiter.answered(self._clock())
                return answer

    def look(self) -> bool:
        """Look at servers that are lost, and at one whose answer raised doubts.

        Returns:
            Whether a question may be put: there is a server, or there is a last word on why not.
        """
        entered = self._clock()
        # Several ask at once when a server goes; one look will do for all of them.
        with self._looking:
            if len(self._places) == 1:
                self._look_at_the_only_one(self._places[0], entered)
            else:
                self._look_at_the_lost()
        with self._lock:
            return any(place.lost is None or place.refused for place in self._places)

    def close(self) -> None:
        """Close every member; may be called twice."""
        for place in self._places:
            place.member.close()

    def _move_on(
        self,
        place: _Place,
        limiter: ConcurrencyLimiter,
        error: errors.BackendError,
        tried: Sequence[_Place],
    ) -> bool:
        """Note a failure; whether another server should be asked the same question."""
        busy = isinstance(error, errors.ServerOverloaded)
        with self._lock:
            now = self._clock()
            if busy:
                place.refusals += 1
                limiter.refused(now)
            else:
                limiter.failed(now)
            gone = isinstance(error, _LEFT_OUT) or place.refusals >= REFUSALS
            if len(self._places) == 1:
                # Whether to wait for it is the engine's to decide, see `look`.
                place.doubt = error
                return False
            if not gone:
                return False
            # What was sent before it came back says nothing of it now.
            if place.lost is None and place.limiter is limiter:
                self._drop(place, error, now)
            return any(other not in tried and other.lost is None for other in self._places)

    def _chosen(self, tried: Sequence[_Place]) -> tuple[_Place, ConcurrencyLimiter]:
        """The freest server that is there, with one more request noted.

        Raises:
            BackendError: None is there.
        """
        self._look_at_the_lost()
        with self._lock:
            there = [place for place in self._places if place.lost is None and place not in tried]
            if not there:
                raise self._last_error()
            place = min(there, key=lambda place: place.load)
            place.limiter.sent(self._clock())
            return place, place.limiter

    def _last_error(self) -> errors.BackendError:
        lost = [place for place in self._places if place.lost is not None and not place.refused]
        last = max(lost or self._places, key=lambda place: place.again_at).lost
        return last or errors.ServerFailed("no server is left")

    def _look_at_the_lost(self) -> None:
        """Ask servers whose pause is over whether they are back; all of them if none is there."""
        with self._lock:
            now = self._clock()
            none = all(place.lost is not None for place in self._places)
            due = [
                place for place in self._places
                if place.lost is not None and not place.refused and not place.looking
                and (none or now >= place.again_at)
            ]  # fmt: skip
            for place in due:
                place.looking = True
        for place in due:
            error = self._return(place)
            with self._lock:
                place.looking = False
                if error is None:
                    place.lost = None
                    place.limiter, place.pause_s, place.refusals = (
                        ConcurrencyLimiter(),
                        FIRST_PAUSE_S,
                        0,
                    )
                    self._note(f"{place.netloc} answers again")
                    continue
                place.pause_s = min(LONGEST_PAUSE_S, 2 * place.pause_s)
                place.again_at = self._clock() + place.pause_s
                if not error.retryable:
                    place.lost, place.refused = error, True
                    self._note(f"{place.netloc} is not used any more: {error}")

    def _look_at_the_only_one(self, place: _Place, entered: float) -> None:
        """Find out whether a single server is away, back, or another one by now."""
        with self._lock:
            doubt = place.lost or place.doubt
            if doubt is None or place.refused or place.looked_at > entered:
                return
        there = place.member.is_there(LOOK_S)
        error: errors.BackendError | None = None if there else doubt
        # One that was there all the time and answered with an error is the one that it was.
        if there and (place.lost is not None or isinstance(doubt, _GONE)):
            error = self._returned(place)
        with self._lock:
            now = place.looked_at = self._clock()
            if error is None:
                if place.lost is not None:
                    away_s = now - place.lost_at
                    place.limiter, place.refusals = ConcurrencyLimiter(), 0
                    self._note(f"{place.netloc} was away for {away_s:.1f} s and was waited for")
                place.lost = place.doubt = None
                return
            if place.lost is None:
                place.lost_at = now
            place.lost = error
            if not error.retryable:
                place.refused = True
                self._note(f"{place.netloc} is not used any more: {error}")

    def _return(self, place: _Place) -> errors.BackendError | None:
        """Whether a lost server is back with the same model; why not."""
        return self._returned(place) if place.member.is_there(LOOK_S) else place.lost

    def _returned(self, place: _Place) -> errors.BackendError | None:
        """Whether a server that is there has the same model as before; why not."""
        place.member.forget()
        try:
            identity = place.member.identify()
        except errors.BackendError as error:
            return error
        known = self._identity
        if known is None:
            return None
        if identity.digest != known.digest:
            return self._another(place.netloc, identity, known)
        if identity.server not in known.server.split(", "):
            return errors.RequestRejected(
                f"it runs {identity.server} now, the answers so far are of {known.server}",
                remedy="the next run will use it",
            )
        return None

    def _identified(self) -> ModelIdentity:
        found: list[tuple[_Place, ModelIdentity]] = []
        for place in self._places:
            try:
                found.append((place, place.member.identify()))
            except errors.BackendError as error:
                if len(self._places) == 1 or not isinstance(error, _GONE):
                    raise
                with self._lock:
                    self._drop(place, error, self._clock())
        if not found:
            with self._lock:
                last = self._last_error()
                for place in self._places:
                    place.lost = None
                self._notices.clear()
            raise last
        _, first = found[0]
        for place, identity in found[1:]:
            if identity.digest != first.digest:
                raise self._another(place.netloc, identity, first)
        if len(self._places) == 1:
            return first
        servers = sorted({identity.server for _, identity in found})
        details = {**first.details, "address": ", ".join(place.netloc for place, _ in found)}
        return replace(first, server=", ".join(servers), details=details)

    def _another(
        self, netloc: str, identity: ModelIdentity, first: ModelIdentity
    ) -> errors.ModelMissing:
        if len(self._places) == 1:
            return errors.ModelMissing(
                f"{identity.name} was replaced on {netloc} during the run ({_short(first)} before, "
                f"{_short(identity)} now), and answers of both cannot be mixed",
                remedy="run again: the next run asks the new one",
            )
        where = first.details.get("address", "the first server").partition(", ")[0]
        return errors.ModelMissing(
            f"{netloc} has another {identity.name} ({_short(identity)}) than {where} "
            f"({_short(first)}), and answers of both cannot be mixed",
            remedy=f"run `OLLAMA_HOST={netloc} ollama pull {identity.name}` and the same for "
            f"{where}, or leave one of them out",
        )

    def _drop(self, place: _Place, error: errors.BackendError, now: float) -> None:
        """Leave a server out for a while; the lock is held."""
        place.lost = error
        place.again_at = now + place.pause_s
        others = sum(other.lost is None for other in self._places)
        self._note(
            f"{place.netloc} was dropped: {error.message}; "
            + (f"{others} of {len(self._places)} servers go on" if others else "none is left")
        )

    def _note(self, sentence: str) -> None:
        if len(self._notices) < MOST_NOTICES:
            self._notices.append(sentence)


def _short(identity: ModelIdentity) -> str:
    base = identity.details.get(BASE_DIGEST, "")
    own = short_digest(identity.digest)
    return f"base {short_digest(base)}, derived {own}" if base else own
