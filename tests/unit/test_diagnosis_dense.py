"""The diagnosis walks over what is filled; here its tests are written out over all of a matrix.

Every hypothesis stands for itself, without any short cut, and the tails are scipy's.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, hypergeom

from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.finding import (
    KINDS,
    LEVEL,
    Attractor,
    ConfusedPair,
    Finding,
    NeverAnswered,
)
from tests.unit.simulated import Simulated, blind, drawn, even

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

Matrix = tuple[tuple[int, ...], ...]


@cache
def above(hits: int, total: int, rate: float) -> float:
    """Probability of at least so many."""
    return float(binom.sf(hits - 1, total, rate))


def holm(p_values: list[float]) -> list[float]:
    """By the definition: the largest of all that are as small or smaller, each by its rank."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    steps = [(len(order) - rank) * p_values[place] for rank, place in enumerate(order)]
    found = [0.0] * len(order)
    for rank, place in enumerate(order):
        found[place] = min(1.0, KINDS * max(steps[: rank + 1]))
    return found


def attraction(matrix: Matrix, target: int) -> float:
    """Each other class is left out in turn."""
    size = len(matrix)
    others = [place for place in range(size) if place != target]
    named = [sum(row) for row in matrix]
    wrong = [sum(row) - row[place] for place, row in enumerate(matrix)]
    if sum(matrix[place][target] for place in others) <= 2 / size * sum(wrong[i] for i in others):
        return 1.0
    found = []
    for left_out in others:
        rest = [place for place in others if place != left_out]
        taken = sum(matrix[place][target] for place in rest)
        both = taken + sum(matrix[target][place] for place in rest)
        share = above(taken, sum(wrong[place] for place in rest), 2 / size)
        due = sum(
            (matrix[place][target] + matrix[target][place])
            * named[place]
            / max(1, named[place] + named[target])
            for place in rest
        )
        sided = 1.0 if taken < due + 1 - 1e-9 else above(taken, both, due / both)
        found.append(max(share, sided if named[target] else 0.0))
    return max(found)


def excess(matrix: Matrix, sources: tuple[int, ...], pair: tuple[int, int]) -> float:
    """Wrong answers on some of a pair that name the other one."""
    rest = [place for place in range(len(matrix)) if place not in pair]
    wrong = sum(sum(matrix[place]) - matrix[place][place] for place in sources)
    within = sum(matrix[place][sum(pair) - place] for place in sources)
    if within < 2 or within <= 2 / len(matrix) * wrong:
        return 1.0
    strangers = sum(matrix[place][sum(pair) - source] for place in rest for source in sources)
    named = sum(sum(matrix[place]) for place in sources)
    elsewhere = sum(sum(matrix[place]) for place in rest)
    fisher = hypergeom.sf(within - 1, named + elsewhere, within + strangers, named)
    return max(above(within, wrong, 2 / len(matrix)), float(fisher))


def ways(matrix: Matrix) -> dict[tuple[int, int], float]:
    """Of pairs that can show one at all, whether one way is more frequent."""
    found = {}
    for a, b in combinations(range(len(matrix)), 2):
        both = matrix[a][b] + matrix[b][a]
        if both:
            rate = sum(matrix[a]) / (sum(matrix[a]) + sum(matrix[b]))
            if 2 * KINDS * min(rate, 1 - rate) ** both <= LEVEL:
                tails = above(matrix[a][b], both, rate), above(matrix[b][a], both, 1 - rate)
                found[a, b] = min(1.0, 2 * min(tails))
    return dict(zip(found, holm(list(found.values())), strict=True))


def expected(report: Report) -> dict[tuple[str, ...], float]:
    """By what is claimed of which labels, its p-value."""
    matrix, labels = report.confusion.counts, report.confusion.labels
    size, pairs = len(matrix), list(combinations(range(len(matrix)), 2))
    drawing = holm([attraction(matrix, target) for target in range(size)])
    found: dict[tuple[str, ...], float] = {
        ("attractor", labels[place]): p for place, p in enumerate(drawing) if p <= LEVEL
    }
    images = [sum(row) for row in matrix]
    guessed = (1 - 1 / size) ** sum(images)
    luck = [
        max(guessed, 0.5 ** images[place])
        if images[place] and not any(row[place] for row in matrix)
        else 1.0
        for place in range(size)
    ]
    found |= {("never", labels[place]): p for place, p in enumerate(holm(luck)) if p <= LEVEL}
    tests = [
        excess(matrix, sources, pair)
        for pair in pairs
        for sources in ((pair[0],), (pair[1],), pair)
    ]
    adjusted = holm(tests)
    directions = ways(matrix)
    for number, (a, b) in enumerate(pairs):
        three = adjusted[3 * number : 3 * number + 3]
        free = not {("attractor", labels[a]), ("attractor", labels[b])} & found.keys()
        if free and (min(three) <= LEVEL if size > 2 else directions.get((a, b), 1.0) <= LEVEL):
            names = tuple(sorted((labels[a], labels[b])))
            found["way", *names] = directions.get((a, b), 1.0)
            if size > 2:
                found["pair", *names] = min(three)
    return found


def claimed(findings: tuple[Finding, ...]) -> dict[tuple[str, ...], float]:
    """The same of a diagnosis."""
    found: dict[tuple[str, ...], float] = {}
    for one in findings:
        match one:
            case Attractor():
                found["attractor", one.label] = one.p_value
            case NeverAnswered():
                found["never", one.label] = one.p_value
            case ConfusedPair():
                names = sorted((one.taken, one.taken_for))
                found["way", *names] = one.p_one_way
                if one.p_pair is not None:
                    found["pair", *names] = one.p_pair
    return found


@st.composite
def reports(draw: st.DrawFn) -> Report:
    """Two to twelve classes of very different sizes, and a model with any of the defects."""
    size = draw(st.integers(2, 12))
    sizes = draw(st.lists(st.sampled_from((0, 1, 10, 20, 40)), min_size=size, max_size=size))
    accuracies = draw(
        st.lists(st.sampled_from((0.0, 0.3, 0.7, 0.95)), min_size=size, max_size=size)
    )
    chances = even(accuracies)
    if draw(st.booleans()):
        answers = st.lists(st.sampled_from((0.0, 0.1, 1.0)), min_size=size, max_size=size)
        chances = blind(draw(answers.filter(any)))
    for _ in range(draw(st.integers(0, 2))):
        sources = draw(st.lists(st.integers(0, size - 1), min_size=1, max_size=size, unique=True))
        share = draw(st.sampled_from((0.3, 0.6, 0.9)))
        chances = drawn(chances, draw(st.integers(0, size - 1)), share, sources)
    model = Simulated(chances=chances, sizes=tuple(sizes))
    return model.report(draw(st.randoms(use_true_random=False)))


@settings(max_examples=30)
@given(reports())
def test_what_is_found_is_what_the_definitions_find(report: Report) -> None:
    """The same claims about the same labels, with the same p-values."""
    assert claimed(diagnose(report)) == pytest.approx(expected(report), rel=1e-6, abs=1e-12)
