"""One-sided bounds for weighted shares, against exact ones and against drawing at random."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from pytest_llmclf.gates.bounds import Evidence, more_images
from pytest_llmclf.gates.evidence import proportion
from pytest_llmclf.metrics.intervals import exact_high, exact_low

weights = st.sampled_from([0.01, 0.02, 0.5, 1.0, 3.0])
groups = st.dictionaries(weights, st.integers(1, 40), max_size=4).map(
    lambda counts: tuple(sorted((weight, float(count)) for weight, count in counts.items()))
)


@pytest.mark.parametrize("total", [1, 2, 7, 50, 3000])
@pytest.mark.parametrize("alpha", [0.05, 0.01, 0.05 / 100])
def test_equal_weights_are_clopper_and_pearson(total: int, alpha: float) -> None:
    """Both ends and both p-values are those of the exact binomial test."""
    for hits in sorted({0, 1, total // 3, total - 1, total}):
        found = proportion(hits, total)
        assert found.low(alpha) == pytest.approx(exact_low(hits, total, alpha=alpha), abs=1e-9)
        assert found.high(alpha) == pytest.approx(exact_high(hits, total, alpha=alpha), abs=1e-9)
        for bound in (0.2, 0.82):
            at_least = scipy_stats.binom.sf(hits - 1, total, bound)
            at_most = scipy_stats.binom.cdf(hits, total, bound)
            assert found.doubt_at_least(bound) == pytest.approx(at_least, abs=1e-9)
            assert found.doubt_at_most(bound) == pytest.approx(at_most, abs=1e-9)


def test_unequal_weights_are_what_drawing_at_random_gives() -> None:
    """A million draws of the bootstrap with its worst case give the same tail."""
    chance = np.random.default_rng(20)
    found = Evidence(
        right=((0.1, 3.0), (0.2, 5.0), (1.0, 2.0)),
        wrong=((0.15, 2.0), (0.5, 1.0)),
        unseen_right=1.0,
        unseen_wrong=0.7,
    )

    def drawn(parts: tuple[tuple[float, float], ...]) -> np.ndarray:
        total = np.zeros(1_000_000)
        for weight, count in parts:
            total += weight * chance.gamma(count, size=total.size)
        return total

    right, wrong = drawn(found.right), drawn((*found.wrong, (0.7, 1.0)))
    shares = right / (right + wrong)
    for bound in (0.2, 0.45, 0.7, 0.9):
        assert found.doubt_at_least(bound) == pytest.approx((shares < bound).mean(), abs=2e-3)
    right, wrong = drawn((*found.right, (1.0, 1.0))), drawn(found.wrong)
    shares = right / (right + wrong)
    for bound in (0.5, 0.8, 0.95):
        assert found.doubt_at_most(bound) == pytest.approx((shares > bound).mean(), abs=2e-3)


def test_weights_that_differ_by_nothing_give_the_beta_distribution() -> None:
    """The general way and the closed form agree where both apply."""
    general = Evidence(right=((1.0, 20.0), (1 + 1e-12, 21.0)), wrong=((1.0, 9.0),))
    for bound in (0.5, 0.7, 0.8, 0.9, 0.99):
        exact = proportion(41, 50)
        assert general.doubt_at_least(bound) == pytest.approx(exact.doubt_at_least(bound), abs=1e-9)
        assert general.doubt_at_most(bound) == pytest.approx(exact.doubt_at_most(bound), abs=1e-9)


@pytest.mark.parametrize("images", [1, 100, 10_000, 10**6])
@pytest.mark.parametrize("bound", [0.01, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_one_image_may_weigh_as_much_as_a_million(images: int, bound: float) -> None:
    """A class of one image beside a large one, all right: the chance has a closed form."""
    found = Evidence(right=((0.5 / images, images), (0.5, 1)), wrong=(), unseen_wrong=0.5)
    odds = (1 - bound) / bound
    exact = math.exp(-images * math.log1p(odds / images)) / (1 + odds)
    assert found.doubt_at_least(bound) == pytest.approx(exact, rel=1e-6)


@given(groups, groups, st.sampled_from([0.3, 0.05, 0.001]))
def test_the_estimate_lies_between_the_ends_and_the_ends_have_their_doubt(
    right: tuple[tuple[float, float], ...], wrong: tuple[tuple[float, float], ...], alpha: float
) -> None:
    """At the lower end the doubt of "at least" is alpha, and above it more; mirrored likewise."""
    found = Evidence(right=right, wrong=wrong, unseen_right=3.0, unseen_wrong=3.0)
    low, high = found.low(alpha), found.high(alpha)
    if found.estimate is None:
        assert (low, high) == (0, 1)
        return
    assert 0 <= low <= found.estimate <= high <= 1
    if right:
        assert found.doubt_at_least(low) == pytest.approx(alpha, rel=1e-4)
        assert found.doubt_at_least(min(1, low + 0.01)) > alpha
    if wrong:
        assert found.doubt_at_most(high) == pytest.approx(alpha, rel=1e-4)
    mirrored = Evidence(right=wrong, wrong=right, unseen_right=3.0, unseen_wrong=3.0)
    assert mirrored.high(alpha) == pytest.approx(1 - low, abs=1e-12)


def test_all_right_is_never_certain() -> None:
    """Ten of ten, in equal or unequal parts, leave room for what nobody saw."""
    equal = proportion(10, 10)
    unequal = Evidence(right=((0.05, 4.0), (0.2, 4.0)), wrong=(), unseen_wrong=0.2)
    assert equal.low(0.05) == pytest.approx(0.05 ** (1 / 10))
    assert 0.3 < unequal.low(0.05) < equal.low(0.05)
    assert equal.high(0.05) == unequal.high(0.05) == 1


def test_what_nobody_can_know_counts_against_every_claim() -> None:
    """Classes that nothing was measured of are 0 on the lower side and 1 on the upper."""
    found = Evidence(right=((1.0, 30.0),), wrong=((1.0, 10.0),), unknown=0.5)
    half = Evidence(right=((1.0, 30.0),), wrong=((1.0, 10.0),))
    assert found.estimate == 0.375
    assert found.low(0.05) == pytest.approx(half.low(0.05) / 2)
    assert found.high(0.05) == pytest.approx(0.5 + half.high(0.05) / 2)
    assert found.doubt_at_most(0.5) == 1


def test_a_lean_is_allowed_for_and_never_in_favour() -> None:
    """A flattered share lowers the lower end, a depressed one raises the upper; no more."""
    plain = proportion(30, 40)
    for lean in (0.02, -0.02):
        found = Evidence(right=plain.right, wrong=plain.wrong, lean=lean)
        assert found.low(0.05) == pytest.approx(plain.low(0.05) - max(0, lean))
        assert found.high(0.05) == pytest.approx(plain.high(0.05) - min(0, lean))
        assert found.doubt_at_least(found.low(0.05)) == pytest.approx(0.05)
        assert found.doubt_at_most(found.high(0.05)) == pytest.approx(0.05)


def test_so_many_more_images_decide_and_one_less_does_not() -> None:
    """59 right ones show 0.95; 9 more than 50."""
    assert more_images(proportion(50, 50), 0.95, 0.05, 0.05) == 9
    assert more_images(proportion(0, 50), 0.05, 0.05, 0.05) == 9
    assert more_images(proportion(59, 59), 0.95, 0.05, 0.05) == 0
    for hits, bound in itertools.product((20, 41, 49), (0.6, 0.8, 0.99)):
        found = proportion(hits, 50)
        more = more_images(found, bound, 0.05, 0.01)
        assert more is not None
        enough = found.scaled((50 + more) / 50)
        decided = [enough.low(0.05) >= bound, enough.high(0.01) <= bound]
        assert decided == [hits / 50 > bound, hits / 50 < bound]
        if more:
            fewer = found.scaled((49 + more) / 50)
            assert fewer.low(0.05) < bound < fewer.high(0.01)


def test_sometimes_no_number_of_images_decides() -> None:
    """The rate is the bound; the bound is 1; nothing is known."""
    assert more_images(proportion(40, 50), 0.8, 0.05, 0.05) is None
    assert more_images(proportion(50, 50), 1.0, 0.05, 0.05) is None
    assert more_images(proportion(0, 0), 0.5, 0.05, 0.05) is None


def test_a_thousand_times_the_images_scale_the_doubt() -> None:
    """The ends close in on the estimate like one over the root of the images."""
    few = Evidence(right=((1.0, 30.0), (2.0, 10.0)), wrong=((1.0, 10.0), (2.0, 5.0)))
    many = few.scaled(10_000)
    assert few.estimate == pytest.approx(many.estimate)
    spread = (few.high(0.05) - few.low(0.05)) / (many.high(0.05) - many.low(0.05))
    assert spread == pytest.approx(math.sqrt(10_000), rel=0.1)
