"""Confidence against what came out: numbers of a whole report."""

from __future__ import annotations

import dataclasses
import json
import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import accuracy_score, brier_score_loss

from pytest_llmclf.api import public
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.calibration.answers import confidence, lacking, why_missing
from pytest_llmclf.metrics.calibration.coverage import (
    accuracy_at_coverage,
    at_accuracy,
    coverage_curve,
)
from pytest_llmclf.metrics.calibration.scores import brier, ece, ece_by_chance, reliability
from pytest_llmclf.metrics.calibration.summary import calibration
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.answer import Answer, TokenLogprob
from tests.unit.ended import ended
from tests.unit.test_full_instructions import WHOLE

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

LABELS = ("cat", "cow", "dog")


def built(outcomes: Sequence[Outcome]) -> Report:
    """A report on the dataset ``pets``."""
    facts = DatasetFacts(name="pets", content_hash="abc", labels=LABELS)
    return reports.build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes)


def named(case: str, sure: float, *, right: bool, **more: Any) -> Outcome:
    """An answer "cat" with a confidence, the rest of which is the dog's."""
    more.setdefault("probabilities", {"cat": sure, "cow": 0.0, "dog": 1 - sure})
    kind, expected = ("correct", "cat") if right else ("misclassified", "dog")
    return ended(case, kind, expected=expected, predicted="cat", **more)  # type: ignore[arg-type]


def of(*answers: tuple[float, bool]) -> Report:
    """A report on answers of a confidence, right or wrong."""
    return built([named(f"{n:04}", sure, right=right) for n, (sure, right) in enumerate(answers)])


def unparsed(case: str) -> Outcome:
    """An answer without a label."""
    word = TokenLogprob(token="no", logprob=-0.1, top=(("no", -0.1),))  # noqa: S106 - a word
    return ended(case, "unparsed", reason="refusal", answer=Answer(text="no", logprobs=(word,)))


@st.composite
def outcomes(draw: st.DrawFn) -> list[Outcome]:
    """Outcomes of every kind, some answers with equal confidence."""
    found = []
    for place in range(draw(st.integers(0, 25))):
        case = f"{place:04}"
        kind = draw(st.sampled_from(["named", "named", "named", "unparsed", "error", "lost"]))
        if kind != "named":
            found.append(ended(case, kind))  # type: ignore[arg-type]
            continue
        weights = draw(st.lists(st.integers(0, 5), min_size=3, max_size=3).filter(any))
        given = {name: n / sum(weights) for name, n in zip(LABELS, weights, strict=True)}
        expected, predicted = draw(st.sampled_from(LABELS)), draw(st.sampled_from(LABELS))
        ending = "correct" if expected == predicted else "misclassified"
        more = {"expected": expected, "predicted": predicted, "probabilities": given}
        found.append(ended(case, ending, **more))  # type: ignore[arg-type]
    return found


def test_confidence_is_of_the_label_that_was_named() -> None:
    """Not of the most probable one; 0 without a label, unknown without probabilities.

    An answer without a label and without any log-probability says nothing of confidence, either.
    """
    given = {"cat": 0.3, "cow": 0.0, "dog": 0.7}
    assert confidence(ended("a", "correct", probabilities=given)) == 0.3
    assert confidence(ended("a", "misclassified", probabilities=given)) == 0.7
    assert confidence(unparsed("a")) == 0
    assert confidence(ended("a", "unparsed", answer=Answer(text="no"))) is None
    assert [confidence(ended("a", kind)) for kind in ("correct", "error", "lost")] == [None] * 3


def test_the_most_confident_answers_are_accepted() -> None:
    """As many as the coverage asks for, rounded up."""
    report = of((0.9, True), (0.8, True), (0.7, False), (0.6, True))
    for coverage, hits, total in ((0.01, 1, 1), (0.5, 2, 2), (0.51, 2, 3), (0.75, 2, 3), (1, 3, 4)):
        assert accuracy_at_coverage(report, coverage) == Ratio(hits=hits, total=total)
    seventh = of(*[(0.99 - place / 100, True) for place in range(10)])
    assert accuracy_at_coverage(seventh, 0.7).total == 7


def test_equally_confident_answers_are_accepted_together() -> None:
    """No order among them can then flatter."""
    report = of((0.9, True), (0.8, True), (0.8, False), (0.8, False), (0.6, True))
    assert accuracy_at_coverage(report, 0.4) == Ratio(hits=2, total=4)


