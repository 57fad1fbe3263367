"""Reports that a command made: printed, judged, and kept as a run with its page."""

from __future__ import annotations

import os
import secrets
import sys
from typing import TYPE_CHECKING, Any

from pytest_llmclf.cli.console import style_of, write
from pytest_llmclf.cli.project import writing
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.progress import ProgressLine
from pytest_llmclf.reporting import terminal
from pytest_llmclf.reporting.artifacts import write_run
from pytest_llmclf.reporting.new_run import PAGE, environment, new_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.metrics.report import Report


def show_run(
    reports: Sequence[Report],
    gates: Sequence[Gate],
    home: Path,
    settings: Mapping[str, Any],
    image: Callable[[str, str], Path | None],
) -> int:
    """Print reports and verdicts, write the run's folder and page, and return the exit code.

    Args:
        reports: What was found.
        gates: What each of them has to reach; may be none.
        home: Folder that the run is kept in.
        settings: What was asked for, as JSON built-ins.
        image: The file of an evaluation's image, or ``None``.

    Returns:
        1 where a gate fails or is undecided, or images have no answer; else 0.

    Raises:
        SettingsError: The files cannot be written.
    """
    from pytest_llmclf.reporting.html.document import write_page
    from pytest_llmclf.reporting.html.page import page_of

    with ProgressLine(sys.stderr) as progress:
        progress("computing the report", 0, 0)
        verdicts = [verdict for report in reports for verdict in judge(report, gates)]
        lines = tuple(terminal.lines(reports, verdicts, style_of(sys.stdout)))
    write(sys.stdout, lines)
    folder, facts = new_folder(home / "runs", secrets.token_hex(3)), environment()
    page = page_of(
        reports,
        verdicts,
        gates={report.evaluation: tuple(gates) for report in reports},
        images=image,
        settings=settings,
        environment=facts,
    )
    with (
        writing("the files of this run", "choose a folder with --home"),
        ProgressLine(sys.stderr) as progress,
    ):
        progress("writing the run", 0, 0)
        write_run(folder, reports, settings=settings, environment=facts, verdicts=verdicts)
        written = write_page(folder / PAGE, page, progress)
    sys.stdout.write(f"page for a browser: {os.path.relpath(written)}\n")
    undecided = any(verdict.word not in ("PASS", "UNGATED") for verdict in verdicts)
    return int(undecided or any(one.ledger.why_incomplete() for one in reports))
