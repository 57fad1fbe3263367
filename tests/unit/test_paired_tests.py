"""McNemar's test, its anytime form, Holm's correction and the interval for a paired difference."""

from __future__ import annotations

from itertools import product
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize
from scipy.stats import beta, binomtest, multinomial
from statsmodels.stats.contingency_tables import mcnemar

from pytest_llmclf.metrics.intervals import difference_interval
from pytest_llmclf.metrics.significance import mcnemar_anytime, mcnemar_exact

GRID = [(broken, fixed) for broken in range(0, 41, 4) for fixed in range(0, 41, 5)]
counts = st.integers(0, 60)


@pytest.mark.parametrize(("broken", "fixed"), GRID)
def test_mcnemar_is_the_exact_test_of_statsmodels(broken: int, fixed: int) -> None:
    """Over a grid of flips either way; statsmodels exceeds 1 where both are equal."""
    theirs = mcnemar([[0, broken], [fixed, 0]], exact=True).pvalue if broken + fixed else 1.0
    assert mcnemar_exact(broken, fixed) == pytest.approx(min(1.0, theirs), rel=1e-9)


@given(counts, counts)
def test_mcnemar_is_the_binomial_test(broken: int, fixed: int) -> None:
    """To scipy's value; 1 without flips."""
    flips = broken + fixed
    expected = binomtest(broken, flips, 0.5).pvalue if flips else 1.0
    assert mcnemar_exact(broken, fixed) == pytest.approx(expected)


def test_mcnemar_of_many_flips_is_still_a_number() -> None:
    """Thousands of flips overflow no float."""
    assert mcnemar_exact(3000, 3000) == 1.0
    assert mcnemar_exact(5000, 100) == 0.0
    assert mcnemar_exact(1100, 1000) == pytest.approx(binomtest(1100, 2100, 0.5).pvalue)
    assert mcnemar_anytime(3000, 3000) == 1.0


@given(counts, counts)
def test_the_anytime_test_asks_for_more_proof(broken: int, fixed: int) -> None:
    """It is never below the exact one, and treats both sides alike."""
    assert mcnemar_anytime(broken, fixed) >= mcnemar_exact(broken, fixed) - 1e-12
    assert mcnemar_anytime(broken, fixed) == mcnemar_anytime(fixed, broken)


