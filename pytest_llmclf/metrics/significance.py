"""Exact tests for counts, and how many of them at once keep their promise.

A p-value is how often luck alone would show at least as much. All tests here are exact: where the
counts jump, the promise is kept with room to spare.
"""

from __future__ import annotations

import math
from collections import Counter
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.intervals import beta_cdf

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_NEGLIGIBLE: Final = 1e-20


def binomial_tail(hits: int, total: int, rate: float) -> float:
    """Probability of at least `hits` successes in `total` independent trials of this `rate`.

    By the incomplete beta function, ``P(X >= k) = I_rate(k, n - k + 1)`` (DLMF 8.17.5). Also an
    upper bound for trials of unequal rates whose mean is `rate`, from one success above the
    expected number on (Hoeffding, Annals of Mathematical Statistics 27, 1956, theorem 4).

    Args:
        hits: Successes, a count; the tail begins here.
        total: Trials, a count.
        rate: Probability of a success, from 0 to 1.
    """
    if hits <= 0:
        return 1.0
    if hits > total:
        return 0.0
    return beta_cdf(rate, hits, total - hits + 1)


def binomial_two_sided(hits: int, total: int, rate: float) -> float:
    """Twice the smaller of both binomial tails that contain `hits`, at most 1."""
    above = binomial_tail(hits, total, rate)
    below = binomial_tail(total - hits, total, 1 - rate)
    return min(1.0, 2 * min(above, below))


def fisher_greater(hits: int, total: int, other_hits: int, other_total: int) -> float:
    """One-sided exact p-value that the first of two groups has the higher rate.

    With both totals and all hits given, the hits of the first group are hypergeometric when the
    rates are equal (Fisher, The Design of Experiments, 1935, section 21).

    Args:
        hits: Successes in the first group.
        total: Its size.
        other_hits: Successes in the second group.
        other_total: Its size.
    """
    together, everything = hits + other_hits, total + other_total
    if hits <= max(0, together - other_total):
        return 1.0
    most = min(total, together)
    term = math.exp(
        _log_choose(together, hits)
        + _log_choose(everything - together, total - hits)
        - _log_choose(everything, total)
    )
    tail = term
    for count in range(hits, most):
        term *= (together - count) / (count + 1)
        term *= (total - count) / (everything - together - total + count + 1)
        tail += term
    return min(1.0, tail)


def stratified_greater(strata: Iterable[tuple[int, int, int, int]]) -> float:
    """One-sided exact p-value that the first of two groups has the higher rate within strata.

    With all totals and hits of a stratum given, the first group's hits there are hypergeometric
    when the rates are equal (see `fisher_greater`); their sum over independent strata is the
    statistic of Mantel and Haenszel (Journal of the National Cancer Institute 22, 1959, 719-748)
    in its exact form (Birch, Journal of the Royal Statistical Society B 26, 1964, 313-324). What
    differs between strata, or in how they are mixed, cannot matter.

    Args:
        strata: Hits and size of the first group, hits and size of the second, for each stratum.
    """
    observed = 0
    alike: Counter[tuple[int, int, int]] = Counter()
    for hits, total, other_hits, other_total in strata:
        observed += hits
        alike[hits + other_hits, total, other_total] += 1
    # Strata that are alike are summed by doubling, and the shortest sums first: the long sums are
    # few then, however many strata there are.
    sums = [
        (least, tuple(chances))
        for stratum, number in alike.items()
        for least, chances in [_repeated(_hypergeometric(*stratum), number)]
    ]
    heap = [(len(chances), place, least, chances) for place, (least, chances) in enumerate(sums)]
    heapify(heap)
    while len(heap) > 1:
        _, place, least, chances = heappop(heap)
        _, _, other_least, others = heappop(heap)
        least, chances = _summed((least, chances), (other_least, others))
        heappush(heap, (len(chances), place, least, chances))
    _, _, least, chances = heap[0] if heap else (1, 0, 0, (1.0,))
    return min(1.0, math.fsum(chances[max(0, observed - least) :]))


_Chances = tuple[int, tuple[float, ...]]
"""The least value that counts, and how likely it is and each after it."""


def _hypergeometric(together: int, total: int, other_total: int) -> _Chances:
    """Of so many hits in both groups, those in the first one where the rates are equal."""
    everything = total + other_total
    low, high = max(0, together - other_total), min(total, together)
    whole = _log_choose(everything, total)
    return _kept(
        low,
        (
            math.exp(
                _log_choose(together, count)
                + _log_choose(everything - together, total - count)
                - whole
            )
            for count in range(low, high + 1)
        ),
    )


def _repeated(one: _Chances, number: int) -> _Chances:
    """The sum of so many independent ones that are alike."""
    found: _Chances = (0, (1.0,))
    power = one
    while number:
        if number % 2:
            found = _summed(found, power)
        number //= 2
        power = _summed(power, power) if number else power
    return found


def _summed(one: _Chances, other: _Chances) -> _Chances:
    """The sum of two independent ones."""
    (least, short), (other_least, long) = sorted((one, other), key=lambda each: len(each[1]))
    if len(short) == 1 and short[0] == 1.0:
        return least + other_least, long
    found = [0.0] * (len(short) + len(long) - 1)
    for start, chance in enumerate(short):
        end = start + len(long)
        found[start:end] = [
            before + chance * step for before, step in zip(found[start:end], long, strict=True)
        ]
    return _kept(least + other_least, found)


def _kept(least: int, chances: Iterable[float]) -> _Chances:
    """Without both ends that are next to impossible, which cost time and tell nothing."""
    found = list(chances)
    first = next(place for place, chance in enumerate(found) if chance > _NEGLIGIBLE)
    last = next(place for place in reversed(range(len(found))) if found[place] > _NEGLIGIBLE)
    return least + first, tuple(found[first : last + 1])


def holm(p_values: Sequence[float], *, kinds: int = 1, unshown: int = 0) -> list[float]:
    """Each p-value adjusted for there being others, so that it can be held against one level.

    Rejecting those at most 5% rejects a true hypothesis in at most 5% of all cases, however the
    tests depend on each other (Holm, Scandinavian Journal of Statistics 6, 1979, 65-70).

    Args:
        p_values: One a hypothesis, those that cannot be rejected included.
        kinds: Among how many such families of hypotheses the 5% are shared evenly (Bonferroni).
        unshown: Further hypotheses of this family, which nothing speaks against: their p-values
            are 1, need not be listed, and count like the others.
    """
    adjusted = [1.0] * len(p_values)
    hypotheses = len(p_values) + unshown
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, (hypotheses - rank) * p_values[place])
        adjusted[place] = min(1.0, kinds * least)
    return adjusted


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
