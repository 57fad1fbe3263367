"""Intervals for a proportion and for a paired difference.

They answer: which true rates could plausibly have given such counts? They are for images *like
these*, drawn independently; about these very images the counts themselves are the whole truth.
SciPy computes the beta distributions, and is loaded with the first of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

_CELLS = 400
"""Cells of a grid over a beta distribution: ends of a difference are right to about 1e-5."""
_OUTSIDE = 1e-13
"""What lies outside of that grid, on either side."""
_HALVINGS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """Plausible values of a rate.

    Attributes:
        low: Lower end, between 0 and 1.
        high: Upper end, between 0 and 1.
        confidence: How often such an interval covers the true rate, such as 0.95.
    """

    low: float
    high: float
    confidence: float


@lru_cache(maxsize=10_000)
def clopper_pearson(hits: int, total: int, *, confidence: float = 0.95) -> Interval:
    """Exact interval: covers the true rate *at least* `confidence` of the time.

    Its ends are quantiles of beta distributions, ``Beta(hits, total - hits + 1)`` and
    ``Beta(hits + 1, total - hits)`` (Clopper and Pearson, Biometrika 26, 1934, 404-413).
    Somewhat wide for few images. Without any image it is 0 to 1.

    Args:
        hits: Successes, a count.
        total: Trials, a count.
        confidence: Two-sided confidence, between 0 and 1.
    """
    tail = _tail(confidence)
    return Interval(
        low=exact_low(hits, total, alpha=tail),
        high=exact_high(hits, total, alpha=tail),
        confidence=confidence,
    )


def exact_low(hits: float, total: float, *, alpha: float = 0.05) -> float:
    """Clopper and Pearson's lower end alone: above the true rate at most `alpha` of the time.

    Args:
        hits: Successes; a count, or an expected one.
        total: Trials, likewise.
        alpha: How often it may be wrong, between 0 and 1.
    """
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} of {total} is no proportion")
    if not 0 < alpha < 1:
        raise ValueError(f"{alpha} is not between 0 and 1")
    if hits == 0:
        return 0.0
    from scipy.special import betaincinv

    return float(betaincinv(hits, total - hits + 1, alpha))


def exact_high(hits: float, total: float, *, alpha: float = 0.05) -> float:
    """Clopper and Pearson's upper end alone: below the true rate at most `alpha` of the time."""
    # The lower end of the misses: a quantile at 1 - alpha would lose digits.
    return 1 - exact_low(total - hits, total, alpha=alpha)


def difference_interval(
    broken: int, fixed: int, total: int, *, confidence: float = 0.95
) -> Interval:
    """Plausible differences of two accuracies, second minus first, between -1 and 1.

    It agrees with `significance.mcnemar_exact`: 0 lies outside exactly if the p-value is below
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
    tail = _tail(confidence)
    return Interval(
        low=_lower_end(fixed, broken, total, tail),
        # A gain of one side is a loss of the other: turned round, the upper end is a lower one.
        high=-_lower_end(broken, fixed, total, tail),
        confidence=confidence,
    )


def _lower_end(gains: int, losses: int, total: int, tail: float) -> float:
    """The quantile `tail` of the difference's lower limit."""
    import numpy as np
    from scipy.special import betainc, betaincinv

    flips = gains + losses
    if gains == 0:
        return exact_low(total - flips, total, alpha=tail) - 1
    # If even the lower limit of B is above 1/2, few flips make the difference small, else many.
    above = betainc(gains, losses + 1, 0.5) < tail
    a, b = (flips, total - flips + 1) if above else (flips + 1, total - flips)
    if b:
        least, most = betaincinv(a, b, (_OUTSIDE, 1 - _OUTSIDE))
        edges = np.linspace(least, most, _CELLS + 1)
        shares, masses = (edges[1:] + edges[:-1]) / 2, np.diff(betainc(a, b, edges))
    else:
        shares = masses = np.ones(1)
    low, high = (0.0, 1.0) if above else (-1.0, 0.0)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        # How often T (2B - 1) is at most the middle.
        better = np.clip((middle / shares + 1) / 2, 0, 1)
        if masses @ betainc(gains, losses + 1, better) < tail:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _tail(confidence: float) -> float:
    """What each end of an interval may miss."""
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence} is not between 0 and 1")
    return (1 - confidence) / 2
