"""Betting against a claim: fair by counting all orders, and right about what is certain."""

from __future__ import annotations

import math
from itertools import combinations, permutations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from pytest_llmclf.gates.sequential.martingale import BETS, CountMartingale, against

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_llmclf.gates.sequential.martingale import Martingale


IMAGES = 9
WEIGHTS = (1, 1, 2, 2, 2, 5)


def money(start: Martingale, answers: Sequence[tuple[int, bool]]) -> Iterator[float]:
    """What there is after each answer."""
    now = start
    for weight, hit in answers:
        now = now.after(weight, hit=hit)
        yield math.exp(now.log)


def orders_of(right: int) -> list[list[tuple[int, bool]]]:
    """All orders of images of which so many are right."""
    places = combinations(range(IMAGES), right)
    return [[(1, place in hits) for place in range(IMAGES)] for hits in map(set, places)]


def weighted_claims() -> Iterator[tuple[int, list[tuple[tuple[int, bool], ...]]]]:
    """Weights of which some are right: what those weigh, and all orders."""
    for pattern in ((0,), (5,), (0, 2), (1, 4, 5), (2, 3, 4, 5)):
        images = [(weight, place in pattern) for place, weight in enumerate(WEIGHTS)]
        yield sum(weight for weight, hit in images if hit), list(permutations(images))


def fair(start: Martingale, orders: Iterable[Sequence[tuple[int, bool]]], *, exact: bool) -> None:
    """On average nobody gains; if the claim just holds, the first bet loses nothing either."""
    after = list(zip(*(money(start, order) for order in orders), strict=True))
    means = [math.fsum(column) / len(column) for column in after]
    assert max(means) <= 1 + 1e-9
    if exact:
        assert means[0] == pytest.approx(1)
    for alpha in (0.5, 0.2, 0.05):
        # Ville's inequality: however often one looks.
        ever = sum(max(column) >= 1 / alpha for column in zip(*after, strict=True))
        assert ever <= alpha * len(after[0])


@pytest.mark.parametrize("most", range(IMAGES))
def test_bets_on_counts_are_fair(most: int) -> None:
    """Over all orders of any images of which the claim is true, nobody gains."""
    for right in range(most + 1):
        fair(against(most, (1,) * IMAGES), orders_of(right), exact=0 < right == most)


def test_bets_on_weights_are_fair() -> None:
    """The same for images of unequal weight, for claims that just hold and that hold easily."""
    for right, orders in weighted_claims():
        for most in (right, right + 3):
            if most < sum(WEIGHTS):
                fair(against(most, WEIGHTS), orders, exact=most == right)


def test_misses_are_bet_on_as_hits_are() -> None:
    """A claim "at least" is a claim "at most" about those that do not count."""
    for right, orders in weighted_claims():
        turned = [[(weight, not hit) for weight, hit in order] for order in orders]
        fair(against(sum(WEIGHTS) - right, WEIGHTS), turned, exact=right > 0)


def test_money_on_counts_is_a_likelihood_ratio() -> None:
    """It is the mean ratio of hypergeometric probabilities, as scipy computes them."""
    images, most = 500, 374
    parts = sum(part for _, part in BETS)
    for asked, hits in ((1, 1), (10, 9), (60, 55), (300, 240), (400, 374)):
        claimed = hypergeom.pmf(hits, images, most, asked)
        ratio = sum(
            part * hypergeom.pmf(hits, images, most + round(bold * (images - most)), asked)
            for bold, part in BETS
        ) / (parts * claimed)
        start = against(most, (1,) * images)
        assert isinstance(start, CountMartingale)
        now = CountMartingale(images=images, most=most, bets=start.bets, asked=asked, hits=hits)
        assert math.exp(now.log) == pytest.approx(ratio)


def test_more_hits_are_more_evidence() -> None:
    """Of two runs that are equally long the one with more hits says more against "at most"."""
    start = against(30, (1,) * 40)
    assert isinstance(start, CountMartingale)
    for asked in range(1, 41):
        logs = [
            CountMartingale(images=40, most=30, bets=start.bets, asked=asked, hits=hits).log
            for hits in range(asked + 1)
        ]
        assert logs == sorted(logs)


@given(
    st.lists(st.tuples(st.sampled_from((1, 2, 7, 10**40)), st.booleans()), min_size=1, max_size=12),
    st.floats(0, 1),
)
def test_certainty_and_nothing_odd(answers: list[tuple[int, bool]], share: float) -> None:
    """A claim that is refuted for certain has no doubt left, and money is never undefined."""
    weights = tuple(weight for weight, _ in answers)
    most = int(share * sum(weights))
    now, gained = against(most, weights), 0
    for weight, hit in answers:
        now, gained = now.after(weight, hit=hit), gained + weight * hit
        assert not math.isnan(now.log)
        assert (now.log == math.inf) == (gained > most)


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 2, 3)])
def test_claims_that_need_no_answer(weights: tuple[int, ...]) -> None:
    """That less than nothing is right is false at once; that at most all is, never."""
    assert against(-1, weights).log == math.inf
    now = against(sum(weights), weights)
    for weight in weights:
        now = now.after(weight, hit=True)
        assert now.log == pytest.approx(0, abs=1e-12)
