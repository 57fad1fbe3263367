"""A run that stopped early says so wherever its figures are: one fact a place that shows them."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.metrics import report_build as reports
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.report_facts import DatasetFacts, StopRule
from pytest_llmclf.plugin.github import annotation_lines
from pytest_llmclf.plugin.junit import gate_properties
from pytest_llmclf.reporting.artifacts import outcomes_csv, report_json, report_text
from pytest_llmclf.reporting.html.page import Page, section
from pytest_llmclf.reporting.html.page_data import page_json
from pytest_llmclf.reporting.live import Live, live_text
from pytest_llmclf.reporting.markdown import markdown_summary
from pytest_llmclf.reporting.notebook import report_html
from pytest_llmclf.reporting.style import Style
from tests.unit.ended import ended

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.verdict import Verdict

GATE = Gate("accuracy >= 0.5")
WHEN = "when the run stopped"
NOTE = (
    "stopped early, after 40 of 120 images, in random order: the numbers are those of these "
    "images, and no fair estimate of what all 120 of 200 images, a subset, would give, since a run "
    "stops when its numbers look clear; the verdicts allow for that and rest on the first 36; the "
    "model is not searched for weaknesses"
)


def stopped() -> Report:
    """Forty of 120 images asked, four of them under way when 36 had decided; all asked twice."""
    outcomes: list[Outcome] = []
    for place in range(120):
        expected, case = "cat" if place % 2 else "dog", f"{place:03}.png"
        kind = "not_needed" if place >= 40 else "unparsed" if place % 8 == 3 else "correct"
        more = {"expected": expected, "tags": {"style": "photo" if place % 3 else "drawing"}}
        if kind == "correct":
            more["probabilities"] = {expected: 0.9, "cat" if expected == "dog" else "dog": 0.1}
        asked = 1 if kind == "not_needed" else 2
        outcomes += [ended(case, kind, repeat=again, **more) for again in range(asked)]  # type: ignore[arg-type]
    return reports.build(
        evaluation="pets",
        model="ollama:llava",
        dataset=DatasetFacts(
            name="pets", content_hash="", labels=("cat", "dog"), cases_in_dataset=200
        ),
        outcomes=outcomes,
        order=sorted({one.case for one in outcomes}),
        stop_error=0.05,
        stop_rule=StopRule(after=36, tests=1, gates=(GATE.expression,)),
    )


def verdicts() -> tuple[Verdict, ...]:
    return judge(stopped(), [GATE])


def whole() -> Report:
    """The same answers to a set of forty images, all of which were asked."""
    run = stopped()
    answered = [one for one in (*run.outcomes, *run.repeats) if one.kind != "not_needed"]
    return reports.build(
        evaluation=run.evaluation,
        model=run.model,
        dataset=replace(run.dataset, cases_in_dataset=40),
        outcomes=answered,
    )


def plain(text: str) -> str:
    """On one line, without markup."""
    return " ".join(re.sub(r"<!-- -->|<[^>]*>|\\", "", text).split())


def test_the_verdict() -> None:
    """It says after how many images of how many, and rests on no more."""
    (found,) = verdicts()
    assert found.word == "PASS"
    assert "after 36 of 120 images in random order" in found.text
    assert "all 120 of 200 images, a subset, would give" in found.text


def test_the_text() -> None:
    """report.txt, which is what the terminal shows: note, accuracy, slices, confidence, repeats."""
    found = report_text([stopped()], verdicts())
    assert NOTE in plain(found)
    assert "80 not needed" in found
    assert f"accuracy               0.875000 (35/40) {WHEN}" in plain(found).replace(
        "accuracy 0.8", "accuracy               0.8"
    )
    assert len(re.findall(rf"(?:drawing|photo) .*\) {WHEN}", found)) == 2
    assert f"confidence, of 40 answers {WHEN}" in found
    assert f"40 images to be asked 2 times each, {WHEN}" in found
    assert f"of 40 answers (12.5%) {WHEN}" in plain(found)
    assert "95% interval" not in found
    assert "95% interval" in report_text([whole()], [])


def test_the_summary() -> None:
    """summary.md: the table's images and accuracy, the section's, the note, and the finding."""
    found = plain(markdown_summary([stopped()], verdicts()))
    assert f"| 40 of 120 | 35 | 87.5% {WHEN} |" in found
    assert f"Accuracy 0.875 (35/40) {WHEN}" in found
    assert f"Note: {NOTE}" in found
    assert f"(12.5%) {WHEN}" in found
    assert "95% interval" not in found
    assert "| 40 | 35 | 87.5% |" in plain(markdown_summary([whole()], []))


def test_the_page() -> None:
    """Tiles, table of evaluations, bars and diagnosis are told in words."""
    run = stopped()
    (found,) = page_json(Page(title="", sections=(section(run, verdicts()),)), {})["sections"]
    assert (found["images"], found["stopped"]) == ("40 of 120", WHEN)
    assert found["bars"] == "No intervals: the run stopped early."
    assert found["silence"].startswith("Nothing was tested: the run stopped early")
    assert found["notes"] == [NOTE]
    assert [
        one["interval"] for one in (found["numbers"]["accuracy"], found["classes"][0]["recall"])
    ] == ["", ""]
    (other,) = page_json(Page(title="", sections=(section(whole(), ()),)), {})["sections"]
    assert (other["images"], other["stopped"]) == ("40", "")
    assert other["bars"].startswith("Bars: 95% intervals")
    assert other["numbers"]["accuracy"]["interval"]


def test_the_notebook() -> None:
    """Counts, accuracy and note."""
    found = plain(report_html(stopped()))
    assert "80 not needed" in found
    assert f"0.875 (35/40) {WHEN}" in found
    assert NOTE in found
    assert "95% interval" not in found


def test_run_json() -> None:
    """The ledger, the note, and what decided when to stop."""
    found = json.loads(json.dumps(report_json(stopped()), default=str))
    assert found["ledger"]["not_needed"] == 80
    assert found["notes"] == [NOTE]
    assert (found["stop_rule"]["after"], found["stop_error"]) == (36, 0.05)
    assert [(one["kind"], one["stopped"]) for one in found["diagnosis"]] == [("unparsed", True)]


def test_csv() -> None:
    """A row of its own for every image that was not asked, so that nobody takes 40 for all."""
    rows = list(csv.DictReader(outcomes_csv([stopped()])))
    kinds = [row["kind"] for row in rows if row["repeat"] == "0"]
    assert (len(kinds), kinds.count("not_needed")) == (120, 80)
    assert {row["predicted"] for row in rows if row["kind"] == "not_needed"} == {""}


def test_junit_and_other_reporters() -> None:
    """The property of a gate is its verdict, which says it; an image not asked says so."""
    properties = dict(gate_properties(verdicts()))
    assert "after 36 of 120 images in random order" in str(properties["gates"])


def test_annotations() -> None:
    """A gate that fails on a stopped run, on GitHub."""
    found = judge(stopped(), [Gate("accuracy >= 0.999")])
    (line,) = annotation_lines(found, lambda _: True)
    assert line.startswith("::error title=")
    assert "after 36 of 120 images in random order" in line


@pytest.mark.parametrize("ended_early", [False, True])
def test_the_live_line(ended_early: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    """While the rest is counted off there is no interval any more."""
    live = Live(
        name="pets", done=60, total=120, correct=Ratio(hits=35, total=40), per_s=None, left_s=None,
        stopped=ended_early,
    )  # fmt: skip
    text = live_text(live, Style(width=200))
    assert (f"87.5% correct {WHEN}" in text) is ended_early
    assert ("correct so far (" in text) is not ended_early
