"""A run's folder, read back: what `artifacts.write_run` wrote."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pytest_llmclf.errors import LlmclfError, nearest
from pytest_llmclf.files import HOME_FOLDER, require_plain
from pytest_llmclf.reporting.columns import SCHEMA
from pytest_llmclf.reporting.run_records import (
    SUMMARY_FITS,
    baseline_of,
    outcome_of,
    report_of,
    verdict_of,
)
from pytest_llmclf.values.json_values import is_objects, require
from pytest_llmclf.values.outcome import TaskName
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Mapping, Sequence

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.verdict import Verdict

AnyReport = TypeVar("AnyReport", bound="Report")

RUNS = Path(HOME_FOLDER) / "runs"
"""Where runs are kept unless told otherwise, below the folder of the project."""
_RECENT = {"latest": -1, "previous": -2}
_SHOWN = 5
_AGAIN: Final = "run the evaluation again"


class RunFolderError(LlmclfError):
    """A folder is not that of a run, or is damaged; the message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder(Generic[AnyReport]):
    """One finished run.

    Attributes:
        path: Its folder.
        settings: What was asked for.
        environment: What ran it.
        reports: One an evaluation and model.
        verdicts: What the gates came to.
        baselines: By evaluation and model, the committed predictions against the run.
    """

    path: Path
    settings: Mapping[str, Any]
    environment: Mapping[str, Any]
    reports: tuple[AnyReport, ...]
    verdicts: tuple[Verdict, ...]
    baselines: Mapping[TaskName, Comparison]

    def __repr__(self) -> str:
        """Short, however much a run has."""
        count = len(self.reports)
        return f"RunFolder({str(self.path)!r}, {count} {noun(count, 'report')})"

    def __str__(self) -> str:
        """Where it is, and a line on each report."""
        return "\n".join([f"run {self.path}", *map(str, self.reports)])


def find_run(name: str, runs: Path = RUNS) -> Path:
    """The folder of a run.

    Args:
        name: A folder, the name of one in `runs`, the start of one name alone, ``latest`` or
            ``previous``.
        runs: Where runs are kept.

    Raises:
        RunFolderError: There is no such run, or several; says which there are.
    """
    try:
        path = Path(name).expanduser()
    except RuntimeError:  # ~user of nobody known here
        path = Path(name)
    # Not `Path.is_dir`, which raises for a name that is too long for the file system.
    if name and os.path.isdir(path):  # noqa: PTH112
        return path
    known = (
        []
        if not runs.is_dir()
        else sorted(found.name for found in runs.iterdir() if (found / "run.json").is_file())
    )
    if name in _RECENT:
        if len(known) < -_RECENT[name]:
            raise RunFolderError(f"there is no {name} run: {runs} holds {_finished(len(known))}")
        return runs / known[_RECENT[name]]
    meant = [found for found in known if found == name] or [
        found for found in known if name and found.startswith(name)
    ]
    if len(meant) == 1:
        return runs / meant[0]
    if meant:
        raise RunFolderError(f"{name!r} begins the names of several runs: {_listed(meant)}")
    hint = nearest(name, [*known, *_RECENT])
    there = f"{runs} has {_listed(known)}" if known else f"{runs} holds no finished run"
    raise RunFolderError(f"{name!r} is no folder and no run; {there}{hint}")


def read_run(folder: Path) -> RunFolder[Report]:
    """Read a run's folder.

    Raises:
        RunFolderError: It is none, it is unfinished, of another schema, or damaged.
    """
    return _read(folder, _summary(folder))


def read_run_of(folder: Path, tasks: Container[TaskName]) -> RunFolder[Report] | None:
    """Read a run's folder if it has a report of one of some tasks, which its summary tells.

    Raises:
        RunFolderError: As for `read_run`.
    """
    summary = _summary(folder)
    return _read(folder, summary) if any(map(tasks.__contains__, _tasks(summary))) else None


def _tasks(summary: Mapping[str, Any]) -> Iterator[TaskName]:
    """The tasks of a summary, as far as it is one."""
    entries = summary["reports"]
    for entry in entries if is_objects(entries) else ():
        yield TaskName(*(str(entry.get(name, "")) for name in TaskName._fields))


def _read(folder: Path, summary: dict[str, Any]) -> RunFolder[Report]:
    outcomes = _outcomes(folder / "outcomes.jsonl")
    try:
        require(summary, SUMMARY_FITS)
        # Runs of earlier versions say it of the environment alone.
        tool = str(summary["environment"].get("pytest-llmclf", ""))
        return RunFolder(
            path=folder,
            settings=summary["settings"],
            environment=summary["environment"],
            reports=tuple(report_of(entry, outcomes, tool) for entry in summary["reports"]),
            verdicts=tuple(verdict_of(entry) for entry in summary["gates"]),
            baselines=dict(map(baseline_of, summary.get("baselines", ()))),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        cause = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise RunFolderError(
            f"{folder / 'run.json'} does not fit its outcomes: {cause}; {_AGAIN}"
        ) from error


def _summary(folder: Path) -> dict[str, Any]:
    path = folder / "run.json"
    if not folder.is_dir():
        raise RunFolderError(f"{folder} is no folder")
    if not path.is_file():
        begun = (folder / "outcomes.jsonl").exists()
        why = "the run did not finish writing it" if begun else "it is not the folder of a run"
        raise RunFolderError(
            f"{folder} has no run.json: {why}; runs are in {RUNS} or where --llmclf-run put them"
        )
    try:
        data = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise RunFolderError(f"{path} is no JSON ({error}); {_AGAIN}") from error
    if not isinstance(data, dict) or "reports" not in data:
        raise RunFolderError(f"{path} is not the summary of a run; {_AGAIN}")
    _check_schema(data, str(path))
    return data


def _check_schema(data: Mapping[str, Any], place: str) -> None:
    if data.get("schema") != SCHEMA:
        raise RunFolderError(
            f"{place} is of schema {data.get('schema')!r}, this version reads {SCHEMA}; "
            f"{_AGAIN} with this version"
        )


def _outcomes(path: Path) -> dict[TaskName, list[Outcome]]:
    """By evaluation and model."""
    try:
        text = require_plain(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{path} cannot be read: {error}") from error
    found: dict[TaskName, list[Outcome]] = {}
    # Only a line feed ends a line: JSON leaves other separators, such as U+2028, inside strings.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            _check_schema(data, f"{path}, line {number},")
            outcome = outcome_of(data)
        except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
            raise RunFolderError(f"{path}, line {number} is damaged: {error}") from error
        found.setdefault(outcome.task, []).append(outcome)
    return found


def _finished(count: int) -> str:
    return f"{count} finished {noun(count, 'run')}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[-_SHOWN:]) + more
