"""Evidence that more images are right than some number, from asking them in random order.

The images are a known set, asked in a uniformly random order without replacement. Someone bets
against the claim "at most so many of them are right", starting with 1 and staking part of what
there is on each next answer, at odds that are fair if the claim just holds. If the claim is true
the money is a nonnegative supermartingale: however it is bet and whenever one stops, it ever
reaches ``1 / alpha`` with a probability of at most `alpha` (Ville 1939). So reaching it is
evidence, and looking after every answer costs nothing (Waudby-Smith and Ramdas, "Confidence
sequences for sampling without replacement", NeurIPS 2020, and "Estimating means of bounded random
variables by betting", JRSS-B 86, 2024, section 5).

What is the best bet depends on how many are right in truth, which nobody knows. So the money is
divided among `BETS`, some for truths just above the claim and some for truths far above it; the
sum of supermartingales is one. Divided as here it needs hardly more images than a bet that knows
the truth (`benchmarks/early_stopping.py`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, Protocol

BETS: Final = ((0.05, 1), (0.1, 1), (0.2, 2), (0.4, 2), (0.6, 2), (0.8, 2), (1.0, 1))
"""How bold a bet is, and its part of the money, in elevenths.

Boldness runs from the claim (0) to "all are right" (1), on the scale of the number of right images;
it is also the share of the money of that bet that is at stake.
"""
_PARTS: Final = sum(part for _, part in BETS)


class Martingale(Protocol):
    """What the answers so far say against a claim; each answer makes a new one."""

    def after(self, weight: int, *, hit: bool) -> Martingale:
        """With the next image's answer: its weight, and whether it is right."""

    @property
    def log(self) -> float:
        """Natural logarithm of the money: infinite where the claim is certainly false."""


def against(most: int, weights: tuple[int, ...]) -> Martingale:
    """No answer yet, and the claim that right images weigh at most `most` together.

    Args:
        most: The claim; negative ones are false, those above the sum of weights are true.
        weights: Of all images, in any order; all positive.
    """
    if all(weight == 1 for weight in weights):
        return _of_count(most, len(weights))
    return WeightMartingale(
        most=most,
        total=sum(weights),
        left=len(weights),
        heaviest=max(weights) * len(weights) / sum(weights),
        images=len(weights),
        logs=tuple(math.log(part / _PARTS) for _, part in BETS),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CountMartingale:
    """Evidence against "at most `most` of `images` images are right".

    Each bet is a likelihood ratio of drawing without replacement: how likely these answers are if
    exactly so many are right, over how likely if `most` are (both hypergeometric). It depends only
    on how many are right so far, not on which; the NeurIPS paper calls the same idea the
    prior-posterior ratio. As every bet is on more right ones than claimed, it gains by hits and
    loses by misses, so that it is worth even less if fewer than `most` are right.

    Attributes:
        images: How many there are.
        most: The claim.
        bets: Number of right images that a bet is on, with the logarithm of its money.
        asked: How many have an answer.
        hits: How many of those are right.
    """

    images: int
    most: int
    bets: tuple[tuple[int, float], ...]
    asked: int = 0
    hits: int = 0

    def after(self, weight: int, *, hit: bool) -> CountMartingale:
        """With one more answer; `weight` is 1."""
        return CountMartingale(
            images=self.images,
            most=self.most,
            bets=self.bets,
            asked=self.asked + weight,
            hits=self.hits + hit,
        )

    @property
    def log(self) -> float:
        """Natural logarithm of the money."""
        if self.hits > self.most:
            return math.inf
        left, hits = self.images - self.asked, self.hits
        if self.most - hits >= left:
            # The claim holds whatever comes: all bets are lost, or there was nothing to bet on.
            return 0.0 if self.most >= self.images else -math.inf
        claimed = _log_orders(self.most - hits, left)
        return log_sum(
            [
                money + claimed - _log_orders(right - hits, left)
                for right, money in self.bets
                if right - hits <= left
            ]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightMartingale:
    """Evidence against "right images weigh at most `most` together", for unequal weights.

    One answer multiplies a bet's money by ``1 + stake (z - fair)``: `z` is what the image brings,
    `fair` what it brings on average if the claim just holds, and the stake is the boldness times
    the largest one that cannot lose more than everything. An image brings its weight if it is
    right; from that, half the claimed share of its weight is taken away, right or not. The sum of
    that is known beforehand, so it costs nothing, and it takes out much of the chance of which
    weights come first. Weights are scaled to an average of 1.

    Attributes:
        images: How many there are.
        most: The claim, in units of weight.
        total: Weight of all images, in units.
        heaviest: The largest weight, scaled.
        left: Images without an answer.
        logs: Logarithm of each bet's money.
        gained: Weight of the right ones, in units.
        brought: Sum of `z`, scaled.
    """

    images: int
    most: int
    total: int
    heaviest: float
    left: int
    logs: tuple[float, ...]
    gained: int = 0
    brought: float = 0.0

    def after(self, weight: int, *, hit: bool) -> WeightMartingale:
        """With one more answer."""
        taken = self.most / self.total / 2
        fair = (self.images * taken - self.brought) / self.left
        most_lost = fair + taken * self.heaviest
        brought = weight * self.images / self.total * (hit - taken)
        logs = self.logs
        # Without anything to lose there is nothing to win: the claim is as good as false or true.
        if 0 <= self.most < self.total and most_lost > 0:
            logs = tuple(
                log + _log_or_lost(1 + boldness * (brought - fair) / most_lost)
                for log, (boldness, _) in zip(self.logs, BETS, strict=True)
            )
        return WeightMartingale(
            images=self.images,
            most=self.most,
            total=self.total,
            heaviest=self.heaviest,
            left=self.left - 1,
            logs=logs,
            gained=self.gained + weight * hit,
            brought=self.brought + brought,
        )

    @property
    def log(self) -> float:
        """Natural logarithm of the money."""
        return math.inf if self.gained > self.most else log_sum(self.logs)


def _of_count(most: int, images: int) -> CountMartingale:
    above = images - most
    bets = []
    if 0 <= most < images:
        claimed = _log_orders(most, images)
        for boldness, part in BETS:
            right = most + max(1, round(boldness * above))
            # Both likelihoods are of one order of answers: 1 over how many orders there are.
            bets.append((right, math.log(part / _PARTS) + _log_orders(right, images) - claimed))
    return CountMartingale(images=images, most=most, bets=tuple(bets))


def _log_orders(right: int, images: int) -> float:
    """Logarithm of ``right! (images - right)!``: of 1 over the binomial coefficient, but a term."""
    return math.lgamma(right + 1) + math.lgamma(images - right + 1)


def _log_or_lost(factor: float) -> float:
    return math.log(factor) if factor > 0 else -math.inf


def log_sum(logs: list[float] | tuple[float, ...]) -> float:
    """Logarithm of the sum of what these are logarithms of."""
    top = max(logs, default=-math.inf)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(log - top) for log in logs))
