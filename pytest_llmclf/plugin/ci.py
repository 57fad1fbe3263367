"""What a CI job gets besides exit code and log: a summary in Markdown, and annotations."""

from __future__ import annotations

import os
import secrets
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pytest_llmclf.render.markdown import markdown_summary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pytest_llmclf.comparison import Comparison
    from pytest_llmclf.report import Report, Verdict

STEP_SUMMARY: Final = "GITHUB_STEP_SUMMARY"
"""Names the file that GitHub shows on the page of a job; every step appends to its own."""
MOST_SUMMARY_BYTES: Final = 1024 * 1024
"""Of a longer file GitHub shows nothing."""

_LEVELS: Final = {"FAIL": "error", "INCONCLUSIVE": "warning"}


def write_summaries(
    reports: Sequence[Report],
    verdicts: Sequence[Verdict],
    path: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    baselines: Mapping[tuple[str, str], Comparison] | None = None,
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
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    if step:
        _append(Path(step), text)


def _append(path: Path, text: str) -> None:
    data = f"\n{text}".encode("utf-8", "backslashreplace")
    there = path.stat().st_size if path.exists() else 0
    if there + len(data) <= MOST_SUMMARY_BYTES:
        with path.open("ab") as file:
            file.write(data)


def on_github(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a GitHub runner reads what is written."""
    return environ.get("GITHUB_ACTIONS") == "true"


def annotation_lines(verdicts: Sequence[Verdict]) -> Iterator[str]:
    """GitHub workflow commands: an error a failed gate, then a warning an undecided one."""
    for word, level in _LEVELS.items():
        for verdict in verdicts:
            if verdict.word == word:
                of = " on ".join(part for part in (verdict.evaluation, verdict.model) if part)
                title = _property(f"{word}: {of}" if of else word)
                yield f"::{level} title={title}::{_message(verdict.text)}"


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
    """Escaped as the runner's own toolkit does it for the text of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """The same for a property, where further signs separate one from the next."""
    return _message(text).replace(":", "%3A").replace(",", "%2C")
