"""Where every collected case went: the counts that a verdict rests on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Where every collected case went; each ends exactly once.

    Attributes:
        collected: Cases that the session set out to judge.
        correct: Answered with the expected label.
        misclassified: Answered with another label.
        unparsed: Answered without a label.
        error: Not answered.
        not_needed: Not asked since the gates were already decided.
        lost: Collected, never reported.
        deselected: Left out on purpose before collection ended (``-k``, ``--deselect``); not
            among the collected.
    """

    collected: int
    correct: int
    misclassified: int
    unparsed: int
    error: int
    not_needed: int
    lost: int
    deselected: int = 0

    @property
    def answered(self) -> int:
        """Cases with an answer, readable or not."""
        return self.correct + self.misclassified + self.unparsed

    @property
    def unread(self) -> bool:
        """Whether images were asked about and no answer at all could be read."""
        asked = self.answered + self.error
        return asked > 0 and self.correct + self.misclassified == 0

    @property
    def balanced(self) -> bool:
        """Whether the parts add up to the collected."""
        parts = self.answered + self.error + self.not_needed + self.lost
        return self.collected == parts

    @property
    def complete(self) -> bool:
        """Whether a gate may say PASS on it."""
        return self.why_incomplete() is None

    def why_incomplete(self) -> str | None:
        """Why no gate may say PASS on it, in one line; ``None`` where one may."""
        if not self.balanced:
            parts = self.answered + self.error + self.not_needed + self.lost
            return f"{self.collected} images were collected, but {parts} are accounted for"
        if self.collected == 0:
            return "no image was collected"
        if self.lost:
            return f"{self.lost} of {self.collected} images were lost: collected, never reported"
        if self.error:
            return f"{self.error} of {self.collected} images got no answer"
        if self.answered == 0:
            return "no image was answered"
        return None


def ledger_of(outcomes: Sequence[Outcome], collected: int | None, deselected: int) -> Ledger:
    """Count how cases ended.

    Args:
        outcomes: One a case.
        collected: How many were to come; those that did not are `lost`. ``None``: no more.
        deselected: How many were left out on purpose.
    """
    kinds = Counter(outcome.kind for outcome in outcomes)
    expected = len(outcomes) if collected is None else collected
    return Ledger(
        collected=expected,
        correct=kinds["correct"],
        misclassified=kinds["misclassified"],
        unparsed=kinds["unparsed"],
        error=kinds["error"],
        not_needed=kinds["not_needed"],
        lost=kinds["lost"] + max(0, expected - len(outcomes)),
        deselected=deselected,
    )
