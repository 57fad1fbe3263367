"""On the controller only: gathers outcomes, writes the run's files, prints the reports."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.errors import LlmclfError
from pytest_llmclf.plugin.session import session_if_any
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.forecast import Forecast
    from pytest_llmclf.plugin.junit import ImageProperties
    from pytest_llmclf.plugin.pytest_html import HtmlThumbnails
    from pytest_llmclf.plugin.session import EvaluationSession
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
        self._forecast: Forecast | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self) -> None:
        """Get ready for those who want to know more of an image."""
        ours = session_if_any(self._config)
        if ours is None or self._config.option.collectonly:
            return
        from pytest_llmclf.plugin.junit import ImageProperties
        from pytest_llmclf.plugin.live_line import start_live_line
        from pytest_llmclf.plugin.pytest_html import HtmlThumbnails

        self._properties = ImageProperties()
        if HtmlThumbnails.wanted(self._config):
            self._thumbnails = HtmlThumbnails(self._config)
        start_live_line(self._config)
        self._forecast = _forecast(ours)

    # Around all others, since other reporters read what is added here.
    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(
        self, report: pytest.TestReport
    ) -> Generator[None, object, object]:
        """Note an image's outcome."""
        outcome = None
        session = session_if_any(self._config)
        if session is not None:
            outcome = session.results.note(report)
            if outcome is not None and self._thumbnails is not None:
                self._thumbnails.add(report)
        with self._properties.told(report, outcome) if self._properties else nullcontext():
            result = yield
        if outcome is not None:
            from pytest_llmclf.plugin.carried import EARLY_ATTRIBUTE

            self._tell_early(getattr(report, EARLY_ATTRIBUTE, ()))
            ahead = None if self._forecast is None else self._forecast.note(outcome)
            if ahead is not None:
                self._tell_early([ahead])
        # With -v, pytest's summary of the tests tells of outcomes in full.
        if outcome is not None and self._config.get_verbosity() <= 0:
            from pytest_llmclf.plugin.carried import drop_outcome

            drop_outcome(report)
        return result

    def _tell_early(self, early: Sequence[str]) -> None:
        """Say at once what people may want to know before they let it go on."""
        from pytest_llmclf.plugin.live_line import NAME

        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or self._told.issuperset(early) or self._config.get_verbosity() < 0:
            return
        live = self._config.pluginmanager.get_plugin(NAME)
        if live is not None:
            live.clear()
        terminal.ensure_newline()
        if self._config.get_terminal_writer().width_of_current_line:
            terminal.write("\n")  # under xdist the reporter knows of no line
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
            from pytest_llmclf.plugin.gate_tests import GATE_KEY
            from pytest_llmclf.plugin.junit import gate_properties

            gate, session = item.stash.get(GATE_KEY, None), session_if_any(self._config)
            if gate is not None and session is not None:
                verdicts = session.results.verdicts
                own = [verdict for verdict in verdicts if verdict.task == gate.report.task]
                result.user_properties.extend(gate_properties(own))
        return result

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """Note that what has not run yet will not."""
        session = session_if_any(self._config)
        if session is not None:
            session.results.absences.stop(excinfo.value)

    # Before those who write files of their own, which then have every gate.
    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the run's files; never end green with an image lost, or none read."""
        ours = session_if_any(self._config)
        if ours is None or self._config.option.collectonly:
            return
        results = ours.results
        if session.shouldfail or session.shouldstop:
            results.absences.stop(session.shouldfail or session.shouldstop)
        if not results.absences.began:
            return
        reports = results.reports(ours.tasks.values())
        if (
            self._fails_without_test(ours, reports)
            or any(report.ledger.never_green for report in reports)
        ) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        # Where no gate was judged, as after -k with one image, nobody looked at any.
        judged = {verdict.task for verdict in results.verdicts}
        self._note_looks(ours, [report for report in reports if report.task in judged])
        self._note_tuning(ours, reports)
        if any(report.ledger.answered or report.ledger.error for report in reports):
            self._write(ours, reports)

    def _note_looks(self, session: EvaluationSession, reports: Sequence[Report]) -> None:
        """Note which gates were looked at; a folder that cannot be written costs only that."""
        from pytest_llmclf.gates.looks import FILE, damaged_looks, note_looks
        from pytest_llmclf.plugin.run_verdicts import looks_of

        path = session.settings.home / FILE
        damaged = damaged_looks(path)
        if damaged:
            self._troubles.append(
                f"{path}: {damaged} damaged {noun(damaged, 'line')}: earlier looks at gates with "
                "confidence may be missing; restore the file, or remove it and take the next look "
                "for the first"
            )
        try:
            gates = {name: task.gates for name, task in session.tasks.items()}
            note_looks(path, looks_of(reports, gates))
        except OSError as error:
            self._troubles.append(
                f"{path}: how often gates were looked at could not be noted ({error}); "
                "free disk space or choose another folder with --llmclf-home"
            )

    def _note_tuning(self, session: EvaluationSession, reports: Sequence[Report]) -> None:
        """Note which images were looked at, where some are held out; costs no run its end."""
        from pytest_llmclf.gates.tuning_looks import (
            TUNING_FILE,
            note_tuning_looks,
            tuning_looks,
        )

        path = session.settings.home / TUNING_FILE
        try:
            note_tuning_looks(path, tuning_looks(reports))
        except OSError as error:
            self._troubles.append(
                f"{path}: that images to tune on, or held out, were looked at could not be noted "
                f"({error}); free disk space or choose another folder with --llmclf-home"
            )

    def _fails_without_test(self, session: EvaluationSession, reports: Sequence[Report]) -> bool:
        """Judge the gates that nobody wrote a test for; whether any makes the run fail."""
        from pytest_llmclf.plugin.junit import add_gates_without_test
        from pytest_llmclf.plugin.run_verdicts import fails, judge_untested

        choice, untested = session.settings.inconclusive, judge_untested(reports, session)
        session.results.add_verdicts("", untested)
        add_gates_without_test(self._config, untested, choice)
        return any(fails(verdict, choice) for verdict in untested)

    def _write(self, session: EvaluationSession, reports: Sequence[Report]) -> None:
        from pytest_llmclf.plugin.earlier import forget
        from pytest_llmclf.plugin.github import write_summaries
        from pytest_llmclf.plugin.run_files import write_files, write_run_page

        results = session.results
        try:
            self._folder = write_files(session, reports)
            with self._progress() as progress:
                self._page = write_run_page(session, reports, self._folder, progress)
            forget(self._folder)
        except (OSError, LlmclfError, MemoryError) as error:
            why = str(error) or "there was not enough memory"
            self._troubles.append(
                f"the files of this run could not be written: {why}; "
                "free disk space or choose another folder with --llmclf-run"
            )
        try:
            write_summaries(
                reports, results.verdicts, session.settings.summary, baselines=results.comparisons
            )
        except OSError as error:
            self._troubles.append(f"the Markdown summary could not be written: {error}")

    def _progress(self) -> ProgressLine:
        """A line on the terminal while the page is made; nothing elsewhere, and with ``-q``."""
        from pytest_llmclf.progress import ProgressLine

        terminal = self._config.pluginmanager.get_plugin("terminalreporter")
        if terminal is None or not terminal.isatty() or self._config.get_verbosity() < 0:
            return ProgressLine(None)
        writer = self._config.get_terminal_writer()
        if writer.width_of_current_line:
            writer.line()  # the line of dots stays
        return ProgressLine(_Terminal(terminal))

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print every report, then the gates, then where the files are."""
        session = session_if_any(self._config)
        if session is None or self._config.option.collectonly:
            return
        from pytest_llmclf.plugin import github
        from pytest_llmclf.plugin.run_verdicts import fails
        from pytest_llmclf.plugin.terminal_summary import print_reports

        if not session.results.absences.began:
            return
        choice = session.settings.inconclusive
        with github.commands_stopped(terminalreporter.write_line):
            written = [path for path in (self._folder, self._page) if path is not None]
            verdicts = print_reports(terminalreporter, session, written, self._troubles)
        if github.on_github():
            for line in github.annotation_lines(verdicts, lambda one: fails(one, choice)):
                terminalreporter.write_line(line)


def _forecast(session: EvaluationSession) -> Forecast:
    from pytest_llmclf.plugin.forecast import Forecast

    settings = session.settings
    return Forecast(
        sum(len(session.results.of(name).cases) for name in session.tasks),
        repeats=settings.repeats,
        prices=settings.prices,
        stops_early=settings.stop_early is not None,
    )


class _Terminal:
    """The terminal as pytest writes to it, for what writes over a line of its own."""

    def __init__(self, reporter: pytest.TerminalReporter) -> None:
        self._reporter = reporter

    def isatty(self) -> bool:
        """Whether people see it as it is written."""
        return self._reporter.isatty()

    def write(self, text: str) -> object:
        """Write a text as it is."""
        self._reporter.write_raw(text)
        return None

    def flush(self) -> None:
        """Let it be seen."""
        self._reporter.flush()
