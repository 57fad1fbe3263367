"""How many images a question takes: exact chances, held against other programs and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest, multinomial

from pytest_llmclf.analysis.comparison.baseline import LOSS, sensitivity
from pytest_llmclf.analysis.comparison.flips import SIGNIFICANCE
from pytest_llmclf.analysis.comparison.paired_comparison import Change, Comparison
from pytest_llmclf.analysis.comparison.tolerance import parse_tolerance
from pytest_llmclf.gates.evidence import proportion
from pytest_llmclf.metrics import power, significance
from pytest_llmclf.metrics.power import (
    MOST_IMAGES,
    images_for_loss,
    images_to_pass,
    least_number,
    loss_chance,
    pass_chance,
    passes_from,
)
from pytest_llmclf.metrics.significance import mcnemar_exact
from pytest_llmclf.reporting.style import Style


@settings(max_examples=60)
@given(st.integers(0, 400), st.floats(0.01, 0.99), st.sampled_from([0.05, 0.01, 0.1]))
def test_so_many_right_ones_pass_and_one_less_does_not(
    images: int, bound: float, alpha: float
) -> None:
    """As scipy's exact test has it, and as a gate judges."""
    least = passes_from(images, bound, alpha)
    if least <= images:
        assert binomtest(least, images, bound, alternative="greater").pvalue <= alpha * (1 + 1e-9)
        assert proportion(least, images).doubt_at_least(bound) <= alpha * (1 + 1e-9)
    if least:
        tail = binom.sf(least - 2, images, bound)
        assert tail > alpha * (1 - 1e-9)


@pytest.mark.parametrize(
    ("bound", "truth"),
    [(0.9, 0.93), (0.8, 0.85), (0.5, 0.9), (0.95, 1.0), (0.8, 0.82), (0.3, 0.5), (0.01, 0.2)],
)
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_the_least_number_from_which_on_every_one_is_enough(
    bound: float, truth: float, alpha: float
) -> None:
    """By scipy for every number up to three times as many."""
    found = images_to_pass(bound, truth, alpha=alpha)
    assert found is not None
    images = np.arange(1, max(3 * found, 300))
    chances = binom.sf(binom.isf(alpha, images, bound), images, truth)
    assert found == images[chances < 0.8].max() + 1
    assert pass_chance(found, bound, truth, alpha) == pytest.approx(chances[found - 1])


