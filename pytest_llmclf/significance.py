"""Exact tests for counts, and how many of them at once keep their promise.

A p-value is how often luck alone would show at least as much. All tests here are exact: where the
counts jump, the promise is kept with room to spare.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from pytest_llmclf.stats import beta_cdf

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
    observed, least = 0, 0
    chances = [1.0]
    for hits, total, other_hits, other_total in strata:
        observed += hits
        together, everything = hits + other_hits, total + other_total
        low, high = max(0, together - other_total), min(total, together)
        whole = _log_choose(everything, total)
        first, here = _kept(
            math.exp(
                _log_choose(together, count)
                + _log_choose(everything - together, total - count)
                - whole
            )
            for count in range(low, high + 1)
        )
        least += low + first
        summed = [0.0] * (len(chances) + len(here) - 1)
        for start, chance in enumerate(chances):
            end = start + len(here)
            summed[start:end] = [
                before + chance * step for before, step in zip(summed[start:end], here, strict=True)
            ]
        first, chances = _kept(summed)
        least += first
    return min(1.0, math.fsum(chances[max(0, observed - least) :]))


def _kept(chances: Iterable[float]) -> tuple[int, list[float]]:
    """Without both ends that are next to impossible, which cost time and tell nothing.

    Returns:
        Where what is left began, and that.
    """
    found = list(chances)
    first = next(place for place, chance in enumerate(found) if chance > _NEGLIGIBLE)
    last = next(place for place in reversed(range(len(found))) if found[place] > _NEGLIGIBLE)
    return first, found[first : last + 1]


def holm(p_values: Sequence[float], *, kinds: int = 1) -> list[float]:
    """Each p-value adjusted for there being others, so that it can be held against one level.

    Rejecting those at most 5% rejects a true hypothesis in at most 5% of all cases, however the
    tests depend on each other (Holm, Scandinavian Journal of Statistics 6, 1979, 65-70).

    Args:
        p_values: One a hypothesis, those that cannot be rejected included.
        kinds: Among how many such families of hypotheses the 5% are shared evenly (Bonferroni).
    """
    adjusted = [1.0] * len(p_values)
    least = 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        least = max(least, (len(p_values) - rank) * p_values[place])
        adjusted[place] = min(1.0, kinds * least)
    return adjusted


def _log_choose(total: int, chosen: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(chosen + 1) - math.lgamma(total - chosen + 1)
