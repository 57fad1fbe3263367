"""Differences of recall, F1 and averages: the scores, and intervals that hold the truth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.analysis.comparison.score_differences import score_differences
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.comparison.score_differences import ScoreDifference
    from pytest_llmclf.metrics.report import Report

LABELS = tuple("abcdefghijklmnopqrst")


def report(expected: Sequence[int], named: Sequence[int], scene: int = 0) -> Report:
    """What was shown and named, in scenes of so many images, if any."""
    outcomes = [
        ended(
            f"{place:04}",
            "correct" if one == other else "misclassified",
            LABELS[one],
            predicted=LABELS[other],
            tags={"scene": str(place // scene)} if scene else {},
        )
        for place, (one, other) in enumerate(zip(expected, named, strict=True))
    ]
    facts = DatasetFacts(
        name="pets", content_hash="", labels=LABELS, cases_in_dataset=len(outcomes)
    )
    return build(
        evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes,
        group="scene" if scene else "",
    )  # fmt: skip


def found(before: Report, now: Report) -> dict[str, ScoreDifference]:
    """By name."""
    every = score_differences(before, now, compare_reports(before, now))
    return {one.name: one for one in every}


def drawn(seed: int, rights: tuple[float, float], images: int = 60) -> list[list[int]]:
    """Classes, and what two models say that are right so often."""
    chance = np.random.default_rng(seed)
    shown = [place % 3 for place in range(images)]
    sides = [
        [one if chance.random() < right else int(chance.integers(3)) for one in shown]
        for right in rights
    ]
    return [shown, *sides]


def test_the_scores_are_those_of_scikit_learn() -> None:
    """Of both sides, averages and classes."""
    shown, first, second = drawn(1, (0.6, 0.8))
    scores = found(report(shown, first), report(shown, second))
    for side, named in (("before", first), ("now", second)):
        precision, recall, f1, _ = precision_recall_fscore_support(shown, named, zero_division=0)
        assert getattr(scores["macro_precision"], side) == pytest.approx(precision.mean())
        assert getattr(scores["macro_recall"], side) == pytest.approx(recall.mean())
        assert getattr(scores["macro_f1"], side) == pytest.approx(f1.mean())
        for place, label in enumerate(LABELS[:3]):
            assert getattr(scores[f"recall[{label}]"], side) == pytest.approx(recall[place])
            assert getattr(scores[f"f1[{label}]"], side) == pytest.approx(f1[place])


def test_the_same_every_time_and_the_other_way_round() -> None:
    """Seeded; the second against the first is the mirror image."""
    shown, first, second = drawn(2, (0.6, 0.8))
    there = found(report(shown, first), report(shown, second))
    assert there == found(report(shown, first), report(shown, second))
    back = found(report(shown, second), report(shown, first))
    for name, one in there.items():
        assert one.interval is not None
        assert one.interval.low <= one.difference <= one.interval.high
        other = back[name].interval
        assert other is not None
        assert one.interval.low == pytest.approx(-other.high, abs=0.02)


def test_no_difference_is_not_certainty() -> None:
    """The same answers have an interval around 0, as wide as so few images leave it."""
    shown, first, _ = drawn(3, (0.7, 0.7))
    for one in found(report(shown, first), report(shown, first)).values():
        assert one.interval is not None
        assert one.interval.low < 0 == one.difference < one.interval.high


def test_scenes_make_it_wider() -> None:
    """Ten images a scene are one draw; a single scene has no interval."""
    shown, first, second = drawn(4, (0.5, 0.9))
    alone = found(report(shown, first), report(shown, second))["macro_f1"].interval
    together = found(report(shown, first, 10), report(shown, second, 10))["macro_f1"].interval
    assert alone is not None
    assert together is not None
    assert together.high - together.low > alone.high - alone.low
    single = found(report(shown, first, 60), report(shown, second, 60))
    assert all(one.interval is None for one in single.values())


def test_a_run_that_stopped_has_no_interval() -> None:
    """When it stopped depended on such scores."""
    shown, first, second = drawn(5, (0.6, 0.8))
    now = report(shown, second)
    left = [replace(one, kind="not_needed", predicted=None) for one in now.outcomes[30:]]
    now = build(
        evaluation="pets",
        model="ollama:llava",
        dataset=now.dataset,
        outcomes=[*now.outcomes[:30], *left],
    )
    scores = found(report(shown, first), now)
    assert scores
    assert all(one.interval is None for one in scores.values())


def test_the_truth_is_missed_as_seldom_as_promised() -> None:
    """Two equally good models, 60 images, 60 seeded runs: 5% miss and some."""
    missed = {"macro_f1": 0, "recall[a]": 0, "f1[b]": 0}
    for seed in range(60):
        shown, first, second = drawn(100 + seed, (0.7, 0.7))
        scores = found(report(shown, first), report(shown, second))
        for name in missed:
            ends = scores[name].interval
            assert ends is not None
            missed[name] += not ends.low <= 0 <= ends.high
    assert max(missed.values()) <= 6


def test_two_images_a_class_do_not_make_averages_certain() -> None:
    """Twenty classes: were each weighed by itself, a third of the intervals would miss."""
    missed, rights = dict.fromkeys(("macro_recall", "macro_precision", "macro_f1"), 0), (0.9, 0.6)
    shown = [place // 2 for place in range(40)]
    # Wrong answers name any class as often, so that precision, recall and F1 are the same.
    for seed in range(25):
        chance = np.random.default_rng(seed)
        first, second = (
            [one if chance.random() < right else (one + int(chance.integers(1, 20))) % 20
             for one in shown]
            for right in rights
        )  # fmt: skip
        scores = found(report(shown, first), report(shown, second))
        for name in missed:
            ends = scores[name].interval
            assert ends is not None
            missed[name] += not ends.low <= rights[1] - rights[0] <= ends.high
    assert max(missed.values()) <= 3


def test_unparsed_answers_name_nothing() -> None:
    """They are wrong for the recall of their class and in no precision, as in the report."""
    shown, first, second = drawn(6, (0.6, 0.8))
    now = report(shown, second)
    outcomes = [
        replace(one, kind="unparsed", predicted=None, reason="no-label") if place % 5 == 0 else one
        for place, one in enumerate(now.outcomes)
    ]
    now = build(evaluation="pets", model="ollama:llava", dataset=now.dataset, outcomes=outcomes)
    scores = found(report(shown, first), now)
    assert scores["macro_precision"].now == now.macro.precision.value
    assert scores["macro_f1"].now == now.macro.f1.value
    for one in scores.values():
        assert one.interval is not None
        assert one.interval.low <= one.difference <= one.interval.high
