"""Several thresholds in one gate: no line that says PASS of some of them is wrong too often."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from statsmodels.stats.multitest import multipletests

from pytest_llmclf.gates.evidence import proportion
from pytest_llmclf.gates.expression import parse
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.reading import JudgedThreshold, settled
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.seeded import seeded_order
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report

((ASKED,),) = [parse("accuracy >= 0.5").thresholds]


def recalls(hits: Sequence[int], images: int) -> Report:
    """So many of as many images of each class are right; the others have no label."""
    labels = tuple(f"c{place}" for place in range(len(hits)))
    facts = DatasetFacts(name="pets", content_hash="", labels=labels)
    empty = reports.build(evaluation="pets", model="llava", dataset=facts, outcomes=[])
    counts = tuple(
        tuple(count * (place == row) for place in range(len(hits)))
        for row, count in enumerate(hits)
    )
    confusion = Confusion(
        labels=labels,
        counts=counts,
        unparsed=tuple(images - count for count in hits),
        error=(0,) * len(hits),
    )
    ledger = replace(empty.ledger, collected=images * len(hits), correct=sum(hits))
    ledger = replace(ledger, unparsed=ledger.collected - ledger.correct)
    return replace(empty, confusion=confusion, ledger=ledger)


def read(doubt: float) -> JudgedThreshold:
    """A threshold that passes by itself at 5%, or does not."""
    word, why = ("PASS", None) if doubt <= 0.05 else ("INCONCLUSIVE", "sample")
    return JudgedThreshold(
        threshold=ASKED,
        word=word,  # type: ignore[arg-type]
        measure=Ratio(hits=1, total=1),
        undecided=why,  # type: ignore[arg-type]
        doubt=doubt,
    )


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1) | st.floats(0, 0.06), min_size=1, max_size=12))
def test_some_pass_as_holm_has_it_and_all_without_correction(doubts: list[float]) -> None:
    """As statsmodels has it; what passes never depends on the order."""
    found = settled([read(doubt) for doubt in doubts], 0.05)
    passes = [one.word == "PASS" for one in found]
    if max(doubts) <= 0.05:
        assert all(passes)
        return
    # What equals its level to the last bit may fall on either side.
    levels = [0.05 / (rank + 1) for rank in range(len(doubts))]
    if any(math.isclose(doubt, level) for doubt in doubts for level in levels):
        return
    assert passes == multipletests(doubts, alpha=0.05, method="holm")[0].tolist()
    again = settled([read(doubt) for doubt in reversed(doubts)], 0.05)
    assert [one.word for one in again] == [one.word for one in found][::-1]
    for one in found:
        assert one.doubt is not None
        assert one.passing is not None
        # The end that a line shows is on the side of the bound that its word says.
        assert (one.doubt <= one.passing) == (one.word == "PASS")


@pytest.mark.parametrize(("classes", "images", "runs"), [(10, 50, 120), (100, 20, 20)])
def test_a_partial_list_is_seldom_wrong(classes: int, images: int, runs: int) -> None:
    """All classes just below the bound: any PASS is wrong, and used to come in 38% and 99%."""
    chance = np.random.default_rng(3)
    bound = 0.85
    wrong = 0
    for hits in chance.binomial(images, bound - 1e-9, size=(runs, classes)):
        verdicts = judge(
            recalls([int(count) for count in hits], images),
            [Gate(f"recall[*] >= {bound} with 95% confidence")],
        )
        wrong += any(one.word == "PASS" for one in verdicts)
    assert wrong / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


@pytest.mark.parametrize("classes", [2, 10, 100])
def test_exactly_how_often_a_partial_list_may_be_wrong(classes: int) -> None:
    """Classes are independent: any is right so often that the smallest doubt passes by chance."""
    images, bound = 50, 0.85
    doubts = np.array([proportion(k, images).doubt_at_least(bound) for k in range(images + 1)])
    chances = binom.pmf(range(images + 1), images, bound)
    first = chances[doubts <= 0.05 / classes].sum()
    alone = chances[doubts <= 0.05].sum()
    any_line = 1 - (1 - first) ** classes + alone**classes
    assert any_line <= 0.05
    assert 1 - (1 - alone) ** classes > (0.05 if classes == 2 else 0.25)


def test_a_list_that_is_not_whole_says_how_sure_it_is() -> None:
    """Nine of ten perfect classes pass beside one that is not; the level is not the plain one."""
    found = recalls([50] * 9 + [25], 50)
    fails, passes = judge(found, [Gate("recall[*] >= 0.85 with 95% confidence")])
    assert (fails.word, passes.word) == ("FAIL", "PASS")
    assert "9 of 10 classes" in passes.text
    assert "(one-sided, the ends 97.5% and 99.5% sure, for 10 thresholds)" in passes.text


def test_a_stopped_run_says_no_pass_of_a_part() -> None:
    """What the full run's correction would leave is not known before all images are asked."""
    labels = ("cat", "dog")
    outcomes = [
        ended(f"{label}{n:03}", "correct" if label == "cat" else "unparsed", label)
        for label in labels
        for n in range(300)
    ]
    facts = DatasetFacts(name="pets", content_hash="", labels=labels)
    order = seeded_order([one.case for one in outcomes], 20)
    asked = set(order[:120])
    found = reports.build(
        evaluation="pets",
        model="ollama:llava",
        dataset=facts,
        outcomes=[
            one if one.case in asked else ended(one.case, "not_needed", one.expected)
            for one in outcomes
        ],
        order=order,
        stop_error=0.05,
    )
    words = [one.word for one in judge(found, [Gate("recall[*] >= 0.8 with 95% confidence")])]
    assert sorted(words) == ["FAIL", "INCONCLUSIVE"]
    words = [one.word for one in judge(found, [Gate("recall[*] >= 0.8")])]
    assert sorted(words) == ["FAIL", "PASS"]
    both = [
        Gate("recall[cat] >= 0.8 with 95% confidence"),
        Gate("recall[dog] <= 0.8, unparsed_rate >= 0.2 with 95% confidence"),
    ]
    assert {one.word for one in judge(found, both)} == {"PASS"}


def test_thresholds_of_any_kind_are_corrected_together() -> None:
    """Not only those of a class each."""
    found = recalls([47, 30], 50)
    alone = Gate("accuracy >= 0.69 with 95% confidence")
    assert [one.word for one in judge(found, [alone])] == ["PASS"]
    beside = "accuracy >= 0.69, recall[c1] >= 0.6, unparsed_rate <= 0.3 with 95% confidence"
    assert [one.word for one in judge(found, [Gate(beside)])] == ["INCONCLUSIVE"] * 3
