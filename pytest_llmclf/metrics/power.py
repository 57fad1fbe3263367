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
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.significance import binomial_tail

if TYPE_CHECKING:
    from collections.abc import Callable

CHANCE: Final = 0.8
"""How likely a number of images shall answer the question, unless told otherwise: the usual power
(Cohen, Statistical Power Analysis for the Behavioral Sciences, 2nd ed. 1988, section 2.4)."""
MOST_IMAGES: Final = 10**8
"""More are not looked for."""

_HALVINGS: Final = 60
_REACH: Final = 9
"""Standard deviations outside of which a binomial probability is taken for nothing."""


# A sum over numbers of flips asks for the same ones again and again.
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

    return _from_there_on(
        least_number(always_enough), lambda n: pass_chance(n, bound, truth, alpha) >= chance
    )


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
    reach = _REACH * math.sqrt(images * flipping * (1 - flipping)) + 1
    middle = images * flipping
    low, high = max(0, int(middle - reach)), min(images, math.ceil(middle + reach))
    tails = [binomial_tail(flips, images, flipping) for flips in range(low, high + 2)]
    total = []
    for flips, (more, beyond) in enumerate(pairwise(tails), low):
        least = passes_from(flips, 0.5, alpha / 2)
        if tolerance is not None:
            least = min(least, (flips + tolerance) // 2 + 1)
        total.append((more - beyond) * binomial_tail(least, flips, (loss + fixed) / flipping))
    return min(1.0, math.fsum(total))


def images_for_loss(
    loss: float, *, fixed: float = 0.0, alpha: float, chance: float = CHANCE
) -> int | None:
    """The least number of images on which a loss is seen with this chance; see `loss_chance`."""
    if loss <= 0:
        return None

    def enough(images: int) -> bool:
        return loss_chance(images, loss, fixed=fixed, alpha=alpha) >= chance

    return _from_there_on(least_number(enough), enough)


def least_number(holds: Callable[[int], bool], *, few: int = 0, enough: int = 1) -> int | None:
    """The least number for which something holds that holds from some number on.

    Args:
        holds: Whether it holds for a number.
        few: A number for which it does not, or the least that there may be.
        enough: Where to begin; doubled until it holds.

    Returns:
        ``None`` where it does not hold for any number up to `MOST_IMAGES`.
    """
    while not holds(enough):
        few, enough = enough, 2 * enough
        if enough > MOST_IMAGES:
            return None
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if holds(middle) else (middle, enough)
    return enough


def _from_there_on(enough: int | None, holds: Callable[[int], bool]) -> int | None:
    """The least number from which on it holds, down from one that certainly is enough."""
    while enough is not None and enough > 1 and holds(enough - 1):
        enough -= 1
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
