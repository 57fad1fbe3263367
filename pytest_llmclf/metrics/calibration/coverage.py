"""What accepting only confident answers comes to."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pytest_llmclf.metrics.calibration.answers import answers_of, is_known, rank
from pytest_llmclf.metrics.measure import Ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePoint:
    """What accepting only confident answers comes to.

    Attributes:
        threshold: Least confidence that is accepted.
        coverage: Answers accepted among all answers.
        accuracy: Correct ones among the accepted.
        refused: Highest confidence that is not accepted; ``None`` where all are.
    """

    threshold: float
    coverage: Ratio
    accuracy: Ratio
    refused: float | None = None

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        shares = {"threshold": self.threshold, "coverage": self.coverage.value}
        return shares | counts(self.accuracy)


def accuracy_at_coverage(report: Report, coverage: float) -> Ratio:
    """Correct among the most confident answers.

    Accepted are the ``ceil(coverage * answers)`` answers of highest confidence and all that are
    as confident as the last of them, so that no order among equals can matter. Undefined (0/0)
    where too few answers have a confidence (`answers.LEAST_KNOWN`); the others come last, with
    those without a label, since nobody who goes by confidence could accept them.

    Args:
        report: Whose answers.
        coverage: Share of the answers to accept, above 0 and at most 1.

    Raises:
        ValueError: The coverage is not a share.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage {coverage} is not above 0 and at most 1; 0.8 accepts 80%")
    return at_coverage(coverage_curve(report), coverage)


def accepted(report: Report, coverage: float) -> tuple[Outcome, ...]:
    """The answers that `accuracy_at_coverage` is of."""
    curve = coverage_curve(report)
    ratio = at_coverage(curve, coverage)
    least = next((point.threshold for point in curve if point.accuracy == ratio), math.inf)
    return tuple(found for found in answers_of(report) if (rank(found) or 0.0) >= least)


def coverage_curve(report: Report) -> tuple[CoveragePoint, ...]:
    """Coverage and accuracy for every least confidence that makes a difference, highest first.

    The risk-coverage curve of El-Yaniv and Wiener (JMLR 11, 2010, section 2), with accuracy for
    risk. Empty where `accuracy_at_coverage` is undefined.
    """
    if not is_known(report):
        return ()
    answers = answers_of(report)
    found = [(rank(one) or 0.0, one.kind == "correct") for one in answers]
    sizes = Counter(sure for sure, _ in found)
    hits = Counter(sure for sure, right in found if right)
    points, accepted, correct = [], 0, 0
    thresholds = sorted(sizes, reverse=True)
    for place, threshold in enumerate(thresholds):
        accepted += sizes[threshold]
        correct += hits[threshold]
        points.append(
            CoveragePoint(
                threshold=threshold,
                coverage=Ratio(hits=accepted, total=len(answers)),
                accuracy=Ratio(hits=correct, total=accepted),
                refused=thresholds[place + 1] if place + 1 < len(thresholds) else None,
            )
        )
    return tuple(points)


def at_coverage(curve: Sequence[CoveragePoint], coverage: float) -> Ratio:
    """`accuracy_at_coverage` on a curve."""
    answered = curve[0].coverage.total if curve else 0
    wanted = accepted_of(answered, coverage)
    fitting = (point.accuracy for point in curve if point.coverage.hits >= wanted)
    return next(fitting, Ratio(hits=0, total=0))


def accepted_of(answers: int, coverage: float | None) -> int:
    """How many of so many answers a coverage accepts at least; all without one."""
    # As written: 0.7 of 10 is 7, whatever the float says.
    return answers if coverage is None else math.ceil(Fraction(str(coverage)) * answers)


def answers_for(accepted: int, coverage: float | None) -> int:
    """The least number of answers of which a coverage accepts so many."""
    if coverage is None:
        return accepted
    return math.floor((accepted - 1) / Fraction(str(coverage))) + 1


def at_accuracy(curve: Sequence[CoveragePoint], target: float) -> CoveragePoint | None:
    """The largest coverage whose accepted answers are correct at least `target` of the time.

    Chosen on the very images it is measured on, hence somewhat optimistic for others. ``None``
    where there is none, or confidence is missing.
    """
    fitting = [point for point in curve if point.accuracy >= target]
    return fitting[-1] if fitting else None


def counts(ratio: Ratio) -> dict[str, Any]:
    """An accuracy with its counts, as JSON built-ins."""
    return {"accuracy": ratio.value, "correct": ratio.hits, "answers": ratio.total}
