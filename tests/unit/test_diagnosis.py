"""What a diagnosis finds, and that it finds nothing where there is nothing."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from pytest_llmclf import reference
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.finding import (
    EXAMPLES,
    KINDS,
    LEVEL,
    Attractor,
    ConfusedPair,
    Finding,
    NeverAnswered,
    NoBetter,
    UnparsedKind,
    WeakSlice,
)
from pytest_llmclf.gates.unreadable import why_unread
from pytest_llmclf.metrics import report, report_build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.prompting.prompt import AnswerMode
from pytest_llmclf.reporting.diagnosis import finding_text
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import OUTCOME_KINDS, Outcome, UnparsedReason
from tests.unit.ended import ended
from tests.unit.simulated import label
from tests.unit.test_full_instructions import WHOLE

if TYPE_CHECKING:
    import random

    from pytest_llmclf.values.outcome import OutcomeKind


def counted(rows: list[list[int]], **more: Any) -> report.Report:
    """A report with these counts; a last column beyond the labels holds unparsed answers."""
    labels = tuple(label(place) for place in range(len(rows)))
    outcomes = [
        answered(f"{expected}/{predicted}-{number:03d}", expected, predicted)
        for expected, row in zip(labels, rows, strict=True)
        for predicted, count in zip((*labels, None)[: len(row)], row, strict=True)
        for number in range(count)
    ]
    return built(outcomes, labels, **more)


def answered(case: str, expected: str, predicted: str | None) -> Outcome:
    """An image and the label that it was given, if any."""
    if predicted is None:
        return ended(case, "unparsed", expected, reason="refusal")
    kind: OutcomeKind = "correct" if predicted == expected else "misclassified"
    return ended(case, kind, expected, predicted=predicted)


def built(outcomes: list[Outcome], labels: tuple[str, ...], **more: Any) -> report.Report:
    """A report on the dataset ``pets``."""
    facts = DatasetFacts(name="pets", content_hash="", labels=labels)
    return report_build.build(
        evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes, **more
    )


def only(findings: tuple[Finding, ...], kind: type[Finding]) -> Any:
    """The one finding of a kind."""
    (found,) = (finding for finding in findings if isinstance(finding, kind))
    return found


@pytest.mark.parametrize("mode", get_args(AnswerMode))
@pytest.mark.parametrize("reason", get_args(UnparsedReason))
def test_what_was_to_be_forced_is_told_apart(mode: AnswerMode, reason: UnparsedReason) -> None:
    """Naming something else, where the server was asked to force a label; and the same in brief."""
    told = dataclasses.replace(WHOLE, answer=mode)
    outcomes = [ended(f"{n}.png", "unparsed", "cat", reason=reason) for n in range(9)]
    made = built(outcomes, ("cat", "dog"), full_instructions=told)
    unforced = mode == "enum" and reason in ("outside-the-list", "several-labels")
    assert only(diagnose(made), UnparsedKind).unforced is unforced
    why = why_unread(made)
    assert why is not None
    assert ("the server does not hold" in why) is unforced


def test_published_animals() -> None:
    """Of the published animals it says that "cat" takes all 113 wrong answers, and no more."""
    (found,) = diagnose(reference.published("animals"))
    assert isinstance(found, Attractor)
    assert (found.label, found.taken, found.wrong, found.given) == ("cat", 113, 113, 0)
    assert found.sources == ("squirrel", "cow", "spider", "dog", "chicken", "sheep")
    assert found.even == pytest.approx(113 / 9)
    assert found.p_value < 1e-9
    assert found.prompt == "system"


def test_published_mnist() -> None:
    """Of the published digits it says that "3" takes 65 of 104 wrong answers, and no more."""
    (found,) = diagnose(reference.published("mnist"))
    assert isinstance(found, Attractor)
    assert (found.label, found.taken, found.wrong, len(found.sources)) == ("3", 65, 104, 8)
    assert found.cases == ("0/as-3-01", "1/as-3-01", "2/as-3-01", "0/as-3-02", "1/as-3-02")


def test_published_chess() -> None:
    """Of the published pieces it says no better than guessing, "king" attracts, and no more."""
    guess, king = diagnose(reference.published("chess"))
    assert isinstance(guess, NoBetter)
    assert (guess.correct, guess.answered, guess.choices) == (77, 465, 6)
    assert (guess.majority, guess.majority_images) == ("knight", 93)
    assert guess.than == ("guessing", "majority")
    assert not guess.worse
    assert guess.p_guessing == pytest.approx(
        scipy_stats.binomtest(77, 465, 1 / 6, alternative="greater").pvalue
    )
    assert isinstance(king, Attractor)
    assert (king.label, king.taken, king.wrong, king.given) == ("king", 182, 388, 28)


@pytest.mark.parametrize(("name", "example"), [("mnist", "3"), ("animals", "cat")])
def test_the_prompts_example_is_named(name: str, example: str) -> None:
    """An attractor that the SYSTEM text gives as its example is said to be that."""
    told = dataclasses.replace(
        reference.published(name), instructions=f'Answer with JSON such as {{"label": "{example}"}}'
    )
    (found,) = diagnose(told)
    assert isinstance(found, Attractor)
    assert (found.label, found.prompt) == (example, "system")


def test_silent_on_a_perfect_model() -> None:
    """Nothing is said of a model that is always right, nor of a report without answers."""
    assert diagnose(counted([[50, 0], [0, 50]])) == ()
    assert diagnose(built([ended("a", "error"), ended("b", "lost")], ("cat", "dog"))) == ()


def test_silent_on_a_good_model() -> None:
    """Nothing is said of ten mistakes among 500 that have no pattern."""
    rows = [[0] * 10 for _ in range(10)]
    for place in range(10):
        rows[place][place], rows[place][(3 * place + 1) % 10] = 49, 1
    rows[3][3], rows[3][0] = 49, 1
    rows[9][9], rows[9][8] = 49, 1
    assert counted(rows).accuracy == pytest.approx(0.98, abs=0.01)
    assert diagnose(counted(rows)) == ()


def test_an_attractor_draws_from_several_classes() -> None:
    """One class that is taken for another is a confused pair, one-way, and no attractor."""
    rows = [[50, 0, 0, 0], [25, 25, 0, 0], [0, 1, 48, 1], [1, 0, 1, 48]]
    (pair,) = diagnose(counted(rows))
    assert isinstance(pair, ConfusedPair)
    assert (pair.taken, pair.taken_for, pair.forth, pair.back) == (label(1), label(0), 25, 0)
    assert (pair.taken_images, pair.taken_for_images, pair.wrong) == (50, 50, 25)
    assert pair.one_way
    assert pair.p_one_way == pytest.approx(KINDS * scipy_stats.binomtest(0, 25, 0.5).pvalue)
    assert pair.cases == tuple(f"{label(1)}/{label(0)}-{n:03d}" for n in range(EXAMPLES))


def test_look_alikes_are_a_pair_both_ways() -> None:
    """Two classes that are taken for each other equally often are no one-way confusion."""
    rows = [[30, 18, 1, 1], [20, 28, 1, 1], [1, 1, 48, 0], [0, 1, 1, 48]]
    (pair,) = diagnose(counted(rows))
    assert isinstance(pair, ConfusedPair)
    assert (pair.taken, pair.forth, pair.back, pair.one_way) == (label(1), 20, 18, False)
    assert pair.mutual
    assert pair.p_value == max(pair.p_forth or 0, pair.p_back or 0)
    assert {case.partition("/")[0] for case in pair.cases} == {label(0), label(1)}


def test_the_way_considers_the_sizes_of_the_classes() -> None:
    """Nine times as many images confused nine times as often are the same rate both ways."""
    rows = [[360, 90, 0, 0], [10, 40, 0, 0], [0, 0, 50, 0], [0, 0, 0, 50]]
    (pair,) = diagnose(counted(rows))
    assert isinstance(pair, ConfusedPair)
    assert not pair.one_way


def test_of_two_labels_only_the_way_is_judged() -> None:
    """With two labels every mistake is within the pair, so only its way can be a finding."""
    assert diagnose(counted([[40, 10], [10, 40]])) == ()
    (pair,) = diagnose(counted([[50, 0], [20, 30]]))
    assert isinstance(pair, ConfusedPair)
    assert (pair.taken, pair.p_pair, pair.p_value) == (label(1), None, pair.p_one_way)


def test_a_class_that_is_never_the_answer() -> None:
    """A class whose images all go elsewhere, and that nothing else is taken for, is named."""
    rows = [[0, 10, 10, 10], [0, 48, 1, 1], [0, 1, 48, 1], [0, 1, 1, 48]]
    found = only(diagnose(counted(rows)), NeverAnswered)
    assert (found.label, found.images, found.answers) == (label(0), 30, 180)
    assert found.p_value == pytest.approx(KINDS * 4 * 0.5**30)
    rows[1][0] = 1
    assert not any(isinstance(one, NeverAnswered) for one in diagnose(counted(rows)))


def test_few_images_show_no_class_to_be_missing() -> None:
    """A class with five images can be missed by luck."""
    rows = [[0, 5, 0], [0, 50, 0], [0, 0, 50]]
    assert not any(isinstance(one, NeverAnswered) for one in diagnose(counted(rows)))


def test_answers_without_a_label_leave_a_class_unanswered() -> None:
    """A class whose answers cannot be read, as for want of a synonym, is never the answer."""
    findings = diagnose(counted([[0, 0, 30], [0, 30, 0]]))
    assert only(findings, NeverAnswered).images == 30
    assert only(findings, UnparsedKind).count == 30


def test_better_than_guessing_but_not_than_the_majority() -> None:
    """Right on 80 of 100 is better than guessing, but not where 90 show one class."""
    found = only(diagnose(counted([[75, 15, 0], [5, 3, 0], [0, 0, 2]])), NoBetter)
    assert found.than == ("majority",)
    assert (found.majority, found.majority_images, found.correct) == (label(0), 90, 80)
    assert found.p_guessing < LEVEL < found.p_majority


def test_nearly_always_the_majority_and_never_wrong_elsewhere() -> None:
    """Ten more right than a constant answer, and none lost, is better, though only by 1%."""
    assert diagnose(counted([[900, 0], [60, 40]]))[0].kind == "confused-pair"
    assert not any(one.kind == "no-better" for one in diagnose(counted([[900, 0], [90, 10]])))


def test_few_images_are_not_called_guessing() -> None:
    """Below twenty answered images "not shown to be better" is not said."""
    assert diagnose(counted([[5, 4], [4, 5]])) == ()
    assert only(diagnose(counted([[5, 5], [5, 5]])), NoBetter).than == ("guessing", "majority")


def test_swapped_labels_are_worse_than_guessing() -> None:
    """A model that is nearly always wrong is worse than guessing."""
    assert only(diagnose(counted([[1, 29], [29, 1]])), NoBetter).worse


@pytest.mark.parametrize(
    "rows",
    [
        [[1, 29], [29, 1]],
        [[15, 15], [15, 15]],
        [[0, 13, 13, 13], [0, 40, 0, 0], [0, 0, 40, 0], [0, 0, 0, 40]],
    ],
)
def test_what_stopped_because_of_its_answers_is_not_tested(rows: list[list[int]]) -> None:
    """Not worse than guessing, nor no better, nor blind to a class; answers unread are counted."""
    run = counted([[*row, 4] for row in rows])
    kinds = [one.kind for one in diagnose(run)]
    assert kinds[-1] == "unparsed"
    assert len(kinds) > 1
    stopped = dataclasses.replace(run, ledger=dataclasses.replace(run.ledger, not_needed=9))
    (counts,) = diagnose(stopped)
    assert isinstance(counts, UnparsedKind)
    assert counts.stopped
    assert f"of {run.ledger.answered} answers" in finding_text(counts)
    assert " when the run stopped refuse or cannot tell" in finding_text(counts)


def test_a_weak_slice() -> None:
    """The value of a tag that is answered worse than the rest is named, and Fisher's test held."""
    styles = {"photo": (48, 50), "clipart": (45, 50), "drawing": (25, 50), "": (27, 30)}
    outcomes = [
        ended(
            f"{style}-{number:02d}",
            "correct" if number < right else "misclassified",
            ("cat", "dog")[number % 2],
            predicted=("cat", "dog")[number % 2 if number < right else 1 - number % 2],
            tags={"style": style} if style else {},
        )
        for style, (right, images) in styles.items()
        for number in range(images)
    ]
    found = only(diagnose(built(outcomes, ("cat", "dog"))), WeakSlice)
    assert (found.tag, found.value, found.also) == ("style", "drawing", ())
    assert (found.correct, found.answered) == (25, 50)
    assert (found.rest_correct, found.rest_answered) == (120, 130)
    # Wrong ones of each class: 12 and 13 of 25 drawings, and of 65 others each.
    laws = [scipy_stats.hypergeom(90, wrong + rest, 25) for wrong, rest in ((12, 4), (13, 6))]
    both = np.convolve(*(law.pmf(np.arange(26)) for law in laws))
    assert found.p_value == pytest.approx(KINDS * 4 * both[25:].sum())
    assert found.expected == pytest.approx(25 * 61 / 65 + 25 * 59 / 65)
    assert found.left_out == 0
    assert found.cases == tuple(f"drawing-{number}" for number in (25, 26, 27, 28, 29))


