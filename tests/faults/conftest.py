"""What the fault tests share: a stub server and a project that asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.stub_ollama import StubOllama
from tests.faults.project import LABELS, Project
from tests.imported import load_everything

if TYPE_CHECKING:
    from collections.abc import Iterator

load_everything()


@pytest.fixture
def stub() -> Iterator[StubOllama]:
    """A server of four slots that answers after 10 ms."""
    with StubOllama(service_ms=10, slots=4, labels=LABELS) as running:
        yield running


@pytest.fixture
def project(pytester: pytest.Pytester) -> Project:
    """Sixty images."""
    return Project(pytester.path, pytester=pytester)