def test_answers_without_a_label_come_last_and_count() -> None:
    """A full coverage has them as wrong ones, so that it equals accuracy."""
    report = built([named("a", 0.9, right=True), unparsed("b"), ended("c", "error")])
    assert accuracy_at_coverage(report, 0.5) == Ratio(hits=1, total=1)
    assert accuracy_at_coverage(report, 1) == report.accuracy == Ratio(hits=1, total=2)


def test_too_many_gaps_leave_every_number_undefined() -> None:
    """More than 1% of the answers with a label; all of them alike, and what they add up to."""
    report = built([named("a", 0.9, right=True), ended("b", "correct"), unparsed("c")])
    assert accuracy_at_coverage(report, 0.5) == Ratio(hits=0, total=0)
    assert coverage_curve(report) == ()
    assert at_accuracy(coverage_curve(report), 0.5) is None
    assert ece(report).total == brier(report).total == 0
    assert (ece(report).value, brier(report).value, ece_by_chance(report)) == (None,) * 3
    assert all(one.count == 0 for one in reliability(report))
    found = calibration(report)
    assert found is not None
    assert found.known == Ratio(hits=2, total=3)
    assert found.missing == (
        "1 of 2 answers with a label has no log-probabilities (at most 1% may lack them): "
        "set top_logprobs=20 in the evaluation"
    )


@pytest.mark.parametrize(("gaps", "defined"), [(0, True), (1, True), (2, True), (3, False)])
def test_one_in_a_hundred_may_lack_probabilities(gaps: int, *, defined: bool) -> None:
    """In error and Brier score they are left out; of the most confident ones they come last."""
    sure = [named(f"{place:03}", 0.9, right=True) for place in range(200 - gaps)]
    report = built([*sure, *(ended(f"gap{place}", "correct") for place in range(gaps))])
    numbers = (ece(report), brier(report), accuracy_at_coverage(report, 0.5))
    assert [one.value is not None for one in numbers] == [defined] * 3
    assert calibration(report) is not None
    assert bool(coverage_curve(report)) is defined
    if defined:
        assert ece(report).total == brier(report).total == 200 - gaps
        assert accuracy_at_coverage(report, 1) == report.accuracy
        assert accuracy_at_coverage(report, 0.9).total == 200 - gaps
        assert lacking(report).startswith(f"{gaps} of 200" if gaps else "")


@pytest.mark.parametrize("metric", ["ece <= 0.01", "brier <= 2", "accuracy@coverage0.5 >= 0"])
@pytest.mark.parametrize("named_ones", [0, 1, 5])
def test_no_gate_on_confidence_passes_by_answers_without_a_label(
    metric: str, named_ones: int
) -> None:
    """They were counted with confidence 0 where nothing at all was known of confidence."""
    nothing = [ended(f"u{place}", "unparsed", answer=Answer(text="no")) for place in range(20)]
    report = built([*nothing, *(ended(f"n{place}", "correct") for place in range(named_ones))])
    found = public(report).meets(metric)
    assert found.word == "INCONCLUSIVE"
    assert {one.undecided for one in found.verdicts} == {"undefined"}
    why = "log-probabilities" if named_ones else "no answer names a label"
    assert why in found.verdicts[0].text


@pytest.mark.parametrize("coverage", [0, -0.1, 1.1, math.nan])
def test_a_coverage_is_a_share(coverage: float) -> None:
    """Percent are refused, and so is accepting nothing."""
    with pytest.raises(ValueError, match="is not above 0 and at most 1"):
        accuracy_at_coverage(of((0.9, True)), coverage)


def test_who_asked_for_probabilities_is_not_told_to_ask() -> None:
    """A server that refuses them, or gives none, is the reason."""
    plain = ended("c", "correct", answer=Answer(text="cat"))
    refused = ended("c", "correct", answer=Answer(text="cat", asked_without=("top_logprobs",)))
    asked = dataclasses.replace(WHOLE, top_logprobs=5)
    unasked = dataclasses.replace(WHOLE, top_logprobs=0)
    for outcome, told, end in (
        (refused, asked, "the server refuses them, so ask another server or model"),
        (plain, asked, "the server gives none though it is asked, so ask another server or model"),
        (plain, unasked, "set top_logprobs=20 in the evaluation"),
    ):
        report = dataclasses.replace(built([outcome]), full_instructions=told)
        assert why_missing(report) == f"no log-probabilities: {end}"


