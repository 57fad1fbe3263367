"""Paired comparisons as people read them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.analysis.comparison.paired_comparison import Change, ChangeKind, Comparison
from pytest_llmclf.analysis.comparison.runs import Compared
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.reporting.comparison import (
    baseline_lines,
    comparison_lines,
    model_lines,
)
from pytest_llmclf.reporting.comparison_json import comparison_json
from pytest_llmclf.reporting.style import Style
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report

WIDE = Style(width=400)
NAMES = ("ollama:a", "ollama:b")


def compared(
    broken: int = 0, fixed: int = 0, changed: int = 0, same: int = 0, wrong: int = 0
) -> Comparison:
    """So many images of each kind."""
    counts: dict[ChangeKind, int] = {"broken": broken, "fixed": fixed, "changed": changed}
    kinds = [kind for kind, count in counts.items() for _ in range(count)]
    said = {"broken": ("cat", "dog"), "fixed": ("dog", "cat"), "changed": ("dog", "cow")}
    changes = tuple(
        Change(case=f"{place:03}", kind=kind, expected="cat", was=said[kind][0], now=said[kind][1])
        for place, kind in enumerate(kinds)
    )
    total = len(kinds) + same + wrong
    return Comparison(
        cases=tuple(f"{place:03}" for place in range(total)), correct=same, changes=changes
    )


def shown(
    comparison: Comparison, style: Style = WIDE, p_value: float | None = None, tests: int = 1
) -> list[str]:
    chance = comparison.p_value if p_value is None else p_value
    side = report("a", 1)
    both = Compared(
        before=side, now=side, comparison=comparison, names=NAMES, p_value=chance, tests=tests
    )
    return [line.text for line in comparison_lines(both, style)]


def test_a_difference_is_said_in_plain_words() -> None:
    """Accuracies, difference with interval, and how often chance alone does this."""
    assert shown(compared(31, 12, same=400, wrong=57))[:4] == [
        "    ollama:a  accuracy 0.862 (431/500)",
        "    ollama:b  accuracy 0.824 (412/500)",
        (
            "    on the 500 images that both answered: difference -0.038, "
            "95% interval -0.066 to -0.010"
        ),
        (
            "    ollama:a is better on 31 images, ollama:b on 12: if both were equally good, "
            "chance alone would give a difference like this in 0.5% of cases (McNemar): "
            "ollama:a is significantly better"
        ),
    ]


def test_no_proof_is_not_called_equal() -> None:
    """A p-value above 5% proves nothing."""
    text = shown(compared(3, 5, same=12))[3]
    assert "ollama:b is better on 5 images, ollama:a on 3" in text
    assert text.endswith("in 72.7% of cases (McNemar): that one is better is not shown")


def test_as_many_either_way_is_no_sign() -> None:
    """Nor is nothing at all."""
    assert shown(compared(3, 3, same=2))[3].endswith("that one is better is not shown")
    assert shown(compared(same=2))[3] == "    both are right on the same images"


def test_several_comparisons_are_said() -> None:
    """The p-value of all of them decides."""
    text = shown(compared(8, same=12), p_value=0.06, tests=3)[3]
    chance = "in at most 6.0% of cases (McNemar, counted for 3 comparisons at once)"
    assert f"{chance}: that one is better is not shown" in text


def test_a_bound_that_says_nothing_is_not_told() -> None:
    """What is in at most 100% of cases is so whatever is true."""
    text = shown(compared(3, 5, same=12), p_value=1.0, tests=3)[3]
    assert text.endswith("ollama:a on 3: that one is better is not shown")


@pytest.mark.parametrize("chance", [0.0496, 0.0499999, 0.05, 0.0500001, 0.0504])
def test_a_chance_stays_on_the_side_of_the_level_that_the_sentence_claims(chance: float) -> None:
    """Nobody reads that 5.0% is significant in one line and not shown in the next."""
    text = shown(compared(8, same=12), p_value=chance)[3]
    said = re.search(r"in ([0-9.]+)% of cases", text)
    assert said is not None
    assert (float(said[1]) < 5) == text.endswith("is significantly better") == (chance < 0.05)


def test_who_is_never_right_is_not_called_right() -> None:
    """Both are wrong on all images, in the same way or not."""
    for found in (compared(wrong=4), compared(changed=2, wrong=2)):
        assert shown(found)[3] == "    neither is right on any of them"
    assert shown(compared(changed=2, same=1))[3] == "    both are right on the same images"


def test_changed_images_are_listed() -> None:
    """One line each, at most ten a list."""
    lines = shown(compared(12, 1, 1))
    start = lines.index("    only ollama:a is right: 12")
    assert lines[start + 1] == "      000: expected cat, ollama:a: cat, ollama:b: dog"
    assert lines[start + 11 :] == [
        "      and 2 more",
        "    only ollama:b is right: 1",
        "      012: expected cat, ollama:a: dog, ollama:b: cat",
        "    wrong in different ways: 1",
        "      013: expected cat, ollama:a: dog, ollama:b: cow",
    ]


def test_what_is_not_compared_is_counted() -> None:
    """Unanswered, not asked, and on one side only; without interval where a side stopped."""
    found = replace(
        compared(2, same=3),
        unanswered=("a",),
        not_asked=("b", "c"),
        elsewhere=("f",),
        new=("d",),
        missing=("e",),
    )
    lines = shown(found)
    assert lines[2].endswith("difference -0.400 when the run stopped")
    assert "a test that holds however the run was stopped" in lines[3]
    assert lines[4:9] == [
        "    1 image without an answer on one side: not compared",
        "    1 image without an answer of another task: not compared",
        "    2 images not asked by a task that stopped early: not compared",
        "    1 image of the first side only",
        "    1 image of the second side only",
    ]


def test_a_refusal_is_all_there_is() -> None:
    """No number is shown of what cannot be compared."""
    assert shown(replace(compared(9), refused="other images")) == ["    not compared: other images"]


def test_nothing_in_common_has_no_difference() -> None:
    """Undefined numbers are a dash."""
    assert shown(compared()) == [
        "    ollama:a  accuracy – (0/0)",
        "    ollama:b  accuracy – (0/0)",
    ]


def test_lines_fit_and_nothing_odd_reaches_the_terminal() -> None:
    """Names and labels from outside are made safe, and long lines wrapped."""
    change = Change(case="\x1b[2J", kind="broken", expected="\u202e", was="a\nb", now="x" * 200)
    found = replace(compared(1), changes=(change,))
    style = Style(width=60, unicode=False)
    for line in shown(found, style):
        assert len(line) <= 60
        assert line.isascii()
        assert line.isprintable()


def test_json_has_every_number() -> None:
    """In built-ins; no interval where there is none."""
    data = json.loads(json.dumps(comparison_json(compared(2, 1, same=5, wrong=2))))
    assert data["images"] == 10
    assert data["correct"] == [7, 6]
    assert data["difference"] == pytest.approx(-0.1)
    assert data["interval"][0] < -0.1 < data["interval"][1]
    assert (data["p_value"], data["test"]) == (1.0, "mcnemar-exact")
    assert data["broken"][0] == {"case": "000", "expected": "cat", "was": "cat", "now": "dog"}
    assert [len(data[kind]) for kind in ("broken", "fixed", "changed")] == [2, 1, 0]
    stopped = comparison_json(replace(compared(2, same=2), not_asked=("z",)))
    assert (stopped["interval"], stopped["test"]) == (None, "anytime")


def test_a_failed_baseline_lists_what_changed() -> None:
    """Reason and remedy first, since pytest cuts long explanations; then one line an image."""
    found = replace(compared(11, 1, same=3), missing=("m",), notes=("Modelfile a -> b",))
    lines = baseline_lines(
        found, "too bad", "if this is right, commit new predictions with --snapshot-update"
    )
    assert lines[0] == "too bad"
    assert lines[1] == found.summary()
    assert lines[2] == "if this is right, commit new predictions with --snapshot-update"
    assert lines[3:5] == ["broken: 11", "  000: expected cat, was cat, now dog"]
    assert lines[14:] == [
        "  and 1 more",
        "fixed: 1",
        "  011: expected cat, was dog, now cat",
        "missing: 1",
        "  m",
        "Modelfile a -> b",
    ]


def test_a_refused_baseline_lists_new_and_missing_alone() -> None:
    """Flips between different image sets mean nothing."""
    found = replace(compared(3), refused="another set; do this", new=("n",))
    assert baseline_lines(found, found.refused, "commit it") == [
        "another set; do this",
        "new: 1",
        "  n",
    ]


def report(model: str, right: int) -> Report:
    """Ten images of which so many are right."""
    outcomes = [
        replace(ended(f"{place}", "correct" if place < right else "misclassified"), model=model)
        for place in range(10)
    ]
    facts = DatasetFacts(name="pets", content_hash="abc", labels=("cat", "dog"))
    return build(evaluation="pets", model=model, dataset=facts, outcomes=outcomes)


def test_models_of_a_run_are_compared() -> None:
    """Under one heading, with a few examples each."""
    lines = [line.text for line in model_lines([report("a", 9), report("b", 1)], WIDE)]
    assert lines[:2] == ["compared in pairs", "  pets · a and b"]
    assert "    only a is right: 8" in lines
    assert "      and 5 more" in lines


def test_one_model_is_compared_with_nobody() -> None:
    """No heading without a pair."""
    assert list(model_lines([report("a", 9)], WIDE)) == []


def test_pairs_left_out_are_said() -> None:
    """Six models: the best with three of the others."""
    lines = [line.text for line in model_lines([report(name, 9) for name in "abcdef"], WIDE)]
    assert lines[-1] == (
        "    12 more pairs of 6 tasks are not shown one by one; all of them are in the leaderboard"
    )
