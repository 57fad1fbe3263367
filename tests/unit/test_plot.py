"""``Report.plot()``: the confusion matrix as a figure of matplotlib."""

from __future__ import annotations

import io
import sys
import warnings
from typing import TYPE_CHECKING, Any

import pytest
from sklearn.metrics import ConfusionMatrixDisplay

from pytest_llmclf import reference
from pytest_llmclf.api import public
from pytest_llmclf.errors import ExtraMissing
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.plugin.stopped_report import guarded
from tests.unit.ended import ended
from tests.unit.test_report import built

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.metrics.report import Report


@pytest.fixture(autouse=True)
def plt() -> Iterator[Any]:
    """Figures are drawn in memory, and closed after each test."""
    pytest.importorskip("matplotlib").use("agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")


def of_classes(*labels: str) -> Report:
    """A report with one right image a class."""
    return build(
        evaluation="pets", model="ollama:llava",
        dataset=DatasetFacts(name="pets", content_hash="", labels=labels),
        outcomes=[ended(f"{place}", "correct", label) for place, label in enumerate(labels)],
    )  # fmt: skip


def numbers(drawn: ConfusionMatrixDisplay) -> list[list[int]]:
    """The numbers that can be read, in the cells of each row."""
    found: dict[float, dict[float, int]] = {}
    for text in drawn.ax_.texts:
        column, row = text.get_position()
        found.setdefault(row, {})[column] = int(text.get_text())
    return [[cells[column] for column in sorted(cells)] for _, cells in sorted(found.items())]


def names(drawn: ConfusionMatrixDisplay, axis: str) -> list[str]:
    """The names along the ``x`` or the ``y`` axis."""
    return [text.get_text() for text in getattr(drawn.ax_, f"get_{axis}ticklabels")()]


@pytest.mark.parametrize("name", reference.names())
def test_it_has_every_count(name: str) -> None:
    """The numbers are those of the report, and the columns without images are left out."""
    report = reference.published(name)
    drawn = report.plot()
    labels, found = list(report.confusion.labels), report.confusion
    ends = zip(found.counts, found.unparsed, found.error, strict=True)
    table = [(*counts, *rest) for counts, *rest in ends]
    columns = [*zip(*table, strict=True)]
    used = [place for place, column in enumerate(columns) if place < len(labels) or any(column)]
    assert numbers(drawn) == [[row[place] for place in used] for row in table]
    heads = [*labels, "unparsed", "error"]
    assert names(drawn, "x") == [heads[place] for place in used]
    assert names(drawn, "y") == labels
    assert f"{report.accuracy.value:.3f}" in drawn.ax_.get_title()


def test_unparsed_and_errors_have_columns_of_their_own() -> None:
    """And no rows: nothing is actually unparsed."""
    found = built(ended("a", "correct"), ended("b", "unparsed"), ended("c", "unparsed"))
    both = built(ended("a", "correct"), ended("b", "unparsed"), ended("c", "error"))
    assert names(public(found).plot(), "x")[-1] == "unparsed"
    assert names(public(found).plot(), "y") == list(found.confusion.labels)
    assert numbers(public(found).plot())[0][-1] == 2
    drawn = public(both).plot()
    assert names(drawn, "x")[-2:] == ["unparsed", "error"]
    assert numbers(drawn)[0][-2:] == [1, 1]
    low, high = sorted(drawn.ax_.get_ylim())
    assert (low, high) == (-0.5, len(both.confusion.labels) - 0.5)


def test_scikit_learns_options_are_taken(plt: Any) -> None:
    """Where to draw, without numbers, in other colours."""
    _, ax = plt.subplots()
    drawn = reference.published("chess").plot(ax=ax, include_values=False, cmap="Greens")
    assert drawn.ax_ is ax
    assert drawn.text_ is None
    assert drawn.im_.get_cmap().name == "Greens"
    assert isinstance(drawn, ConfusionMatrixDisplay)


@pytest.mark.parametrize(
    "labels",
    [("cat",), ("$x", "y$", "$x^$"), ("猫", "\ud800"), ("\x1b[2J", ""), ("é" * 300, "a_b^c")],
)
def test_any_label_is_drawn(labels: tuple[str, ...]) -> None:
    """One class, formulas, other scripts, signs that no font has, endless names."""
    drawn = public(of_classes(*labels)).plot()
    with warnings.catch_warnings():
        # Which signs a font has is the machine's affair; matplotlib draws a box and says so.
        warnings.filterwarnings("ignore", "Glyph", UserWarning)
        drawn.figure_.savefig(io.BytesIO(), format="png")
    assert numbers(drawn) == [
        [int(row == column) for column in range(len(labels))] for row in range(len(labels))
    ]


def test_hundreds_of_classes_are_drawn_without_numbers() -> None:
    """They would be a black square."""
    drawn = public(of_classes(*(f"class {place}" for place in range(120)))).plot()
    assert drawn.text_ is None
    assert drawn.im_.get_array().shape == (120, 120)


def test_a_run_that_stopped_early_can_be_drawn() -> None:
    """Its numbers are told to be of that moment; to draw them compares nothing."""
    stopped = guarded(
        built(ended("a", "correct"), ended("b", "misclassified"), ended("c", "not_needed"))
    )
    drawn = stopped.plot()
    assert sum(map(sum, numbers(drawn))) == 2
    assert "when the run stopped" in drawn.ax_.get_title()


def test_without_matplotlib_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line that installs it."""
    missing: Any = None
    monkeypatch.setitem(sys.modules, "matplotlib", missing)
    with pytest.raises(ExtraMissing, match=r"pip install 'pytest-llmclf\[plot\]'"):
        reference.published("chess").plot()
