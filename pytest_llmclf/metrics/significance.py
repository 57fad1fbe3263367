"""Exact tests for counts, and how many of them at once keep their promise.

A p-value is how often luck alone would show at least as much. All tests here are exact: where the
counts jump, the promise is kept with room to spare. They take images to be drawn independently.
SciPy computes the beta distribution, and is loaded with the first of them.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import numpy as np

    Law = tuple[int, np.ndarray]
    """The least value of a whole number, and how likely it is and each after it."""

_NEGLIGIBLE: Final = 1e-300
"""So unlikely values are left out: they cost time and tell nothing."""
_ROUNDING: Final = 1e-9
"""Numbers that differ by less, of 1, are the same."""


def binomial_tail(hits: float, total: float, rate: float) -> float:
    """Probability of at least `hits` successes in `total` independent trials of this `rate`.

    By the incomplete beta function, ``P(X >= k) = I_rate(k, n - k + 1)`` (DLMF 8.17.5). Also an
    upper bound for trials of unequal rates whose mean is `rate`, from one success above the
    expected number on (Hoeffding, Annals of Mathematical Statistics 27, 1956, theorem 4).

    Args:
        hits: Successes; the tail begins here. Between two counts that function goes on.
        total: Trials, a count.
        rate: Probability of a success, from 0 to 1.
    """
    if hits <= 0:
        return 1.0
    if hits >= total + 1:
        return 0.0
    from scipy.special import betainc

    return float(betainc(hits, total - hits + 1, min(1.0, max(0.0, rate))))


def binomial_tails(hits: np.ndarray, totals: np.ndarray | int, rate: float) -> np.ndarray:
    """`binomial_tail` for each of several counts, of one total or of as many."""
    import numpy as np
    from scipy.special import betainc

    inside = np.clip(hits, 1, np.maximum(1, totals))
    found = betainc(inside, totals - inside + 1, min(1.0, max(0.0, rate)))
    return np.where(hits <= 0, 1.0, np.where(hits > totals, 0.0, found))


def binomial_two_sided(hits: int, total: int, rate: float) -> float:
    """Twice the smaller of both binomial tails that contain `hits`, at most 1."""
    above = binomial_tail(hits, total, rate)
    below = binomial_tail(total - hits, total, 1 - rate)
    return min(1.0, 2 * min(above, below))


def mcnemar_exact(broken: int, fixed: int) -> float:
    """Two-sided exact p-value of `broken` flips one way and `fixed` the other; 1 without flips.

    McNemar (Psychometrika 12, 1947, 153-157) in its exact form: if nothing changed, each flip is
    as likely either way, so the broken among all flips are Binomial(flips, 1/2).

    Args:
        broken: Images that only the first side got right.
        fixed: Images that only the second side got right.
    """
    return min(1.0, 2 * binomial_tail(max(broken, fixed), broken + fixed, 0.5))


def mcnemar_anytime(broken: int, fixed: int) -> float:
    """Two-sided p-value that stays valid where looking at the answers decided when to stop.

    ``(flips + 1) C(flips, broken) / 2^flips``: one over the likelihood ratio of a coin of unknown
    bias (uniform prior) to a fair coin, which is a martingale under the fair coin, so it exceeds
    20 at any time with a probability of at most 1/20 (Ville 1939; Robbins, Annals of Mathematical
    Statistics 41, 1970, 1397-1409, section 2). It needs more flips than `mcnemar_exact`.
    """
    flips = broken + fixed
    # Whole numbers until the last step: powers of two outgrow a float at 1,024 flips.
    ways, all_ways = (flips + 1) * math.comb(flips, broken), 1 << flips
    return 1.0 if ways >= all_ways else ways / all_ways


def sign_flip(nets: Sequence[int]) -> float:
    """Two-sided exact p-value of these net gains of clusters; 1 without any.

    If it made no difference which side answered, every net gain would as likely be a loss. The
    p-value is the share of all ways to turn them round whose sum is at least as far from 0 (Fisher,
    The Design of Experiments, 1935, section 21). Where all are 1 or -1 it is `mcnemar_exact`.

    Args:
        nets: One a cluster, in images; those of 0 change nothing.
    """
    sizes = [abs(net) for net in nets if net]
    observed = abs(sum(nets))
    # Counted from where all are losses, every gain adds twice its size.
    least = (sum(sizes) + observed) // 2
    return min(1.0, 2 * at_least(least, ((size, 0, 0.5) for size in sizes)))


def at_least(least: int, draws: Iterable[tuple[int, int, float]]) -> float:
    """Probability that independent draws add up to `least` or more.

    Args:
        least: The sum.
        draws: One a draw: a number, another one, and the chance of the first.
    """
    return _tail(least, ((_of_two(*draw), number) for draw, number in Counter(draws).items()))


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
    return stratified_greater([(hits, total, other_hits, other_total)])


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
    return _tail(observed, ((_hypergeometric(*one), number) for one, number in alike.items()))


def binomial_evenly(sources: Iterable[tuple[int, int]], rate: float) -> float:
    """One-sided exact p-value that successes are more frequent than `rate`, from several sources.

    It is `binomial_tail` of all of them, but that of the ways to have as many successes only those
    count whose share of the largest source is as near to what it is on average.

    Args:
        sources: Successes and trials of each.
        rate: Of a success.
    """
    largest, *others = sorted(sources, key=lambda one: -one[1]) or [(0, 0)]
    rest = sum(hits for hits, _ in others), sum(total for _, total in others)
    return _evenly([(hits, (_of_two(1, 0, rate), total)) for hits, total in (largest, rest)])


def stratified_evenly(strata: Iterable[tuple[int, int, int, int]]) -> float:
    """`stratified_greater`, but that ways to have as many hits count only if they are as even.

    That is, if those in the stratum with the most hits of both groups are as near to what they
    are on average where all are as many. It is as exact, and less is lost where counts jump.
    """
    ordered = sorted(strata, key=lambda one: -(one[0] + one[2]))
    return _evenly(
        [
            (hits, (_hypergeometric(hits + other_hits, total, other_total), 1))
            for hits, total, other_hits, other_total in ordered
        ]
    )


def _evenly(parts: Sequence[tuple[int, tuple[Law, int]]]) -> float:
    """Probability of a larger sum, or of the same one with the first part as near to its mean."""
    import numpy as np

    if not parts:
        return 1.0
    total = sum(seen for seen, _ in parts)
    (low, first), rest = _sum([parts[0][1]]), _sum(law for _, law in parts[1:])
    start, chances = _plus((low, first), rest)
    places = total - np.arange(low, low + len(first)) - rest[0]
    possible = (places >= 0) & (places < len(rest[1]))
    same = first[possible] * rest[1][places[possible]]
    parted = np.arange(low, low + len(first))[possible]
    off = np.abs(parted * same.sum() - (parted * same).sum())
    near = off <= abs(parts[0][0] * same.sum() - (parted * same).sum()) + _ROUNDING * same.sum()
    return min(1.0, float(chances[max(0, total + 1 - start) :].sum() + same[near].sum()))


def sign_flip_attains(nets: Iterable[int]) -> Callable[[float], float]:
    """What tells the largest p-value up to a level that `sign_flip` can have for nets so large.

    Where they are few, that is less than the level, and may be 0: whichever way they point, nothing
    is shown.
    """
    import numpy as np

    sizes = Counter(abs(net) for net in nets if net)
    _, chances = _sum((_of_two(size, 0, 0.5), number) for size, number in sizes.items())
    possible = np.minimum(1.0, 2 * np.cumsum(chances[::-1]))

    def attained(level: float) -> float:
        below = possible[possible <= level * (1 + _ROUNDING)]
        return float(below.max(initial=0.0))

    return attained


def _sum(laws: Iterable[tuple[Law, int]]) -> Law:
    """The law of the sum of independent whole numbers, so many of each law."""
    import numpy as np

    nothing: Law = (0, np.ones(1))
    return reduce(_plus, (_times(law, number) for law, number in laws if number), nothing)


def _tail(least: int, laws: Iterable[tuple[Law, int]]) -> float:
    """Probability that independent whole numbers, so many of each law, sum to `least` or more."""
    start, chances = _sum(laws)
    return 1.0 if least <= start else min(1.0, float(chances[least - start :].sum()))


def _times(law: Law, number: int) -> Law:
    """The law of the sum of so many independent ones that are alike."""
    if number == 1:
        return law
    half = _times(law, number // 2)
    even = _plus(half, half)
    return _plus(even, law) if number % 2 else even


def _plus(one: Law, other: Law) -> Law:
    """The law of the sum of two independent ones."""
    import numpy as np

    chances = np.convolve(one[1], other[1])
    kept = np.flatnonzero(chances > _NEGLIGIBLE)
    return one[0] + other[0] + int(kept[0]), chances[kept[0] : kept[-1] + 1]


def _of_two(one: int, other: int, chance: float) -> Law:
    """A number with this chance, else another one."""
    import numpy as np

    low = min(one, other)
    chances = np.zeros(abs(one - other) + 1)
    chances[one - low] += chance
    chances[other - low] += 1 - chance
    return low, chances


def _hypergeometric(together: int, total: int, other_total: int) -> Law:
    """Of so many hits in both groups, those in the first one where the rates are equal."""
    import numpy as np

    rate = together / max(1, total + other_total)
    # Beyond that less than 1e-300 is left (Bernstein's inequality; Hoeffding 1963, section 6).
    reach = 40 * math.sqrt(total * rate * (1 - rate)) + 1000
    low = max(0, together - other_total, math.floor(total * rate - reach))
    high = min(total, together, math.ceil(total * rate + reach))
    count = np.arange(low, high, dtype=float)
    # How likely each is over the one before: no factorials, whose logarithms would lose digits.
    ratios = (together - count) * (total - count) / (count + 1)
    logs = np.cumsum(np.log(ratios / (other_total - together + count + 1)))
    chances = np.exp(np.concatenate(([0.0], logs)) - max(0.0, logs.max(initial=0.0)))
    return low, chances / chances.sum()


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """A test that shares the level with others.

    Attributes:
        p_value: Of this test alone.
        share: How much of the level is meant for it, beside the others' shares.
        attains: The largest p-value up to a level that it can have, given what says nothing of
            the hypothesis; the level itself where that is not known.
    """

    p_value: float
    share: float = 1.0
    attains: Callable[[float], float] = float


def holm_discrete(tests: Sequence[Shared]) -> list[float]:
    """`holm` with unequal shares, where what a test cannot spend of its share goes to the others.

    The sum of what each can attain takes the place of the sum of the levels (Westfall and
    Wolfinger, The American Statistician 51, 1997, 3-8; with shares as in Holm 1979). However the
    tests depend on each other, a true hypothesis is rejected in at most 5% of all cases if what
    each can attain says nothing of which way any of them points.
    """
    adjusted = [1.0] * len(tests)
    left = sorted(range(len(tests)), key=lambda place: tests[place].p_value / tests[place].share)
    least = 0.0
    while left:
        level = tests[left[0]].p_value / tests[left[0]].share
        spent = math.fsum(tests[place].attains(tests[place].share * level) for place in left)
        least = max(least, spent)
        adjusted[left.pop(0)] = min(1.0, least)
    return adjusted
