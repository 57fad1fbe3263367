"""What may be decided early: the same verdicts as of all images, and reasons for the rest."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.sequential.question import Question, questions, why_not_early
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.reviewed import ImageReview
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind
    from pytest_llmclf.values.reviewed import ReviewStatus

LABELS = ("cat", "cow", "dog")


def cases_of(*outcomes: Outcome) -> list[Case]:
    """The cases that these are of."""
    return [
        Case(id=one.case, root=Path(), sha256="", label=one.expected, tags=one.tags)
        for one in outcomes
    ]


def asked(gate: str, cases: Sequence[Case], labels: Sequence[str] = LABELS) -> Question:
    """The one thing that a gate asks."""
    (found,) = questions([Gate(gate)], labels, cases, "ollama:llava", imported=False)
    assert isinstance(found, Question)
    return found


def why(gate: str, cases: Sequence[Case], labels: Sequence[str] = LABELS) -> str:
    """Why the last threshold of a gate needs every image."""
    found = questions([Gate(gate)], labels, cases, "ollama:llava", imported=False)[-1]
    assert isinstance(found, str)
    return found


def reported(outcomes: Sequence[Outcome], labels: Sequence[str] = LABELS) -> Report:
    """The report of all images."""
    return reports.build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="", labels=tuple(labels)),
        outcomes=outcomes,
    )


def judged(gate: str, outcomes: Sequence[Outcome], labels: Sequence[str] = LABELS) -> list[str]:
    """The words that all images together get."""
    return [verdict.word for verdict in judge(reported(outcomes, labels), [Gate(gate)])]


@cache
def cats(kind: OutcomeKind, total: int, images: int) -> tuple[list[Outcome], Report]:
    """So many images of one kind, misclassified ones up to `images`, and their report."""
    outcomes = [ended(f"{n}.png", kind if n < total else "misclassified") for n in range(images)]
    return outcomes, reported(outcomes)


BOUNDS = [
    f"{sign} {number}"
    for sign in (">=", ">", "<=", "<")
    for number in ("0", "0.05", "0.3", "0.5", "0.75", "0.95", "1")
    # No value is above 1 or below 0, so such gates are refused.
    if (sign, number) not in {(">", "1"), ("<", "0")}
]


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("sure", ["", " with 95% confidence", " with 60% confidence"])
def test_every_total_has_its_verdict(bound: str, sure: str) -> None:
    """Each number of right images, or of unparsed ones, has the verdict of all images."""
    kinds: dict[str, OutcomeKind] = {
        "accuracy": "correct", "weighted_recall": "correct", "unparsed_rate": "unparsed"
    }  # fmt: skip
    for images, step in ((1, 1), (10, 1), (60, 7)):
        for metric, kind in kinds.items():
            gate = f"{metric} {bound}{sure}"
            found = asked(gate, cases_of(*cats(kind, 0, images)[0]))
            assert found.total == images
            for total in range(0, images + 1, step):
                outcomes, report = cats(kind, total, images)
                assert sum(map(found.counts, outcomes)) == total
                words = [verdict.word for verdict in judge(report, [Gate(gate)])]
                assert [found.regions.at(total)] == words


def test_several_thresholds_share_the_doubt_of_failing() -> None:
    """With confidence, a gate of many thresholds needs more to fail, as all images would."""
    gate = "accuracy >= 0.75, recall[cat] >= 0.75, recall[*] >= 0.75 with 95% confidence"
    for right in range(20, 40):
        outcomes = [
            ended(f"{n}.png", "correct" if n < right else "misclassified") for n in range(50)
        ]
        found = questions([Gate(gate)], ("cat", "dog"), cases_of(*outcomes), "m", imported=False)
        assert isinstance(found[0], Question)
        assert found[0].regions.at(right) == judged(gate, outcomes, ("cat", "dog"))[0]


@pytest.mark.parametrize("metric", ["balanced_accuracy", "macro_recall"])
@pytest.mark.parametrize("bound", [">= 0.5", "> 0.5", "<= 0.25", "< 0.75", ">= 0.6666666666666666"])
def test_every_weight_has_its_verdict(metric: str, bound: str) -> None:
    """Averages over classes of unequal size have the verdict of all images, to the last digit."""
    sizes = {"cat": 4, "cow": 3, "dog": 1}
    for right in product(*(range(size + 1) for size in sizes.values())):
        outcomes = [
            ended(
                f"{label}{n}",
                "correct" if n < hits else "misclassified",
                label,
                predicted=label if n < hits else "cow" if label != "cow" else "dog",
            )
            for (label, size), hits in zip(sizes.items(), right, strict=True)
            for n in range(size)
        ]
        found = asked(f"{metric} {bound}", cases_of(*outcomes))
        total = sum(found.weights[one.case] for one in outcomes if found.counts(one))
        assert [found.regions.at(total)] == judged(f"{metric} {bound}", outcomes)


def test_classes_of_one_size_weigh_the_same() -> None:
    """Then an average over classes is a share of images, with weights of 1."""
    outcomes = [ended(f"{label}{n}", "correct", label) for label in LABELS for n in range(5)]
    assert set(asked("balanced_accuracy >= 0.5", cases_of(*outcomes)).weights.values()) == {1}


def test_weights_of_many_sizes_stay_whole() -> None:
    """A hundred classes of different sizes have huge units, and every verdict is still found."""
    labels = tuple(f"class{n}" for n in range(1, 101))
    outcomes = [
        ended(f"{label}/{n}", "correct", label)
        for size, label in enumerate(labels, start=1)
        for n in range(size)
    ]
    found = asked("balanced_accuracy >= 0.5", cases_of(*outcomes), labels)
    assert found.total > 10**40
    assert found.regions.at(found.total // 2) == "PASS"
    assert found.regions.at(found.total * 49 // 100) == "FAIL"


def test_slices_and_classes_are_sets_of_images() -> None:
    """A slice, a class, and a class in a slice each have their own images."""
    photo, drawing = {"style": "photo"}, {"style": "drawing"}
    cases = cases_of(
        ended("1", "correct", tags=photo),
        ended("2", "correct", tags=drawing),
        ended("3", "correct", "dog", tags=photo),
    )
    assert set(asked("accuracy{style=photo} >= 0.5", cases).weights) == {"1", "3"}
    assert set(asked("recall[cat] >= 0.5", cases).weights) == {"1", "2"}
    assert set(asked("recall[cat]{style=photo} >= 0.5", cases).weights) == {"1"}
    assert set(asked("balanced_accuracy{style=drawing} >= 0.5", cases).weights) == {"2"}


def test_confirmed_labels_are_a_set_of_images() -> None:
    """Those that people confirmed or made right; where there are none, nothing can be early."""
    cases = cases_of(*(ended(str(place), "correct") for place in range(4)))
    statuses: tuple[ReviewStatus, ...] = ("confirmed", "corrected", "unsure")
    for place, status in enumerate(statuses):
        cases[place] = replace(cases[place], review=ImageReview(status=status, original=("cat",)))
    assert set(asked("accuracy >= 0.5 on confirmed labels", cases).weights) == {"0", "1"}
    assert "no image is among those" in why("accuracy >= 0.5 on confirmed labels", cases[2:])


@pytest.mark.parametrize(
    ("gate", "reason"),
    [
        ("precision[cat] >= 0.5", "it divides by how many answers name a class"),
        ("weighted_f1 >= 0.5", "it divides by how many answers name a class"),
        ("error_rate <= 0.1", "it counts images without an answer"),
        ("accuracy@coverage0.8 >= 0.9", "which answers are the most confident ones"),
        ("ece <= 0.1", "it is no share of images"),
        ("brier <= 0.5", "it is no share of images"),
        ("recall[dog] >= 0.5", "no image is among those that it is about"),
        ("accuracy{style=photo} >= 0.5", "no image is among those that it is about"),
        ("macro_recall >= 0.5", "no image shows 'cow', which counts as soon as an answer names it"),
        ("balanced_accuracy >= 0.5 with 95% confidence", "with confidence it depends on how"),
    ],
)
def test_what_needs_every_image(gate: str, reason: str) -> None:
    """It is named with the reason, whether that is the metric or the images."""
    cases = cases_of(ended("1", "correct"))
    assert why(gate, cases).startswith(f"{gate} needs every image: {reason}")


def test_the_reason_is_known_without_images_if_it_is_the_metric() -> None:
    """Every metric either takes part or says why not, and no reason names another metric's."""
    taking_part = {"accuracy", "balanced_accuracy", "macro_recall", "weighted_recall"}
    taking_part |= {"unparsed_rate", "recall", "false_accept"}
    (some,) = Gate("accuracy >= 0.5").thresholds_for(LABELS)
    for metric in METRICS:
        reason = why_not_early(replace(some, metric=metric))
        assert (reason is None) == (metric in taking_part)


def test_only_gates_that_are_meant_take_part() -> None:
    """A gate for another model asks nothing."""
    gates = [Gate("accuracy >= 0.5", model="other"), Gate("accuracy >= 0.6", images="imported")]
    cases = cases_of(ended("1", "correct"))
    assert questions(gates, LABELS, cases, "ollama:llava", imported=False) == ()
