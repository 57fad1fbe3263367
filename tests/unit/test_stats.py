"""Intervals for a proportion against statsmodels and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.proportion import proportion_confint

from pytest_llmclf.metrics.intervals import (
    Interval,
    clopper_pearson,
    exact_high,
    exact_low,
)
from tests.unit.exact_tails import tail

TOTALS = (1, 2, 3, 5, 10, 50, 465, 500, 10_000, 1_000_000)
CONFIDENCES = (0.5, 0.8, 0.9, 0.95, 0.99, 0.9999)


def grid() -> list[tuple[int, int]]:
    """Counts at the ends, near them and between."""
    return [
        (hits, total)
        for total in TOTALS
        for hits in sorted({0, 1, total // 10, total // 3, total // 2, total - 1, total})
    ]


@pytest.mark.parametrize("confidence", CONFIDENCES)
def test_clopper_pearson_equals_statsmodels(confidence: float) -> None:
    """The exact interval is statsmodels' ``beta`` method, up to a million images."""
    for hits, total in grid():
        low, high = proportion_confint(hits, total, 1 - confidence, method="beta")
        found = clopper_pearson(hits, total, confidence=confidence)
        assert found.low == pytest.approx(0.0 if hits == 0 else low, abs=1e-11)
        assert found.high == pytest.approx(1.0 if hits == total else high, abs=1e-11)


@pytest.mark.parametrize("total", [1, 5, 20])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5, 0.82])
def test_clopper_pearson_covers_as_often_as_it_says(total: int, rate: float) -> None:
    """Added up over every possible count, the true rate is missed at most 5% of the time."""
    missed = 0.0
    for hits in range(total + 1):
        found = clopper_pearson(hits, total)
        if not found.low <= rate <= found.high:
            missed += scipy_stats.binom.pmf(hits, total, rate)
    assert missed <= 0.05


@given(st.integers(0, 300), st.integers(1, 300))
def test_an_interval_holds_its_estimate_and_mirrors(hits: int, total: int) -> None:
    """The estimate lies inside, and the interval of the misses is its mirror image."""
    hits = min(hits, total)
    found, mirrored = clopper_pearson(hits, total), clopper_pearson(total - hits, total)
    assert 0 <= found.low <= hits / total <= found.high <= 1
    assert found.low == pytest.approx(1 - mirrored.high, abs=1e-12)


def test_nothing_seen_leaves_everything_possible() -> None:
    """Without any image the interval is 0 to 1."""
    everything = Interval(low=0.0, high=1.0, confidence=0.95)
    assert clopper_pearson(0, 0) == everything


def test_more_images_narrow_the_interval() -> None:
    """Ten times the images at the same rate give a narrower interval."""
    few, many = clopper_pearson(41, 50), clopper_pearson(410, 500)
    assert few.low < many.low < 0.82 < many.high < few.high


@pytest.mark.parametrize(("hits", "total"), [(-1, 5), (6, 5), (0, -1)])
def test_impossible_counts_are_refused(hits: int, total: int) -> None:
    """Counts that are no proportion are a mistake."""
    with pytest.raises(ValueError, match="no proportion"):
        clopper_pearson(hits, total)
    with pytest.raises(ValueError, match="no proportion"):
        exact_low(hits, total)


@pytest.mark.parametrize("confidence", [0.0, 1.0, 95.0])
def test_impossible_confidence_is_refused(confidence: float) -> None:
    """A confidence in per cent is a mistake."""
    with pytest.raises(ValueError, match="not between 0 and 1"):
        clopper_pearson(1, 2, confidence=confidence)


@pytest.mark.parametrize("alpha", [0.2, 0.05, 0.01, 0.0005])
def test_one_sided_ends_equal_scipy_and_statsmodels(alpha: float) -> None:
    """One side at alpha is an end of the two-sided interval at 1 - 2 alpha."""
    for hits, total in grid():
        if total > 10_000:
            continue
        test = scipy_stats.binomtest(hits, total, alternative="greater")
        low = test.proportion_ci(1 - alpha, method="exact").low
        assert exact_low(hits, total, alpha=alpha) == pytest.approx(low, abs=1e-9)
        mirrored = scipy_stats.binomtest(hits, total, alternative="less")
        high = mirrored.proportion_ci(1 - alpha, method="exact").high
        assert exact_high(hits, total, alpha=alpha) == pytest.approx(high, abs=1e-9)


@pytest.mark.parametrize("total", [5, 20, 50])
def test_the_exact_end_errs_rarely_and_wilsons_too_often_near_one(total: int) -> None:
    """Added up over every count, at the rates where each errs most: verdicts use the exact one."""
    counts = np.arange(total + 1)
    exact = [exact_low(hits, total, alpha=0.05) for hits in range(total + 1)]
    wilson, _ = proportion_confint(counts, total, 2 * 0.05, method="wilson")
    # A rate just below an end: it errs from this count on.
    worst = [
        max(scipy_stats.binom.sf(counts[1:] - 1, total, np.array(lows)[1:] - 1e-9))
        for lows in (exact, wilson)
    ]
    assert worst[0] == pytest.approx(0.05, abs=1e-6)
    assert worst[1] > 0.1


@given(
    st.integers(1, 25),
    st.sampled_from([25, 400, 10**6, 10**9]),
    st.sampled_from([0.5, 0.05, 0.025, 1e-4, 1e-9]),
)
def test_the_exact_end_is_exact_for_any_number_of_images(
    hits: int, total: int, alpha: float
) -> None:
    """At the lower end so many hits are as likely as stated, to nine digits; and of the misses."""
    low = exact_low(hits, total, alpha=alpha)
    below, above = (tail(hits, total, low * (1 + side * 1e-9)) for side in (-1, 1))
    assert below <= alpha <= above
    assert exact_high(total - hits, total, alpha=alpha) == 1 - low


@given(st.integers(1, 60), st.data(), st.sampled_from([0.3, 0.05, 0.001]))
def test_both_ends_are_exact_for_few_images(total: int, data: st.DataObject, alpha: float) -> None:
    """For every count, by adding up whole numbers."""
    hits = data.draw(st.integers(1, total))
    low = exact_low(hits, total, alpha=alpha)
    assert float(tail(hits, total, low)) == pytest.approx(alpha, rel=1e-9)
