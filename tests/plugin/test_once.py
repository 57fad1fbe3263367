"""What is said of a report is worked out once, whoever says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.analysis.diagnosis import diagnose
from tests.plugin.colour_server import Odd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llmclf.analysis.diagnosis.finding import Finding
    from pytest_llmclf.metrics.report import Report
    from tests.plugin.conftest import Colours


@pytest.fixture
def tested(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models of the reports whose diagnosis is worked out, as they are."""
    found: list[str] = []
    plain: Callable[[Report], list[Finding]] = diagnose._tested

    def noted(report: Report) -> list[Finding]:
        found.append(report.model)
        return plain(report)

    monkeypatch.setattr(diagnose, "_tested", noted)
    return found


@pytest.mark.parametrize("more", [(), ("-n2",), ("--llmclf-repeats", "2")])
def test_a_run_works_a_diagnosis_out_once(
    colours: Colours, tested: list[str], tmp_path: Path, more: tuple[str, ...]
) -> None:
    """Terminal, page, Markdown twice, report.txt and run.json share it."""
    colours.server.odd = {"red/0": Odd(says="blue")}
    colours.run("--llmclf-summary", str(tmp_path / "job.md"), *more)
    assert (colours.root / "run" / "page.html").exists()
    assert (tmp_path / "job.md").exists()
    assert len(tested) == 1


def test_each_report_has_its_own(colours: Colours, tested: list[str]) -> None:
    """Two models are two reports."""
    blind = f"openai:colour-blind@{colours.server.url}"
    colours.run("--llmclf-model", blind)
    assert sorted(tested) == ["openai:colour-blind", "openai:colours"]