@pytest.mark.parametrize(
    ("bound", "truth"),
    [
        (0.99999, 1.0),
        (0.999999, 1.0),
        (0.9, 0.9001),
        (1e-5, 2e-5),
        (0.01, 0.0101),
        (0.9999, 0.99995),
    ],
)
def test_a_number_of_millions_is_found_in_few_steps(
    bound: float, truth: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is enough, and one less is not, by scipy; no number is tried one after the other."""
    steps = 0
    tail = significance.binomial_tail

    def counted(hits: float, total: float, rate: float) -> float:
        nonlocal steps
        steps += 1
        return tail(hits, total, rate)

    monkeypatch.setattr(power, "binomial_tail", counted)
    found = images_to_pass.__wrapped__(bound, truth, alpha=0.05)
    assert found is not None
    assert steps < 20_000
    images = np.arange(found - 1, found + 2000)
    below, *others = binom.sf(binom.isf(0.05, images, bound), images, truth)
    assert below < 0.8 <= min(others)


@settings(max_examples=30)
@given(st.floats(0.001, 0.999), st.floats(0.1, 1.0), st.sampled_from([0.05, 0.001]))
def test_no_number_below_is_passed_over(bound: float, share: float, alpha: float) -> None:
    """Whatever the bound: the last number that is not enough, by scipy, is the one before it."""
    assume(abs(bound - alpha) > 1e-9)  # one image right is as likely as the level: rounding decides
    truth = bound + share * (1 - bound)
    found = images_to_pass(bound, truth, alpha=alpha)
    assert found is not None
    images = np.arange(1, found + 500)
    chances = binom.sf(binom.isf(alpha, images, bound), images, truth)
    too_few = images[chances < 0.8 - 1e-9]
    assert abs(found - 1 - max(too_few, default=0)) <= (abs(chances[found - 1] - 0.8) < 1e-9)


@pytest.mark.parametrize("most", [1, 7, 64, 100])
def test_the_search_goes_up_to_its_bound_and_no_further(most: int) -> None:
    """What is found at the bound is told; beyond it nothing is looked at."""
    seen: list[int] = []

    def holds(number: int) -> bool:
        seen.append(number)
        return number >= most

    assert least_number(holds, most=most) == most
    assert least_number(lambda number: number > most, most=most) is None
    assert max(seen) == most


def test_nearly_as_many_as_are_looked_for() -> None:
    """The next power of two is beyond the bound, and the number is found all the same."""
    nearly = images_to_pass(1 - 3.2e-8, 1.0, alpha=0.05)
    assert nearly is not None
    assert nearly == pytest.approx(math.log(0.05) / -3.2e-8, abs=2)
    assert 2**26 < nearly < MOST_IMAGES
    assert images_to_pass(0.999999999, 1.0, alpha=0.05) is None


def test_the_numbers_that_people_are_told() -> None:
    """The one in the documentation, and the plain cases."""
    assert images_to_pass(0.9, 0.93, alpha=0.05) == 593
    assert images_to_pass(0.95, 1.0, alpha=0.05) == 59
    assert images_to_pass(0.9, 0.9, alpha=0.05) is None
    assert images_to_pass(0.9, 0.9 + 1e-7, alpha=0.05) is None
    assert images_for_loss(0.03, alpha=0.05) == 263
    assert images_for_loss(0, alpha=0.05) is None


@pytest.mark.parametrize(("images", "loss", "fixed"), [(60, 0.1, 0.05), (40, 0.3, 0.0)])
@pytest.mark.parametrize("tolerance", [None, 2])
def test_the_chance_of_a_loss_is_the_sum_over_all_that_may_happen(
    images: int, loss: float, fixed: float, tolerance: int | None
) -> None:
    """Of scipy's multinomial probabilities, one for each number broken and fixed."""
    total = 0.0
    shares = [loss + fixed, fixed, 1 - loss - 2 * fixed]
    for better in range(images + 1):
        for worse in range(images + 1 - better):
            beyond = tolerance is not None and worse - better > tolerance
            if worse > better and (beyond or mcnemar_exact(worse, better) < SIGNIFICANCE):
                total += multinomial.pmf([worse, better, images - worse - better], images, shares)
    found = loss_chance(images, loss, fixed=fixed, alpha=SIGNIFICANCE, tolerance=tolerance)
    assert found == pytest.approx(total, abs=1e-10)


@pytest.mark.parametrize(("loss", "fixed"), [(0.05, 0.0), (0.05, 0.02), (0.1, 0.1)])
def test_every_larger_number_sees_the_loss_as_well(loss: float, fixed: float) -> None:
    """The number that is told is the least of those."""
    found = images_for_loss(loss, fixed=fixed, alpha=SIGNIFICANCE)
    assert found is not None
    seen = [
        loss_chance(images, loss, fixed=fixed, alpha=SIGNIFICANCE)
        for images in range(found - 20, found + 40)
    ]
    assert [chance >= 0.8 for chance in seen] == [False] * 20 + [True] * 40


def test_no_loss_is_seen_as_seldom_as_the_test_promises() -> None:
    """Without a loss it fails in at most half of 5%."""
    assert 0 < loss_chance(500, 0.0, fixed=0.05, alpha=SIGNIFICANCE) <= SIGNIFICANCE / 2
    assert loss_chance(500, 0.0, fixed=0.0, alpha=SIGNIFICANCE) == 0
    with pytest.raises(ValueError, match="no share of all images"):
        loss_chance(10, 0.5, fixed=0.3, alpha=SIGNIFICANCE)


def compared(images: int, broken: int, fixed: int, right: int) -> Comparison:
    """So many images, of which these flipped and as many were right both times."""
    kinds = ["broken"] * broken + ["fixed"] * fixed
    return Comparison(
        cases=tuple(map(str, range(images))),
        correct=right,
        changes=tuple(
            Change(case=str(n), kind=kind, expected="cat", was="", now="")  # type: ignore[arg-type]
            for n, kind in enumerate(kinds)
        ),
    )


def test_a_pass_says_what_it_could_have_seen() -> None:
    """The number is exactly where it would fail, and the chance is never rounded up."""
    found = compared(348, 0, 0, 283)
    assert sensitivity(found) == [
        "6 broken and none fixed would fail it",
        "a true loss of 3 points would fail 95% of runs",
    ]
    assert compared(348, 6, 0, 270).loss_shown
    assert not compared(348, 5, 0, 270).loss_shown
    exact = loss_chance(348, LOSS, alpha=SIGNIFICANCE)
    assert math.floor(100 * exact) == 95
    some = compared(348, 2, 4, 277)
    assert sensitivity(some)[0] == "13 broken and 4 fixed would fail it"
    assert compared(348, 13, 4, 260).loss_shown
    assert not compared(348, 12, 4, 260).loss_shown
    assert sensitivity(some, parse_tolerance("1%"))[0] == "8 broken and 4 fixed would fail it"
    assert sensitivity(compared(5, 0, 0, 4)) == [
        "with none fixed a loss cannot fail: it takes 6 broken, and 4 were right"
    ]
    for images in range(10, 600, 23):
        mostly_missed = loss_chance(images, LOSS, alpha=SIGNIFICANCE) < 0.5
        said = sensitivity(compared(images, 0, 0, images))[-1]
        assert (
            said.endswith(": so few images mostly miss it, see `llmclf plan baseline`")
            is mostly_missed
        )
        for columns in range(40, 100, 7):
            broken_up = list(Style(width=columns).wrapped(said))
            assert any("`llmclf plan baseline`" in line for line in broken_up) is mostly_missed


def test_what_cannot_be_said_of_a_comparison_is_not() -> None:
    """Refused, empty, or stopped early: its test is another one."""
    for other in (
        Comparison(cases=(), correct=0, changes=()),
        Comparison(cases=("a",), correct=1, changes=(), refused="other labels"),
        Comparison(cases=("a",), correct=1, changes=(), not_asked=("b",)),
    ):
        assert sensitivity(other) == []


def test_half_of_all_images_may_flip() -> None:
    """Then no loss is left to be looked for, and only the count is told."""
    (said,) = sensitivity(compared(20, 10, 10, 0))
    assert said == "with 10 fixed a loss cannot fail: it takes 23 broken, and 10 were right"
    assert len(sensitivity(compared(200, 0, 99, 99))) == 1
