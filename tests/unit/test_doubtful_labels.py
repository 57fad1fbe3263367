"""Labels in doubt, as terminal, Markdown, run.json and page show them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.analysis.label_review.review import label_reviews
from pytest_llmclf.reporting import artifacts, terminal
from pytest_llmclf.reporting.doubtful_labels import all_lines
from pytest_llmclf.reporting.html.doubts import page_doubts
from pytest_llmclf.reporting.html.page import page_of
from pytest_llmclf.reporting.markdown import markdown_summary
from pytest_llmclf.reporting.style import Style
from tests.unit.test_label_review import answered, herd, report_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.reporting.style import Line

COPIES = ("a", "b", "c")


def copied() -> Report:
    """Three copies, one of them under another label: that it is wrong is likelier than not."""
    same = [answered(case, "cat" if case == "a" else "dog", "d", sha256="same") for case in COPIES]
    return report_of([*herd(), *same])


def text_of(lines: Iterable[Line]) -> str:
    return "\n".join(line.text for line in lines)


def test_a_run_ends_with_the_labels_that_are_no_likelier_than_another() -> None:
    """The image, both labels, why, and what to call."""
    text = text_of(terminal.lines([copied()], [], Style(width=400)))
    _, _, after = text.partition("labels in doubt\n")
    lines = after.splitlines()
    assert lines[0].startswith("  pets: for 1 image another label is at least as likely as the")
    assert "none is changed, llmclf review latest shows" in lines[0]
    assert lines[1].startswith("    a: labelled cat, perhaps dog (score ")
    assert "the same bytes are labelled dog as b; the same bytes are labelled dog as c" in lines[1]
    assert lines[2].startswith("  ollama:llava: accuracy 97.4%, between 97.4% and 100.0% whichever")


@pytest.mark.parametrize("odd", [{}, {f"odd{place}": ("dog", "c") for place in range(6)}])
def test_where_no_other_label_is_as_likely_a_run_says_nothing(odd: dict[str, Any]) -> None:
    """A mistake that the model often makes is weaker than that labels are mostly right."""
    report = report_of(herd(probabilities=False, **odd))
    assert "in doubt" not in text_of(terminal.lines([report], [], Style()))
    assert "in doubt" not in markdown_summary([report])


def test_the_summary_lists_them_as_markdown() -> None:
    """A heading, and the images below their dataset."""
    text = markdown_summary([copied()])
    _, _, after = text.partition("### Labels in doubt\n\n")
    first, second = after.splitlines()[:2]
    assert first.startswith("- pets: for 1 image")
    assert second.startswith("  - a: labelled cat, perhaps dog")


def test_run_json_has_every_candidate(tmp_path: Path) -> None:
    """As JSON built-ins, with who was heard and which models named the label."""
    report = copied()
    artifacts.write_run(tmp_path, [report], settings={}, environment={})
    (found,) = json.loads((tmp_path / "run.json").read_text("utf-8"))["label_review"]
    assert found["dataset"] == "pets"
    assert found["sources"][0]["source"] == "ollama:llava"
    assert found["near_copies"] is None
    (review,) = label_reviews([report])
    assert [one["case"] for one in found["candidates"]] == [one.case for one in review.candidates]
    first = found["candidates"][0]
    assert (first["case"], first["proposed"], first["named_by"]) == ("a", "dog", ["ollama:llava"])
    assert first["reasons"][0] == {"kind": "copy", "text": "the same bytes are labelled dog as b"}


def test_the_page_points_to_the_images() -> None:
    """By their place among the images of each section; sections without them have none."""
    reports = [copied(), report_of(herd(), evaluation="others")]
    page = page_of(reports)
    found = page_doubts(reports[0], page.reviews)
    assert found is not None
    (first, *_) = found["candidates"]
    assert reports[0].outcomes[first["place"]].case == "a"
    assert found["more"] == 0
    assert page_doubts(report_of(herd(), evaluation="elsewhere"), page.reviews) is None


def test_all_of_them_come_with_what_was_looked_at() -> None:
    """Counts, weights, and whether near-copies were looked for."""
    report = report_of([*copied().outcomes, answered("z", "cat", "!")])
    (review,) = label_reviews([report])
    lines = text_of(all_lines(review, Style(width=400), most=1)).splitlines()
    assert lines[0] == "pets"
    count = len(review.candidates)
    assert lines[1].startswith(f"  {count} labels in doubt among 39 images looked at")
    assert lines[2] == "  1 image was not answered and is no copy: nothing is said of it"
    assert lines[3].startswith("  weights: ollama:llava ")
    assert lines[4] == "  near-copies were not looked for"
    assert lines[-1] == f"    and {count - 1} more"


def test_a_review_is_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terminal, files and page ask for the same one."""
    report = copied()
    first = label_reviews([report])
    monkeypatch.setattr("pytest_llmclf.analysis.label_review.review.review_labels", None)
    assert label_reviews([report]) is first
    assert label_reviews([]) == ()


def test_a_run_leaves_out_what_would_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images of all its models together decide; other datasets are looked at."""
    large = [report_of(herd(), model) for model in ("ollama:a", "ollama:b")]
    small = copied()
    small = replace(small, dataset=replace(small.dataset, name="small", content_hash="small"))
    monkeypatch.setattr("pytest_llmclf.analysis.label_review.review._MOST", 3 * 40)
    assert [one.dataset for one in label_reviews([*large, small])] == ["small"]
