"""Exact tests against SciPy and statsmodels."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import StratifiedTable
from statsmodels.stats.multitest import multipletests

from pytest_llmclf.metrics.significance import (
    binomial_tail,
    binomial_two_sided,
    fisher_greater,
    holm,
    stratified_greater,
)

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
