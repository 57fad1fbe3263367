"""Findings as sentences."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from pytest_llmclf import reference
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.diagnosis.finding import (
    Attractor,
    ConfusedPair,
    Finding,
    NeverAnswered,
    NoBetter,
    UnparsedKind,
    WeakSlice,
)
from pytest_llmclf.reporting.diagnosis import LEGEND, diagnosis_lines, finding_text
from pytest_llmclf.reporting.style import Style, width
from pytest_llmclf.values.outcome import NAMES_OTHER, UnparsedReason

HOSTILE = "a\x1b[31m\r\n\u202eb" * 30

GUESS = NoBetter(
    correct=14,
    answered=20,
    named=20,
    choices=2,
    majority="cat",
    majority_images=10,
    balanced=0.7,
    classes=2,
    than=("guessing", "majority"),
    p_guessing=0.0577,
    p_majority=0.0577,
    p_value=0.0577,
    worse=False,
    avoided=(),
    readable=False,
    seen=(),
)
PAIR = ConfusedPair(
    taken="dog",
    taken_for="cat",
    forth=20,
    back=1,
    wrong=25,
    taken_images=50,
    taken_for_images=40,
    one_way=True,
    p_pair=0.0001,
    p_forth=0.0001,
    p_back=1.0,
    p_one_way=0.0123,
    p_value=0.0123,
    cases=("dog/1.png",),
)
ATTRACTOR = Attractor(
    label="cat",
    taken=113,
    wrong=120,
    even=12.56,
    sources=("cow", "dog"),
    given=0,
    prompt=None,
    p_value=0.0,
    cases=(),
)
SLICE = WeakSlice(
    tag="style",
    value="photo",
    correct=12,
    answered=40,
    expected=32.4,
    rest_correct=50,
    rest_answered=60,
    left_out=0,
    also=(),
    p_value=0.02,
    cases=(),
)
UNPARSED = UnparsedKind(
    reason="several-labels", count=12, answered=500, texts=("cat or dog",), cases=()
)
NEVER = NeverAnswered(label="bishop", images=50, answers=300, p_value=0.0004, cases=())
EVERY: tuple[Finding, ...] = (GUESS, ATTRACTOR, NEVER, PAIR, SLICE, UNPARSED)


@pytest.mark.parametrize("reason", NAMES_OTHER)
def test_what_was_to_be_forced_and_was_not_has_a_remedy_of_its_own(reason: UnparsedReason) -> None:
    """Who asked for answer="enum" is not told to ask for it."""
    found = dataclasses.replace(UNPARSED, reason=reason)
    assert 'answer="enum"' in finding_text(found)
    text = finding_text(dataclasses.replace(found, unforced=True))
    assert "the server does not hold the model to the labels" in text
    assert "force" not in text


def test_published_chess_in_words() -> None:
    """The published pieces are not shown to be better than guessing, with both numbers."""
    text = finding_text(diagnose(reference.published("chess"))[0])
    assert text == (
        "Not shown to be right more often than guessing: 77 of 465 right (16.6%); guessing among 6 "
        'labels gets 16.7%, always answering "knight" 20.0%; who guesses gets that far 54% of the '
        "time: try another prompt or model."
    )


def test_published_animals_in_words() -> None:
    """The published animals are said to be drawn to the prompt's example."""
    told = dataclasses.replace(
        reference.published("animals"), instructions='Answer such as {"label": "cat"}'
    )
    (found,) = diagnose(told)
    assert finding_text(found) == (
        '"cat" attracts wrong answers: 113 of 113, from 6 classes, most from "squirrel", "cow", '
        '"spider" and 3 more; spread evenly it would be 13 (p < 0.001). '
        "It stands as an example in the SYSTEM text: take that out of the Modelfile."
    )


def test_above_guessing_but_not_shown() -> None:
    """How often who guesses gets so far is the plain probability; more images may tell."""
    text = finding_text(GUESS)
    assert text.startswith("Not shown to be right more often than guessing: 14 of 20 right (70.0%)")
    assert "who guesses gets that far 6% of the time" in text
    assert "more images may tell" in text
    assert "always" not in text


