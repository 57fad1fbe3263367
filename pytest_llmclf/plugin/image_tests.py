"""An image's outcome: asked for by its test, carried on its report, shown as what it is."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from pytest_llmclf.plugin.absences import skip_of
from pytest_llmclf.plugin.carried import EARLY_ATTRIBUTE, REPORT_ATTRIBUTE, outcome_on
from pytest_llmclf.plugin.items import job_of
from pytest_llmclf.plugin.probing import Carried, carried
from pytest_llmclf.plugin.session import session_of
from pytest_llmclf.reporting.style import width
from pytest_llmclf.values.outcome import Misclassified, ModelError, Outcome, Unparsed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmclf.plugin.session import EvaluationSession
    from pytest_llmclf.runner.job import Job

OUTCOMES_KEY = pytest.StashKey[tuple[Outcome, ...]]()
"""Of the first asking, then of the repeats."""
PROBES_KEY = pytest.StashKey[list[Carried]]()
"""What was answered with one thing changed."""
Status = tuple[str, str, str | tuple[str, dict[str, bool]]]

_SHOWN = {
    "misclassified": ("misclassified", "m", "MISCLASSIFIED", {"yellow": True}),
    "unparsed": ("unparsed", "u", "UNPARSED", {"purple": True}),
    "error": ("unanswered", "E", "UNANSWERED", {"red": True}),
}


def fetch(item: pytest.Item, job: Job) -> Outcome:
    """The outcome of an image's job; waits until it is there."""
    session = session_of(item.config)
    if session.is_decided(job.task):
        found: tuple[Outcome, ...] = (job.task.not_needed(job.case),)
    else:
        askings = _askings(job, session.settings.repeats)
        besides = session.results.probes.jobs(job)
        session.engine.expect((*askings, *(one for _, one in besides)))
        found = tuple(map(session.engine.outcome, askings))
        item.stash[PROBES_KEY] = [
            carried(change, session.engine.outcome(one)) for change, one in besides
        ]
    item.stash[OUTCOMES_KEY] = found
    if found[0].kind == "not_needed":
        # Whatever the test would assert of an answer, there is none.
        pytest.skip(found[0].summary())
    return found[0]


