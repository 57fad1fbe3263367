"""Exact tests against SciPy and statsmodels."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from pytest_llmclf.metrics.significance import (
    at_least,
    binomial_tail,
    binomial_two_sided,
    fisher_greater,
    holm,
    mcnemar_anytime,
    mcnemar_exact,
    sign_flip,
    stratified_greater,
)
from tests.unit.exact_tails import fair_tail, hypergeometric_tail, tail

RATES = (0.001, 0.1, 0.5, 0.83, 0.999)


@pytest.mark.parametrize("total", [1, 7, 50, 500, 10_000])
@pytest.mark.parametrize("rate", RATES)
def test_binomial_tail_equals_scipy(total: int, rate: float) -> None:
    """The tail is SciPy's one-sided binomial test."""
    for hits in sorted({0, 1, total // 10, total // 2, total - 1, total}):
        theirs = scipy_stats.binomtest(hits, total, rate, alternative="greater").pvalue
        assert binomial_tail(hits, total, rate) == pytest.approx(theirs, rel=1e-9, abs=1e-300)


def test_binomial_tail_beyond_its_ends() -> None:
    """No success is certain, more successes than trials are impossible, and no trial is fine."""
    assert binomial_tail(0, 0, 0.5) == 1
    assert binomial_tail(3, 2, 0.5) == 0
    assert binomial_tail(1, 5, 0.0) == 0
    assert binomial_tail(5, 5, 1.0) == 1


@pytest.mark.parametrize("total", [1, 10, 113])
def test_two_sided_equals_scipy_at_one_half(total: int) -> None:
    """At one half SciPy's two-sided test is the doubled tail, too."""
    for hits in range(total + 1):
        theirs = scipy_stats.binomtest(hits, total, 0.5).pvalue
        assert binomial_two_sided(hits, total, 0.5) == pytest.approx(theirs, rel=1e-9)


def test_fisher_equals_scipy_for_every_small_table() -> None:
    """The one-sided p-value is SciPy's for every table with rows of up to six."""
    for total, other in itertools.product(range(1, 7), repeat=2):
        for hits, other_hits in itertools.product(range(total + 1), range(other + 1)):
            table = [[hits, total - hits], [other_hits, other - other_hits]]
            theirs = scipy_stats.fisher_exact(table, alternative="greater").pvalue
            assert fisher_greater(hits, total, other_hits, other) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize(
    "table", [(25, 48, 42, 300), (4_000, 5_000, 3_900, 5_000), (9, 10, 1, 9_990), (0, 5, 0, 7)]
)
def test_fisher_equals_scipy_for_large_tables(table: tuple[int, int, int, int]) -> None:
    """The one-sided p-value is SciPy's for thousands of images."""
    hits, total, other_hits, other = table
    rows = [[hits, total - hits], [other_hits, other - other_hits]]
    theirs = scipy_stats.fisher_exact(rows, alternative="greater").pvalue
    assert fisher_greater(*table) == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize(
    "p_values",
    [
        [0.04],
        [0.01, 0.04, 0.03, 0.005],
        [0.5, 0.5, 0.0, 1.0, 0.001],
        [0.02, 0.02, 0.02],
        [place / 1_000 for place in range(40, 0, -1)],
    ],
)
def test_holm_equals_statsmodels(p_values: list[float]) -> None:
    """Adjusted p-values are those of statsmodels, in the order given."""
    theirs = multipletests(p_values, method="holm")[1]
    assert holm(p_values) == pytest.approx(list(theirs))


def test_holm_shares_the_level_among_kinds() -> None:
    """With several kinds of claim each p-value counts as many times, at most 1."""
    assert holm([0.001, 0.4], kinds=6) == pytest.approx([0.012, 1.0])
    assert holm([]) == []


def two_groups(most: int) -> st.SearchStrategy[tuple[int, int, int, int]]:
    """Hits and size of one group, hits and size of another."""
    sizes = st.integers(1, most)
    group = sizes.flatmap(lambda size: st.tuples(st.integers(0, size), st.just(size)))
    return st.tuples(group, group).map(lambda both: (*both[0], *both[1]))


@given(two_groups(30))
def test_one_stratum_is_fishers_test(table: tuple[int, int, int, int]) -> None:
    """Without anything to be mixed the test is the plain one."""
    assert stratified_greater([table]) == pytest.approx(fisher_greater(*table), rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(two_groups(12), max_size=6))
def test_strata_add_up_as_scipy_says(tables: list[tuple[int, int, int, int]]) -> None:
    """The sum of independent hypergeometric counts, convolved from SciPy's."""
    chances, hits = np.ones(1), 0
    for here, size, other_hits, other in tables:
        hits += here
        law = scipy_stats.hypergeom(size + other, here + other_hits, size)
        chances = np.convolve(chances, law.pmf(np.arange(size + 1)))
    assert stratified_greater(tables) == pytest.approx(
        min(1, chances[hits:].sum()), rel=1e-9, abs=1e-15
    )


def test_many_images_are_near_mantel_and_haenszels_statistic() -> None:
    """Half of statsmodels' two-sided test, which is the approximation for many images."""
    tables = [(240, 900, 180, 800), (300, 600, 240, 520), (30, 700, 20, 650)]
    both = [[[a, n - a], [b, m - b]] for a, n, b, m in tables]
    found = StratifiedTable([np.array(table) for table in both])
    theirs = found.test_null_odds(correction=True).pvalue / 2
    assert stratified_greater(tables) == pytest.approx(theirs, rel=0.02)


def test_strata_of_thousands_are_fast_and_certain() -> None:
    """Many classes, and an excess that is next to impossible."""
    assert stratified_greater([(30, 100, 30, 100)] * 40) == pytest.approx(0.5, abs=0.05)
    assert stratified_greater([(100, 100, 0, 100)] * 40) == 0
    assert stratified_greater([(0, 100, 100, 100)] * 40) == pytest.approx(1)
    assert math.isclose(stratified_greater([]), 1)


RARE = st.sampled_from([0.0, 5e-324, 1e-300, 1e-100, 1e-9, 1e-3, 0.3, 0.5, 0.97, 1 - 1e-9, 1.0])


@settings(deadline=None)
@given(st.integers(1, 60), st.data(), RARE)
def test_binomial_tail_is_exact(total: int, data: st.DataObject, rate: float) -> None:
    """At any rate, 0, 1 and the smallest float included, by adding up decimals."""
    hits = data.draw(st.integers(1, total))
    assert binomial_tail(hits, total, rate) == pytest.approx(
        float(tail(hits, total, rate)), rel=1e-12, abs=1e-300
    )


@settings(deadline=None)
@given(st.integers(1, 40), st.sampled_from([10**5, 10**7, 10**9]), st.floats(0.01, 30))
def test_binomial_tail_of_a_billion(hits: int, total: int, expected: float) -> None:
    """Few among very many, and all but a few among very many."""
    rate = expected / total
    exact = tail(hits, total, rate)
    assert binomial_tail(hits, total, rate) == pytest.approx(float(exact), rel=1e-7)
    rest = binomial_tail(total - hits + 1, total, 1 - rate)
    assert rest == pytest.approx(float(1 - exact), abs=1e-6)


def test_a_rate_that_rounding_put_outside_is_its_end() -> None:
    """A quotient of floats may come out a little above 1."""
    assert binomial_tail(5, 5, 1 + 1e-15) == 1
    assert binomial_tail(1, 5, -1e-18) == 0


@settings(deadline=None)
@given(st.integers(0, 900), st.integers(0, 900))
def test_flips_are_counted_exactly(broken: int, fixed: int) -> None:
    """Both tests of flips are quotients of whole numbers, to the last digits."""
    flips = broken + fixed
    exact = min(1.0, float(2 * fair_tail(min(broken, fixed), flips)))
    assert mcnemar_exact(broken, fixed) == pytest.approx(exact, rel=1e-12, abs=1e-290)
    assert mcnemar_exact(broken, fixed) == mcnemar_exact(fixed, broken)
    anytime = Fraction((flips + 1) * math.comb(flips, broken), 2**flips)
    assert mcnemar_anytime(broken, fixed) == min(1.0, float(anytime))


def test_a_billion_flips_are_no_trouble() -> None:
    """Near the middle the binomial distribution is the normal one."""
    half, root = 5 * 10**8, math.sqrt(10**9) / 2
    for far in (1.0, 1.96, 5.0):
        heads = half + round(far * root)
        found = mcnemar_exact(heads, 10**9 - heads)
        assert found == pytest.approx(2 * scipy_stats.norm.sf(far), rel=1e-3)
    assert mcnemar_exact(half, half) == 1


@settings(deadline=None)
@given(two_groups(400))
def test_fisher_is_exact(table: tuple[int, int, int, int]) -> None:
    """A quotient of whole numbers, however small."""
    exact = float(hypergeometric_tail(*table))
    assert fisher_greater(*table) == pytest.approx(exact, rel=1e-11, abs=1e-290)


@pytest.mark.parametrize("total", [10, 10**6, 10**9])
@pytest.mark.parametrize("other_total", [10, 5 * 10**8])
@pytest.mark.parametrize(("hits", "other_hits"), [(0, 0), (1, 9), (5, 5), (10, 0), (0, 10)])
def test_fisher_of_a_billion(total: int, other_total: int, hits: int, other_hits: int) -> None:
    """A few hits in groups of any size."""
    table = (hits, total, other_hits, other_total)
    assert fisher_greater(*table) == pytest.approx(float(hypergeometric_tail(*table)), rel=1e-9)
    misses = (total - hits, total, other_total - other_hits, other_total)
    fewer = hypergeometric_tail(other_hits, other_total, hits, total)
    assert fisher_greater(*misses) == pytest.approx(float(fewer), rel=1e-6)


def test_no_group_and_no_draw_show_nothing() -> None:
    """Without anything to count every p-value is 1."""
    assert fisher_greater(0, 0, 0, 0) == fisher_greater(0, 5, 0, 0) == 1
    assert sign_flip([]) == sign_flip([0, 0]) == at_least(0, []) == 1
    assert at_least(1, []) == 0


@settings(deadline=None)
@given(st.lists(st.integers(-50, 50), max_size=60))
def test_sign_flips_are_counted_exactly(nets: list[int]) -> None:
    """By whole numbers of ways, one for every sum."""
    ways = {0: 1}
    for net in nets:
        turned: defaultdict[int, int] = defaultdict(int)
        for total, number in ways.items():
            turned[total + net] += number
            turned[total - net] += number
        ways = turned
    least = abs(sum(nets))
    far = sum(number for total, number in ways.items() if abs(total) >= least)
    assert sign_flip(nets) == pytest.approx(float(Fraction(far, 2 ** len(nets))), rel=1e-12)
