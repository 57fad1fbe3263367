"""How many images would settle an open threshold, if the true value is what was measured."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import TYPE_CHECKING

from pytest_llmclf.metrics.power import CHANCE, MOST_IMAGES, images_to_pass

if TYPE_CHECKING:
    from pytest_llmclf.gates.bounds import Evidence


def images_to_decide(
    evidence: Evidence, bound: float, alpha_low: float, alpha_high: float
) -> int | None:
    """How many images in all decide on which side of `bound` the value is, in 80% of cases.

    Exact where right images all weigh the same and wrong ones, too: those are independent trials.
    Else the end of the interval is taken to lie as far from the value as it does for so many images
    with the measured shares, and the value itself to vary as the same distribution says. Measured
    on averages, such a number decides in 80% to 87% of cases, not exactly in 80%
    (``benchmarks/gate_errors.py --only power``).

    Args:
        evidence: What the images so far say.
        bound: What the value is compared with.
        alpha_low: How often "at least" may be claimed wrongly.
        alpha_high: How often "at most" may be.

    Returns:
        ``None`` where no number would: the value is the bound, or nothing is known.
    """
    value = evidence.estimate
    if value is None or value == bound:
        return None
    trial = _as_trial(evidence, bound)
    if trial is not None:
        rate, compared = trial
        if value > bound:
            return images_to_pass(compared, rate, alpha=alpha_low)
        return images_to_pass(1 - compared, 1 - rate, alpha=alpha_high)

    def enough(images: int) -> bool:
        found = evidence.scaled(images / evidence.images)
        if value > bound:
            return found.low(alpha_low) + found.low(1 - CHANCE) - value >= bound
        return found.high(alpha_high) + found.high(1 - CHANCE) - value <= bound

    few, most = 0, max(1, math.ceil(evidence.images))
    while not enough(most):
        few, most = most, 2 * most
        if most > MOST_IMAGES:
            return None
    while most - few > 1:
        middle = (few + most) // 2
        few, most = (few, middle) if enough(middle) else (middle, most)
    return most


def accepted(images: int, coverage: float | None) -> int:
    """How many of so many answers a coverage accepts at least; all without one."""
    return images if coverage is None else math.ceil(Fraction(str(coverage)) * images)


def images_for(count: int, coverage: float | None) -> int:
    """The least number of images of which a coverage accepts so many answers."""
    return count if coverage is None else math.floor((count - 1) / Fraction(str(coverage))) + 1


def _as_trial(evidence: Evidence, bound: float) -> tuple[float, float] | None:
    """Share of right images, and the share at which the value is the bound; `None` if unequal."""
    # Images of a cluster are no trials by themselves.
    if evidence.members is not None:
        return None
    unequal = len(evidence.right) > 1 or len(evidence.wrong) > 1 or bool(evidence.mixed)
    if unequal or evidence.unknown or evidence.lean:
        return None
    right_weight, right = evidence.right[0] if evidence.right else (evidence.unseen_right, 0.0)
    wrong_weight, wrong = evidence.wrong[0] if evidence.wrong else (evidence.unseen_wrong, 0.0)
    compared = bound * wrong_weight / (bound * wrong_weight + (1 - bound) * right_weight)
    return right / (right + wrong), compared