@pytest.mark.parametrize("values", [1, 21])
def test_tags_with_one_or_too_many_values_are_no_slices(values: int) -> None:
    """A tag that all images share, or that nearly names them, makes no slices."""
    outcomes = [
        ended(
            f"{number:03d}",
            "correct" if number % values else "unparsed",
            tags={"set": str(number % values)},
        )
        for number in range(420)
    ]
    findings = diagnose(built(outcomes, ("cat", "dog")))
    assert not any(isinstance(one, WeakSlice) for one in findings)


@pytest.mark.parametrize(
    ("unparsed", "right", "said"),
    [(1, 1, False), (2, 38, True), (2, 40, False), (4, 400, False), (5, 400, True)],
)
def test_unparsed_answers_are_spoken_of_from_a_handful_on(
    unparsed: int,
    right: int,
    said: bool,  # noqa: FBT001 - parametrised
) -> None:
    """Five answers without a label are spoken of, and two that are a twentieth of all."""
    outcomes = [ended(f"{number:03d}", "correct") for number in range(right)]
    outcomes += [ended(f"u{number}", "unparsed", reason="empty") for number in range(unparsed)]
    findings = diagnose(built(outcomes, ("cat", "dog")))
    assert any(isinstance(one, UnparsedKind) for one in findings) is said


