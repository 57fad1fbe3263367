"""What travels on a test report, from whoever ran the test to whoever gathers the reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.values.outcome import OUTCOME_KINDS

if TYPE_CHECKING:
    import pytest

REPORT_ATTRIBUTE: Final = "llmclf"
"""On a test report, in JSON built-ins, which survive xdist: ``{"outcome": ..., "repeats": [...],
"identity": ..., "notices": [...], "store": ..., "probes": [...], "finding": ...}`` on an image's,
``{"verdict": ...}`` on a gate's. A finding is what fails no test, though it is told like an
expected failure. An image's test that was skipped has ``{"skipped": ...}`` alone."""
EARLY_ATTRIBUTE: Final = "llmclf_early"
"""On a test report: those of the notices that are told at once."""

_LEFT = {
    (kind, finding): {"outcome": {"kind": kind}, "finding": finding}
    for kind in OUTCOME_KINDS
    for finding in (False, True)
}
"""What stays on a report whose outcome is noted; shared by all of a kind."""


def outcome_on(report: pytest.TestReport) -> dict[str, Any] | None:
    """The whole outcome that a test report carries, in JSON built-ins.

    ``None`` where it carries none, and where all but its kind was let go since everybody had it
    once: a plugin that repeats tests may show a report again.
    """
    outcome: dict[str, Any] | None = getattr(report, REPORT_ATTRIBUTE, {}).get("outcome")
    return outcome if outcome is not None and "case" in outcome else None


def drop_outcome(report: pytest.TestReport) -> None:
    """Keep no more on a report than its status needs: pytest keeps every report until the end.

    To be called when every reporter has had it. What they are told stays what it is.
    """
    carried = getattr(report, REPORT_ATTRIBUTE, {})
    if "outcome" in carried:
        left = _LEFT[carried["outcome"]["kind"], carried["finding"]]
        setattr(report, REPORT_ATTRIBUTE, left)
