"""What images say about a metric: its own value, and bounds that err as rarely as they say."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from pytest_llmclf.gates.bounds import Evidence
from pytest_llmclf.gates.evidence import evidence_of, proportion
from pytest_llmclf.gates.expression import parse
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import OutcomeKind

METRICS = (
    "accuracy", "balanced_accuracy", "macro_precision", "macro_recall", "macro_f1",
    "weighted_precision", "weighted_recall", "weighted_f1", "unparsed_rate", "recall[b]",
    "precision[b]", "f1[b]",
)  # fmt: skip
AVERAGES = ("balanced_accuracy", "macro_precision", "macro_f1", "weighted_precision", "weighted_f1")


def counted(counts: Sequence[Sequence[int]]) -> Report:
    """A report with so many images of each class named so; the last column is unparsed."""
    labels = "abcdefghij"[: len(counts)]
    outcomes = []
    for (row, expected), (column, predicted) in itertools.product(
        enumerate(labels), enumerate([*labels, None])
    ):
        for number in range(counts[row][column]):
            case = f"{row}-{column}-{number}"
            if predicted is None:
                outcomes.append(ended(case, "unparsed", expected))
            else:
                kind: OutcomeKind = "correct" if predicted == expected else "misclassified"
                outcomes.append(ended(case, kind, expected, predicted=predicted))
    facts = DatasetFacts(name="pets", content_hash="", labels=tuple(labels))
    return build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes)


def said(metric: str, report: Report) -> Evidence:
    """The evidence of a report about a metric."""
    ((threshold),) = parse(f"{metric} >= 0.5").thresholds
    return evidence_of(threshold, report, threshold.measure(report))


@given(st.lists(st.lists(st.integers(0, 4), min_size=4, max_size=4), min_size=3, max_size=3))
def test_the_estimate_is_the_metric(counts: list[list[int]]) -> None:
    """As a share of weighted images every metric is what the report says."""
    found = counted(counts)
    for metric in METRICS:
        (threshold,) = parse(f"{metric} >= 0.5").thresholds
        value = threshold.measure(found).value
        if value is None:
            continue
        evidence = said(metric, found)
        if evidence.estimate is not None:
            assert evidence.estimate == pytest.approx(value)
        # What was measured is never ruled out.
        assert evidence.doubt_at_least(value) > 0.1
        assert evidence.doubt_at_most(value) > 0.1


def test_equal_classes_make_the_mean_recall_an_accuracy() -> None:
    """With the same number of images each, averages of recall have accuracy's bounds."""
    found = counted([[8, 1, 1], [2, 7, 1]])
    accuracy = said("accuracy", found)
    for metric in ("balanced_accuracy", "macro_recall", "weighted_recall"):
        evidence = said(metric, found)
        assert evidence.low(0.05) == pytest.approx(accuracy.low(0.05))
        assert evidence.high(0.05) == pytest.approx(accuracy.high(0.05))


def test_f1_of_a_class_follows_exactly_from_a_proportion() -> None:
    """With J right among all that are or are called so, F1 is 2J / (1 + J), and so are its ends."""
    found = counted([[8, 1, 1], [2, 7, 1]])
    union = Evidence(right=((1.0, 7.0),), wrong=((1.0, 4.0),))
    evidence = said("f1[b]", found)
    for alpha in (0.05, 0.001):
        for ours, share in (
            (evidence.low(alpha), union.low(alpha)),
            (evidence.high(alpha), union.high(alpha)),
        ):
            assert ours == pytest.approx(2 * share / (1 + share))


@pytest.mark.parametrize("truth", [(0.3, 0.1, 0.1), (0.5, 0.02, 0.02), (0.1, 0.3, 0.2)])
def test_f1_bounds_err_at_most_as_often_as_they_say(truth: tuple[float, float, float]) -> None:
    """Added up over every possible table of nine images, exactly."""
    images, rest = 9, 1 - sum(truth)
    true_f1 = 2 * truth[0] / (2 * truth[0] + truth[1] + truth[2])
    errs = [0.0, 0.0]
    for right, missed, called in itertools.product(range(images + 1), repeat=3):
        others = images - right - missed - called
        if others < 0 or right + missed + called == 0:
            continue
        ways = math.factorial(images)
        chance = 1.0
        for count, share in zip((right, missed, called, others), (*truth, rest), strict=True):
            ways //= math.factorial(count)
            chance *= share**count
        # Rows are a (the others) and b; unparsed ones of b are missed as well.
        evidence = said("f1[b]", counted([[others, called, 0], [0, right, missed]]))
        errs[0] += ways * chance * (evidence.doubt_at_least(true_f1) <= 0.05)
        errs[1] += ways * chance * (evidence.doubt_at_most(true_f1) <= 0.05)
    assert max(errs) <= 0.05