def test_unparsed_answers_by_kind() -> None:
    """Each kind has its count, two different texts and its images, most frequent first."""
    answers = [("refusal", "I cannot tell")] * 2 + [
        ("several-labels", f"cat or dog {number % 3}") for number in range(7)
    ]
    outcomes = [
        ended(f"{number}", "unparsed", reason=reason, answer=Answer(text=text))
        for number, (reason, text) in enumerate(answers)
    ]
    several, refusal = (
        one for one in diagnose(built(outcomes, ("cat", "dog"))) if isinstance(one, UnparsedKind)
    )
    assert (several.reason, several.count, several.answered) == ("several-labels", 7, 9)
    assert several.texts == ("cat or dog 0", "cat or dog 1")
    assert several.cases == ("2", "3", "4", "5", "6")
    assert (refusal.texts, refusal.cases) == (("I cannot tell",), ("0", "1"))


def unread(said: list[tuple[str, str]]) -> UnparsedKind:
    """The finding on answers that name no label, each with the class of its image."""
    outcomes = [
        ended(f"{n}", "unparsed", expected, reason="outside-the-list", answer=Answer(text=text))
        for n, (expected, text) in enumerate(said)
    ]
    found: UnparsedKind = only(diagnose(built(outcomes, ("cat", "dog"))), UnparsedKind)
    return found


