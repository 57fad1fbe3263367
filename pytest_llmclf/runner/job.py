"""What is to be asked, and how."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_llmclf.errors import BackendError
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.request import ModelIdentity

JobKey = tuple[str, str, str, str, int]

LONGEST_RETRY_AFTER_S: Final = 60.0
"""A server that wants to be left alone for longer is asked again all the same."""
AWAY_S: Final = 300.0
"""A server is restarted, updated, or moved to another machine within that."""


def away_s(minutes: float | None) -> float:
    """Seconds that a server is waited for, of the minutes that an option says, if it does."""
    return AWAY_S if minutes is None else 60 * minutes


class AnswerRecorder(Protocol):
    """Whatever keeps a copy of each answer, such as a recording for replay."""

    def introduce(
        self, identity: ModelIdentity, task: TaskName, facts: Callable[[], Mapping[str, Any]]
    ) -> None:
        """Keep what a task tells its model, once; called from several threads."""

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

    task: Task
    case: Case
    repeat: int = 0

    def __repr__(self) -> str:
        """Short: other reporters write the parameters of every test into their files."""
        again = f", repeat={self.repeat}" if self.repeat else ""
        return f"Job({self.case.id!r}, {self.task.key.configuration!r}{again})"

    @property
    def key(self) -> JobKey:
        """Evaluation, model, variant, case and repeat."""
        return (*self.task.key, self.case.id, self.repeat)

    def again(self, repeat: int) -> Job:
        """The same question once more."""
        return replace(self, repeat=repeat)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskingPolicy:
    """How the engine asks.

    Attributes:
        in_flight: Requests in flight a model; ``None``: as many as its backend can use, which is
            more than its server has slots, since with no more a server idles between answers.
        ahead: Answers that may wait for their tests, a model; ``None``: no more than are in
            flight, for a run that may find the rest not needed.
        attempts: Times that one question is asked when errors say that it may help.
        first_pause_s: Mean pause before the second attempt; doubles with each further one.
        longest_pause_s: No pause is longer.
        budget_s: No attempt starts later than this after the first, and an answer that another
            process is asking for is waited for no longer than this.
        away_s: Longest that a server which was reached in this run is waited for when it is away
            or busy; then its model is given up. 0: not at all.
        give_up_after: Consecutive jobs lost to retryable errors after which a model is given up.
        fresh: Ask even where the store has an answer, and replace that answer.
    """

    in_flight: int | None = None
    ahead: int | None = 128
    attempts: int = 4
    first_pause_s: float = 0.5
    longest_pause_s: float = 20.0
    budget_s: float = 600.0
    away_s: float = AWAY_S
    give_up_after: int = 3
    fresh: bool = False

    def pause_s(self, attempt: int, draw: float) -> float:
        """Seconds to wait after the given attempt (1 for the first).

        Exponential back-off with equal jitter: half of the pause is fixed, half random, so that
        requests refused together do not come back together. `draw` is uniform in [0, 1).
        """
        pause = min(self.longest_pause_s, self.first_pause_s * 2.0 ** (attempt - 1))
        return pause * (0.5 + 0.5 * draw)

    def pause_after_s(self, error: BackendError, attempt: int, draw: float, left_s: float) -> float:
        """`pause_s`, or longer where the server says for how long it wants to be left alone.

        At most `LONGEST_RETRY_AFTER_S`, and no longer than the server is waited for at all
        (`left_s`); up to a tenth is added, so that those who were told the same do not come back
        together.
        """
        asked = min(error.retry_after_s or 0.0, LONGEST_RETRY_AFTER_S) * (1 + draw / 10)
        return max(self.pause_s(attempt, draw), min(asked, left_s))

    def may_retry(self, attempt: int, *, retryable: bool) -> bool:
        """Whether a question may be asked again after the given attempt failed."""
        return retryable and attempt < self.attempts