def test_why_numbers_are_missing_is_said() -> None:
    """What is missing, of how many answers, and what to do."""
    word = TokenLogprob(token="cat", logprob=-0.1, top=(("cat", -0.1),))  # noqa: S106 - a word
    told = ended("b", "correct", answer=Answer(text="cat", logprobs=(word,)))
    plain = ended("c", "correct", answer=Answer(text="cat"))
    sure = named("a", 0.9, right=True)
    remedy = "set top_logprobs=20 in the evaluation"
    assert why_missing(built([sure, unparsed("u"), ended("e", "error")])) is None
    assert why_missing(built([plain])) == f"no log-probabilities: {remedy}"
    some = "1 of 2 answers with a label has no log-probabilities (at most 1% may lack them): "
    assert why_missing(built([sure, plain, unparsed("u")])) == some + remedy
    few = why_missing(built([sure, told, plain]))
    assert few is not None
    assert few.startswith(
        "2 of 3 answers with a label have no probabilities of labels (at most 1% may lack them): "
        "too few"
    )


def test_without_probabilities_there_is_no_number() -> None:
    """Nothing is bundled, and every score is undefined."""
    report = built([ended("a", "correct"), ended("b", "error")])
    assert calibration(report) is None
    assert (ece(report).value, brier(report).value, ece_by_chance(report)) == (None,) * 3
    assert calibration(built([unparsed("a")])) is None
    assert not ece(report) <= 1


def test_bins_hold_their_upper_end() -> None:
    """As in the paper; 0 belongs to the first one."""
    counts = [
        one.count for one in reliability(of((0, False), (0.25, True), (0.26, True), (1, True)), 4)
    ]
    assert counts == [2, 1, 0, 1]
    for bins in (7, 10, 100):
        edges = of(*[(edge / bins, True) for edge in range(1, bins + 1)])
        assert [one.count for one in reliability(edges, bins)] == [1] * bins


def test_bins_are_positive() -> None:
    """None would hold nothing."""
    with pytest.raises(ValueError, match="0 bins"):
        ece(of((0.5, True)), 0)


def test_calibration_error_by_hand() -> None:
    """Two bins: 0.75 sure and half right, 0.2 sure and never right."""
    report = of((0.72, True), (0.78, False), (0.2, False))
    assert ece(report).value == pytest.approx((2 * 0.25 + 0.2) / 3)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bins", [5, 10, 15])
def test_bins_and_error_equal_other_programs(seed: int, bins: int) -> None:
    """scikit-learn's calibration curve, and the error by numpy."""
    chance = np.random.default_rng(seed)
    sure = chance.random(200)
    right = chance.random(200) < sure**2
    report = of(*zip(map(float, sure), map(bool, right), strict=True))
    filled = [one for one in reliability(report, bins) if one.count]
    true, mean = calibration_curve(right, sure, n_bins=bins, strategy="uniform")
    assert [one.accuracy.value for one in filled] == pytest.approx(true)
    assert [one.mean_confidence for one in filled] == pytest.approx(mean)
    place = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs((right[place == b] - sure[place == b]).sum()) for b in range(bins)]
    assert ece(report, bins).value == pytest.approx(sum(gaps) / 200)


@pytest.mark.parametrize("seed", range(5))
def test_brier_equals_scikit_learn(seed: int) -> None:
    """With two labels it is twice the score of one of them."""
    chance = np.random.default_rng(seed)
    sure, right = chance.random(50), chance.random(50) < 0.6
    report = of(*zip(map(float, sure), map(bool, right), strict=True))
    assert brier(report).value == pytest.approx(2 * brier_score_loss(right, sure))


def test_brier_of_several_labels_and_of_none() -> None:
    """Best 0, worst 2; giving nothing to any label is 1."""
    worst = {"cat": 1.0, "cow": 0.0, "dog": 0.0}
    assert brier(of((1, True))) == 0
    assert brier(built([named("a", 1, right=False, probabilities=worst)])) == 2
    some = built([named("a", 1, right=True), unparsed("b")])
    assert brier(some).value == 0.5
    assert brier(built([unparsed("a")])).value is None
    even = dict.fromkeys(LABELS, 1 / 3)
    assert brier(built([named("a", 0, right=True, probabilities=even)])).value == pytest.approx(
        2 / 3
    )


def test_calibration_error_by_chance() -> None:
    """Two coins in one bin are 0.25 off on average, three sure things never."""
    coins = ece_by_chance(of(*[(0.5, True)] * 2))
    assert coins == pytest.approx(0.25, abs=0.05)
    assert ece_by_chance(of(*[(1.0, True)] * 3)) == 0
    # Binomial, exactly: the mean distance of 40 throws at 0.8 from 32, over 40.
    off = sum(abs(k - 32) * math.comb(40, k) * 0.8**k * 0.2 ** (40 - k) for k in range(41)) / 40
    assert ece_by_chance(of(*[(0.8, True)] * 40)) == pytest.approx(off, rel=0.15)


