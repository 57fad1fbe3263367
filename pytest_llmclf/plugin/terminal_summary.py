"""What a person sees: who is asked before the first question, and the reports at the end."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.data.entry import unsendable
from pytest_llmclf.errors import some_of
from pytest_llmclf.gates.feasible import undecidable
from pytest_llmclf.gates.gate import verdict_on, why_undecided
from pytest_llmclf.plugin.gate_tests import spared
from pytest_llmclf.plugin.probing import example_line
from pytest_llmclf.plugin.since import since_lines
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.reporting.task_lines import part_lines, place_of, task_line
from pytest_llmclf.reporting.terminal import brief_lines, lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    import pytest

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.session import EvaluationSession
    from pytest_llmclf.reporting.style import Line
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.verdict import Verdict

_MOST_SHOWN: Final = 8

_NONE_SELECTED: Final = "gates are judged only when their test is selected"
"""Why gates were not judged that have a test: a selection such as ``-k cat`` left it out."""
_NONE_DECLARED: Final = "the evaluation declares none, and no gate test was collected"


def announcement(session: EvaluationSession, style: Style, *, asks: bool = True) -> list[str]:
    """A line an evaluation and model, then what is odd about the images and the gates.

    Args:
        session: This session.
        style: Of the terminal: nothing that is to be copied is broken at its edge.
        asks: Whether anything is going to be asked, so that servers may be looked at.
    """
    said = []
    reasons = []
    for task in session.tasks.values():
        images = len(session.results.of(task.key).cases)
        if not images:
            continue  # nothing of it was selected, so nothing is asked and nothing judged
        place = place_of(task)
        said.append(f"llmclf: {task_line(task, images)}")
        parts = [f"llmclf: {line}" for line in part_lines(task)]
        said += [line for line in parts if line not in said]
        if task.reason and task.reason not in reasons:
            reasons.append(task.reason)
        said += [f"llmclf: {place}: {task.unfit}"] if task.unfit else []
        shown = [f"llmclf: {place}: {line}" for line in _about_examples(task)]
        said += [line for line in shown if line not in said]
        room = _room(task)
        said += [f"llmclf: {place}: {room}"] if room else []
        probing = [f"llmclf: {place}: {line}" for line in _about_probes(task, session, asks=asks)]
        said += [line for line in probing if line not in said]
        warnings = [f"llmclf: warning: {warning}" for warning in task.dataset.warnings]
        said += [line for line in warnings if line not in said]  # once for all who are asked
        bad = unsendable(task.dataset.cases)
        said += [f"llmclf: cannot be asked about: {line}" for line in bad]
        said += [f"llmclf: {place}: {line}" for line in _about_gates(task, session)]
    said += [f"llmclf: {reason}" for reason in reasons]
    remote = session.settings.allow_remote
    if remote:
        said.append(f"llmclf: images may leave this machine for {', '.join(sorted(remote))}")
    clear = session.settings.allow_clear_key
    if clear:
        said.append(f"llmclf: keys may go unencrypted to {', '.join(sorted(clear))}")
    # Names and reasons come from files, recordings and servers: each stays on its line.
    return [line for one in said for line in style.wrapped(one)]


def _about_examples(task: Task) -> Iterator[str]:
    """What is not judged for the example images, and which images are shown."""
    yield from task.about_examples
    if task.examples:
        files = some_of([f"{one.label} ({one.file})" for one in task.examples], _MOST_SHOWN)
        yield f"shown before each image: {files}"


def _room(task: Task) -> str | None:
    """Whether the label list may be too long for the context, before anything is asked."""
    from pytest_llmclf.runner.headroom import context_sent, doubtful_room

    told = task.instructions
    shown = [text for one in told.examples for text in (told.prompt, one.answer)]
    return doubtful_room([told.prose, *shown, told.prompt], context_sent(task), len(told.examples))


def _about_probes(task: Task, session: EvaluationSession, *, asks: bool) -> Iterator[str]:
    """A label that stands as the example of an answer, and what is asked besides."""
    example = example_line(task, session.own_system(task) if asks else "")
    if example and "example" not in session.settings.probes:
        yield example
    yield from session.results.probes.announced(task.key)


def _about_gates(task: Task, session: EvaluationSession) -> Iterator[str]:
    """What is known of a task's gates before the first question."""
    gates, labels = task.meant_gates, task.labels.names
    name = session.results.of(task.key)
    cases = list(name.cases.values())
    for gate in gates:
        for reason in undecidable(gate, labels, cases, task.evaluation.group or ""):
            yield f"cannot be shown: {reason}"
    if session.settings.stop_early is not None and not gates:
        yield "all images are asked about: no gate is declared that could be decided"
    for obstacle in name.obstacles:
        yield f"all images are asked about: {obstacle}"


