"""Thumbnails for pytest-html, where that is installed and asked for a report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.plugin.carried import outcome_on
from pytest_llmclf.plugin.session import session_if_any
from pytest_llmclf.reporting.html.thumbnails import ImageBudget, Thumbnail, thumbnails
from pytest_llmclf.values.outcome import TaskName

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

BUDGET: Final = ImageBudget(total_bytes=24_000, largest_side=240)
"""Of one image."""
EXTRAS: Final = "extras"
"""Where pytest-html looks for what belongs to a test."""


class HtmlThumbnails:
    """Puts a thumbnail on the report of each image, under the name that pytest-html reads.

    Args:
        config: pytest's.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._paths: dict[TaskName, dict[str, Path]] = {}

    @staticmethod
    def wanted(config: pytest.Config) -> bool:
        """Whether pytest-html will write a report."""
        return bool(config.getoption("htmlpath", None)) and config.pluginmanager.hasplugin("html")

    def add(self, report: pytest.TestReport) -> None:
        """Add the thumbnail of the image that a report tells of, if any."""
        outcome = outcome_on(report)
        if outcome is None:
            return
        path = self._path(TaskName.in_json(outcome), outcome["case"])
        if path is None:
            return
        sha256 = outcome["sha256"]
        made = thumbnails({sha256: path}, BUDGET)[sha256]
        if isinstance(made, Thumbnail):
            media_type, content = made.uri.removeprefix("data:").split(";base64,")
            image = {
                "name": "Image",
                "format_type": "image",
                "content": content,
                "mime_type": media_type,
                "extension": media_type.removeprefix("image/"),
            }
            # setattr: pytest itself knows no such attribute.
            setattr(report, EXTRAS, [*getattr(report, EXTRAS, ()), image])

    def _path(self, name: TaskName, case: str) -> Path | None:
        if name not in self._paths:
            session = session_if_any(self._config)
            task = None if session is None else session.tasks.get(name)
            cases = () if task is None else task.dataset.cases
            self._paths[name] = {each.id: each.path for each in cases}
        return self._paths[name].get(case)
