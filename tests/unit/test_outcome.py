"""Outcomes and answers: what is raised, what is said, and JSON there and back."""

from __future__ import annotations

import ast
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_llmclf
from pytest_llmclf.values.answer import Answer, TokenLogprob
from pytest_llmclf.values.outcome import (
    ANSWERED,
    ASKED,
    ENDINGS,
    NAMED,
    OUTCOME_KINDS,
    Misclassified,
    ModelError,
    Outcome,
    OutcomeKind,
    Unparsed,
)
from pytest_llmclf.values.text import shorten


def ended(kind: OutcomeKind, **more: Any) -> Outcome:
    """An outcome of one image."""
    return Outcome(
        evaluation="pets",
        model="ollama:llava",
        model_digest="abc",
        case="a.png",
        sha256="def",
        expected="cat",
        kind=kind,
        **more,
    )


RAISED: dict[OutcomeKind, type[Exception] | None] = {
    "correct": None,
    "not_needed": None,
    "misclassified": Misclassified,
    "unparsed": Unparsed,
    "error": ModelError,
    "not_run": ModelError,
    "lost": ModelError,
}


@pytest.mark.parametrize("kind", OUTCOME_KINDS)
def test_check_raises_what_it_is(kind: OutcomeKind) -> None:
    """Each kind has its exception, with the summary as its message."""
    outcome = ended(kind, predicted="dog", reason="refusal", message="server gone (start it)")
    expected = RAISED[kind]
    if expected is None:
        outcome.check()
        return
    with pytest.raises(expected) as raised:
        outcome.check()
    assert str(raised.value) == outcome.summary()


def test_findings_are_assertions_and_errors_are_not() -> None:
    """A wrong answer is the model's, a missing one is nobody's assertion."""
    assert issubclass(Misclassified, AssertionError)
    assert issubclass(Unparsed, AssertionError)
    assert not issubclass(ModelError, AssertionError)


@pytest.mark.parametrize(
    ("outcome", "summary"),
    [
        (
            ended("correct", predicted="cat", answer=Answer(text="Cat.")),
            'expected cat, predicted cat, answered "Cat."',
        ),
        (
            ended("misclassified", predicted="dog", answer=Answer(text="dog")),
            'expected cat, predicted dog, answered "dog"',
        ),
        (
            ended("unparsed", reason="empty", answer=Answer(text="")),
            'expected cat, no label (empty), answered ""',
        ),
        (ended("error", message="gone (start it)"), "expected cat, no answer: gone (start it)"),
        (ended("not_needed"), "expected cat, not asked: the gates were already decided"),
        (ended("lost"), "expected cat, lost: collected but never reported"),
    ],
)
def test_a_summary_is_one_line(outcome: Outcome, summary: str) -> None:
    """Expected, predicted and what was said, or why nothing was."""
    assert outcome.summary() == summary


@given(st.text(max_size=300), st.integers(2, 50))
def test_what_is_shown_is_printable_and_short(text: str, width: int) -> None:
    """No answer breaks a line, moves a cursor or turns the reading direction."""
    shown = shorten(text, width)
    assert shown.isprintable()
    assert len(shown.splitlines()) == 1
    assert len(shown) <= 10 * width + 2


def test_a_short_text_is_shown_as_it_is() -> None:
    """Only what is too long ends in an ellipsis."""
    assert shorten("Katze \N{CAT FACE}", 20) == '"Katze \N{CAT FACE}"'
    assert shorten("abcdef", 6) == '"abcdef"'
    assert shorten("abcdefg", 6) == '"abcde\N{HORIZONTAL ELLIPSIS}"'


answers = st.builds(Answer, text=st.text(max_size=50), finish=st.sampled_from(["stop", "length"]))


@given(
    st.sampled_from(OUTCOME_KINDS),
    st.none() | answers,
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
    st.none() | st.text(max_size=5),
)
def test_an_outcome_is_read_back(
    kind: OutcomeKind, answer: Answer | None, tags: dict[str, str], predicted: str | None
) -> None:
    """Through JSON text, as it crosses from a worker to the controller."""
    outcome = ended(kind, answer=answer, tags=tags, predicted=predicted, cached=True, attempts=2)
    assert Outcome.from_json(json.loads(json.dumps(outcome.to_json()))) == outcome


def test_json_has_every_field() -> None:
    """What is added to an outcome, an answer or a token goes into its JSON."""
    piece = TokenLogprob(token="cat", logprob=-0.1)  # noqa: S106 - a piece of text, no secret
    said = Answer(text="cat", asked_without=("seed",), thinking="hm", thinking_tokens=1)
    named = Answer(text="cat", label="cat", probabilities={"cat": 1.0})
    for each in (ended("lost"), piece):
        assert list(each.to_json()) == [field.name for field in fields(each)]
    # What most answers lack is there only where there is something.
    assert {*said.to_json(), *named.to_json()} == {field.name for field in fields(Answer)}
    assert Answer.from_json(json.loads(json.dumps(named.to_json()))) == named


def test_ways_to_end_are_listed_once() -> None:
    """Who needs some of them asks what is true of each; columns and pytest name theirs."""
    named_columns = {"artifacts.py", "page_data.py", "matrix.py", "plots.py", "worst_classes.py"}
    allowed = {"outcome.py", "image_tests.py", "absences.py", "metric.py", "answers.py"}
    allowed |= {"counts.py"}
    found = set()
    for path in sorted(Path(pytest_llmclf.__file__).parent.rglob("*.py")):
        text = path.read_text("utf-8")
        if sum(f'"{kind}"' in text for kind in OUTCOME_KINDS) < 2:
            continue
        for node in ast.walk(ast.parse(text)):
            parts: list[ast.expr | None] = []
            match node:
                case ast.Tuple() | ast.List() | ast.Set():
                    parts = [*node.elts]
                case ast.Dict():
                    parts = node.keys
                case ast.MatchOr():
                    parts = [one.value for one in node.patterns if isinstance(one, ast.MatchValue)]
            texts = {one.value for one in parts if isinstance(one, ast.Constant)}
            if len(texts & set(OUTCOME_KINDS)) > 1:
                found.add(path.name)
    assert found == named_columns | allowed


@pytest.mark.parametrize("kind", OUTCOME_KINDS)
def test_what_is_true_of_a_way_to_end(kind: OutcomeKind) -> None:
    """What names a label is an answer, an answer was asked for, and an error is none."""
    ending = ENDINGS[kind]
    assert ending.answered or not ending.named
    assert ending.asked or not ending.answered
    assert (kind in ANSWERED, kind in NAMED, kind in ASKED) == (
        ending.answered,
        ending.named,
        ending.asked,
    )
    assert (ending.error is ModelError) == (kind in ("error", "not_run", "lost"))