def test_the_largest_coverage_that_is_good_enough() -> None:
    """Even where a smaller one is not."""
    report = of((0.9, False), (0.8, True), (0.7, True), (0.6, True), (0.5, False))
    point = at_accuracy(coverage_curve(report), 0.75)
    assert point is not None
    assert (point.threshold, point.coverage, point.accuracy) == (
        0.6,
        Ratio(hits=4, total=5),
        Ratio(hits=3, total=4),
    )
    assert at_accuracy(coverage_curve(report), 0.8) is None


@given(outcomes(), st.randoms(use_true_random=False))
def test_order_never_matters(found: list[Outcome], chance: random.Random) -> None:
    """Outcomes in any order, and images under any name, give equal numbers."""
    shuffled = chance.sample(found, len(found))
    renamed = [replace(one, case=f"{place:04}") for place, one in enumerate(shuffled)]
    assert calibration(built(renamed)) == calibration(built(found))


@given(outcomes())
def test_the_curve_ends_at_accuracy(found: list[Outcome]) -> None:
    """Coverage grows, thresholds fall, every point is what numpy counts, the last is accuracy."""
    report = built(found)
    curve = coverage_curve(report)
    if not any(one.predicted for one in found):
        assert curve == ()
        return
    sure = np.array([confidence(one) or 0 for one in found if one.kind not in ("error", "lost")])
    right = np.array([one.kind == "correct" for one in found if one.kind not in ("error", "lost")])
    assert [point.threshold for point in curve] == sorted(set(sure), reverse=True)
    for point in curve:
        taken = sure >= point.threshold
        assert point.accuracy == Ratio(hits=int(right[taken].sum()), total=int(taken.sum()))
        assert point.coverage == Ratio(hits=int(taken.sum()), total=len(sure))
    assert accuracy_at_coverage(report, 1) == report.accuracy
    assert report.accuracy.value == accuracy_score(np.ones(len(right)), right)


@given(outcomes(), st.sampled_from([0.1, 0.3, 0.5, 0.8, 0.95]))
def test_scores_stay_in_their_range(found: list[Outcome], coverage: float) -> None:
    """Errors from 0 to 1, Brier from 0 to 2, and a coverage is at least what was asked for."""
    report = built(found)
    error, score = ece(report), brier(report)
    answered = report.ledger.answered
    named_ones = any(one.predicted for one in found)
    assert error.total == score.total == (answered if named_ones else 0)
    if named_ones:
        assert error.value is not None
        assert score.value is not None
        assert 0 <= error.value <= 1
        assert 0 <= score.value <= 2
        assert accuracy_at_coverage(report, coverage).total >= Fraction(str(coverage)) * answered
        assert sum(one.count for one in reliability(report)) == answered


@given(outcomes())
def test_it_is_json(found: list[Outcome]) -> None:
    """Strict JSON, undefined numbers as null."""
    whole = calibration(built(found))
    if whole is not None:
        data = json.loads(json.dumps(whole.to_json(), allow_nan=False))
        assert data["answers"] == whole.known.total
        assert sum(one["answers"] for one in data["bins"]) == data["known"]


def test_what_the_labels_had_before_is_averaged() -> None:
    """Over the answers that tell it; another label than the most probable one is counted."""
    report = built(
        [
            named("a", 0.9, right=True, label_mass=0.4),
            named("b", 0.4, right=True, label_mass=0.2),
            unparsed("c"),
        ]
    )
    found = calibration(report)
    assert found is not None
    assert found.label_mass == pytest.approx(0.3)
    assert found.named_another == Ratio(hits=1, total=2)
    assert found.unparsed == 1


def test_calibration_error_by_chance_of_many_answers() -> None:
    """Ten thousand: fewer drawings, and the mean distance of a normal distribution."""
    levels = [(place + 0.5) / 10_000 for place in range(10_000)]
    normal = sum(
        math.sqrt(2 / math.pi * sum(sure * (1 - sure) for sure in levels[start : start + 1000]))
        for start in range(0, 10_000, 1000)
    )
    report = of(*[(sure, True) for sure in levels])
    assert ece_by_chance(report) == pytest.approx(normal / 10_000, rel=0.1)
