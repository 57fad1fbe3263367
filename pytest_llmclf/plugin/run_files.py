"""The folder of a run (outcomes, settings, identities, environment, tables), and its page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_llmclf.reporting.artifacts import write_run
from pytest_llmclf.reporting.new_run import PAGE, environment, new_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.session import EvaluationSession
    from pytest_llmclf.progress import Progress


def write_files(session: EvaluationSession, reports: Sequence[Report]) -> Path:
    """Write everything that the run came to, but the page.

    Returns:
        The folder.

    Raises:
        ExtraMissing: Parquet is wanted, and pyarrow is not installed.
        OSError: The folder cannot be written.
    """
    settings = session.settings
    folder = settings.run_folder or new_folder(settings.home / "runs", session.id)
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
