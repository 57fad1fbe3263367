"""Tests whose p-values jump: how less is lost, against every outcome that there is."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from pytest_llmclf.metrics.significance import (
    Shared,
    binomial_evenly,
    holm_discrete,
    sign_flip,
    sign_flip_attains,
    stratified_evenly,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

LEVELS = (0.001, 0.01, 0.05, 0.2, 0.5)


def outcomes(laws: Sequence[Sequence[float]]) -> Iterator[tuple[tuple[int, ...], float]]:
    """Every outcome of independent counts, and how likely it is."""
    for counts in itertools.product(*(range(len(law)) for law in laws)):
        chance = 1.0
        for law, count in zip(laws, counts, strict=True):
            chance *= law[count]
        yield counts, chance


def holds(laws: Sequence[Sequence[float]], p_value: Callable[[Sequence[int]], float]) -> None:
    """A p-value keeps every level, and lies between what larger totals give and no smaller ones."""
    every = [(counts, chance, p_value(counts)) for counts, chance in outcomes(laws) if chance > 0]
    for level in LEVELS:
        assert sum(chance for _, chance, p in every if p <= level) <= level + 1e-12
    for counts, _, p in every:
        larger = sum(chance for others, chance, _ in every if sum(others) > sum(counts))
        as_large = sum(chance for others, chance, _ in every if sum(others) >= sum(counts))
        assert larger < p <= as_large + 1e-12


@pytest.mark.parametrize("totals", [(7, 4), (5, 5, 3), (9, 0), (6,)])
@pytest.mark.parametrize("rate", [0.5, 0.2])
def test_even_successes_keep_the_level(totals: Sequence[int], rate: float) -> None:
    """By SciPy's binomial probabilities of every outcome."""
    laws = [scipy_stats.binom.pmf(range(total + 1), total, rate) for total in totals]
    holds(laws, lambda hits: binomial_evenly(zip(hits, totals, strict=True), rate))


@pytest.mark.parametrize("tables", [((4, 9, 9), (3, 5, 9)), ((2, 6, 4), (5, 6, 4), (1, 3, 4))])
def test_even_hits_keep_the_level(tables: Sequence[tuple[int, int, int]]) -> None:
    """By SciPy's hypergeometric probabilities: hits together, and the sizes of both groups."""
    laws = [
        scipy_stats.hypergeom.pmf(range(both + 1), total + other, both, total)
        for both, total, other in tables
    ]

    def p_value(hits: Sequence[int]) -> float:
        return stratified_evenly(
            (hit, total, both - hit, other)
            for hit, (both, total, other) in zip(hits, tables, strict=True)
        )

    holds(laws, p_value)


def test_one_source_is_the_plain_test() -> None:
    """With nothing to be even among it is SciPy's binomial test, and Fisher's."""
    theirs = scipy_stats.binomtest(9, 14, 0.5, alternative="greater").pvalue
    assert binomial_evenly([(9, 14)], 0.5) == pytest.approx(theirs)
    table = [[9, 5], [3, 11]]
    fisher = scipy_stats.fisher_exact(table, alternative="greater").pvalue
    assert stratified_evenly([(9, 14, 3, 14)]) == pytest.approx(fisher)
    assert binomial_evenly([], 0.5) == stratified_evenly([]) == 1


@pytest.mark.parametrize("sizes", [(), (1,) * 7, (1, 1, 2, 2, 2), (3, 1, 1)])
def test_what_signs_can_attain(sizes: Sequence[int]) -> None:
    """Among the p-values of every way to turn them."""
    attains = sign_flip_attains(sizes)
    possible = {
        sign_flip([size * sign for size, sign in zip(sizes, signs, strict=True)])
        for signs in itertools.product((1, -1), repeat=len(sizes))
    }
    for level in (*LEVELS, *possible):
        most = max((one for one in possible if one <= level * (1 + 1e-9)), default=0)
        assert attains(level) == pytest.approx(most)


@pytest.mark.parametrize("p_values", [[0.01, 0.04, 0.03, 0.005], [0.2, 0.01], [], [1.0]])
def test_without_jumps_it_is_holms_method(p_values: list[float]) -> None:
    """As statsmodels has it."""
    theirs = multipletests(p_values, method="holm")[1] if p_values else []
    found = holm_discrete([Shared(p_value=one) for one in p_values])
    assert found == pytest.approx(list(theirs))


@pytest.mark.parametrize("shares", [(1, 1, 1), (6, 1, 0.5)])
@pytest.mark.parametrize("flips", [(5, 8, 11), (6, 6, 7), (0, 9, 12)])
def test_whatever_is_handed_on_the_level_of_all_is_kept(
    flips: Sequence[int], shares: Sequence[float]
) -> None:
    """Over every outcome of three sign tests; and more is found than by Holm's method."""
    laws = [scipy_stats.binom.pmf(range(total + 1), total, 0.5) for total in flips]
    wrong = by_holm = 0.0
    for ups, chance in outcomes(laws):
        nets = [[1] * up + [-1] * (n - up) for up, n in zip(ups, flips, strict=True)]
        tests = [
            Shared(p_value=sign_flip(one), share=share, attains=sign_flip_attains(one))
            for one, share in zip(nets, shares, strict=True)
        ]
        wrong += chance * (min(holm_discrete(tests)) <= 0.05)
        by_holm += chance * (3 * min(test.p_value for test in tests) <= 0.05)
    assert wrong <= 0.05
    assert set(shares) > {1} or by_holm <= wrong
