"""What an image's outcome leaves on its report, and what pytest is spared for one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.plugin.carried import REPORT_ATTRIBUTE, drop_outcome
from pytest_llmclf.plugin.image_tests import OUTCOMES_KEY, status, told_briefly
from pytest_llmclf.values.outcome import OUTCOME_KINDS, Misclassified, ModelError, Unparsed
from tests.unit.ended import ended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.values.outcome import OutcomeKind
    from tests.plugin.conftest import Colours

FINDINGS = (Misclassified, Unparsed, ModelError)


def report_with(carried: dict[str, Any] | None) -> pytest.TestReport:
    """The report of a test's call, with what the plugin put on it."""
    report = pytest.TestReport(
        nodeid="x", location=("x", 0, "x"), keywords={}, outcome="passed", longrepr=None,
        when="call",
    )  # fmt: skip
    if carried is not None:
        setattr(report, REPORT_ATTRIBUTE, carried)
    return report


@pytest.mark.parametrize("kind", OUTCOME_KINDS)
def test_a_forgotten_outcome_keeps_its_kind(kind: OutcomeKind, pytestconfig: pytest.Config) -> None:
    """Its answer, identity and notices are let go; reports of one kind share what is left."""
    report, other = (
        report_with(
            {
                "outcome": ended(case, kind).to_json(),
                "repeats": [],
                "notices": ["a"],
                "finding": False,
            }
        )
        for case in ("a", "b")
    )
    before = status(report, pytestconfig)
    drop_outcome(report)
    drop_outcome(other)
    assert getattr(report, REPORT_ATTRIBUTE) == {"outcome": {"kind": kind}, "finding": False}
    assert getattr(report, REPORT_ATTRIBUTE) is getattr(other, REPORT_ATTRIBUTE)
    assert pytestconfig.get_verbosity() > 0 or status(report, pytestconfig) == before


@pytest.mark.parametrize("carried", [None, {"verdict": "PASS"}])
def test_what_has_no_outcome_is_not_forgotten(carried: dict[str, Any] | None) -> None:
    """Gates, and tests of anybody else, keep what they have."""
    report = report_with(carried)
    drop_outcome(report)
    assert getattr(report, REPORT_ATTRIBUTE, None) == carried


def raised(error: Exception) -> pytest.CallInfo[None]:
    """The call of a test that ends in an error."""

    def call() -> None:
        raise error

    return pytest.CallInfo.from_call(call, when="call")


@pytest.fixture
def item(request: pytest.FixtureRequest) -> Iterator[pytest.Item]:
    """The test itself, as if it were that of an image that was asked about."""
    node: pytest.Item = request.node
    node.stash[OUTCOMES_KEY] = (ended("a", "misclassified"),)
    yield node
    node.stash.setdefault(OUTCOMES_KEY, ())
    del node.stash[OUTCOMES_KEY]


@pytest.mark.parametrize("kind", FINDINGS)
def test_a_finding_is_told_in_one_line(item: pytest.Item, kind: type[Exception]) -> None:
    """Without source and traceback; afterwards the item is as it was."""
    call = raised(kind("cat, not dog"))
    assert call.excinfo is not None
    with told_briefly(item, call):
        assert item.repr_failure(call.excinfo) == "cat, not dog"
    assert "raise error" in str(item.repr_failure(call.excinfo))


def test_an_assertion_of_the_tests_own_is_told_in_full(item: pytest.Item) -> None:
    """Nobody else could say what went wrong there."""
    call = raised(AssertionError("own"))
    assert call.excinfo is not None
    with told_briefly(item, call):
        assert "raise error" in str(item.repr_failure(call.excinfo))


def test_a_finding_of_another_test_is_told_in_full(item: pytest.Item) -> None:
    """One that this test has no outcome for, such as in a test of somebody's own tools."""
    call = raised(Misclassified("not ours"))
    assert call.excinfo is not None
    del item.stash[OUTCOMES_KEY]
    with told_briefly(item, call):
        assert "raise error" in str(item.repr_failure(call.excinfo))


def test_a_passed_test_is_left_alone(item: pytest.Item) -> None:
    """There is nothing to tell."""
    with told_briefly(item, pytest.CallInfo.from_call(lambda: None, when="call")):
        assert "repr_failure" not in vars(item)


def test_reports_are_small_when_everybody_had_them(colours: Colours) -> None:
    """Another plugin sees whole outcomes as they come, and only their kinds at the end."""
    (colours.root / "conftest.py").write_text(
        """
import pytest

seen, kept = [], []

def pytest_runtest_logreport(report):
    if report.when == "call" and "outcome" in getattr(report, "llmclf", {}):
        seen.append(sorted(report.llmclf))
        kept.append(report)

@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"SEEN {len(seen)} {seen[0]}")
    terminalreporter.write_line(f"KEPT {kept[0].llmclf}")
"""
    )
    out = colours.run().stdout.str()
    sent = ["finding", "identity", "notices", "outcome", "probes", "repeats", "store"]
    assert f"SEEN 9 {sent}" in out
    assert "KEPT {'outcome': {'kind': 'correct'}, 'finding': False}" in out
