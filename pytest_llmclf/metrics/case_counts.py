"""Where every collected case went: the counts that a verdict rests on."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.values.outcome import ANSWERED, ENDINGS
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.values.outcome import Outcome, OutcomeKind


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
        lost: Collected, never reported: a worker died with it, or a crash.
        not_run: Not run since the session was stopped before (``-x``, ``--maxfail``, Ctrl-C).
        deselected: Left out on purpose before collection ended (``-k``, ``--deselect``); not
            among the collected.
        skipped: Left out on purpose by their tests (``skipif``, ``pytest.skip()``); not among
            the collected.
    """

    collected: int
    correct: int
    misclassified: int
    unparsed: int
    error: int
    not_needed: int
    lost: int
    not_run: int = 0
    deselected: int = 0
    skipped: int = 0

    def ended(self, kind: OutcomeKind) -> int:
        """Cases that ended so."""
        number: int = getattr(self, kind)
        return number

    @property
    def answered(self) -> int:
        """Cases with an answer, readable or not."""
        return sum(map(self.ended, ANSWERED))

    @property
    def unread(self) -> bool:
        """Whether images were asked about and no answer at all could be read."""
        asked = self.answered + self.error
        return asked > 0 and self.correct + self.misclassified == 0

    @property
    def never_green(self) -> bool:
        """Whether no run may end green with it, gate or not."""
        return self.lost > 0 or self.not_run > 0 or self.unread

    @property
    def balanced(self) -> bool:
        """Whether the parts add up to the collected."""
        return self.collected == self._accounted

    @property
    def _accounted(self) -> int:
        return sum(map(self.ended, ENDINGS))

    @property
    def why_none(self) -> str | None:
        """Why there is no image to judge, in one line; ``None`` where there is one."""
        if self.collected:
            return None
        if self.skipped:
            return f"all {self.skipped} {noun(self.skipped, 'image was', 'images were')} skipped"
        return "no image was collected"

    @property
    def all_skipped(self) -> bool:
        """Whether all images were left out by their tests, so that nothing is to be judged."""
        return self.collected == 0 and self.skipped > 0

    @property
    def complete(self) -> bool:
        """Whether a gate may say PASS on it."""
        return self.why_incomplete() is None

    def why_incomplete(self) -> str | None:
        """Why no gate may say PASS on it, in one line; ``None`` where one may."""
        if not self.balanced:
            return (
                f"{self.collected} {noun(self.collected, 'image was', 'images were')} collected, "
                f"but {self._accounted} {noun(self._accounted, 'is', 'are')} accounted for"
            )
        reasons = (
            (self.collected == 0, str(self.why_none)),
            (self.lost, f"{self._were(self.lost)} lost: collected, never reported"),
            (
                self.not_run,
                f"{self._were(self.not_run)} not run: the session stopped before its end",
            ),
            (self.error, f"{self._of(self.error)} got no answer"),
            (self.answered == 0, "no image was answered"),
        )
        return next((text for holds, text in reasons if holds), None)

    def _were(self, part: int) -> str:
        return f"{self._of(part)} {noun(part, 'was', 'were')}"

    def _of(self, part: int) -> str:
        return f"{part} of {self.collected} {noun(self.collected, 'image')}"


def ledger_of(
    outcomes: Sequence[Outcome], collected: int | None, deselected: int, skipped: int = 0
) -> Ledger:
    """Count how cases ended.

    Args:
        outcomes: One a case.
        collected: How many were to come; those that did not are `lost`. ``None``: no more.
        deselected: How many were left out on purpose.
        skipped: How many were left out by their tests.
    """
    kinds = Counter(outcome.kind for outcome in outcomes)
    expected = len(outcomes) if collected is None else collected
    kinds["lost"] += max(0, expected - len(outcomes))
    counts = {str(kind): kinds[kind] for kind in ENDINGS}
    return Ledger(collected=expected, deselected=deselected, skipped=skipped, **counts)
