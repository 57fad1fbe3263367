"""The number that an undecided verdict names decides it in about 80% of cases."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from pytest_llmclf.gates.bounds import Evidence, images_to_decide, more_images
from pytest_llmclf.gates.evidence import evidence_of, proportion
from pytest_llmclf.gates.expression import parse
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.metrics.calibration.coverage import accepted_of, answers_for
from tests.unit.test_evidence import counted


@pytest.mark.parametrize(("hits", "total", "bound"), [(41, 50, 0.8), (283, 348, 0.8), (9, 50, 0.2)])
def test_a_proportion_is_decided_in_80_of_100_draws(hits: int, total: int, bound: float) -> None:
    """By scipy's binomial, on whichever side of the bound; fewer decide less often."""
    found = images_to_decide(proportion(hits, total), bound, 0.05, 0.05)
    assert found is not None
    rate = hits / total
    if rate > bound:
        chances = [binom.sf(binom.isf(0.05, n, bound), n, rate) for n in (found - 1, found)]
    else:
        chances = [binom.sf(binom.isf(0.05, n, 1 - bound), n, 1 - rate) for n in (found - 1, found)]
    assert chances[0] < 0.8 <= chances[1]


@pytest.mark.parametrize(("hits", "bound"), [(41, 0.8), (45, 0.85), (20, 0.5)])
def test_as_many_as_bring_the_end_to_the_bound_decide_half_of_the_time(
    hits: int, bound: float
) -> None:
    """Which is what was told before: 80% take more than twice as many in all."""
    found = proportion(hits, 50)
    more = more_images(found, bound, 0.05, 0.05)
    enough = images_to_decide(found, bound, 0.05, 0.05)
    assert more is not None
    assert enough is not None
    assert 1.9 <= enough / (50 + more) <= 2.6
    images, rate = 50 + more, hits / 50
    side = rate > bound
    p, q = (bound, rate) if side else (1 - bound, 1 - rate)
    assert binom.sf(binom.isf(0.05, images, p), images, q) < 0.62


def test_f1_is_a_proportion_too() -> None:
    """Of the images that show the class or are called so (Jaccard's share)."""
    found = Evidence(right=((2.0, 46),), wrong=((1.0, 16),), unseen_right=2.0)
    share, compared = 46 / 62, 0.84 / (2 - 0.84)
    enough = images_to_decide(found, 0.84, 0.05, 0.05)
    assert enough == images_to_decide(proportion(46, 62), compared, 0.05, 0.05)
    assert enough is not None
    assert binom.sf(binom.isf(0.05, enough, compared), enough, share) >= 0.8


@pytest.mark.parametrize("metric", ["macro_f1", "balanced_accuracy"])
def test_an_average_is_decided_about_as_often(metric: str) -> None:
    """Simulated: classes of unequal recall, as many images as are told, 200 draws."""
    counts = [[18, 1, 1, 0], [4, 14, 2, 0], [3, 3, 13, 1]]
    found = counted(counts)
    ((threshold,),) = [parse(f"{metric} >= 0.7").thresholds]
    evidence = evidence_of(threshold, found, threshold.measure(found))
    enough = images_to_decide(evidence, 0.7, 0.05, 0.05)
    assert enough is not None
    each = round(enough / 3)
    chance = np.random.default_rng(1)
    decided = 0
    for _ in range(80):
        drawn = [chance.multinomial(each, np.array(row) / sum(row)) for row in counts]
        report = counted([[int(one) for one in row] for row in drawn])
        evidence = evidence_of(threshold, report, threshold.measure(report))
        decided += evidence.doubt_at_least(0.7) <= 0.05
    assert 0.65 <= decided / 80 <= 0.93


def test_sometimes_no_number_decides() -> None:
    """The value is the bound, or nothing is known."""
    assert images_to_decide(proportion(40, 50), 0.8, 0.05, 0.05) is None
    assert images_to_decide(proportion(0, 0), 0.5, 0.05, 0.05) is None


def test_a_verdict_names_no_fewer() -> None:
    """It is rounded up, to two digits."""
    found = counted([[41, 9, 0], [0, 0, 0]])
    (verdict,) = judge(found, [Gate("accuracy >= 0.8 with 95% confidence")])
    told = re.search(r"one look at about ([\d,]+) images", verdict.text)
    assert told is not None
    exact = images_to_decide(proportion(41, 50), 0.8, 0.05, 0.05)
    assert exact == 2476
    assert told[1] == "2,500"


@given(st.integers(1, 500), st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.8, 0.99, 1.0, None]))
def test_the_least_number_of_which_so_many_are_accepted_of(
    count: int, coverage: float | None
) -> None:
    """One image less accepts one answer less."""
    images = answers_for(count, coverage)
    fewer, enough = (accepted_of(one, coverage) for one in (images - 1, images))
    assert fewer < count <= enough
    assert all(a <= b for a, b in pairwise(accepted_of(n, coverage) for n in range(20)))
