"""What the tests of subcommands share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.plugin.colour_server import ColourServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own servers, models and terminal out of the tests."""
    for name in (
        "LLMCLF_MODEL", "LLMCLF_DATA", "OLLAMA_HOST", "OLLAMA_NUM_PARALLEL", "OPENAI_API_KEY",
        "LLMCLF_OPENAI_API_KEY", "PYTEST_ADDOPTS", "NO_COLOR", "FORCE_COLOR",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "160")  # so that nothing is wrapped


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project as the current folder."""
    (tmp_path / "project" / "modelfiles").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "project"


@pytest.fixture
def server() -> Iterator[ColourServer]:
    """A server that sees colours."""
    with ColourServer() as running:
        yield running
