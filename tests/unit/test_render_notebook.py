"""A report in a notebook."""

from __future__ import annotations

from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmclf import reference
from pytest_llmclf.reporting.notebook import report_html
from tests.unit.ended import ended
from tests.unit.test_render_terminal import built, everything

TAGS = {"div", "p", "b", "br", "i", "ul", "li", "table", "caption", "tr", "th", "td"}


class Reader(HTMLParser):
    """Gathers tags, attributes and rows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "tr":
            self.rows.append([])
        elif tag in {"td", "th"}:
            self.rows[-1].append("")

    def handle_data(self, data: str) -> None:
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_a_notebook_gets_scores_and_matrix() -> None:
    """`_repr_html_` has accuracy with its interval, every class, and the matrix."""
    report = reference.published("chess")
    text = report._repr_html_()
    assert text == report_html(report)
    assert "0.166 (77/465), 95% interval" in text
    found = Reader(text)
    matrix = found.rows[-6:]
    assert [row[0] for row in matrix] == list(report.confusion.labels)
    shown = [[int(cell.replace("·", "0")) for cell in row[1:-2]] for row in matrix]
    assert shown == [list(row) for row in report.confusion.counts]


@settings(max_examples=40)
@given(st.text(max_size=50) | st.just("<script>alert(1)</script>"))
def test_text_from_outside_is_text(text: str) -> None:
    """Labels and notes bring no tag and no attribute with them."""
    found = built(ended("a", "correct", f"x{text}"), labels=(f"x{text}", "dog"), notes=[text])
    shown = Reader(report_html(found))
    assert shown.tags <= TAGS
    assert shown.attributes <= {"style"}


def test_large_and_empty_reports_are_bounded() -> None:
    """Of many classes the worst are listed and counted; without answers there is no table."""
    text = report_html(everything(100))
    assert "The 40 classes with the lowest F1-score; 60 more are not listed." in text
    matrix = text.split("rows: actual")[1]
    assert matrix.count("<tr>") == 1 + 30
    assert "The 30 of 100 classes with most mistakes" in matrix
    assert "left out: 70 classes with" in matrix
    assert "<table" not in report_html(built())
