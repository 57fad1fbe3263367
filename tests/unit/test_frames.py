"""Outcomes as data frames and Parquet, and the page that describes their columns."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from pytest_llmclf import reference
from pytest_llmclf.errors import ExtraMissing
from pytest_llmclf.reporting import dataframes
from pytest_llmclf.reporting.columns import COLUMN_NAMES, SCHEMA, row
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.outcome import OUTCOME_KINDS
from tests.unit.ended import ended
from tests.unit.test_report import LABELS, built

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.api import PublicReport


def mixed(**more: Any) -> PublicReport:
    """A report with answers, an unparsed one, an error, a repeat and tags."""
    said = Answer(text="a \ud800 cat", answer_tokens=3, wall_s=0.25)
    sure = {"cat": 0.9, "cow": 0.1, "dog": 0.0}
    return built(
        ended("a", "correct", answer=said, probabilities=sure, tags={"style": "photo"}),
        ended("a", "misclassified", repeat=1),
        ended("b", "unparsed", reason="refusal"),
        ended("c", "error", reason="timed-out", message="late"),
        **more,
    )


def test_one_row_an_image_with_types() -> None:
    """Labels are categories in their order, counts whole numbers, what is missing is missing."""
    frame = mixed().to_frame()
    assert list(frame.columns) == [*COLUMN_NAMES, "tag:style"]
    assert frame["case"].tolist() == ["a", "b", "c", "a"]
    assert frame["repeat"].tolist() == [0, 0, 0, 1]
    for name in ("expected", "predicted"):
        assert tuple(frame[name].cat.categories) == LABELS
    assert tuple(frame["kind"].cat.categories) == OUTCOME_KINDS
    assert str(frame["answer_tokens"].dtype) == "Int64"
    assert frame["wall_s"].dtype == "float64"
    assert frame["predicted"].isna().tolist() == [False, True, True, False]
    assert frame["confidence"].tolist()[0] == 0.9
    # An answer without a label that came without probabilities says nothing of confidence.
    assert frame["confidence"].isna().tolist()[1:] == [True, True, True]
    assert frame.loc[0, "answer"] == "a \\ud800 cat"


def test_probabilities_on_demand() -> None:
    """A column a label, empty where nothing is known."""
    frame = mixed().to_frame(probabilities=True)
    assert frame["p:cat"].tolist()[0] == 0.9
    assert frame["p:cat"].isna().tolist()[1:] == [True, True, True]
    assert "p:cat" not in mixed().to_frame()


def test_a_cross_table_is_the_confusion_matrix() -> None:
    """Pandas counts what the report counts, class by class."""
    report = reference.published("chess")
    frame = report.to_frame()
    counted = pd.crosstab(frame["expected"], frame["predicted"], dropna=False)
    labels = list(report.confusion.labels)
    assert counted.loc[labels, labels].to_numpy().tolist() == list(
        map(list, report.confusion.counts)
    )


def test_several_reports_in_one_frame() -> None:
    """The labels of all are categories, and an empty report is an empty frame."""
    reports = [reference.published("chess"), mixed()]
    frame = dataframes.outcomes_frame(reports)
    assert len(frame) == 465 + 4
    assert set(LABELS) < set(frame["expected"].cat.categories)
    assert len(dataframes.outcomes_frame([])) == 0
    assert list(built().to_frame().columns) == list(COLUMN_NAMES)


def test_parquet_keeps_values_and_types(tmp_path: Path) -> None:
    """What is read back is the frame that was written, probabilities included."""
    pytest.importorskip("pyarrow")
    found = pd.read_parquet(dataframes.write_parquet(tmp_path / "outcomes.parquet", [mixed()]))
    expected = mixed().to_frame(probabilities=True)
    assert found.astype(object).where(found.notna(), None).to_dict() == (
        expected.astype(object).where(expected.notna(), None).to_dict()
    )
    assert tuple(found["expected"].cat.categories) == LABELS
    assert found["schema"].unique().tolist() == [SCHEMA]


def test_without_pyarrow_the_remedy_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written, and the message names what to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExtraMissing, match=r"pip install 'pytest-llmclf\[parquet\]'"):
        dataframes.write_parquet(tmp_path / "outcomes.parquet", [mixed()])
    assert not list(tmp_path.iterdir())


def test_rows_have_every_column() -> None:
    """A row is built from the list of columns, in its order."""
    assert tuple(row(ended("a", "correct"))) == COLUMN_NAMES


def test_a_report_imports_no_pandas() -> None:
    """Who asks for no frame does not wait for pandas."""
    code = (
        "import sys\n"
        "from pytest_llmclf import reference\n"
        "from pytest_llmclf.reporting.notebook import report_html\n"
        "report_html(reference.published('mnist'))\n"
        "sys.exit('pandas' in sys.modules)\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
