"""How far confidences are off: calibration error and Brier score."""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.calibration.answers import confidences, judged_answers
from pytest_llmclf.metrics.measure import Measure, Ratio
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report

BINS: Final = 10
"""Of the calibration error, unless told otherwise; its value depends on it."""
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
        return self._with(f"{self.total} {noun(self.total, 'answer')}")


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


def reliability(report: Report, bins: int = BINS) -> tuple[Bin, ...]:
    """Accuracy and mean confidence of answers of like confidence, in bins of equal width.

    Bin m of M holds confidences in ``((m - 1)/M, m/M]`` (Guo et al., "On calibration of modern
    neural networks", ICML 2017, section 2), the first one 0, too.

    Raises:
        ValueError: `bins` is not positive.
    """
    if bins < 1:
        raise ValueError(f"{bins} bins hold nothing; use 10")
    return _binned(confidences(judged_answers(report)), bins)


def ece(report: Report, bins: int = BINS) -> Score:
    """Expected calibration error: mean distance of accuracy from confidence over the bins.

    ``sum over bins of count/n * |accuracy - mean confidence|`` (Guo et al. 2017, equation 3) over
    the answers with a confidence; undefined where too few have one (`answers.LEAST_KNOWN`). It
    depends on the number of bins, and is above 0 even for a perfectly calibrated model, the more
    so the fewer the answers (see `ece_by_chance`).

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
    levels = tuple(sorted(sure for sure, _ in confidences(judged_answers(report))))
    return _gap_by_chance(levels, bins) if levels else None


# Terminal, files and page ask for the same one, which is most of what a calibration costs.
@lru_cache(maxsize=8)
def _gap_by_chance(levels: tuple[float, ...], bins: int) -> float:
    """`ece_by_chance` of answers of these confidences, in ascending order."""
    import numpy as np

    rounds = max(1, min(_ROUNDS, _MOST_DRAWS // len(levels)))
    # A generator whose numbers never change.
    drawn = np.random.RandomState([0]).random_sample((rounds, len(levels)))
    starts = np.flatnonzero(np.diff([_place(level, bins) for level in levels], prepend=-1))
    gaps = np.add.reduceat((drawn < levels) - np.array(levels), starts, axis=1)
    return float(np.abs(gaps).sum() / gaps.shape[0] / len(levels))


def brier(report: Report) -> Score:
    """Mean squared distance of the label probabilities from what was shown, 0 (best) to 2.

    ``mean over answers of sum over labels of (probability - [label is expected])²`` (Brier,
    Monthly Weather Review 78, 1950, equation 2) over the answers with a confidence, undefined
    where too few have one. An answer without a label gives 0 to every label and so scores 1.
    """
    terms, answers = [], judged_answers(report)
    for outcome in answers:
        given = outcome.probabilities or {}
        terms += [value**2 for label, value in given.items() if label != outcome.counts_for]
        terms.append((given.get(outcome.counts_for, 0.0) - 1) ** 2)
    return _mean(terms, len(answers))


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
