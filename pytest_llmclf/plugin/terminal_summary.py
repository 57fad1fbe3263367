"""What a person sees: who is asked before the first question, and the reports at the end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_llmclf.gates.feasible import undecidable
from pytest_llmclf.metrics.report import Verdict
from pytest_llmclf.plugin.results import book_of
from pytest_llmclf.reporting.style import Style
from pytest_llmclf.reporting.terminal import gate_lines, lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from _pytest.terminal import TerminalReporter

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.results import Book
    from pytest_llmclf.plugin.session import Run
    from pytest_llmclf.reporting.style import Line
    from pytest_llmclf.runner.task import Assignment

_MOST_PROBLEMS = 5


def announcement(run: Run, book: Book) -> list[str]:
    """A line an evaluation and model, then what is odd about the pictures and the gates."""
    said = []
    reasons = []
    for assignment in run.assignments.values():
        images = len(book.cases(assignment))
        if not images:
            continue  # nothing of it was selected, so nothing is asked and nothing judged
        asked = _asked(assignment, images)
        said.append(f"llmclf: {assignment.evaluation.title}: {asked} -> {assignment.spec}")
        if assignment.reason and assignment.reason not in reasons:
            reasons.append(assignment.reason)
        doubt = assignment.unfit or assignment.caveat
        said += [f"llmclf: {assignment.evaluation.title}: {doubt}"] if doubt else []
        room = _room(assignment)
        said += [f"llmclf: {assignment.evaluation.title}: {room}"] if room else []
        said += [f"llmclf: warning: {warning}" for warning in assignment.dataset.warnings]
        bad = [f"{case.id}: {case.problem}" for case in assignment.dataset.cases if case.problem]
        said += [f"llmclf: cannot be asked about: {problem}" for problem in bad[:_MOST_PROBLEMS]]
        if len(bad) > _MOST_PROBLEMS:
            said.append(f"llmclf: and {len(bad) - _MOST_PROBLEMS} more pictures like these")
        said += [f"llmclf: {line}" for line in _about_gates(assignment, run, book)]
    said += [f"llmclf: {reason}" for reason in reasons]
    remote = run.settings.allow_remote
    if remote:
        said.append(f"llmclf: images may leave this machine for {', '.join(sorted(remote))}")
    clear = run.settings.allow_clear_key
    if clear:
        said.append(f"llmclf: keys may go unencrypted to {', '.join(sorted(clear))}")
    # Names and reasons come from files, recordings and servers: each stays on its line.
    return [Style().safe(line) for line in said]


def _room(assignment: Assignment) -> str | None:
    """Whether the label list may be too long for the context, before anything is asked."""
    from pytest_llmclf.runner.headroom import doubtful_room

    told = assignment.instructions
    return doubtful_room([told.prose, told.prompt], told.options)


def _about_gates(assignment: Assignment, run: Run, book: Book) -> Iterator[str]:
    """What is known of an assignment's gates before the first question."""
    gates = [
        gate
        for gate in assignment.gates
        if gate.applies(assignment.model, imported=assignment.dataset.imported)
    ]
    title, labels = assignment.evaluation.title, assignment.labels.names
    cases = book.cases(assignment)
    for gate in gates:
        for reason in undecidable(gate, labels, cases, assignment.evaluation.group or ""):
            yield f"{title}: cannot be shown: {reason}"
    if run.settings.stop_early is not None and not gates:
        yield f"{title}: all images are asked about: no gate is declared that could be decided"
    for obstacle in book.obstacles(assignment):
        yield f"{title}: all images are asked about: {obstacle}"


def print_reports(
    reporter: TerminalReporter, run: Run, written: Sequence[Path], troubles: Iterable[str] = ()
) -> list[Verdict]:
    """Every report, then the gates, then what was written; returns the verdicts shown.

    Args:
        reporter: pytest's.
        run: This run.
        written: The run's folder, and last the page.
        troubles: What could not be written, a line each.
    """
    config = reporter.config
    book = book_of(config)
    style = style_of(reporter, run.settings.decimals)
    reports = book.reports(config)
    brief = config.get_verbosity() < 0
    if reports:
        reporter.write_sep("=", "evaluations")
    verdicts = [*book.verdicts, *_unjudged(reports, book)]
    every = config.get_verbosity() > 1
    _print(
        reporter,
        gate_lines(verdicts, style)
        if brief
        else lines(reports, verdicts, style, every=every, baselines=book.comparisons),
    )
    own = () if run.store_notice is None else (run.store_notice,)
    # The full reports tell what is to be noticed of servers themselves.
    noticed = book.notices() if brief else ()
    for line in dict.fromkeys((*own, *book.store_notices, *noticed, *troubles)):
        reporter.write_line(style.safe(f"llmclf: {line}"), yellow=True)
    if not brief:
        for what, path in zip(("files of this run", "page for a browser"), written, strict=False):
            reporter.write_line(style.safe(f"llmclf: {what}: {_near(path)}"))
    return verdicts


def _unjudged(reports: Sequence[Report], book: Book) -> Iterator[Verdict]:
    """One an evaluation and model that no gate said anything of: why not."""
    judged = {(verdict.evaluation, verdict.model) for verdict in book.verdicts}
    for report in reports:
        key = (report.evaluation, report.model)
        if key in judged:
            continue
        nothing = report.ledger.why_none if report.ledger.all_skipped else None
        incomplete = None if nothing else report.ledger.why_incomplete()
        awaited = not nothing and book.awaits_gate(key) and key not in book.answered_for
        why = nothing or incomplete or ("its test did not run" if awaited else "none was selected")
        yield Verdict(
            word="INCONCLUSIVE" if incomplete or awaited else "UNGATED",
            text=f"no gate was judged; {why}",
            evaluation=report.evaluation,
            model=report.model,
            undecided="incomplete" if incomplete or awaited else None,
        )


def style_of(reporter: TerminalReporter, decimals: int) -> Style:
    """What the terminal can show."""
    writer = reporter._tw  # noqa: SLF001 - pytest offers no other way to its width and markup
    encoding = getattr(writer._file, "encoding", None)  # noqa: SLF001
    return Style(
        color=writer.hasmarkup,
        unicode=Style.can_unicode(encoding),
        width=writer.fullwidth,
        digits=decimals,
    )


def _print(reporter: TerminalReporter, printed: Iterable[Line]) -> None:
    for line in printed:
        for segment in line.segments:
            reporter.write(segment.text, **segment.markup)
        reporter.write_line("")


def _asked(assignment: Assignment, images: int) -> str:
    part = f" of {assignment.whole}" if images < assignment.whole else ""
    return f"{images}{part} pictures, {len(assignment.labels.names)} classes"


def _near(path: Path) -> str:
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive on Windows
        return str(path)
