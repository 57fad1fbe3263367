"""Images with several right labels: counted as documented, and nothing else changes."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn_metrics

from pytest_llmclf.analysis.comparison.baseline import compare
from pytest_llmclf.analysis.comparison.paired_comparison import compare_reports
from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions, predictions_text
from pytest_llmclf.analysis.comparison.score_differences import score_differences
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.gates.evidence import evidence_of
from pytest_llmclf.gates.feasible import undecidable
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.sequential.question import Question, questions
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.outcome import Outcome
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

LABELS = ("a", "b", "c", "d")
UNPARSED = "(unparsed)"
Run = list[tuple[tuple[str, ...], str]]
"""Of each image its right labels and what was answered."""

right_labels = st.lists(st.sampled_from(LABELS), min_size=1, max_size=3, unique=True).map(tuple)
runs = st.lists(
    st.tuples(right_labels, st.sampled_from((*LABELS, *LABELS, UNPARSED))), min_size=1, max_size=30
)


def outcome(number: int, labels: tuple[str, ...], answer: str, **more: Any) -> Outcome:
    kind = "unparsed" if answer == UNPARSED else "correct" if answer in labels else "misclassified"
    predicted = None if kind == "unparsed" else answer
    case = f"{number:03}.png"
    return ended(case, kind, labels[0], also=labels[1:], predicted=predicted, **more)  # type: ignore[arg-type]


def report(run: Run, **more: Any) -> Report:
    outcomes = [outcome(number, *image) for number, image in enumerate(run)]
    facts = DatasetFacts(name="pets", content_hash="", labels=LABELS, cases_in_dataset=len(run))
    return build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes, **more)


def close(ours: float | None, theirs: float) -> bool:
    return math.isnan(theirs) if ours is None else ours == pytest.approx(theirs)


@settings(max_examples=50)
@given(runs)
def test_scores_equal_sklearn(run: Run) -> None:
    """Accuracy and precision from the sets of right labels, recall from the class counted for."""
    found = report(run)
    answers = [answer for _, answer in run]
    right = [[label in labels for label in LABELS] for labels, _ in run]
    named = [[label == answer for label in LABELS] for answer in answers]
    hits = [answer in labels for labels, answer in run]
    assert close(found.accuracy.value, sum(hits) / len(hits))
    theirs = sklearn_metrics.precision_score(right, named, average=None, zero_division=math.nan)
    for label, precision in zip(LABELS, theirs, strict=True):
        assert close(found.precision[label].value, precision)
    shown = [answer if hit else labels[0] for hit, (labels, answer) in zip(hits, run, strict=True)]
    scores = sklearn_metrics.precision_recall_fscore_support(
        shown, answers, labels=LABELS, zero_division=math.nan
    )
    for score, recall, f1, support in zip(found.confusion.scores, *scores[1:], strict=True):
        assert close(score.recall.value, recall)
        assert close(score.f1.value, f1)
        assert score.support == support
    matrix = sklearn_metrics.confusion_matrix(shown, answers, labels=[*LABELS, UNPARSED])
    assert [list(row) for row in found.confusion.counts] == matrix[:4, :4].tolist()
    assert list(found.confusion.unparsed) == matrix[:4, 4].tolist()


@given(runs, st.sampled_from(("accuracy", "recall[a]", "precision[b]", "f1[a]", "macro_f1",
                              "balanced_accuracy", "weighted_precision")))  # fmt: skip
def test_evidence_is_of_the_measured_value(run: Run, metric: str) -> None:
    """Bounds rest on the images that the value is of, one by one or in groups."""
    threshold = Gate(f"{metric} >= 0.5").parsed.thresholds[0]
    found = report(run)
    measure = threshold.measure(found)
    assume(measure.value is not None)
    single = evidence_of(threshold, found, measure)
    assume(single.estimate is not None)
    each_alone = {one.case: one.case for one in found.outcomes}
    grouped = evidence_of(threshold, replace(found, clusters=each_alone), measure)
    assert single.estimate == pytest.approx(measure.value)
    assert grouped.estimate == pytest.approx(measure.value)


@given(runs)
def test_predictions_are_read_back(run: Run) -> None:
    """And compared with themselves nothing changed."""
    found = report(run)
    text = predictions_text(found)
    read = parse_predictions(text).predictions
    assert [(one.expected, *one.also) for one in read.values()] == [labels for labels, _ in run]
    assert [one.correct for one in read.values()] == [answer in labels for labels, answer in run]
    same = compare(text, text)
    assert (same.refused, same.changes) == (None, ())


@settings(max_examples=8)
@given(runs, st.lists(st.sampled_from((*LABELS, UNPARSED)), min_size=30, max_size=30))
def test_two_sides_differ_as_their_scores_do(run: Run, others: list[str]) -> None:
    """Each side's scores are its own, though an image counts for one class here, another there."""
    now = [(labels, other) for (labels, _), other in zip(run, others, strict=False)]
    before, after = report(run), report(now)
    comparison = compare_reports(before, after)
    assert comparison.refused is None
    assert (comparison.before.value, comparison.now.value) == (
        before.accuracy.value,
        after.accuracy.value,
    )
    for score in score_differences(before, after, comparison):
        threshold = Gate(f"{score.name} >= 0.5").parsed.thresholds[0]
        sides = threshold.measure(before).value, threshold.measure(after).value
        assert (score.before, score.now) == pytest.approx(tuple(side or 0.0 for side in sides))
        if score.interval is not None:
            assert score.interval.low <= score.difference <= score.interval.high


