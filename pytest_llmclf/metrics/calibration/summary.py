"""Everything that a report says about confidence, in one value."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.metrics.calibration.answers import answers_of, confidences, why_missing
from pytest_llmclf.metrics.calibration.coverage import (
    CoveragePoint,
    at_accuracy,
    at_coverage,
    counts,
    coverage_curve,
)
from pytest_llmclf.metrics.calibration.scores import (
    Bin,
    Score,
    brier,
    ece,
    ece_by_chance,
    reliability,
)
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.report import once_a_report

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

COVERAGES: Final = (0.5, 0.8, 0.9, 1.0)
"""Shares of the answers whose accuracy is shown."""
TARGET: Final = 0.95
"""Accuracy for which a report names the confidence to ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Everything that a report says about confidence.

    Attributes:
        known: Answers with a confidence among all answers.
        unparsed: Answers without a label, which have confidence 0.
        missing: Why the others have none, in one line; ``None`` where all have one.
        ece: Expected calibration error, 0 to 1.
        ece_by_chance: What it would be on average, for so many answers, if every confidence were
            exactly right; ``None`` where it is undefined.
        brier: Brier score, 0 to 2.
        reliability: The bins of `ece`.
        coverages: Accuracy of the most confident answers, for each of `COVERAGES`.
        accepting: The largest coverage at which `TARGET` is reached; ``None``: at none.
        shared: Mean share of the labels' probability in which labels that were not named could
            not be told apart; ``None`` where it is unknown.
        label_mass: Mean of `ClassProbabilities.label_mass`; ``None`` where it is unknown.
        named_another: Answers that name another label than the most probable one, among those
            with probabilities: sampled, or forced token by token.
    """

    known: Ratio
    unparsed: int
    missing: str | None
    ece: Score
    ece_by_chance: float | None
    brier: Score
    reliability: tuple[Bin, ...]
    coverages: tuple[tuple[float, Ratio], ...]
    accepting: CoveragePoint | None
    shared: float | None
    label_mass: float | None
    named_another: Ratio

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins; undefined numbers are null, and every ratio has its counts."""
        best = self.accepting
        return {
            "answers": self.known.total,
            "known": self.known.hits,
            "unparsed": self.unparsed,
            "missing": self.missing,
            "ece": self.ece.value,
            "ece_by_chance": self.ece_by_chance,
            "brier": self.brier.value,
            "bins": [
                {"low": one.low, "high": one.high, "mean_confidence": one.mean_confidence}
                | counts(one.accuracy)
                for one in self.reliability
            ],
            "coverages": [{"coverage": share} | counts(ratio) for share, ratio in self.coverages],
            "accepting": None if best is None else best.to_json(),
            "shared": self.shared,
            "label_mass": self.label_mass,
            "named_another": self.named_another.hits,
        }


@once_a_report
def calibration(report: Report) -> Calibration | None:
    """Everything about confidence; ``None`` where no answer that names a label has one."""
    answers = answers_of(report)
    sure = [one for one in answers if one.kind != "unparsed" and one.probabilities is not None]
    if not sure:
        return None
    shares = [
        one.shared_mass / one.label_mass
        for one in sure
        if one.shared_mass is not None and one.label_mass
    ]
    masses = [one.label_mass for one in sure if one.label_mass is not None]
    curve = coverage_curve(report)
    return Calibration(
        known=Ratio(hits=len(confidences(answers)), total=len(answers)),
        unparsed=sum(one.kind == "unparsed" for one in answers),
        missing=why_missing(report),
        ece=ece(report),
        ece_by_chance=ece_by_chance(report),
        brier=brier(report),
        reliability=reliability(report),
        coverages=tuple((share, at_coverage(curve, share)) for share in COVERAGES),
        accepting=at_accuracy(curve, TARGET),
        shared=math.fsum(shares) / len(shares) if shares else None,
        label_mass=math.fsum(masses) / len(masses) if masses else None,
        named_another=Ratio(hits=sum(map(_named_another, sure)), total=len(sure)),
    )


def _named_another(outcome: Outcome) -> bool:
    given = outcome.probabilities or {}
    return given[str(outcome.predicted)] < max(given.values())
