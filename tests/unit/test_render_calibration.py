"""Confidence on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.metrics import report_build as report
from pytest_llmclf.metrics.calibration.summary import calibration
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.calibration import calibration_lines
from pytest_llmclf.reporting.style import Style, width
from pytest_llmclf.values.answer import Answer
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.reporting.style import Line
    from pytest_llmclf.values.outcome import Outcome


def named(case: str, sure: float, *, right: bool = True, **more: Any) -> Outcome:
    """An answer "cat" with a confidence."""
    more = {"predicted": "cat", "probabilities": {"cat": sure, "dog": 1 - sure}} | more
    if right:
        return ended(case, "correct", **more)
    return ended(case, "misclassified", expected="dog", **more)


def shown(*outcomes: Outcome, style: Style | None = None) -> list[str]:
    """The lines of a report on these outcomes."""
    return [line.text for line in lines(*outcomes, style=style)]


def lines(*outcomes: Outcome, style: Style | None = None) -> list[Line]:
    """The same with their parts."""
    facts = DatasetFacts(name="pets", content_hash="", labels=("cat", "dog"))
    found = report.build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes)
    return list(calibration_lines(calibration(found), style or Style()))


def some() -> list[Outcome]:
    """Twenty sure answers, four doubtful ones, one without a label."""
    return [
        *(named(f"a{n:02}", 0.97) for n in range(20)),
        *(named(f"b{n}", 0.55, right=n > 1) for n in range(4)),
        ended("c", "unparsed", answer=Answer(text="no")),
    ]


def test_everything_in_a_few_lines() -> None:
    """Error with what chance would give, Brier, coverages, and the bins that hold answers."""
    assert shown(*some()) == [
        "  confidence, of 25 answers",
        "    calibration error (ECE, 10 bins) 0.032; with confidences that were exactly",
        "    right it would be about 0.060",
        "    Brier score 0.122 (0 is best, 2 is worst)",
        "    1 answer without a label: confidence 0",
        "    to be right 95% of the time on these images, accept 20/25 answers: those of",
        "    confidence 0.970 and above",
        "    most confident    accuracy",
        "               50%    1.000 (20/20)",
        "               80%    1.000 (20/20)",
        "               90%    0.917 (22/24)",
        "              100%    0.880 (22/25)",
        "    confidence    answers     mean  correct",
        "    0–0.1               1    0.000    0.000",
        "    0.5–0.6             4    0.550    0.500  ██████████",
        "    0.9–1              20    0.970    1.000  ████████████████████",
    ]


def test_nothing_is_said_without_probabilities() -> None:
    """A report that never asked for them stays as it was."""
    assert shown(ended("a", "correct"), ended("b", "error")) == []


def test_an_empty_bar_leaves_no_blanks() -> None:
    """As they would stand in a log: a terminal is given every part of a line."""
    printed = ["".join(part.text for part in line.segments) for line in lines(*some())]
    assert [text for text in printed if text != text.rstrip()] == []


def test_what_is_missing_is_said() -> None:
    """Of how many answers the numbers are; with too many gaps there are none, and it is said."""
    lines = shown(*some(), ended("d", "correct"))
    assert lines[0] == "  confidence, of 25 of 26 answers"
    text = " ".join(line.strip() for line in lines[1:])
    assert text == (
        "1 of 25 answers with a label has no log-probabilities (at most 1% may lack them): "
        "set top_logprobs=20 in the evaluation"
    )
    lines = shown(*(named(f"{n:03}", 0.97) for n in range(199)), ended("d", "correct"))
    assert lines[0] == "  confidence, of 199 of 200 answers"
    assert "              100%    1.000 (200/200)" in lines
    text = " ".join(line.strip() for line in lines[-2:])
    assert text == (
        "1 of 200 answers with a label has no log-probabilities: "
        "set top_logprobs=20 in the evaluation"
    )


def test_forced_answers_are_told() -> None:
    """Little probability on any label, and labels named that were not the most probable."""
    lines = shown(named("a", 0.4, label_mass=0.02), named("b", 0.9, label_mass=0.04))
    text = " ".join(line.strip() for line in lines)
    assert "on average the labels had 3.0% of the probability before they were normalised" in text
    assert "1 answer names another label than the most probable one" in text
    shared: dict[str, Any] = {"label_mass": 0.8, "shared_mass": 0.2}
    said = " ".join(" ".join(shown(named("a", 0.4, **shared), named("b", 0.9, **shared))).split())
    assert "on average 25.0% of the probability is of labels that the tokens do not tell" in said
    few = " ".join(shown(named("a", 0.9, label_mass=1.0, shared_mass=0.001)))
    assert "tell apart" not in few
    assert "normalised" not in " ".join(shown(named("a", 0.9, label_mass=0.9)))


def test_no_confidence_to_ask_for_where_all_may_be_accepted() -> None:
    """The line is for those who would have to choose."""
    assert not any("to be right" in line for line in shown(named("a", 0.9)))


@pytest.mark.parametrize("columns", [50, 60, 80, 120])
def test_lines_fit(columns: int) -> None:
    """Bars give way on a narrow terminal."""
    style = Style(width=columns, unicode=False)
    lines = shown(*some(), ended("d", "correct"), style=style)
    assert max(map(width, lines)) <= columns
    assert all(line.isascii() for line in lines)
