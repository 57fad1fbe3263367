"""How sure the truth is: ranges of accuracy, and gates on confirmed labels."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.analysis.label_review.review import label_reviews
from pytest_llmclf.analysis.label_review.truth import accuracy_ranges
from pytest_llmclf.errors import SettingsError
from pytest_llmclf.gates.expression import parse
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.reporting import terminal
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.values.reviewed import ImageReview
from tests.unit.test_label_review import LABELS, answered, herd, report_of, sure

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

GATE = "accuracy >= 0.8 on confirmed labels"


def doubtful() -> Report:
    """Two pairs of copies under two labels among 36 other images."""
    copies = [
        answered(case, label, said, sha256=sha256, probabilities=sure(name, 0.4))
        for case, label, said, sha256, name in (
            ("a", "cat", "c", "x", "cat"), ("b", "dog", "c", "x", "cat"),
            ("c", "cow", "d", "y", "dog"), ("d", "dog", "d", "y", "dog"),
        )
    ]  # fmt: skip
    return report_of([*herd(), *copies])


def reviewed(report: Report, statuses: dict[str, Any]) -> Report:
    """The same with what people decided about some images."""
    return report_of(
        [
            replace(one, review=ImageReview(status=statuses[one.case], original=(one.expected,)))
            if one.case in statuses
            else one
            for one in report.outcomes
        ]
    )


@pytest.mark.parametrize("likely", [True, False])
def test_no_choice_of_wrong_labels_leads_out_of_the_range(likely: bool) -> None:  # noqa: FBT001
    """Every label in doubt as it is or any other: the ends are reached and never passed."""
    report = doubtful()
    (review,) = label_reviews([report])
    (found,) = accuracy_ranges(review, [report], likely=likely)
    cases = {one.case for one in review.candidates if one.likely or not likely}
    assert cases
    fixed = [one for one in report.outcomes if one.case not in cases]
    right = sum(one.kind == "correct" for one in fixed)
    answers = [one.predicted for one in report.outcomes if one.case in cases]
    hits = {
        right + sum(said == label for said, label in zip(answers, truth, strict=True))
        for truth in itertools.product(LABELS, repeat=len(answers))
    }
    assert (found.low.hits, found.high.hits) == (min(hits), max(hits))
    assert found.low.total == found.high.total == len(report.outcomes)
    assert found.accuracy == report.accuracy


def test_the_range_is_told_beside_the_labels() -> None:
    """With how many labels people confirmed."""
    report = reviewed(doubtful(), {"cat00": "confirmed", "cat01": "corrected", "cat02": "unsure"})
    lines = [line.text for line in terminal.lines([report], [], Style(width=400))]
    (told,) = (line for line in lines if "whichever of these labels were wrong" in line)
    (review,) = label_reviews([report])
    (found,) = accuracy_ranges(review, [report])
    assert told.startswith(f"  ollama:llava: accuracy 95.0%, between {found.low.hits / 0.4:.1f}%")
    assert told.endswith("; 2 of 40 labels confirmed")


def test_a_run_that_stopped_has_no_range() -> None:
    """Its accuracy is that of a moment which its answers chose."""
    report = report_of([*doubtful().outcomes, answered("z", "cat", "-")])
    (review,) = label_reviews([report])
    assert accuracy_ranges(review, [report]) == ()


@pytest.mark.parametrize(
    ("statuses", "word", "says"),
    [
        ({"cat00": "confirmed", "b": "corrected"}, "FAIL", "0.5000 (1/2) on these 2 images"),
        ({"cat00": "confirmed", "b": "unsure"}, "PASS", "1.0000 (1/1) on these 1 image"),
        ({"b": "disputed"}, "INCONCLUSIVE", "no answered image has a confirmed label"),
    ],
)
def test_a_gate_on_confirmed_labels_counts_those_alone(
    statuses: dict[str, Any], word: str, says: str
) -> None:
    """What people confirmed or made right, and nothing that they left open."""
    (verdict,) = judge(reviewed(doubtful(), statuses), [Gate(GATE)])
    assert verdict.word == word
    assert verdict.text.startswith(f"{GATE}: ")
    assert says in verdict.text
    assert word == "INCONCLUSIVE" or "with confirmed labels, of 40 images" in verdict.text


def test_it_goes_with_slices_classes_and_confidence() -> None:
    """As written, and as it is told again."""
    text = "recall[*]{style=photo} >= 0.6 on confirmed labels, accuracy > 0.5 with 95% confidence"
    first, second = parse(text).thresholds
    assert (first.confirmed, second.confirmed) == (True, False)
    assert first.text == "recall[*]{style=photo} >= 0.6 on confirmed labels"
    assert parse(f"{first.text} with 95% confidence").thresholds == (first,)
    report = reviewed(doubtful(), {f"cat{place:02}": "confirmed" for place in range(12)})
    (verdict,) = judge(report, [Gate(f"{GATE} with 60% confidence")])
    assert (verdict.word, "12/12" in verdict.text) == ("PASS", True)


@pytest.mark.parametrize(
    "tail", ["on confirmed", "on labels", "with 95% confidence on confirmed labels"]
)
def test_what_is_not_read_is_refused_with_what_is(tail: str) -> None:
    """The message has the form that is read."""
    with pytest.raises(SettingsError, match=r"confirmed labels|once, at the end"):
        parse(f"accuracy >= 0.8 {tail}")