def test_not_shown_to_be_better_than_the_majority() -> None:
    """A doubled p-value is said to be one, and never how often a constant answer gets so far."""
    found = dataclasses.replace(GUESS, correct=14, majority_images=13, than=("majority",))
    text = finding_text(found)
    assert text.startswith('Not shown to be right more often than always answering "cat": 14 of 20')
    assert 'always answering "cat" 65.0% (p = 0.058): more images may tell' in text
    assert "of the time" not in text
    below = finding_text(dataclasses.replace(found, majority_images=18))
    assert "p = " not in below
    assert "more images" not in below


def test_a_model_that_sees_is_not_sent_away() -> None:
    """Where it tells classes apart, or is right where it can be read, another cause is said."""
    sees = finding_text(dataclasses.replace(GUESS, than=("majority",), seen=("cat", "dog")))
    assert 'yet it tells "cat", "dog" from the rest' in sees
    assert "balanced_accuracy, here 70.0% where always the same answer gets 50.0%" in sees
    found = dataclasses.replace(GUESS, correct=20, answered=100, named=20, readable=True)
    text = finding_text(found)
    assert "since 80 answers name no label" in text
    assert "where one is named, 20 of 20 are right: see to the answers without a label" in text
    for other in (sees, text):
        assert "another prompt or model" not in other


def test_worse_than_guessing() -> None:
    """Whether labels and images belong together is asked where images avoid their label."""
    found = dataclasses.replace(GUESS, correct=1, worse=True)
    assert finding_text(found).startswith("Worse than guessing: 1 of 20 right (5.0%)")
    assert "belong together" not in finding_text(found)
    text = finding_text(dataclasses.replace(found, avoided=("cat",)))
    assert 'images of "cat" are called so less often than others' in text
    assert "belong together" in text


@pytest.mark.parametrize(
    ("finding", "parts"),
    [
        (ATTRACTOR, ("113 of 120", "from 2 classes", '"cow", "dog"', "would be 13", "p < 0.001")),
        (dataclasses.replace(ATTRACTOR, prompt="base"), ("the base model's own SYSTEM text",)),
        (NEVER, ('"bishop" is never the answer', "50 images show it", "p < 0.001")),
        (PAIR, ('"dog" is taken for "cat" (20 of 50 images), and less often', "(1 of 40)")),
        (PAIR, ("; p = 0.012:",)),
        (
            dataclasses.replace(PAIR, one_way=False),
            ('"dog" is taken for "cat" (20 of 50 images; the other way 1 of 40)',),
        ),
        (
            dataclasses.replace(PAIR, one_way=False, p_back=0.01),
            ("are taken for each other (20 of 50 images, and 1 of 40 the other way)",),
        ),
        (
            dataclasses.replace(PAIR, p_back=0.01),
            ('"dog" and "cat" are taken for each other, "dog" more often (20 of 50',),
        ),
        (
            dataclasses.replace(PAIR, one_way=False, p_forth=0.2),
            ('"dog" and "cat" are confused (20 of 50 images one way, 1 of 40 the other)',),
        ),
        (SLICE, ('"style" is "photo": 12 of 40 right (30.0%)', "elsewhere give 81.0% (p = 0.020)")),
        (dataclasses.replace(SLICE, left_out=3), ("3 images of classes that are nowhere else",)),
        (dataclasses.replace(SLICE, value=""), ('without the tag "style"',)),
        (dataclasses.replace(SLICE, also=("art",)), ('"art" also below the rest',)),
        (UNPARSED, ("12 of 500 answers (2.4%)", '"cat or dog"', 'answer="enum"')),
    ],
)
def test_numbers_and_remedies_are_said(finding: Finding, parts: tuple[str, ...]) -> None:
    """A sentence has the counts, the names in quotes, the p-value and what to try."""
    text = finding_text(finding)
    assert text.endswith(".")
    for part in parts:
        assert part in text


