"""What repeats show, as people read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.analysis.consistency import stability
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.stability_lines import stability_lines
from pytest_llmclf.reporting.style import Style
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.values.outcome import Outcome


def shown(*outcomes: Outcome, width: int = 300) -> list[str]:
    facts = DatasetFacts(name="pets", content_hash="abc", labels=("cat", "dog"))
    report = build(evaluation="pets", model="ollama:llava", dataset=facts, outcomes=outcomes)
    return [line.text for line in stability_lines(stability(report), Style(width=width))]


def asked(case: str, signs: str) -> list[Outcome]:
    """``+`` right, ``x`` wrong, ``!`` no answer."""
    kinds = {"+": "correct", "x": "misclassified", "!": "error"}
    return [
        ended(case, kinds[sign], repeat=repeat)  # type: ignore[arg-type]
        for repeat, sign in enumerate(signs)
    ]


def test_the_numbers_are_said_with_their_meaning() -> None:
    """Self-consistency, flips, majority vote, unanswered askings, and examples."""
    assert shown(*asked("a", "+++"), *asked("b", "++x"), *asked("c", "+x!")) == [
        "  3 images to be asked 3 times each",
        (
            "    self-consistency 0.444: how often two answers to the same image read the same; "
            "all answers agree on 1 of 3 images"
        ),
        (
            "    between two askings 1.0 images flip between right and wrong on average "
            "over 3 pairs of askings"
        ),
        "    accuracy of the majority vote 0.667 (2/3); 1 tie, counted as wrong",
        "    1 asking got no answer and is in none of these numbers",
        "      b: expected cat, said cat, cat, dog",
        "      c: expected cat, said cat, dog, (no answer)",
    ]


def test_many_inconsistent_images_are_counted() -> None:
    """Five are named."""
    lines = shown(*(each for place in range(7) for each in asked(f"{place}", "+x")))
    assert lines[-1] == "      and 2 more"
    assert len([line for line in lines if "expected cat" in line]) == 5


def test_without_two_answers_there_is_no_number() -> None:
    """And that is said."""
    assert shown(*asked("a", "+!"))[1:] == [
        "    no image has two answers: nothing is known of how the model agrees with itself",
        "    1 asking got no answer and is in none of these numbers",
    ]


def test_two_askings_have_no_vote() -> None:
    """Each disagreement would be a tie, and the vote the accuracy of neither."""
    assert not any("vote" in line for line in shown(*asked("a", "++"), *asked("b", "+x")))


def test_without_repeats_nothing_is_said() -> None:
    """Not even that there are none."""
    assert shown(*asked("a", "+")) == []


def test_lines_fit() -> None:
    """Wrapped where the terminal is narrow."""
    found = shown(*asked("a" * 90, "+x"), width=50)
    assert max(map(len, found)) <= 50
