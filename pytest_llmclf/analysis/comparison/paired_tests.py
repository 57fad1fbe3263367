"""Tests and an interval for two answers to the same images, without a statistics package.

All of them look at the images on which the two sides differ in being right: `broken` of them only
the first side got right, `fixed` only the second. They are about images *like these*, drawn
independently; of these very images the counts themselves are the whole truth.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from math import comb, sqrt

from pytest_llmclf.metrics.intervals import Interval, beta_cdf, beta_quantile

_CELLS = 400
"""Cells of a grid over a beta distribution: the ends of an interval are right to about 1e-4."""
_REACH = 12
"""Standard deviations around the mean outside which a beta distribution is taken for nothing."""
_HALVINGS = 60


def mcnemar_exact(broken: int, fixed: int) -> float:
    """Two-sided exact p-value of `broken` flips one way and `fixed` the other; 1 without flips.

    McNemar (Psychometrika 12, 1947, 153-157) in its exact form: if nothing changed, each flip is
    as likely either way, so the broken among all flips are Binomial(flips, 1/2).
    """
    flips = broken + fixed
    # Whole numbers until the last step: powers of two outgrow a float at 1,024 flips.
    ways = tail = 1
    for count in range(min(broken, fixed)):
        ways = ways * (flips - count) // (count + 1)
        tail += ways
    return min(1.0, float(Fraction(2 * tail, 2**flips)))


def mcnemar_anytime(broken: int, fixed: int) -> float:
    """Two-sided p-value that stays valid where looking at the answers decided when to stop.

    ``(flips + 1) C(flips, broken) / 2^flips``: one over the likelihood ratio of a coin of unknown
    bias (uniform prior) to a fair coin, which is a martingale under the fair coin, so it exceeds
    20 at any time with a probability of at most 1/20 (Ville 1939; Robbins, Annals of Mathematical
    Statistics 41, 1970, 1397-1409, section 2). It needs more flips than `mcnemar_exact`.
    """
    flips = broken + fixed
    return min(1.0, float(Fraction((flips + 1) * comb(flips, broken), 2**flips)))


def difference_interval(
    broken: int, fixed: int, total: int, *, confidence: float = 0.95
) -> Interval:
    """Plausible differences of the two accuracies, second minus first, between -1 and 1.

    It agrees with `mcnemar_exact`: 0 lies outside exactly if the p-value is below
    ``1 - confidence``. Fay and Lumbard (Statistics in Medicine 40, 2021, 1147-1159): the difference
    is ``T (2B - 1)`` with T the share of images that flip and B the share of flips for the better.
    An end is a quantile of that product with T and B independent and distributed as the
    Clopper-Pearson limits of both, ``Beta(flips, total - flips + 1)`` or
    ``Beta(flips + 1, total - flips)``, and likewise ``Beta(fixed, broken + 1)``. Without any image
    it is -1 to 1.

    Args:
        broken: Images that only the first side got right.
        fixed: Images that only the second side got right.
        total: Images that both answered.
        confidence: Two-sided confidence, between 0 and 1.

    Raises:
        ValueError: The counts are negative, or more flips than images.
    """
    if min(broken, fixed) < 0 or broken + fixed > total:
        raise ValueError(f"{broken} broken and {fixed} fixed of {total} images is impossible")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    tail = (1 - confidence) / 2
    return Interval(
        low=_lower_end(fixed, broken, total, tail),
        # A gain of one side is a loss of the other: turned round, the upper end is a lower one.
        high=-_lower_end(broken, fixed, total, tail),
        confidence=confidence,
    )


def _lower_end(gains: int, losses: int, total: int, tail: float) -> float:
    """The quantile `tail` of the difference's lower limit."""
    if total == 0:
        return -1.0
    flips = gains + losses
    if gains == 0:
        return -1.0 if flips == total else beta_quantile(tail, total - flips, flips + 1) - 1
    # If even the lower limit of B is above 1/2, few flips make the difference small, else many.
    above = beta_cdf(0.5, gains, losses + 1) < tail
    share = _Grid(flips, total - flips + 1) if above else _Grid(flips + 1, total - flips)
    better = _Grid(gains, losses + 1)
    low, high = (0.0, 1.0) if above else (-1.0, 0.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # How often T (2B - 1) is at most the middle.
        found = sum(
            mass * better.below((middle / centre + 1) / 2)
            for centre, mass in zip(share.centres, share.masses, strict=True)
        )
        if found < tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


class _Grid:
    """``Beta(a, b)`` cut into cells; b is 0 for a point at 1."""

    def __init__(self, a: int, b: int) -> None:
        if b == 0:
            self.centres, self.masses = [1.0], [1.0]
            return
        mean = a / (a + b)
        reach = _REACH * sqrt(mean * (1 - mean) / (a + b + 1))
        self._low, self._high = max(0.0, mean - reach), min(1.0, mean + reach)
        step = (self._high - self._low) / _CELLS
        edges = [self._low + step * cell for cell in range(_CELLS + 1)]
        self._below = [beta_cdf(edge, a, b) for edge in edges]
        self.centres = [edge + step / 2 for edge in edges[:-1]]
        self.masses = [after - before for before, after in pairwise(self._below)]

    def below(self, x: float) -> float:
        """The share at or below `x`, linear within a cell."""
        if x >= self._high:
            return 1.0
        if x <= self._low:
            return 0.0
        place = (x - self._low) / (self._high - self._low) * _CELLS
        cell = min(int(place), _CELLS - 1)
        return self._below[cell] + (place - cell) * (self._below[cell + 1] - self._below[cell])
