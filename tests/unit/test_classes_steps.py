"""Work after the last answer grows with the answers, and not with the pairs of classes.

Lines are counted, so that no test depends on how busy a machine is; `benchmarks/classes.py` times.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from benchmarks.classes import GATES, answers
from pytest_llmclf.analysis.diagnosis.diagnose import diagnose
from pytest_llmclf.analysis.label_review.review import label_reviews
from pytest_llmclf.gates.gate import Gate
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.metrics import report_build as report
from pytest_llmclf.prompting.label_text import words
from pytest_llmclf.reporting import terminal
from pytest_llmclf.reporting.artifacts import report_json
from pytest_llmclf.reporting.html.page import page_of
from pytest_llmclf.reporting.html.page_data import page_json
from pytest_llmclf.reporting.markdown import markdown_summary
from pytest_llmclf.reporting.notebook import report_html
from pytest_llmclf.reporting.style import Style
from tests.line_steps import lines_executed

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.metrics.report import Report

FEW, MANY = 100, 600
IMAGES = 2


def again(made: Report) -> Report:
    """The same report, of which nothing is computed yet."""
    return report.build(
        evaluation=made.evaluation,
        model=made.model,
        dataset=made.dataset,
        outcomes=made.outcomes,
    )


STAGES: dict[str, tuple[Callable[[Report], object], int]] = {
    "gates": (lambda found: judge(found, [Gate(text) for text in GATES]), 600),
    "diagnosis": (diagnose, 650),
    "labels": (lambda found: label_reviews([found]), 500),
    "terminal": (lambda found: list(terminal.lines([found], (), Style(width=100))), 500),
    "markdown": (lambda found: markdown_summary([found]), 150),
    "notebook": (report_html, 150),
    "json": (report_json, 95),
    "page": (lambda found: page_json(page_of([found]), {}), 550),
}
"""What follows the last answer, in the order of a run, and about one and a half times the lines
that each takes a class."""


def steps(classes: int) -> dict[str, int]:
    """Lines of every stage on one report, whose figures are computed once."""
    found = again(answers("one attractor", classes, IMAGES, None))
    return {name: lines_executed(partial(work, found)) for name, (work, _) in STAGES.items()}


def test_a_class_costs_as_much_among_many_as_among_few() -> None:
    """Between a hundred and six hundred classes each further one costs some lines, not hundreds.

    A look at every pair of classes would cost seven hundred more lines a class.
    """
    few, many = steps(FEW), steps(MANY)
    grown = {name: (many[name] - few[name]) / (MANY - FEW) for name in STAGES}
    assert {name: most for name, most in grown.items() if not 0 < most <= STAGES[name][1]} == {}


def test_lines_are_counted_by_turns() -> None:
    """The count sees a loop over pairs in this package's code."""
    text = "cat dog " * 50
    assert lines_executed(lambda: words(text)) > lines_executed(lambda: words("cat dog")) + 50