@pytest.mark.parametrize("metric", AVERAGES)
@pytest.mark.parametrize(
    ("images", "recall"), [((10, 10, 10, 10), 0.95), ((4, 4, 4, 4), 0.7), ((40, 8, 3, 5), 0.85)]
)
def test_bounds_of_averages_err_about_as_often_as_they_say(
    metric: str, images: tuple[int, ...], recall: float
) -> None:
    """Seeded simulation; at most 5% and three standard errors of 120 runs."""
    chance = np.random.default_rng(5)
    size, runs = len(images), 120
    rows = np.full((size, size + 1), (1 - recall) / size)
    rows[range(size), range(size)] = recall
    shares = np.array(images)[:, None] * rows
    truth = _true(metric, shares[:, :size], np.array(images))
    errs = np.zeros(2)
    for _ in range(runs):
        counts = [chance.multinomial(number, row) for number, row in zip(images, rows, strict=True)]
        evidence = said(metric, counted([[int(count) for count in row] for row in counts]))
        errs += [
            evidence.doubt_at_least(truth) <= 0.05,
            evidence.doubt_at_most(truth) <= 0.05,
        ]
    assert errs.max() / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def _true(metric: str, shares: np.ndarray, images: np.ndarray) -> float:
    """What endlessly many images of the same mix would give."""
    right, named = np.diag(shares), shares.sum(axis=0)
    each = {
        "precision": right / named,
        "f1": 2 * right / (named + images),
        "accuracy": right / images,
    }[metric.rpartition("_")[2]]
    return float(np.average(each, weights=images if metric.startswith("weighted") else None))


@pytest.mark.parametrize("metric", AVERAGES)
def test_all_right_is_not_certain_for_averages(metric: str) -> None:
    """Five of five in each of three classes: 0.9 is not shown, 0.8 is."""
    found = counted([[5, 0, 0, 0], [0, 5, 0, 0], [0, 0, 5, 0]])
    evidence = said(metric, found)
    assert evidence.estimate == 1
    assert 0.75 < evidence.low(0.05) < 0.9


def test_a_class_that_no_answer_names_may_have_any_precision() -> None:
    """It counts as 0, as in the average; but a failure is not claimed because of it."""
    found = counted([[30, 0, 0], [30, 0, 0]])
    evidence = said("macro_precision", found)
    assert evidence.estimate == 0.25
    assert evidence.unknown == 0.5
    assert evidence.high(0.05) > 0.75
    assert said("macro_recall", found).high(0.05) < 0.75


def test_what_has_no_bounds_is_refused() -> None:
    """A gate on it is refused when it is read; nothing else may ask."""
    found = counted([[1, 0, 0], [0, 1, 0]])
    with pytest.raises(TypeError, match="ece has no confidence bounds"):
        said("ece", found)


@pytest.mark.parametrize(("images", "flaky"), [(50, 0.281), (500, 0.112)])
def test_a_gate_with_confidence_does_not_fail_a_model_that_is_just_good_enough(
    images: int, flaky: float
) -> None:
    """At a true accuracy of 0.82, 28% of runs of 50 images miss 0.8; almost none is sure."""
    chances = scipy_stats.binom.pmf(range(images + 1), images, 0.82)
    found = [proportion(hits, images) for hits in range(images + 1)]
    missed = [evidence.estimate is None or evidence.estimate < 0.8 for evidence in found]
    fails = [evidence.doubt_at_most(0.8) < 0.05 for evidence in found]
    assert chances[missed].sum() == pytest.approx(flaky, abs=5e-4)
    assert chances[fails].sum() < 0.02
    at_bound = scipy_stats.binom.pmf(range(images + 1), images, 0.8)
    assert at_bound[fails].sum() <= 0.05
    assert at_bound[[evidence.doubt_at_least(0.8) <= 0.05 for evidence in found]].sum() <= 0.05