@pytest.mark.parametrize("reason", get_args(UnparsedReason))
def test_every_kind_of_unparsed_answer_has_a_remedy(reason: str) -> None:
    """Each reason has words and a remedy of its own; an unknown one is said as it is."""
    text = finding_text(dataclasses.replace(UNPARSED, reason=reason))
    unknown = finding_text(dataclasses.replace(UNPARSED, reason="odd"))
    assert "are odd" in unknown
    assert text.rsplit(": ", 1)[1] != unknown.rsplit(": ", 1)[1]


def test_cut_off_answers_name_the_option() -> None:
    """Answers cut at the limit name the option that raises it."""
    assert "num_predict" in finding_text(dataclasses.replace(UNPARSED, reason="cut-off"))


def test_nothing_found_is_nothing_printed() -> None:
    """Without findings there is no paragraph."""
    assert list(diagnosis_lines((), Style())) == []


@pytest.mark.parametrize("columns", [40, 80, 120])
@pytest.mark.parametrize("unicode", [True, False])
def test_lines_fit_and_are_safe(columns: int, unicode: bool) -> None:  # noqa: FBT001 - parametrised
    """Lines keep to the width, and labels and answers cannot move the cursor."""
    hostile = (
        dataclasses.replace(ATTRACTOR, label=HOSTILE, sources=(HOSTILE, "猫")),
        dataclasses.replace(SLICE, tag=HOSTILE, value=HOSTILE),
        dataclasses.replace(UNPARSED, texts=(HOSTILE,), reason=HOSTILE),
        dataclasses.replace(GUESS, majority=HOSTILE),
    )
    for line in diagnosis_lines((*EVERY, *hostile), Style(width=columns, unicode=unicode)):
        assert width(line.text) <= columns
        assert line.text.isprintable()
        assert unicode or line.text.isascii()


def test_the_legend_stands_below_tests_only() -> None:
    """What p means is said below findings that have one, not below counts and guesses."""
    style = Style(width=400)
    assert LEGEND in [line.text.strip() for line in diagnosis_lines(EVERY, style)]
    assert LEGEND not in [line.text.strip() for line in diagnosis_lines((GUESS, UNPARSED), style)]


def test_many_of_a_kind_are_counted() -> None:
    """Of a kind three are said, and how many more there are; unparsed kinds are all said."""
    pairs = [dataclasses.replace(PAIR, taken=f"dog-{number}") for number in range(50)]
    kinds = [dataclasses.replace(UNPARSED, count=number) for number in range(5)]
    texts = [line.text for line in diagnosis_lines([*pairs, *kinds], Style(width=400))]
    assert sum("is taken for" in text for text in texts) == 3
    assert any("Other pairs that are confused: 47 (all" in text for text in texts)
    assert sum("several labels" in text for text in texts) == 5


OF_THE_TOLD = ("prompt", "Modelfile", "escribe", "SYSTEM", "num_ctx", "enum", "template")


@pytest.mark.parametrize(
    "finding",
    [
        GUESS,
        PAIR,
        Attractor(label="cat", taken=9, wrong=10, sources=("dog",), even=2.0, given=0, prompt=None,
                  p_value=0.01, cases=()),
        NeverAnswered(label="cat", images=9, answers=9, p_value=0.01, cases=()),
        *(UnparsedKind(reason=reason, count=9, answered=9, texts=("x",), cases=())
          for reason in ("refusal", "several-labels", "outside-the-list", "empty")),
    ],
    ids=lambda finding: getattr(finding, "reason", finding.kind),
)  # fmt: skip
def test_who_is_told_nothing_is_not_to_be_told_otherwise(finding: Finding) -> None:
    """A classifier has no prompt, and a file of predictions no template."""
    remedy, text = finding_text(finding), finding_text(finding, told=False)
    assert any(word in remedy for word in OF_THE_TOLD)
    assert not any(word in text for word in OF_THE_TOLD)
    assert text.endswith(".")