def test_the_examples_are_the_most_frequent_answers() -> None:
    """Not those that happen to come first."""
    found = unread([("cat", "elephant"), ("dog", "sheep"), ("cat", "sheep"), *[("dog", "it")] * 7])
    assert found.texts == ("it", "sheep")


@pytest.mark.parametrize(
    ("cats", "dogs", "meant"),
    [(5, 0, True), (4, 1, True), (0, 3, True), (3, 1, False), (2, 0, False), (5, 5, False)],
)
def test_a_word_is_called_a_synonym_only_where_it_was_said_of_one_class(
    cats: int, dogs: int, *, meant: bool
) -> None:
    """A word that is said of every class means none of them."""
    others = [("cat", f"other {number}") for number in range(5)]
    found = unread([("cat", "feline")] * cats + [("dog", "feline")] * dogs + others)
    expected = "cat" if cats > dogs else "dog"
    assert found.meant == ((("feline", expected),) if meant else ())
    text = finding_text(found)
    assert ("name it as its synonym" in text) is meant
    assert (f'feline" for "{expected}"' in text or f"feline for {expected}" in text) is meant
    assert 'answer="enum"' in text


def test_only_answers_count() -> None:
    """Errors, images lost and those not run change nothing."""
    run = reference.published("animals")
    others = [
        dataclasses.replace(run.outcomes[0], case=f"more-{kind}", kind=kind, predicted=None)
        for kind in ("error", "lost", "not_run")
    ]
    more = report_build.build(
        evaluation=run.evaluation,
        model=run.model,
        dataset=run.dataset,
        outcomes=[*run.outcomes, *others],
        instructions=run.instructions,
    )
    assert diagnose(more) == diagnose(run)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(OUTCOME_KINDS),
            st.integers(0, 2),
            st.integers(1, 2),
            st.sampled_from(["photo", "drawing"]),
        ),
        max_size=60,
    ),
    st.randoms(use_true_random=False),
)
def test_any_report_in_any_order(
    drawn: list[tuple[Any, int, int, str]], chance: random.Random
) -> None:
    """Any outcomes are diagnosed, in any order alike, and every finding is plain JSON."""
    labels = ("cat", "cow", "dog")
    outcomes = []
    for number, (kind, expected, step, style) in enumerate(drawn):
        more: dict[str, Any] = {"tags": {"style": style}}
        if kind == "misclassified":
            more["predicted"] = labels[(expected + step) % 3]
        outcomes.append(ended(f"{number}", kind, labels[expected], **more))
    findings = diagnose(built(outcomes, labels))
    assert findings == diagnose(built(chance.sample(outcomes, len(outcomes)), labels))
    for finding in findings:
        flat = dataclasses.asdict(finding)
        assert json.loads(json.dumps(flat, allow_nan=False))["kind"] == finding.kind
        assert len(finding.cases) <= EXAMPLES
        assert finding.p_value is None or 0 <= finding.p_value <= 1
