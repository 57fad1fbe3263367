"""On the controller only: gathers outcomes, writes the run's files, prints the reports."""

from __future__ import annotations

import io
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.errors import LlmclfError
from pytest_llmclf.plugin.session import run_if_any

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from _pytest.terminal import TerminalReporter

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.junit import ImageProperties
    from pytest_llmclf.plugin.pytest_html import HtmlThumbnails
    from pytest_llmclf.plugin.results import Book
    from pytest_llmclf.plugin.session import Run
    from pytest_llmclf.progress import ProgressLine


class Reporter:
    """Listens where test reports are gathered: in the only process, or on the xdist controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._folder: Path | None = None
        self._page: Path | None = None
        self._troubles: list[str] = []
        self._properties: ImageProperties | None = None
        self._thumbnails: HtmlThumbnails | None = None
        self._told: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Get ready for those who want to know more of an image."""
        if run_if_any(self._config) is None or self._config.option.collectonly:
            return
        from pytest_llmclf.plugin.junit import ImageProperties
        from pytest_llmclf.plugin.live_line import start_live_line
        from pytest_llmclf.plugin.pytest_html import HtmlThumbnails

        self._properties = ImageProperties()
        if HtmlThumbnails.wanted(self._config):
            self._thumbnails = HtmlThumbnails(self._config)
        start_live_line(self._config)

    # Around all others, since other reporters read what is added here.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Note an image's outcome."""
        outcome = None
        if run_if_any(self._config) is not None:
            from pytest_llmclf.plugin.results import book_of

            outcome = book_of(self._config).note(report)
            if outcome is not None and self._thumbnails is not None:
                self._thumbnails.add(report)
        with self._properties.told(report, outcome) if self._properties else nullcontext():
            result = yield
        if outcome is not None:
            self._tell_early(report)
        # With -v, pytest's summary of the tests tells of outcomes in full.
        if outcome is not None and self._config.get_verbosity() <= 0:
            from pytest_llmclf.plugin.image_tests import forget

            forget(report)
        return result

    def _tell_early(self, report: pytest.TestReport) -> None:
        """Say at once what makes it no use to go on as it is; the report says it again."""
        from pytest_llmclf.plugin.absences import EARLY_ATTRIBUTE
        from pytest_llmclf.plugin.live_line import NAME

        early = getattr(report, EARLY_ATTRIBUTE, ())
        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._told.issuperset(early) or self._config.get_verbosity() < 0:
            return
        live = self._config.pluginmanager.get_plugin(NAME)
        if live is not None:
            live.clear()
        terminal.ensure_newline()
        if terminal._tw.width_of_current_line:  # noqa: SLF001 - under xdist it knows of no line
            terminal.write("\n")
        for sentence in early:
            if sentence not in self._told:
                self._told.add(sentence)
                terminal.write_line(f"llmclf: {sentence}", yellow=True)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Put the verdicts of a gate on the report of its test's end."""
        result = yield
        if call.when == "teardown" and self._properties is not None:
            from pytest_llmclf.plugin.gate_tests import REPORT_KEY
            from pytest_llmclf.plugin.junit import gate_properties
            from pytest_llmclf.plugin.results import book_of

            report = item.stash.get(REPORT_KEY, None)
            if report is not None:
                key = (report.evaluation, report.model)
                own = [
                    verdict
                    for verdict in book_of(self._config).verdicts
                    if (verdict.evaluation, verdict.model) == key
                ]
                result.user_properties.extend(gate_properties(own))
        return result

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that what has not run yet will not."""
        if run_if_any(self._config) is not None:
            from pytest_llmclf.plugin.results import book_of

            book_of(self._config).absences.stop(excinfo.value)

    # Before those who write files of their own, which then have every gate.
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the run's files; never end green with an image lost, or none read."""
        run = run_if_any(self._config)
        if run is None or self._config.option.collectonly:
            return
        from pytest_llmclf.plugin.results import book_of

        book = book_of(self._config)
        if session.shouldfail or session.shouldstop:
            book.absences.stop(session.shouldfail or session.shouldstop)
        if not book.absences.began:
            return
        reports = book.reports(self._config)
        if (
            self._fails_without_test(run, book, reports)
            or any(report.ledger.never_green for report in reports)
        ) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        # Where no gate was judged, as after -k with one image, nobody looked at any.
        judged = {(verdict.evaluation, verdict.model) for verdict in book.verdicts}
        seen = [report for report in reports if (report.evaluation, report.model) in judged]
        self._note_looks(run, seen)
        if any(report.ledger.answered or report.ledger.error for report in reports):
            self._write(run, book, reports)

    def _note_looks(self, run: Run, reports: Sequence[Report]) -> None:
        """Note which gates were looked at; a folder that cannot be written costs only that."""
        from pytest_llmclf.gates.looks import FILE, damaged_looks, note_looks
        from pytest_llmclf.plugin.gate_tests import looks_of

        path = run.settings.home / FILE
        damaged = damaged_looks(path)
        if damaged:
            self._troubles.append(
                f"{path}: {damaged} damaged lines: earlier looks at gates with confidence may be "
                "missing; restore the file, or remove it and take the next look for the first"
            )
        try:
            note_looks(path, looks_of(reports, run))
        except OSError as error:
            self._troubles.append(
                f"{path}: how often gates were looked at could not be noted ({error}); "
                "free disk space or choose another folder with --llmclf-home"
            )

    def _fails_without_test(self, run: Run, book: Book, reports: Sequence[Report]) -> bool:
        """Judge the gates that nobody wrote a test for; whether any makes the run fail."""
        from pytest_llmclf.plugin.gate_tests import fails, judge_orphans
        from pytest_llmclf.plugin.junit import add_gates_without_test

        orphans = judge_orphans(reports, run, book)
        book.add_verdicts("", orphans)
        add_gates_without_test(self._config, orphans, run.settings.inconclusive)
        return any(fails(verdict, run.settings.inconclusive) for verdict in orphans)

    def _write(self, run: Run, book: Book, reports: Sequence[Report]) -> None:
        from pytest_llmclf.plugin.earlier import forget as forget_earlier
        from pytest_llmclf.plugin.github import write_summaries
        from pytest_llmclf.plugin.run_files import write_artifacts, write_run_page

        try:
            self._folder = write_artifacts(run, reports, book)
            with self._progress() as progress:
                self._page = write_run_page(run, reports, book, self._folder, progress)
            forget_earlier(self._folder)
        except (OSError, LlmclfError, MemoryError) as error:
            why = str(error) or "there was not enough memory"
            self._troubles.append(
                f"the files of this run could not be written: {why}; "
                "free disk space or choose another folder with --llmclf-run"
            )
        try:
            write_summaries(
                reports, book.verdicts, run.settings.summary, baselines=book.comparisons
            )
        except OSError as error:
            self._troubles.append(f"the Markdown summary could not be written: {error}")

    def _progress(self) -> ProgressLine:
        """A line on the terminal while the page is made; nothing elsewhere, and with ``-q``."""
        from pytest_llmclf.progress import ProgressLine

        terminal: TerminalReporter | None = self._config.pluginmanager.getplugin("terminalreporter")
        if terminal is None or not terminal.isatty or self._config.get_verbosity() < 0:
            return ProgressLine(io.StringIO())
        writer = terminal._tw  # noqa: SLF001 - pytest offers no other way to its file
        if writer.width_of_current_line:
            writer.line()  # the line of dots stays
        return ProgressLine(writer._file)  # noqa: SLF001 - see above

    def pytest_terminal_summary(self, terminalreporter: TerminalReporter) -> None:
        """Print every report, then the gates, then where the files are."""
        run = run_if_any(self._config)
        if run is None or self._config.option.collectonly:
            return
        from pytest_llmclf.plugin import github
        from pytest_llmclf.plugin.gate_tests import fails
        from pytest_llmclf.plugin.results import book_of
        from pytest_llmclf.plugin.terminal_summary import print_reports

        if not book_of(self._config).absences.began:
            return
        with github.commands_stopped(terminalreporter.write_line):
            written = [path for path in (self._folder, self._page) if path is not None]
            verdicts = print_reports(terminalreporter, run, written, self._troubles)
        if github.on_github():
            for line in github.annotation_lines(
                verdicts, lambda verdict: fails(verdict, run.settings.inconclusive)
            ):
                terminalreporter.write_line(line)
