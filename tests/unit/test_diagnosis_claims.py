"""Each sentence of a diagnosis against the report that would make it false."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING, Any

import pytest
from scipy import stats as scipy_stats

from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.finding import (
    LEVEL,
    Attractor,
    ConfusedPair,
    NeverAnswered,
    NoBetter,
    WeakSlice,
)
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.diagnosis import finding_text
from tests.unit.ended import ended
from tests.unit.simulated import Simulated, alike, drawn, even

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmclf.analysis.diagnosis.finding import Finding
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

RUNS = 60
MOST = scipy_stats.binom.ppf(0.999, RUNS, LEVEL)
"""More false ones than a true rate of 5% gives once in a thousand such tests."""


def of_counts(labels: Sequence[str], rows: Sequence[Sequence[int]]) -> Report:
    """A report with these counts; a column beyond the labels holds answers without one."""
    outcomes = [
        ended(
            f"{expected}/{said}-{number:04}",
            "unparsed" if said is None else "correct" if said == expected else "misclassified",
            expected,
            predicted=said,
        )
        for expected, row in zip(labels, rows, strict=True)
        for said, count in zip((*labels, None)[: len(row)], row, strict=True)
        for number in range(count)
    ]
    return built(outcomes, labels)


def built(outcomes: Iterable[Outcome], labels: Sequence[str]) -> Report:
    facts = DatasetFacts(name="pets", content_hash="", labels=tuple(labels))
    return reports.build(
        evaluation="pets", model="ollama:llava", dataset=facts, outcomes=list(outcomes)
    )


def found(report: Report, kind: type[Finding]) -> Any:
    """The one finding of a kind, or none."""
    return next((one for one in diagnose(report) if isinstance(one, kind)), None)


def told(report: Report, kind: type[Finding]) -> str:
    """What is said of it; nothing where nothing is found."""
    one = found(report, kind)
    return "" if one is None else finding_text(one)


def test_one_way_is_not_each_other() -> None:
    """Seven taken for another class and none back are not "taken for each other"."""
    rows = [[50 * (place == other) for other in range(10)] for place in range(10)]
    rows[0][:2] = 43, 7
    text = told(of_counts("abcdefghij", rows), ConfusedPair)
    assert text.startswith('"a" is taken for "b" (7 of 50 images; the other way 0 of 50)')


def test_eight_hundred_against_a_thousand_are_less_and_not_far_less() -> None:
    """The way is clear, and so is that both are taken for each other."""
    rows = [[4000, 1000, 0, 0], [800, 4200, 0, 0], [0, 0, 5000, 0], [0, 0, 0, 5000]]
    text = told(of_counts("abcd", rows), ConfusedPair)
    assert text.startswith(
        '"a" and "b" are taken for each other, "a" more often (1000 of 5,000 images, and 800 of '
        "5000 the other way)"
    )
    assert "far less" not in text


def test_each_other_is_rarely_said_of_one_way() -> None:
    """A model that takes one class for another in 30% and never the other way round."""
    chances = drawn(even([0.97] * 6), 1, 0.3, [0])
    model = Simulated(chances=chances, sizes=(40,) * 6)
    said = sum(
        "each other" in finding_text(one)
        for report in model.reports(RUNS, seed=1)
        for one in diagnose(report)
    )
    assert said <= MOST


def test_one_way_is_rarely_said_of_look_alikes() -> None:
    """A model that takes two classes for each other alike."""
    pairs = [(0, 1), (2, 3), (4, 5)]
    model = Simulated(chances=alike(pairs, 0.7, 0.95), sizes=(30, 60, 90, 30, 60, 90))
    said = sum(
        any("less often" in text or "more often" in text for text in map(finding_text, one))
        for one in map(diagnose, model.reports(RUNS, seed=2))
    )
    assert said <= MOST


def of_cameras(
    rates: dict[tuple[str, str], tuple[int, int]],
) -> Report:
    """Right and all images of each (camera, class)."""
    outcomes = [
        ended(
            f"{camera}/{label}-{number:03}",
            "correct" if number < right else "misclassified",
            label,
            predicted=label if number < right else ("cat" if label != "cat" else "dog"),
            tags={"camera": camera},
        )
        for (camera, label), (right, size) in rates.items()
        for number in range(size)
    ]
    return built(outcomes, ("cat", "cow", "dog"))


def test_a_slice_of_the_harder_class_is_not_weak() -> None:
    """Each class is answered alike with both cameras; one has most of the hard class."""
    mixed = of_cameras(
        {
            ("phone", "cat"): (10, 10),
            ("phone", "dog"): (45, 90),
            ("tripod", "cat"): (90, 90),
            ("tripod", "dog"): (5, 10),
        }
    )
    weak = mixed.by_tag("camera")["phone"].accuracy
    rest = mixed.by_tag("camera")["tripod"].accuracy
    assert scipy_stats.fisher_exact([[weak.hits, 45], [rest.hits, 5]])[1] < 1e-9
    assert found(mixed, WeakSlice) is None


def test_a_weak_slice_that_the_class_mix_hides_is_found() -> None:
    """The worse camera has the easier class, so that both cameras are right equally often."""
    hidden = of_cameras(
        {
            ("phone", "cat"): (60, 90),
            ("phone", "dog"): (2, 10),
            ("tripod", "cat"): (10, 10),
            ("tripod", "dog"): (52, 90),
        }
    )
    by_tag = hidden.by_tag("camera")
    assert by_tag["phone"].accuracy == by_tag["tripod"].accuracy
    text = told(hidden, WeakSlice)
    assert text.startswith('Weak where "camera" is "phone": 62 of 100 right (62.0%), where images ')
    # All of 90 cats, and 52 of 90 of 10 dogs.
    assert f"of the same classes elsewhere give {100 * (90 + 10 * 52 / 90) / 100:.1f}%" in text


def test_what_is_nowhere_else_is_not_compared() -> None:
    """A class that only one camera saw says nothing about the camera."""
    only = of_cameras({("phone", "cow"): (0, 50), ("phone", "cat"): (20, 20)})
    assert found(only, WeakSlice) is None
    both = {("phone", "cow"): (0, 50), ("phone", "cat"): (5, 20), ("tripod", "cat"): (40, 40)}
    weak = found(of_cameras(both), WeakSlice)
    assert (weak.correct, weak.answered, weak.left_out) == (5, 20, 50)
    assert "50 images of classes that are nowhere else left out" in finding_text(weak)
    assert all("cat" in case for case in weak.cases)


def test_class_mixes_are_rarely_called_weak() -> None:
    """Tags that go with the classes, which are of any difficulty, and with nothing else."""
    accuracies = (0.3, 0.5, 0.7, 0.9, 1.0)
    model = Simulated(chances=even(accuracies), sizes=(50,) * 5)
    chance = random.Random(5)  # noqa: S311 - a simulation
    said = 0
    for report in model.reports(RUNS, seed=6):
        outcomes = [
            dataclasses.replace(
                one,
                tags={"scene": str(chance.choices(range(4), _mix(one.expected))[0])},
            )
            for one in report.outcomes
        ]
        mixed = reports.build(
            evaluation="simulated",
            model="simulated",
            dataset=report.dataset,
            outcomes=outcomes,
        )
        said += found(mixed, WeakSlice) is not None
    assert said <= MOST


def _mix(label: str) -> list[int]:
    place = int(label[-1])
    return [1 + 9 * (scene == place % 4) for scene in range(4)]


def test_an_unreadable_model_is_not_called_a_bad_one() -> None:
    """Right on all 20 that it answers with a label; the other 80 are the trouble."""
    rows = [[10, 0, 40], [0, 10, 40]]
    text = told(of_counts("ab", rows), NoBetter)
    assert "since 80 answers name no label" in text
    assert "where one is named, 20 of 20 are right" in text
    assert "another prompt or model" not in text


def test_one_constant_readable_answer_is_no_better() -> None:
    """Named only where it is right by being the only label named."""
    text = told(of_counts("ab", [[20, 0, 0], [0, 0, 80]]), NoBetter)
    assert "since" not in text.partition(":")[0] or "tells" in text


def test_classes_that_are_both_seen_well_are_said_to_be() -> None:
    """Right on 90% of each class, and a constant answer on 95% of the images."""
    text = told(of_counts("01", [[855, 95], [5, 45]]), NoBetter)
    assert text.startswith(
        'Not shown to be right more often than always answering "0": 900 of 1000'
    )
    assert 'yet it tells "0", "1" from the rest' in text
    assert "balanced_accuracy, here 90.0% where always the same answer gets 50.0%" in text
    assert "another prompt or model" not in text


@pytest.mark.parametrize("answers", [[1.0, 0.0], [0.9, 0.1], [0.5, 0.5]])
def test_seeing_is_rarely_said_of_one_who_does_not_look(answers: list[float]) -> None:
    """Whatever it answers how often, on classes of unequal size."""
    model = Simulated(chances=(tuple(answers),) * 2, sizes=(90, 30))
    said = sum(
        "yet it tells" in finding_text(one)
        for report in model.reports(RUNS, seed=7)
        for one in diagnose(report)
    )
    assert said <= MOST


def test_who_guesses_gets_so_far_as_often_as_is_said() -> None:
    """The share is the plain probability for one who guesses, checked by letting one guess."""
    text = told(of_counts("ab", [[13, 7], [10, 10]]), NoBetter)
    assert "23 of 40 right" in text
    exact = scipy_stats.binom.sf(22, 40, 0.5)
    assert f"who guesses gets that far {exact:.0%} of the time" in text
    chance = random.Random(8)  # noqa: S311 - a simulation
    guessed = sum(sum(chance.random() < 0.5 for _ in range(40)) >= 23 for _ in range(4000))
    assert guessed / 4000 == pytest.approx(exact, abs=0.03)


def test_nothing_is_said_of_what_everybody_reaches() -> None:
    """Whoever guesses gets at least none right all the time: that is no comparison."""
    assert "gets that far" not in told(of_counts("ab", [[0, 1], [1, 0]]), NoBetter)


def test_a_rare_constant_answer_is_worse_than_guessing_but_not_swapped() -> None:
    """Nobody is sent to look for swapped labels where the answer never changes."""
    constant = told(of_counts("ab", [[0, 95], [0, 5]]), NoBetter)
    assert constant.startswith("Worse than guessing: 5 of 100 right")
    assert "belong together" not in constant
    swapped = told(of_counts("ab", [[5, 45], [45, 5]]), NoBetter)
    assert 'images of "a", "b" are called so less often than others' in swapped
    assert "belong together" in swapped


def test_examples_show_what_is_spoken_of() -> None:
    """Of an attractor the classes that are named, of one way this way, of a class its answers."""
    rows = [
        [20, 0, 0, 0, 30],
        [0, 20, 0, 0, 30],
        [0, 0, 25, 0, 25],
        [0, 0, 0, 48, 2],
        [0, 0, 0, 0, 50],
    ]
    drawn_to = found(of_counts("abcde", rows), Attractor)
    named = finding_text(drawn_to)
    assert 'most from "a", "b", "c" and 1 more' in named
    assert [case[0] for case in drawn_to.cases] == ["a", "b", "c", "a", "b"]
    one_way = [[20, 30, 0, 0], [2, 48, 0, 0], [0, 0, 50, 0], [0, 0, 0, 50]]
    pair = found(of_counts("abcd", one_way), ConfusedPair)
    assert {case[0] for case in pair.cases} == {"a"}


def test_a_class_without_answers_is_no_example() -> None:
    """Images that nobody answered show nothing of what the answers name."""
    report = of_counts("ab", [[0, 0, 30], [0, 30, 0]])
    errors = [ended(f"a/000-{number}", "error", "a") for number in range(9)]
    never = found(built([*report.outcomes, *errors], "ab"), NeverAnswered)
    assert never.images == 30
    assert not any(case.startswith("a/000-") for case in never.cases)