def cases(*labels: tuple[str, ...]) -> list[Case]:
    return [
        Case(id=f"{n}.png", root=Path(), sha256=str(n), label=first, also=tuple(also))
        for n, (first, *also) in enumerate(labels)
    ]


class TestEarly:
    """Which thresholds a run may stop early for."""

    def test_accuracy_is_decided_as_ever(self) -> None:
        """It divides by the images, whatever they show."""
        images = cases(("a", "b"), ("b",), ("a",))
        (found,) = questions([Gate("accuracy >= 0.5")], LABELS, images, "m", imported=False)
        assert isinstance(found, Question)
        assert found.total == 3

    @pytest.mark.parametrize(
        "gate", ["recall[a] >= 0.5", "recall[b] >= 0.5", "balanced_accuracy >= 0.5"]
    )
    def test_recall_needs_every_image(self, gate: str) -> None:
        """Which class such an image counts for depends on its answer."""
        images = cases(("a", "b"), ("b",), ("a",), ("c",))
        (found,) = questions([Gate(gate)], LABELS, images, "m", imported=False)
        assert isinstance(found, str)
        assert "several right labels counts for the one that is answered" in found

    def test_recall_of_another_class_does_not(self) -> None:
        """Of a class that only images with one label show."""
        images = cases(("a", "b"), ("c",))
        (found,) = questions([Gate("recall[c] >= 0.5")], LABELS, images, "m", imported=False)
        assert isinstance(found, Question)


def test_what_can_be_shown_counts_every_right_label() -> None:
    """A class that is only a further label has images; one that is none has not."""
    images = cases(*[("a", "b")] * 60, *[("c",)] * 60)
    assert undecidable(Gate("recall[*] >= 0.9"), ("a", "b", "c"), images) == ()
    sure = "recall[*] >= 0.9 with 95% confidence"
    assert undecidable(Gate(sure), ("a", "b", "c"), images) == ()
    (said,) = undecidable(Gate("recall[d] >= 0.9"), LABELS, images)
    assert "no image shows d" in said


def test_the_diagnosis_leaves_them_out() -> None:
    """Whoever never looks is right more often on them, which is no finding either way."""
    blind: Run = [((label,), "a") for label in LABELS * 10]
    lucky: Run = [(("b", "a"), "a")] * 60
    assert diagnose(report(blind + lucky)) == diagnose(report(blind))
    assert diagnose(report(lucky)) == ()


def test_a_gate_is_judged_on_all_right_labels() -> None:
    """As is what the outcome says of itself."""
    found = report([(("a", "b"), "b"), (("a", "b"), "c"), (("c",), "c")])
    (verdict,) = judge(found, [Gate("accuracy >= 0.6")])
    assert verdict.word == "PASS"
    assert found.outcomes[1].summary() == "expected a or b, predicted c"
    assert [(one.expected, one.predicted) for one in found.confusions()] == [("a", "c")]
    assert Outcome.from_json(found.outcomes[0].to_json()) == found.outcomes[0]


def test_a_contradiction_is_refused() -> None:
    """A right answer that is told to be wrong would be in no count."""
    wrong = replace(outcome(1, ("a", "b"), "b"), kind="misclassified")
    with pytest.raises(ValueError, match="misclassified, but expected 'a' or 'b'"):
        Confusion.from_outcomes(LABELS, [wrong])
    with pytest.raises(ValueError, match="'x' is none of the labels"):
        Confusion.from_outcomes(LABELS, [outcome(1, ("a", "x"), "a")])
