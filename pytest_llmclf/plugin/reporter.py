"""On the controller only: gathers outcomes, writes the run's files, prints the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.plugin.run import run_if_any

if TYPE_CHECKING:
    from pathlib import Path

    from _pytest.terminal import TerminalReporter


class Reporter:
    """Listens where test reports are gathered: in the only process, or on the xdist controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder: Path | None = None
        self._trouble: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note an image's outcome."""
        if hasattr(report, "llmclf"):
            from pytest_llmclf.plugin.ledger import book_of

            book_of(self._config).note(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the run's files; never end green with an image lost."""
        run = run_if_any(self._config)
        if run is None or self._config.option.collectonly:
            return
        from pytest_llmclf.plugin.artifacts import write_artifacts
        from pytest_llmclf.plugin.gates import fails, judge_orphans
        from pytest_llmclf.plugin.ledger import book_of

        book = book_of(self._config)
        reports = book.reports(self._config)
        # Gates that nobody wrote a test for are judged all the same.
        orphans = judge_orphans(reports, run.assignments.values(), run.gated)
        book.verdicts.extend(orphans)
        book.judged.update((verdict.evaluation, verdict.model) for verdict in orphans)
        if session.exitstatus == pytest.ExitCode.OK and any(
            fails(verdict, run.settings.inconclusive) for verdict in orphans
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if session.exitstatus == pytest.ExitCode.OK and any(
            report.ledger.lost for report in reports
        ):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        if any(report.ledger.collected > report.ledger.lost for report in reports):
            try:
                self._folder = write_artifacts(run, reports, book.verdicts)
            except OSError as error:
                self._trouble = (
                    f"the files of this run could not be written: {error}; "
                    "free disk space or choose another folder with --llmclf-run"
                )

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print every report, then the gates, then where the files are."""
        run = run_if_any(self._config)
        if run is None or self._config.option.collectonly:
            return
        from pytest_llmclf.plugin.terminal import print_reports

        print_reports(terminalreporter, run, self._folder, self._trouble)
