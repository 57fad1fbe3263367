"""What was said to one image, without everything around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.values.outcome import ANSWERED, ASKED, NAMED

if TYPE_CHECKING:
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What one side said to one image.

    Attributes:
        expected: The image's label; the first one of several right ones.
        kind: How it ended.
        label: The label named; only for `correct` and `misclassified`.
        reason: Why there is none, for `unparsed` and `error`.
        also: Further right labels.
    """

    expected: str
    kind: OutcomeKind
    label: str | None = None
    reason: str | None = None
    also: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """All right labels, for people."""
        return " or ".join((self.expected, *self.also))

    @property
    def correct(self) -> bool:
        """Whether a right label was named."""
        return self.kind == "correct"

    @property
    def answered(self) -> bool:
        """Whether there is an answer, readable or not."""
        return self.kind in ANSWERED

    @property
    def said(self) -> str:
        """The label, or why there is none, for people."""
        if self.label is not None:
            return self.label
        return f"({self.kind}: {self.reason})" if self.reason else f"({self.kind})"


def prediction(outcome: Outcome) -> Prediction:
    """What an outcome says."""
    named = outcome.kind in NAMED
    return Prediction(
        expected=outcome.expected,
        kind=outcome.kind,
        label=outcome.predicted if named else None,
        reason=outcome.reason if outcome.kind in ASKED and not named else None,
        also=outcome.also,
    )
