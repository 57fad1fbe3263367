"""Whether a model knows when it is right: its confidence against what came out.

The confidence of an answer is the probability, among the labels, of the label that it *names*
(see `confidence`), which is what an application that takes the answer would rank by. An answer
without a label (`unparsed`) has confidence 0: it is wrong, comes last, and gives nothing to any
label. Images without an answer are in no number here, as in accuracy.

An answer that names a label but whose probabilities are unknown has no confidence. The ranking of
the answers is then unknown, too, and accuracy at a coverage is undefined; calibration error and
Brier score are of the answers that have one, and say of how many.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.metrics import Measure, Ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.outcome import Outcome
    from pytest_llmclf.report import Report

BINS: Final = 10
"""Of the calibration error, unless told otherwise; its value depends on it."""
COVERAGES: Final = (0.5, 0.8, 0.9, 1.0)
"""Shares of the answers whose accuracy is shown."""
TARGET: Final = 0.95
"""Accuracy for which a report names the confidence to ask for."""
_ROUNDS: Final = 1000
_MOST_DRAWS: Final = 400_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Score(Measure):
    """A mean over answers.

    Attributes:
        exact: The mean, as the nearest float; ``None`` where there is no answer.
        total: Over how many answers.
    """

    exact: Fraction | None
    total: int

    def __repr__(self) -> str:
        """Such as ``0.041 (500 answers)``: what pytest shows when an assert fails."""
        value = "undefined" if self.value is None else repr(self.value)
        return f"{value} ({self.total} answers)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """The answers whose confidence lies in ``(low, high]``; the first bin includes its low end.

    Attributes:
        low: Lower end.
        high: Upper end.
        accuracy: Correct ones among its answers; undefined in an empty bin.
        mean_confidence: Of its answers; ``None`` in an empty bin.
    """

    low: float
    high: float
    accuracy: Ratio
    mean_confidence: float | None

    @property
    def count(self) -> int:
        """Its answers."""
        return self.accuracy.total


@dataclass(frozen=True, slots=True, kw_only=True)
class CoveragePoint:
    """What accepting only confident answers comes to.

    Attributes:
        threshold: Least confidence that is accepted.
        coverage: Answers accepted among all answers.
        accuracy: Correct ones among the accepted.
    """

    threshold: float
    coverage: Ratio
    accuracy: Ratio

    def to_json(self) -> dict[str, Any]:
        """As JSON built-ins."""
        shares = {"threshold": self.threshold, "coverage": self.coverage.value}
        return shares | _counts(self.accuracy)


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
                | _counts(one.accuracy)
                for one in self.reliability
            ],
            "coverages": [{"coverage": share} | _counts(ratio) for share, ratio in self.coverages],
            "accepting": None if best is None else best.to_json(),
            "label_mass": self.label_mass,
            "named_another": self.named_another.hits,
        }


def confidence(outcome: Outcome) -> float | None:
    """Probability of the label that the answer names; 0 where it names none.

    ``None`` where there is no answer, or its probabilities are unknown.
    """
    match outcome.kind:
        case "unparsed":
            return 0.0
        case "correct" | "misclassified" if outcome.probabilities is not None:
            return outcome.probabilities[str(outcome.predicted)]
        case _:
            return None


def why_missing(report: Report) -> str | None:
    """Why some answers have no confidence, in one line; ``None`` where all have one."""
    named = [one for one in _answered(report) if one.kind != "unparsed"]
    without = [one for one in named if one.probabilities is None]
    if not without:
        return None
    whose = ""
    if len(without) < len(named):
        verb = "has" if len(without) == 1 else "have"
        whose = f"{len(without)} of {len(named)} answers with a label {verb} "
    if all(one.answer is None or not one.answer.logprobs for one in without):
        return f"{whose}no log-probabilities: set top_logprobs=20 in the evaluation"
    return (
        f"{whose}no probabilities of labels: too few alternatives a token (set top_logprobs=20), "
        f"or tokens that do not spell the answer"
    )


def accuracy_at_coverage(report: Report, coverage: float) -> Ratio:
    """Correct among the most confident answers.

    Accepted are the ``ceil(coverage * answers)`` answers of highest confidence and all that are
    as confident as the last of them, so that no order among equals can matter. Undefined (0/0)
    without answers, or where one that names a label has no confidence.

    Args:
        report: Whose answers.
        coverage: Share of the answers to accept, above 0 and at most 1.

    Raises:
        ValueError: The coverage is not a share.
    """
    if not 0 < coverage <= 1:
        raise ValueError(f"coverage {coverage} is not above 0 and at most 1; 0.8 accepts 80%")
    return _at_coverage(coverage_curve(report), coverage)


def coverage_curve(report: Report) -> tuple[CoveragePoint, ...]:
    """Coverage and accuracy for every least confidence that makes a difference, highest first.

    The risk-coverage curve of El-Yaniv and Wiener (JMLR 11, 2010, section 2), with accuracy for
    risk. Empty where `accuracy_at_coverage` is undefined.
    """
    answered = _answered(report)
    known = _known(answered)
    if len(known) < len(answered):
        return ()
    sizes = Counter(sure for sure, _ in known)
    hits = Counter(sure for sure, right in known if right)
    points, accepted, correct = [], 0, 0
    for threshold in sorted(sizes, reverse=True):
        accepted += sizes[threshold]
        correct += hits[threshold]
        points.append(
            CoveragePoint(
                threshold=threshold,
                coverage=Ratio(hits=accepted, total=len(answered)),
                accuracy=Ratio(hits=correct, total=accepted),
            )
        )
    return tuple(points)


def coverage_at_accuracy(report: Report, target: float) -> CoveragePoint | None:
    """The largest coverage whose accepted answers are correct at least `target` of the time.

    Chosen on the very images it is measured on, hence somewhat optimistic for others. ``None``
    where there is none, or confidence is missing.
    """
    return _at_accuracy(coverage_curve(report), target)


def reliability(report: Report, bins: int = BINS) -> tuple[Bin, ...]:
    """Accuracy and mean confidence of answers of like confidence, in bins of equal width.

    Bin m of M holds confidences in ``((m - 1)/M, m/M]`` (Guo et al., "On calibration of modern
    neural networks", ICML 2017, section 2), the first one 0, too.

    Raises:
        ValueError: `bins` is not positive.
    """
    if bins < 1:
        raise ValueError(f"{bins} bins hold nothing; use 10")
    return _binned(_known(_answered(report)), bins)


def ece(report: Report, bins: int = BINS) -> Score:
    """Expected calibration error: mean distance of accuracy from confidence over the bins.

    ``sum over bins of count/n * |accuracy - mean confidence|`` (Guo et al. 2017, equation 3) over
    the answers with a confidence. It depends on the number of bins, and is above 0 even for a
    perfectly calibrated model, the more so the fewer the answers (see `ece_by_chance`).

    Raises:
        ValueError: `bins` is not positive.
    """
    found = reliability(report, bins)
    total = sum(one.count for one in found)
    return _mean([_gap(one) for one in found], total)


def ece_by_chance(report: Report, bins: int = BINS) -> float | None:
    """The average `ece` of so many answers if each were right as often as its confidence says.

    By drawing rights and wrongs at those confidences anew, seeded (consistency resampling, Bröcker
    and Smith, Weather and Forecasting 22, 2007, 651-661). ``None`` where `ece` is undefined.
    """
    levels = tuple(sorted(sure for sure, _ in _known(_answered(report))))
    return _gap_by_chance(levels, bins) if levels else None


# Terminal, files and page ask for the same one, which is most of what a calibration costs.
@lru_cache(maxsize=8)
def _gap_by_chance(levels: tuple[float, ...], bins: int) -> float:
    """`ece_by_chance` of answers of these confidences."""
    chance = random.Random(0)  # noqa: S311 - a simulation, nothing secret
    rounds = max(1, min(_ROUNDS, _MOST_DRAWS // len(levels)))
    places = [_place(level, bins) for level in levels]
    sums = []
    for _ in range(rounds):
        gaps = [0.0] * bins
        for level, place in zip(levels, places, strict=True):
            gaps[place] += (chance.random() < level) - level
        sums.append(math.fsum(map(abs, gaps)) / len(levels))
    return math.fsum(sums) / rounds


def brier(report: Report) -> Score:
    """Mean squared distance of the label probabilities from what was shown, 0 (best) to 2.

    ``mean over answers of sum over labels of (probability - [label is expected])²`` (Brier,
    Monthly Weather Review 78, 1950, equation 2) over the answers with a confidence. An answer
    without a label gives 0 to every label and so scores 1.
    """
    terms, total = [], 0
    for outcome in _answered(report):
        if confidence(outcome) is None:
            continue
        total += 1
        given = outcome.probabilities or {}
        terms += [value**2 for label, value in given.items() if label != outcome.expected]
        terms.append((given.get(outcome.expected, 0.0) - 1) ** 2)
    return _mean(terms, total)


def calibration(report: Report) -> Calibration | None:
    """Everything about confidence; ``None`` where no answer that names a label has one."""
    answered = _answered(report)
    sure = [one for one in answered if one.kind != "unparsed" and one.probabilities is not None]
    if not sure:
        return None
    masses = [one.label_mass for one in sure if one.label_mass is not None]
    curve = coverage_curve(report)
    return Calibration(
        known=Ratio(hits=len(_known(answered)), total=len(answered)),
        unparsed=sum(one.kind == "unparsed" for one in answered),
        missing=why_missing(report),
        ece=ece(report),
        ece_by_chance=ece_by_chance(report),
        brier=brier(report),
        reliability=reliability(report),
        coverages=tuple((share, _at_coverage(curve, share)) for share in COVERAGES),
        accepting=_at_accuracy(curve, TARGET),
        label_mass=math.fsum(masses) / len(masses) if masses else None,
        named_another=Ratio(hits=sum(map(_named_another, sure)), total=len(sure)),
    )


def _counts(ratio: Ratio) -> dict[str, Any]:
    return {"accuracy": ratio.value, "correct": ratio.hits, "answers": ratio.total}


def _answered(report: Report) -> list[Outcome]:
    kinds = ("correct", "misclassified", "unparsed")
    return [outcome for outcome in report.outcomes if outcome.kind in kinds]


def _known(answered: Sequence[Outcome]) -> list[tuple[float, bool]]:
    """Confidence, and whether it is correct, of every answer that has one."""
    pairs = [(confidence(outcome), outcome.kind == "correct") for outcome in answered]
    return [(sure, right) for sure, right in pairs if sure is not None]


def _named_another(outcome: Outcome) -> bool:
    given = outcome.probabilities or {}
    return given[str(outcome.predicted)] < max(given.values())


def _at_coverage(curve: Sequence[CoveragePoint], coverage: float) -> Ratio:
    """`accuracy_at_coverage` on a curve."""
    answered = curve[0].coverage.total if curve else 0
    # As written: 0.7 of 10 is 7, whatever the float says.
    wanted = math.ceil(Fraction(str(coverage)) * answered)
    fitting = (point.accuracy for point in curve if point.coverage.hits >= wanted)
    return next(fitting, Ratio(hits=0, total=0))


def _at_accuracy(curve: Sequence[CoveragePoint], target: float) -> CoveragePoint | None:
    """`coverage_at_accuracy` on a curve."""
    fitting = [point for point in curve if point.accuracy >= target]
    return fitting[-1] if fitting else None


def _place(level: float, bins: int) -> int:
    """Number of the bin, from 0, that holds a confidence."""
    return bisect_left([edge / bins for edge in range(1, bins)], level)


def _binned(known: Sequence[tuple[float, bool]], bins: int) -> tuple[Bin, ...]:
    levels: list[list[float]] = [[] for _ in range(bins)]
    hits = [0] * bins
    for sure, right in known:
        place = _place(sure, bins)
        levels[place].append(sure)
        hits[place] += right
    return tuple(
        Bin(
            low=place / bins,
            high=(place + 1) / bins,
            accuracy=Ratio(hits=hits[place], total=len(found)),
            mean_confidence=math.fsum(found) / len(found) if found else None,
        )
        for place, found in enumerate(levels)
    )


def _gap(one: Bin) -> float:
    """A bin's part of the calibration error, times all answers."""
    if one.mean_confidence is None:
        return 0.0
    return abs(one.accuracy.hits - one.count * one.mean_confidence)


def _mean(terms: Sequence[float], total: int) -> Score:
    # `fsum` rounds once, at the end: the order of the outcomes cannot matter.
    exact = Fraction(math.fsum(terms) / total) if total else None
    return Score(exact=exact, total=total)
