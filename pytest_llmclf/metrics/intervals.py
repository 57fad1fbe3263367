"""Intervals for a proportion, without a statistics package at run time.

Both answer: which true rates could plausibly have given so many of so many? They are for images
*like these*, drawn independently; about these very images the count itself is the whole truth.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from statistics import NormalDist

_TINY = 1e-300
_STEPS = 100_000
_EPSILON = 1e-16


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


@functools.lru_cache(maxsize=10_000)
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
    _check(hits, total, confidence)
    tail = (1 - confidence) / 2
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
    _check(hits, total, alpha)
    return 0.0 if hits == 0 else beta_quantile(alpha, hits, total - hits + 1)


def exact_high(hits: float, total: float, *, alpha: float = 0.05) -> float:
    """Clopper and Pearson's upper end alone: below the true rate at most `alpha` of the time."""
    # The lower end of the misses: a quantile at 1 - alpha would lose digits.
    return 1 - exact_low(total - hits, total, alpha=alpha)


def score_low(hits: float, total: float, *, alpha: float = 0.05) -> float:
    """Wilson's lower end alone: above the true rate *about* `alpha` of the time.

    Near a rate of 1 it is too high more often than that, which is why verdicts use `exact_low`.

    Args:
        hits: Successes; a count, or an expected one.
        total: Trials, likewise.
        alpha: How often it may be wrong, between 0 and 1.
    """
    _check(hits, total, alpha)
    if hits == 0:
        return 0.0
    z = NormalDist().inv_cdf(1 - alpha)
    rate, scale = hits / total, 1 + z * z / total
    centre = (rate + z * z / (2 * total)) / scale
    spread = math.sqrt(rate * (1 - rate) / total + (z / (2 * total)) ** 2) * z / scale
    # Below a confidence of 50% (z < 0) the end lies above the estimate.
    return min(1.0, max(0.0, centre - spread))


def score_high(hits: float, total: float, *, alpha: float = 0.05) -> float:
    """Wilson's upper end alone: below the true rate *about* `alpha` of the time."""
    return 1 - score_low(total - hits, total, alpha=alpha)


def beta_quantile(probability: float, a: float, b: float) -> float:
    """The x with ``beta_cdf(x, a, b) == probability``, to the last bits.

    Newton's steps from the mean, and a bisection wherever one leaves what is known to hold x.
    """
    low, high, x = 0.0, 1.0, a / (a + b)
    while low < x < high:
        excess = beta_cdf(x, a, b) - probability
        if excess < 0:
            low = x
        else:
            high = x
        density = _beta_front(x, a, b) / (x * (1 - x))
        step = excess / density if density else math.inf
        if abs(step) <= _EPSILON * x:
            return x
        x -= step
        if not low < x < high:
            x = (low + high) / 2
    return x


def beta_cdf(x: float, a: float, b: float) -> float:
    """Regularised incomplete beta function: the share of ``Beta(a, b)`` below `x`.

    By its continued fraction (DLMF 8.17.22), which converges fast below the mean; above it by
    the symmetry ``I_x(a, b) = 1 - I_(1-x)(b, a)``.
    """
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = _beta_front(x, a, b)
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(x, a, b) / a
    return 1 - front * _fraction(1 - x, b, a) / b


def _beta_front(x: float, a: float, b: float) -> float:
    """``x^a (1 - x)^b / B(a, b)``: the density times ``x (1 - x)``."""
    return math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )


def _fraction(x: float, a: float, b: float) -> float:
    """DLMF 8.17.22 evaluated from the front (Lentz 1976, as modified by Thompson and Barnett)."""
    upper, lower = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    result = lower
    for step in range(1, _STEPS):
        twice = a + 2 * step
        for term in (
            step * (b - step) * x / ((twice - 1) * twice),
            -(a + step) * (a + b + step) * x / (twice * (twice + 1)),
        ):
            lower = 1 / _nonzero(1 + term * lower)
            upper = _nonzero(1 + term / upper)
            change = upper * lower
            result *= change
        if abs(change - 1) <= _EPSILON:
            return result
    raise ArithmeticError(f"the beta distribution at {x} for {a} and {b} did not converge")


def _nonzero(number: float) -> float:
    return number if abs(number) > _TINY else _TINY


def _check(hits: float, total: float, probability: float) -> None:
    if not 0 <= hits <= total:
        raise ValueError(f"{hits} of {total} is no proportion")
    if not 0 < probability < 1:
        raise ValueError(f"{probability} is not between 0 and 1")
