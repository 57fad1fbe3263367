"""What this package needs of pytest and of xdist that they do not promise: each in one place.

Where a version of pytest comes without one of them, the tests of the function below fail, and
nothing else has to be looked through. Everything else in the package uses documented names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import pytest


class JUnitXml(Protocol):
    """What writes JUnit XML: a report handed to it becomes a test case."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take the report of one phase of a test."""


def junit_xml(config: pytest.Config) -> JUnitXml | None:
    """What writes JUnit XML, where that is wanted.

    A gate without a test of its own is no item, and has no report that pytest would send around;
    sent around by hand, it would be counted as a test by every reporter. pytest keeps the writer
    under a key of its stash, which only its own module has.
    """
    from _pytest.junitxml import xml_key

    return config.stash.get(xml_key, None)


def fixtures_named(metafunc: pytest.Metafunc, name: str) -> Sequence[pytest.FixtureDef[Any]]:
    """The fixtures of a name that a test function sees, the one that it is given last.

    Public is only how the fixtures are called (`Metafunc.fixturenames`), not who defines them.
    A hidden fixture of this plugin has to be told before the first image is asked about; when
    fixtures are set up, which has a hook, it would be too late.
    """
    info = metafunc.definition._fixtureinfo  # noqa: SLF001
    return info.name2fixturedefs.get(name, ())


def is_worker(config: pytest.Config) -> bool:
    """Whether this process was started by xdist to run tests for another.

    `xdist.is_xdist_worker` says the same, but importing xdist costs a run without it.
    """
    return hasattr(config, "workerinput")


def run_id_given(config: pytest.Config) -> str:
    """What xdist calls the run in all of its workers; documented for its ``testrun_uid``."""
    return str(config.workerinput["testrunuid"])  # type: ignore[attr-defined]


def leave_behind(config: pytest.Config, name: str) -> None:
    """Let the controller know something of this worker when it ends; see `left_behind`."""
    config.workeroutput[name] = True  # type: ignore[attr-defined]


def left_behind(node: Any, name: str) -> bool:
    """Whether a worker that ended left word of something; one that died left nothing."""
    return name in (getattr(node, "workeroutput", None) or {})


def run_id_of_node(node: Any) -> str:
    """What xdist calls the run, on the controller, of a worker that is set up."""
    return str(node.workerinput["testrunuid"])
