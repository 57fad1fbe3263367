"""Images of which no outcome came: skipped on purpose, not run since the session stopped, lost."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pytest

    from pytest_llmclf.runner.job import Job
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind

CRASHED: Final = "???"
"""What xdist calls the phase in which a worker died."""


class Absences:
    """What is known of images that end without an outcome.

    Attributes:
        began: Whether any test was begun, so that there is something to report.
        refused: Why nothing was begun, where what was asked for makes no sense.
        stopped: Why the session stopped before its end; empty where it did not.
    """

    def __init__(self) -> None:
        self.began = False
        self.stopped = ""
        self.refused = ""
        self._crashed: set[str] = set()

    def begin(self, report: pytest.TestReport) -> None:
        """Note that a test was begun, and whether its worker died of it."""
        self.began = True
        if str(report.when) == CRASHED:
            self._crashed.add(report.nodeid)

    def stop(self, why: object) -> None:
        """Note that the session stops before its end."""
        self.stopped = self.stopped or str(why).strip() or "the session was stopped"

    def kind(self, nodeid: str) -> OutcomeKind:
        """How an image ended of whose test nothing was heard."""
        return "not_run" if self.stopped and nodeid not in self._crashed else "lost"


def skip_of(
    job: Job, call: pytest.CallInfo[None], report: pytest.TestReport, outcome: Outcome | None
) -> dict[str, str] | None:
    """That an image's test was skipped on purpose, in JSON built-ins; ``None`` if it was not.

    Args:
        job: The image's.
        call: What one phase of it came to.
        report: Of the same phase.
        outcome: What is known of the image by then. One that got no answer stays an error, so that
            no gate passes for want of it.
    """
    if not report.skipped or call.excinfo is None:
        return None
    known = outcome is not None and outcome.kind in {"error", "not_needed"}
    # A test that is expected to fail, and was run, has its answer.
    ran_and_failed = report.when == "call" and hasattr(report, "wasxfail")
    if known or ran_and_failed:
        return None
    raised = call.excinfo.value
    reason = str(getattr(report, "wasxfail", "") or getattr(raised, "msg", None) or raised)
    reason = reason.removeprefix("[NOTRUN] ")
    return {**job.task.key._asdict(), "case": job.case.id, "reason": reason}


def skip_note(skipped: Mapping[str, str]) -> list[str]:
    """How many images were skipped and why, in one line; none where none was."""
    if not skipped:
        return []
    reasons = Counter(reason or "no reason given" for reason in skipped.values()).most_common(3)
    told = "; ".join(f"{reason} ({count})" for reason, count in reasons)
    more = "; and further reasons" if len(set(skipped.values())) > len(reasons) else ""
    return [f"{len(skipped)} {noun(len(skipped), 'image')} skipped by their tests: {told}{more}"]
