"""``llmclf report`` writes everything that follows from a run anew, and leaves the run alone."""

from __future__ import annotations

import hashlib
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.analysis.comparison.paired_comparison import Change, Comparison
from pytest_llmclf.cli import report_command as command
from pytest_llmclf.errors import ExtraMissing, SettingsError
from pytest_llmclf.reporting import artifacts
from pytest_llmclf.reporting.run_folder import RunFolderError, read_run
from pytest_llmclf.values.verdict import Verdict
from tests.unit.cli.command import call
from tests.unit.ended import ended
from tests.unit.test_report import built

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report

VERDICT = Verdict(word="FAIL", text="accuracy >= 0.9", evaluation="pets", model="ollama:llava")
DERIVED = {"outcomes.csv", "report.txt", "summary.md", "page.html"}


def small() -> Report:
    """A report with a mistake."""
    return built(ended("a", "correct", probabilities=None), ended("b", "misclassified"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home folder with one finished run."""
    run = tmp_path / "home" / "runs" / "20260101-000000-abc"
    artifacts.write_run(run, [small()], settings={"seed": 1}, environment={}, verdicts=[VERDICT])
    return tmp_path / "home"


def test_reports_are_written_anew(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was lost or made by another version is there again; the outcomes are not touched."""
    (run,) = (home / "runs").iterdir()
    before = {name: (run / name).read_bytes() for name in ("run.json", "outcomes.jsonl")}
    wanted = (run / "report.txt").read_bytes()
    for name in ("report.txt", "outcomes.csv"):
        (run / name).unlink()
    call(command, "report", "latest", "--home", str(home))
    assert {name: (run / name).read_bytes() for name in before} == before
    assert (run / "report.txt").read_bytes() == wanted
    assert {path.name for path in run.iterdir()} > DERIVED
    out = capsys.readouterr().out
    assert "FAIL  pets · ollama:llava: accuracy >= 0.9" in out
    assert out.splitlines()[-1] == str(run / "page.html")


def test_the_page_shows_the_committed_predictions_again(tmp_path: Path) -> None:
    """What changed against them is in the run's record."""
    comparison = Comparison(
        cases=("a", "b"),
        correct=1,
        changes=(Change(case="b", kind="broken", expected="cat", was="cat", now="dog"),),
    )
    run = tmp_path / "home" / "runs" / "20260101-000000-abc"
    report = small()
    artifacts.write_run(
        run,
        [report],
        settings={},
        environment={},
        baselines={report.task: comparison},
    )
    call(command, "report", "latest", "--home", str(tmp_path / "home"), "--no-images")
    assert '["b","broken","cat","dog"]' in (run / "page.html").read_text("utf-8")


def test_another_folder_gets_the_whole_run(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --out the copy is a run of its own, equal to the first one; -q prints paths alone."""
    (run,) = (home / "runs").iterdir()
    out = tmp_path / "deep" / "public"
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in run.iterdir()}
    call(command, "report", "20260101", "--home", str(home), "--out", str(out), "-q")
    assert read_run(out).reports == read_run(run).reports
    assert read_run(out).settings == {"seed": 1}
    assert before == {path: hashlib.sha256(path.read_bytes()).digest() for path in run.iterdir()}
    printed = capsys.readouterr().out.splitlines()
    assert sorted(printed) == sorted(str(path) for path in out.iterdir())


def test_parquet_is_refused_before_anything_is_written(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without pyarrow nothing is half done."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    out = tmp_path / "out"
    with pytest.raises(ExtraMissing):
        call(command, "report", "latest", "--home", str(home), "--out", str(out), "--parquet")
    assert not out.exists()


def test_what_cannot_be_read_or_written_is_said(home: Path, tmp_path: Path) -> None:
    """A run that is not there, and a folder that is a file."""
    with pytest.raises(RunFolderError, match="nobody"):
        call(command, "report", "nobody", "--home", str(home))
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="choose another folder with --out"):
        call(command, "report", "latest", "--home", str(home), "--out", str(tmp_path / "file"))