def announce(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell the engine which images will be wanted, in order."""
    jobs = [job for job in map(job_of, items) if job is not None]
    if jobs:
        session = session_of(config)
        wanted = [job for job in jobs if not session.is_decided(job.task)]
        session.engine.expect(asking for job in wanted for asking in _all_askings(job, session))


def plan_probes(session: EvaluationSession, items: list[pytest.Item]) -> None:
    """Settle what probes ask, from the tests that are to run: alike in every process."""
    jobs = [job for job in map(job_of, items) if job is not None]
    session.results.probes.plan(jobs, session.own_system)


def _ends_in(outcome: Outcome) -> str:
    """The phase of its test in which an outcome becomes known for good."""
    return "setup" if outcome.kind == "not_needed" else "call"


def _not_set_up(job: Job, call: pytest.CallInfo[None]) -> Outcome:
    """The outcome of an image whose test broke before its answer was there."""
    raised = None if call.excinfo is None else call.excinfo.value
    lines = str(raised).strip().splitlines() or [""]
    return job.task.not_set_up(job.case, f"{type(raised).__name__}: {lines[0]}")


def _all_askings(job: Job, session: EvaluationSession) -> Iterator[Job]:
    """What is asked in an image's test, in order: its question, again, and with changes."""
    yield from _askings(job, session.settings.repeats)
    yield from (one for _, one in session.results.probes.jobs(job))


def _askings(job: Job, times: int) -> list[Job]:
    return [job.again(repeat) if repeat else job for repeat in range(times)]


@contextmanager
def told_briefly(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """Meanwhile spare pytest the source and traceback of what is told in one line.

    They are most of what a misclassified image costs, and `carry` would replace them anyway.
    """
    raised = None if call.excinfo is None else call.excinfo.value
    if (
        not isinstance(raised, Misclassified | Unparsed | ModelError)
        or OUTCOMES_KEY not in item.stash
    ):
        yield
        return
    said = str(raised)
    # Of this item alone: its class may be anybody's.
    item.repr_failure = lambda *_, **__: said  # type: ignore[method-assign]
    try:
        yield
    finally:
        del item.repr_failure


def carry(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Hand the outcome over to the report, and make a finding of what is no failure."""
    job = job_of(item)
    if job is None:
        return
    outcomes = item.stash.get(OUTCOMES_KEY, ())
    skipped = skip_of(job, call, report, outcomes[0] if outcomes else None)
    broken = report.when == "setup" and report.failed
    if skipped is not None:
        setattr(report, REPORT_ATTRIBUTE, {"skipped": skipped})
    elif broken and not outcomes:
        outcomes = (_not_set_up(job, call),)
    if skipped is not None or not outcomes or not (broken or report.when == _ends_in(outcomes[0])):
        return
    outcome, *repeats = outcomes
    item.stash.setdefault(OUTCOMES_KEY, ())
    del item.stash[OUTCOMES_KEY]  # pytest keeps every item until the end
    probes = item.stash.get(PROBES_KEY, [])
    item.stash[PROBES_KEY] = []
    session = session_of(item.config)
    identity = session.engine.identity(job.task)
    told = {
        "outcome": outcome.to_json(),
        "repeats": [asking.to_json() for asking in repeats],
        "identity": None if identity is None else identity.to_json(),
        "notices": session.engine.notices(job.task),
        "store": session.store_notice,
        "probes": probes,
        "finding": False,
    }
    setattr(report, REPORT_ATTRIBUTE, told)
    if early := session.engine.headroom(job.task):
        setattr(report, EARLY_ATTRIBUTE, list(early))
    raised = None if call.excinfo is None else call.excinfo.value
    # Where the test itself is marked as one that fails, its author's reason stands.
    if isinstance(raised, Misclassified | Unparsed) and not hasattr(report, "wasxfail"):
        report.longrepr = str(raised)
        told["finding"] = not session.settings.strict
        if not session.settings.strict:
            # Every other reporter (JUnit, reportlog, html) knows an expected failure.
            report.outcome = "skipped"
            report.wasxfail = str(raised)
    elif isinstance(raised, ModelError) and not hasattr(report, "wasxfail"):
        report.longrepr = str(raised)


def status(report: pytest.TestReport, config: pytest.Config) -> Status | None:
    """Category, letter and word of an image's or gate's report; ``None`` leaves it to pytest."""
    carried = getattr(report, REPORT_ATTRIBUTE, {})
    if not carried:
        return None
    if "verdict" in carried:
        return _gate_status(report, carried["verdict"])
    if "outcome" not in carried:
        return None
    kind, finding = carried["outcome"]["kind"], carried["finding"]
    if (hasattr(report, "wasxfail") and not finding) or (report.when == "setup" and report.failed):
        return None  # the test itself is marked as one that fails, or broke by itself
    return _image_status(report, kind, config)


def _image_status(report: pytest.TestReport, kind: str, config: pytest.Config) -> Status | None:
    """The same of an image, however its test ended."""
    finding: bool = getattr(report, REPORT_ATTRIBUTE)["finding"]
    whole, details = outcome_on(report), ""
    if whole is not None and config.get_verbosity() > 0:
        details = f" {Outcome.from_json(whole).summary()}"
    if report.skipped and kind == "not_needed":
        return "not needed", "-", (f"NOT NEEDED{details}", {"cyan": True})
    if report.passed and kind == "correct":
        return "passed", ".", (f"PASSED{details}", {"green": True})
    if finding or (report.failed and kind == "error"):
        category, letter, word, markup = _SHOWN[kind]
        if details and finding and _told_by_pytest(report, word, config):
            details = ""
        return category, letter, (f"{word}{details}", markup)
    return None


def _gate_status(report: pytest.TestReport, word: str) -> Status:
    if report.skipped:
        return "inconclusive", "i", (word, {"yellow": True})
    return "failed", "F", (word, {"red": True})


def _told_by_pytest(report: pytest.TestReport, word: str, config: pytest.Config) -> bool:
    """Whether pytest will add the whole reason of a finding itself.

    It does so except under xdist, and cuts the reason where the line has no room for it.
    """
    verbosity = config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES)
    if hasattr(report, "node") or not config.pluginmanager.hasplugin("terminalreporter"):
        return False
    line = f"{report.nodeid} {word} ({report.wasxfail}) [100%] "
    return verbosity > 1 or width(line) <= config.get_terminal_writer().fullwidth
