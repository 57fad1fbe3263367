"""What a CI job gets besides exit code and log: a summary in Markdown, and annotations."""

from __future__ import annotations

import os
import secrets
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.files import require_writable_kind
from pytest_llmclf.reporting.markdown import markdown_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.verdict import Verdict

STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""Names the file that GitHub shows on the page of a job; every step appends to its own."""
MOST_SUMMARY_BYTES: Final = 1024 * 1024
"""Of a longer file GitHub shows nothing."""

_LONGEST: Final = 10_000
"""Characters of an annotation; GitHub shows fewer."""


def write_summaries(
    reports: Sequence[Report],
    verdicts: Sequence[Verdict],
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    baselines: Mapping[TaskName, Comparison] | None = None,
) -> None:
    """Write the summary to `path`, and append it to the job's summary where there is one.

    Raises:
        OSError: It cannot be written.
    """
    step = environ.get(STEP_SUMMARY)
    if path is None and not step:
        return
    text = markdown_summary(reports, verdicts, baselines=baselines)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        require_writable_kind(path).write_text(text, encoding="utf-8", errors="backslashreplace")
    if step:
        _append(Path(step), text)


def _append(path: Path, text: str) -> None:
    data = f"\n{text}".encode("utf-8", "backslashreplace")
    there = path.stat().st_size if path.exists() else 0
    if there + len(data) <= MOST_SUMMARY_BYTES:
        with require_writable_kind(path).open("ab") as file:
            file.write(data)


def on_github(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a GitHub runner reads what is written."""
    return environ.get("GITHUB_ACTIONS") == "true"


def annotation_lines(
    verdicts: Sequence[Verdict], failing: Callable[[Verdict], bool]
) -> Iterator[str]:
    """GitHub workflow commands: an error a gate that fails, then a warning an undecided one.

    Args:
        verdicts: What the gates came to.
        failing: Whether a verdict makes the run fail.
    """
    levels = [("error" if failing(verdict) else "warning", verdict) for verdict in verdicts]
    for wanted in ("error", "warning"):
        for level, verdict in levels:
            if level == wanted and verdict.word in {"FAIL", "INCONCLUSIVE"}:
                of = " on ".join(filter(None, (verdict.evaluation, verdict.task.configuration)))
                yield command(level, f"{verdict.word}: {of}" if of else verdict.word, verdict.text)


def collection_trouble(reports: Sequence[pytest.CollectReport | pytest.TestReport]) -> str:
    """Why files could not be collected, in one line; empty if all could.

    Args:
        reports: Everything that pytest counts as an error.
    """
    found: dict[str, str] = {}
    for report in reports:
        if isinstance(report, pytest.CollectReport):
            lines = [line.strip() for line in report.longreprtext.splitlines() if line.strip()]
            raised = [line[1:].strip() for line in lines if line.startswith("E ")]
            found.setdefault(report.nodeid, (raised or lines or ["it could not be collected"])[0])
    if not found:
        return ""
    # An evaluation's own error begins with its place.
    told = (
        why if why.startswith(f"{place}:") else f"{place}: {why}" for place, why in found.items()
    )
    first, *rest = told
    return f"{first} (and {len(rest)} more)" if rest else first


def command(level: str, title: str, text: str) -> str:
    """One GitHub workflow command."""
    return f"::{level} title={_property(title)}::{_message(text)}"


def annotate(text: str, reporter: pytest.TerminalReporter | None = None) -> None:
    """Tell the runner that nothing is judged, and why.

    Args:
        text: Why.
        reporter: Who writes to the terminal; ``None`` before there is one.
    """
    line = command("error", "pytest: nothing is judged", text)
    if reporter is None:
        sys.stderr.write(f"{line}\n")
    else:
        reporter.ensure_newline()
        reporter.write_line(line)


@contextmanager
def commands_stopped(
    write_line: Callable[[str], object], environ: Mapping[str, str] = os.environ
) -> Iterator[None]:
    """Keep a GitHub runner from taking what is printed meanwhile for a command.

    The runner looks for commands at the start of any line, and lines of a report hold answers,
    labels and file names, which are not to be trusted with that.
    """
    if not on_github(environ):
        yield
        return
    token = secrets.token_hex(16)
    write_line(f"::stop-commands::{token}")
    try:
        yield
    finally:
        write_line(f"::{token}::")


def _message(text: str) -> str:
    """Escaped as the runner's own toolkit does it for the text of a command.

    What would move the cursor of whoever reads the log comes out escaped, too.
    """
    text = "".join(
        char if char.isprintable() or char in "\r\n" else repr(char)[1:-1]
        for char in text[:_LONGEST]
    )
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """The same for a property, where further signs separate one from the next."""
    return _message(text).replace(":", "%3A").replace(",", "%2C")