def print_reports(
    reporter: pytest.TerminalReporter,
    session: EvaluationSession,
    written: Sequence[Path],
    troubles: Iterable[str] = (),
) -> list[Verdict]:
    """Every report, then the gates, then what was written; returns the verdicts shown.

    Args:
        reporter: pytest's.
        session: This session.
        written: The run's folder, and last the page.
        troubles: What could not be written, a line each.
    """
    config, results = reporter.config, session.results
    style = replace(style_of(config), every=config.get_verbosity() > 1)
    reports = results.reports(session.tasks.values())
    brief = config.get_verbosity() < 0
    if reports:
        reporter.write_sep("=", "evaluations")
    verdicts = [*results.verdicts, *_unjudged(reports, session)]
    _print(
        reporter,
        brief_lines(reports, verdicts, style)
        if brief
        else lines(reports, verdicts, style, baselines=results.comparisons),
    )
    own = () if session.store_notice is None else (session.store_notice,)
    # The full reports tell what is to be noticed of servers themselves.
    noticed = results.notices() if brief else ()
    for line in dict.fromkeys((*own, *results.store_notices, *noticed, *troubles)):
        reporter.write_line(style.safe(f"llmclf: {line}"), yellow=True)
    if written and not brief:
        runs = session.settings.home / "runs"
        for line in since_lines(runs, written[0], reports):
            reporter.write_line(style.safe(f"llmclf: {line}"))
    places = list(zip(("files of this run", "page for a browser"), written, strict=False))
    for what, path in places[-1:] if brief else places:
        reporter.write_line(style.safe(f"llmclf: {what}: {_near(path)}"))
    return verdicts


def _unjudged(reports: Sequence[Report], session: EvaluationSession) -> Iterator[Verdict]:
    """One a task that no gate said anything of: why not."""
    judged = {verdict.task for verdict in session.results.verdicts}
    for report in reports:
        if report.task in judged:
            continue
        name = session.results.of(report.task)
        nothing = report.ledger.why_none if report.ledger.all_skipped else None
        incomplete = None if nothing else why_undecided(report)
        awaited = not nothing and name.awaits_gate and name.gate is None
        task = session.tasks[report.task]
        left_out = _NONE_SELECTED if report.evaluation in session.gated else _NONE_DECLARED
        left_out = spared(task) if task.is_yardstick else left_out
        why = nothing or incomplete or ("its test did not run" if awaited else left_out)
        text = f"no gate was judged; {why}"
        if incomplete or awaited:
            yield verdict_on(report, "INCONCLUSIVE", text, "incomplete")
        else:
            yield verdict_on(report, "UNGATED", text)


def style_of(config: pytest.Config) -> Style:
    """What the terminal can show."""
    writer = config.get_terminal_writer()
    return Style(
        color=writer.hasmarkup,
        # pytest writes to the standard output that it found.
        unicode=Style.can_unicode(getattr(sys.stdout, "encoding", None)),
        width=writer.fullwidth,
    )


def _print(reporter: pytest.TerminalReporter, printed: Iterable[Line]) -> None:
    for line in printed:
        for segment in line.segments:
            reporter.write(segment.text, **segment.markup)
        reporter.write_line("")


def _near(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive on Windows
        return str(path)
