"""How many images a question takes, and how likely so many images answer it.

A gate with confidence passes from some number of right images on, and a comparison with committed
predictions fails from some number of broken ones on. How often that number is reached, if the truth
is known, is a sum of binomial probabilities: everything here is exact for images that are drawn
independently, and none of it is simulated.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.significance import binomial_tail, binomial_tails

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

CHANCE: Final = 0.8
"""How likely a number of images shall answer the question, unless told otherwise: the usual power
(Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. 1988, section 2.4)."""
MOST_IMAGES: Final = 10**8
"""More are not looked for."""
MOST_COMPARED: Final = 10**6
"""More are not looked for where predictions are compared: the sum grows with their root."""

_HALF: Final = 0.5
_HALVINGS: Final = 60
_REACH: Final = 9
"""Standard deviations outside of which a binomial probability is taken for nothing."""


@lru_cache(maxsize=65536)
def passes_from(images: int, bound: float, alpha: float) -> int:
    """The least number of right images that shows a rate of `bound`; ``images + 1`` if none does.

    So many or more come with a probability of at most `alpha` if the rate is `bound`, which is when
    the lower end of Clopper and Pearson's interval reaches it.

    Args:
        images: How many there are.
        bound: The rate to be shown, from 0 to 1.
        alpha: How often that may be claimed wrongly.
    """
    return bisect_left(
        range(images + 1), x=True, key=lambda hits: binomial_tail(hits, images, bound) <= alpha
    )


def pass_chance(images: int, bound: float, truth: float, alpha: float) -> float:
    """How likely so many images show a rate of `bound` if the true one is `truth`, from 0 to 1."""
    return binomial_tail(passes_from(images, bound, alpha), images, truth)


@lru_cache(maxsize=1024)  # classes of one size have few rates between them
def images_to_pass(
    bound: float, truth: float, *, alpha: float, chance: float = CHANCE
) -> int | None:
    """The least number of images that, like every larger one, shows `bound` with this chance.

    A larger number may show it less often than a smaller one, since the number of right images
    that it takes jumps; hence "like every larger one".

    Args:
        bound: The rate to be shown, from 0 to 1.
        truth: The true rate.
        alpha: How often the claim may be wrong where the rate is `bound`.
        chance: How likely it shall be shown.

    Returns:
        ``None`` where no number of images is enough, or more than `MOST_IMAGES`.
    """
    if truth <= bound:
        return None

    def always_enough(images: int) -> bool:
        # Between the least number of right images and one above the real number that takes its
        # place there is at most one: what holds for the latter holds however it is rounded.
        least = _real_least(images, bound, alpha) + 1
        return least <= images and binomial_tail(least, images, truth) >= chance

    # It may hold long after the least number that is looked for.
    enough = least_number(always_enough, most=10 * MOST_IMAGES)

    def holds(images: int) -> bool:
        return pass_chance(images, bound, truth, alpha) >= chance

    # From one image more to the next the wrong ones that are allowed, or the right ones that it
    # takes, stay the same: the chance only falls as long as the former do, and only rises as long
    # as the latter do. The ends of such stretches are looked at, and not every number in them.
    while enough is not None and enough > 1 and holds(enough - 1):
        right = passes_from(enough - 1, bound, alpha)
        wrong = enough - 1 - right
        if bound >= _HALF:
            enough = bisect_left(
                range(enough), x=True, key=lambda n: binomial_tail(n - wrong, n, bound) <= alpha
            )
        else:
            begins = bisect_left(
                range(enough), x=True, key=lambda n: binomial_tail(right - 1, n, bound) > alpha
            )
            enough = bisect_left(range(enough), x=True, lo=begins, key=holds)
    return None if enough is None or enough > MOST_IMAGES else enough


def loss_chance(
    images: int,
    loss: float,
    *,
    fixed: float = 0.0,
    alpha: float,
    tolerance: int | None = None,
) -> float:
    """How likely a comparison with committed predictions fails if the model got worse.

    Every image is broken with the probability ``loss + fixed`` and fixed with the probability
    `fixed`. The number of both together is binomial, and of these the broken are: the sum runs over
    the former (Connett, Smith and McHugh, Statistics in Medicine 6, 1987, 725-730, for the test
    that is given it).

    Args:
        images: How many are compared.
        loss: True loss of accuracy, from 0 to 1.
        fixed: Share of the images that are right only now, from 0 to 1.
        alpha: Two-sided level of McNemar's exact test.
        tolerance: Largest net loss that passes, in images.

    Raises:
        ValueError: The shares are no shares, or more than all images would flip.
    """
    flipping = loss + 2 * fixed
    if min(loss, fixed) < 0 or flipping > 1:
        raise ValueError(f"a loss of {loss} with {fixed} fixed is no share of all images")
    if flipping == 0:
        return 0.0
    import numpy as np

    reach = _REACH * math.sqrt(images * flipping * (1 - flipping)) + 1
    middle = images * flipping
    low, high = max(0, int(middle - reach)), min(images, math.ceil(middle + reach))
    flips = np.arange(low, high + 1)
    reached = binomial_tails(np.arange(low, high + 2), images, flipping)
    least = _flips_to_fail(flips, alpha / 2)
    if tolerance is not None:
        least = np.minimum(least, (flips + tolerance) // 2 + 1)
    seen = (reached[:-1] - reached[1:]) * binomial_tails(least, flips, (loss + fixed) / flipping)
    return min(1.0, math.fsum(seen))


def _flips_to_fail(flips: np.ndarray, alpha: float) -> np.ndarray:
    """`passes_from` a half, for many numbers of flips: from about there on, step by step."""
    import numpy as np
    from scipy.special import ndtri

    least: np.ndarray = (
        np.ceil(flips / 2 - ndtri(alpha) * np.sqrt(flips) / 2).clip(0, flips + 1).astype(int)
    )
    while (one_less := (least > 0) & (binomial_tails(least - 1, flips, 0.5) <= alpha)).any():
        least -= one_less
    while (one_more := binomial_tails(least, flips, 0.5) > alpha).any():
        least += one_more
    return least


def images_for_loss(
    loss: float, *, fixed: float = 0.0, alpha: float, chance: float = CHANCE
) -> int | None:
    """The least number of images on which a loss is seen with this chance; see `loss_chance`."""
    if loss <= 0:
        return None

    def enough(images: int) -> bool:
        return loss_chance(images, loss, fixed=fixed, alpha=alpha) >= chance

    least = least_number(enough, most=MOST_COMPARED)
    while least is not None and least > 1 and enough(least - 1):
        least -= 1
    return least


def least_number(
    holds: Callable[[int], bool], *, few: int = 0, enough: int = 1, most: int = MOST_IMAGES
) -> int | None:
    """The least number for which something holds that holds from some number on.

    Args:
        holds: Whether it holds for a number.
        few: A number for which it does not, or the least that there may be.
        enough: Where to begin; doubled until it holds.
        most: No larger number is looked at.

    Returns:
        ``None`` where it does not hold for any number up to `most`.
    """
    while not holds(enough):
        if enough >= most:
            return None
        few, enough = enough, min(2 * enough, most)
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if holds(middle) else (middle, enough)
    return enough


def _real_least(images: int, bound: float, alpha: float) -> float:
    """`passes_from` as a real number, just not rounded up."""
    low, high = 0.0, images + 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if binomial_tail(middle, images, bound) <= alpha:
            high = middle
        else:
            low = middle
    return high
