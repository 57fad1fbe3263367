"""The committed text of all predictions."""

from __future__ import annotations

import difflib
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmclf.analysis.comparison.predictions_file import parse_predictions, predictions_text
from pytest_llmclf.metrics import report_build as report
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.outcome import Outcome
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from pytest_llmclf.values.outcome import OutcomeKind


def ended(case: str, kind: OutcomeKind, expected: str = "cat", **more: Any) -> Outcome:
    """An outcome of the evaluation ``pets``."""
    return Outcome(
        evaluation="pets",
        model="ollama:llava",
        model_digest="",
        case=case,
        sha256="",
        expected=expected,
        kind=kind,
        **more,
    )


def text(*outcomes: Outcome, labels: tuple[str, ...] = ("cat", "dog"), **more: Any) -> str:
    """The predictions of a report on these outcomes."""
    found = report.build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="abc", labels=labels),
        identity=ModelIdentity(backend="llamacpp", name="llava", digest="sha256:1"),
        outcomes=outcomes,
        **more,
    )
    return predictions_text(found)


def test_one_line_an_image() -> None:
    """Every kind has its mark; the head says what was asked and how many ended how."""
    found = text(
        ended("f", "lost"),
        ended("e", "not_needed"),
        ended("d", "error", reason="timed-out"),
        ended("c", "unparsed", reason="refusal"),
        ended("b", "misclassified", predicted="dog"),
        ended("a", "correct", predicted="cat"),
        modelfile_digest="def",
    )
    assert found.splitlines() == [
        "# predictions, format 1",
        "# evaluation: pets",
        "# model: ollama:llava",
        "# model digest: sha256:1",
        "# dataset: pets abc",
        "# modelfile: def",
        "# 6 images: 1 correct, 1 misclassified, 1 unparsed, 1 error, 1 not needed, 1 lost",
        "  a  cat -> cat",
        "x b  cat -> dog",
        "? c  cat -> (unparsed: refusal)",
        "! d  cat -> (error: timed-out)",
        "- e  cat -> (not_needed)",
        "! f  cat -> (lost)",
    ]
    assert found.endswith("\n")


def test_one_changed_image_is_one_changed_line() -> None:
    """A diff shows the flipped image and the counts, nothing else."""
    rest = [ended(f"{place}.png", "correct", predicted="cat") for place in range(9)]
    before = text(*rest, ended("z.png", "correct", predicted="cat"))
    after = text(*rest, ended("z.png", "misclassified", predicted="dog"))
    changed = [
        line
        for line in difflib.ndiff(before.splitlines(), after.splitlines())
        if line.startswith(("+ ", "- "))
    ]
    assert changed == [
        "- # 10 images: 10 correct, 0 misclassified, 0 unparsed",
        "+ # 10 images: 9 correct, 1 misclassified, 0 unparsed",
        "-   z.png  cat -> cat",
        "+ x z.png  cat -> dog",
    ]


@pytest.mark.parametrize(
    "odd",
    ["a\nb", "a -> b", "a  b", " a", "a ", '"a"', "(unparsed)", "", "a\x1b[2J", "\u202e", "\ud800"],
)
def test_odd_names_are_quoted(odd: str) -> None:
    """A name that could be misread is a JSON string, and comes back from it."""
    found = text(ended(odd, "correct", expected=odd, predicted=odd), labels=(odd,))
    case, expected, predicted = re.findall(r'"(?:\\.|[^"\\])*"', found.splitlines()[-1])
    assert json.loads(case) == json.loads(expected) == json.loads(predicted) == odd


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_a_text_is_read_back(case: str, expected: str, predicted: str) -> None:
    """Whatever the names, a text has one prediction, and says whether it was correct."""
    found = parse_predictions(
        text(
            ended(
                case,
                "correct" if expected == predicted else "misclassified",
                expected=expected,
                predicted=predicted,
            ),
            labels=tuple(dict.fromkeys((expected, predicted))),
        )
    )
    assert [one.correct for one in found.predictions.values()] == [expected == predicted]
    assert found.head["evaluation"] == "pets"
    assert found.head["dataset"] == "pets abc"


def test_what_is_no_prediction_is_named() -> None:
    """A line of another form is refused with its number."""
    with pytest.raises(ValueError, match="line 2 is not a prediction: 'rubbish'"):
        parse_predictions("# evaluation: pets\nrubbish\n")


@given(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8))
def test_different_predictions_are_different_lines(case: str, first: str, second: str) -> None:
    """No two predictions read the same, and each is one printable line."""
    labels = tuple(dict.fromkeys((first, second)))
    lines = {
        text(
            ended(
                case,
                "correct" if label == first else "misclassified",
                expected=first,
                predicted=label,
            ),
            labels=labels,
        ).split("\n")[7]
        for label in labels
    }
    assert len(lines) == len(labels)
    assert all(line.isprintable() for line in lines)


def test_unknown_model_and_modelfile_are_said() -> None:
    """Where nobody was reached the head says so."""
    found = predictions_text(
        report.build(
            evaluation="pets",
            model="ollama:llava",
            dataset=DatasetFacts(name="pets", content_hash="abc", labels=("cat",)),
            outcomes=[],
        )
    )
    assert "# model digest: unknown" in found
    assert "# modelfile: none" in found
