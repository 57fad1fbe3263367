"""What other reporters learn of an image and of a gate: JUnit XML, JSON reports, report logs.

Facts travel as pytest's own user properties. JUnit XML writes them into the test case, where
GitLab passes over them and Jenkins' ``junit`` step keeps them (``keepProperties``). The stricter
schema of Jenkins' xUnit plugin has no place for properties in a test case, whoever writes them.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.metrics.calibration.answers import confidence
from pytest_llmclf.plugin.carried import REPORT_ATTRIBUTE
from pytest_llmclf.plugin.items import image_id
from pytest_llmclf.plugin.pytest_private import junit_xml
from pytest_llmclf.plugin.run_verdicts import fails
from pytest_llmclf.values.verdict import WORST_FIRST

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmclf.runner.settings import Inconclusive
    from pytest_llmclf.values.outcome import Outcome, TaskName
    from pytest_llmclf.values.verdict import Verdict

Properties = list[tuple[str, object]]

_DIGITS: Final = 4


class ImageProperties:
    """Puts an image's properties on its reports, the last one of which other reporters read."""

    def __init__(self) -> None:
        self._open: dict[str, Properties] = {}

    @contextmanager
    def told(self, report: pytest.TestReport, outcome: Outcome | None) -> Iterator[None]:
        """Tell the other reporters, now and again with the report of the test's end.

        pytest keeps every report, and the properties would be a tenth of what it keeps: they are
        gone from it when every reporter has had it.

        Args:
            report: Of any phase of any test.
            outcome: What it carries, if anything.
        """
        own: Properties = []
        if outcome is not None:
            own = self._open[report.nodeid] = image_properties(outcome)
        elif report.when == "teardown":
            own = self._open.pop(report.nodeid, [])
        report.user_properties.extend(own)
        try:
            yield
        finally:
            if own:
                report.user_properties = [one for one in report.user_properties if one not in own]


def image_properties(outcome: Outcome) -> Properties:
    """Name and value of everything that is known of an image, as JSON built-ins."""
    answer = outcome.answer
    duration = None if answer is None else (answer.server_s or answer.wall_s)
    sure = confidence(outcome)
    known = {
        "evaluation": outcome.evaluation,
        "model": outcome.model,
        "variant": outcome.variant or None,
        "image": outcome.case,
        "outcome": outcome.kind,
        "expected": " or ".join(outcome.labels),
        "predicted": outcome.predicted,
        "reason": outcome.reason,
        "confidence": None if sure is None else round(sure, _DIGITS),
        "duration": None if duration is None else round(duration, _DIGITS),
    }
    return [(name, value) for name, value in known.items() if value is not None]


def gate_properties(verdicts: Iterable[Verdict]) -> Properties:
    """The worst verdict, and what each one says."""
    found = list(verdicts)
    if not found:
        return []
    worst = min((verdict.word for verdict in found), key=WORST_FIRST.index)
    said = "; ".join(f"{verdict.word}: {verdict.text}" for verdict in found)
    first = found[0]
    variant = [("variant", first.variant)] if first.variant else []
    return [
        ("evaluation", first.evaluation),
        ("model", first.model),
        *variant,
        ("verdict", worst),
        ("gates", said),
    ]


def add_gates_without_test(
    config: pytest.Config, verdicts: Iterable[Verdict], choice: Inconclusive
) -> None:
    """Tell JUnit XML and pytest's summary of the gates that no test was written for.

    JUnit XML gets a test case a task. The summary counts and names what fails the run or is
    undecided: no run may end red with a last line in which nothing failed.
    """
    by_task: dict[TaskName, list[Verdict]] = {}
    for verdict in verdicts:
        by_task.setdefault(verdict.task, []).append(verdict)
    xml = junit_xml(config)
    terminal: pytest.TerminalReporter | None = config.pluginmanager.get_plugin("terminalreporter")
    for task, found in by_task.items():
        report = _gate_report(image_id(*task), found, choice)
        if xml is not None:
            xml.pytest_runtest_logreport(report)
            xml.pytest_runtest_logreport(_end_of(report, found))
        if terminal is not None and not report.passed:
            category = "failed" if report.failed else "inconclusive"
            terminal.stats.setdefault(category, []).append(report)


def _gate_report(name: str, verdicts: list[Verdict], choice: Inconclusive) -> pytest.TestReport:
    """What a test of the gates would have come to; what fails stands first."""
    ordered = sorted(verdicts, key=lambda verdict: WORST_FIRST.index(verdict.word))
    said = "\n".join(f"{verdict.word} {verdict.text}" for verdict in ordered)
    failed = any(fails(verdict, choice) for verdict in verdicts)
    undecided = any(verdict.word == "INCONCLUSIVE" for verdict in verdicts)
    report = pytest.TestReport(
        nodeid=f"llmclf::gates[{name}]",
        location=("llmclf", None, f"gates[{name}]"),
        keywords={},
        outcome="failed" if failed else "skipped" if undecided else "passed",
        longrepr=said if failed else None,
        when="call",
    )
    setattr(report, REPORT_ATTRIBUTE, {"verdict": ordered[0].word})
    if undecided and not failed:
        report.wasxfail = said
    return report


def _end_of(report: pytest.TestReport, verdicts: list[Verdict]) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid=report.nodeid,
        location=report.location,
        keywords={},
        outcome="passed",
        longrepr=None,
        when="teardown",
        user_properties=gate_properties(verdicts),
    )