def test_the_anytime_test_holds_however_the_run_is_stopped() -> None:
    """Stopped as soon as it is significant, among 200 fair flips, it errs in less than 5%.

    Exact: the probability of every path is followed; the ordinary test errs in a quarter of them.
    """
    wrong = {}
    for test in (mcnemar_anytime, mcnemar_exact):
        alive, stopped = np.array([1.0]), 0.0
        for flips in range(1, 201):
            stepped = np.zeros(flips + 1)
            stepped[:-1] += alive / 2
            stepped[1:] += alive / 2
            # The p-value falls with the distance from the middle: look from both ends.
            for broken in range(flips // 2 + 1):
                if test(broken, flips - broken) >= 0.05:
                    break
                for place in {broken, flips - broken}:
                    stopped += stepped[place]
                    stepped[place] = 0.0
            alive = stepped
        wrong[test] = stopped
    assert wrong[mcnemar_anytime] <= 0.05
    assert wrong[mcnemar_exact] > 0.15


@pytest.mark.parametrize(("broken", "fixed", "total"), [(9, 2, 161), (31, 12, 500), (3, 7, 12)])
def test_the_interval_is_the_quantile_of_the_product(broken: int, fixed: int, total: int) -> None:
    """Both ends as scipy integrates them: the quantile of T (2B - 1) at 2.5% and 97.5%."""
    ends = difference_interval(broken, fixed, total)
    assert ends.low == pytest.approx(_lower(fixed, broken, total), abs=2e-4)
    assert ends.high == pytest.approx(-_lower(broken, fixed, total), abs=2e-4)


def _lower(gains: int, losses: int, total: int) -> float:
    flips = gains + losses
    better = beta(gains, losses + 1)
    above = better.cdf(0.5) < 0.025
    share = beta(flips, total - flips + 1) if above else beta(flips + 1, total - flips)

    def missing(limit: float) -> float:
        def inside(t: float) -> float:
            return float(better.cdf((limit / t + 1) / 2) * share.pdf(t))

        low, high = share.ppf(1e-12), share.ppf(1 - 1e-12)
        return float(integrate.quad(inside, low, high, limit=200)[0]) - 0.025

    return float(
        optimize.brentq(missing, 1e-9, 1) if above else optimize.brentq(missing, -1, -1e-9)
    )


@pytest.mark.parametrize("total", [4, 12])
def test_the_interval_covers_at_least_as_often_as_it_says(total: int) -> None:
    """Enumerated: for every share of flips either way, over all outcomes of so many images."""
    tables = [(broken, fixed) for broken in range(total + 1) for fixed in range(total + 1 - broken)]
    ends = {table: difference_interval(*table, total) for table in tables}
    steps = np.linspace(0, 1, 11)
    for lost, won in product(steps, steps):
        if lost + won > 1:
            continue
        rest = max(0.0, 1 - lost - won)
        covered = sum(
            float(multinomial.pmf([*table, total - sum(table)], total, [lost, won, rest]))
            for table in tables
            if ends[table].low - 1e-9 <= won - lost <= ends[table].high + 1e-9
        )
        assert covered >= 0.95 - 1e-9, (lost, won)


@pytest.mark.parametrize("total", [40, 500])
def test_the_interval_agrees_with_the_test(total: int) -> None:
    """0 lies outside exactly where McNemar's p-value is below 5%."""
    for broken, fixed in product(range(0, 15, 3), range(0, 20, 4)):
        ends = difference_interval(broken, fixed, total)
        outside = not ends.low < 0 < ends.high
        assert outside == (mcnemar_exact(broken, fixed) < 0.05), (broken, fixed)


@settings(max_examples=20)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(1, 100))
def test_turning_the_sides_round_turns_the_interval_round(
    broken: int, fixed: int, same: int
) -> None:
    """And it holds the measured difference."""
    total = broken + fixed + same
    there = difference_interval(broken, fixed, total)
    back = difference_interval(fixed, broken, total)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert -1 <= there.low <= (fixed - broken) / total <= there.high <= 1


def test_intervals_at_the_edges() -> None:
    """Without images anything is possible; without flips as much as Clopper-Pearson leaves."""
    nothing = difference_interval(0, 0, 0)
    assert (nothing.low, nothing.high) == (-1, 1)
    still = difference_interval(0, 0, 500)
    assert still.high == -still.low == pytest.approx(1 - 0.025 ** (1 / 500))
    all_better = difference_interval(0, 20, 20)
    assert all_better.high == 1
    assert 0.5 < all_better.low < 0.7


@pytest.mark.parametrize(("broken", "fixed", "total"), [(-1, 0, 5), (3, 3, 5)])
def test_impossible_counts_are_refused(broken: int, fixed: int, total: int) -> None:
    """With the counts."""
    with pytest.raises(ValueError, match=f"{broken} broken and {fixed} fixed of {total}"):
        difference_interval(broken, fixed, total)


def test_an_impossible_confidence_is_refused() -> None:
    """It must lie between 0 and 1."""
    with pytest.raises(ValueError, match="confidence 95"):
        difference_interval(1, 2, 5, confidence=95)


@given(st.integers(0, 40), st.integers(0, 40))
def test_the_anytime_test_is_one_over_a_likelihood_ratio(broken: int, fixed: int) -> None:
    """A coin of unknown bias gives this order with probability B(broken + 1, fixed + 1)."""
    flips = broken + fixed
    ratio = 2.0**flips / ((flips + 1) * comb(flips, broken))
    assert mcnemar_anytime(broken, fixed) == pytest.approx(min(1.0, 1 / ratio))
