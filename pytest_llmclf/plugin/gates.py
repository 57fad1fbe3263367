"""Gates: judged after all images, wherever those ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from pytest_llmclf.gate import GateFailed, GateInconclusive, judge, population
from pytest_llmclf.plugin.collect import MODEL_MARK, is_gate
from pytest_llmclf.plugin.ledger import REPORT_ATTRIBUTE, book_of
from pytest_llmclf.plugin.run import RUN_ID_KEY, run_of
from pytest_llmclf.report import Verdict

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from syrupy.assertion import SnapshotAssertion

    from pytest_llmclf.assignment import Assignment
    from pytest_llmclf.plugin.committed import NoBaseline
    from pytest_llmclf.report import Report
    from pytest_llmclf.settings import Inconclusive

NOTED_KEY = pytest.StashKey[tuple[Verdict, ...]]()
"""What the gates came to before the test itself ran."""
REPORT_KEY = pytest.StashKey["Report"]()
"""What a gate test judges. Not its argument: a project may wrap the fixture."""
BASELINE_KEY = pytest.StashKey[object]()
"""The committed predictions that a gate test was given, as `committed` knows them."""
ALLOWED_KEY = pytest.StashKey[str]()
"""What a gate test could not decide, where that is allowed."""


def open_report(item: pytest.Item, assignment: Assignment) -> Report:
    """The report of a gate test, made when its test begins."""
    item.stash[REPORT_KEY] = book_of(item.config).report(assignment)
    return item.stash[REPORT_KEY]


def open_baseline_of(item: pytest.Item, snapshot: object) -> SnapshotAssertion | NoBaseline:
    """The committed predictions of a gate test, its report made.

    Args:
        item: The gate test.
        snapshot: What its fixture ``snapshot`` gave; must be syrupy's.
    """
    from pytest_llmclf.plugin.committed import open_baseline, syrupys

    tolerance = run_of(item.config).settings.tolerance
    found = open_baseline(syrupys(snapshot), item.stash[REPORT_KEY], item, tolerance=tolerance)
    item.stash[BASELINE_KEY] = found
    return found


def judge_declared(item: pytest.Function) -> None:
    """Judge the gates that the evaluation declares and those that the run adds.

    Raises:
        GateFailed: A threshold was not reached.
        GateInconclusive: The outcomes do not allow a verdict, and that is not allowed.
    """
    gates = _assignment_of(item).gates
    report = item.stash[REPORT_KEY]
    book = book_of(item.config)
    book.judged.add((report.evaluation, report.model))
    verdicts = judge(report, gates)
    # An evaluation without gates leaves its verdict to the test's own asserts.
    said = [verdict for verdict in verdicts if gates or verdict.word == "INCONCLUSIVE"]
    book.verdicts.extend(said)
    item.stash[NOTED_KEY] = tuple(said)
    failed = [verdict for verdict in said if verdict.word == "FAIL"]
    undecided = [verdict for verdict in said if verdict.word == "INCONCLUSIVE"]
    if failed:
        raise GateFailed(_told([*failed, *undecided]))
    choice = run_of(item.config).settings.inconclusive
    if any(fails(verdict, choice) for verdict in undecided):
        raise GateInconclusive(_told(undecided), undecided)
    if undecided:
        item.stash[ALLOWED_KEY] = _told(undecided)


def fails(verdict: Verdict, choice: Inconclusive) -> bool:
    """Whether a verdict makes the run fail.

    Where nothing but more images would help, that is the user's choice; images without an answer
    are never excused.
    """
    if verdict.word == "INCONCLUSIVE":
        return choice == "fail" or verdict.undecided == "incomplete"
    return verdict.word == "FAIL"


def _told(verdicts: Sequence[Verdict]) -> str:
    return "\n".join(
        f"{verdict.word} {verdict.evaluation} on {verdict.model}: {verdict.text}"
        for verdict in verdicts
    )


def _assignment_of(item: pytest.Item) -> Assignment:
    return cast("Assignment", item.callspec.params["report"])  # type: ignore[attr-defined]


def note_verdict(item: pytest.Item, call: pytest.CallInfo[None], result: pytest.TestReport) -> None:
    """Note what a gate test came to, its own asserts and its baseline included."""
    if result.when != "call" or not is_gate(item):
        return
    report = item.stash[REPORT_KEY]
    raised = None if call.excinfo is None else call.excinfo.value
    if isinstance(raised, GateInconclusive):
        raised = _unless_allowed(item, raised)
    if hasattr(result, "wasxfail") and raised is not None:
        return  # marked as one that fails: its author's reason stands
    if isinstance(raised, GateFailed | GateInconclusive):
        result.longrepr = str(raised)
        word = "FAIL" if isinstance(raised, GateFailed) else "INCONCLUSIVE"
        setattr(result, REPORT_ATTRIBUTE, {"verdict": word})
        return
    allowed = item.stash.get(ALLOWED_KEY, None)
    if raised is None and allowed is not None:
        # Every other reporter knows an expected failure.
        result.outcome, result.wasxfail = "skipped", allowed
        setattr(result, REPORT_ATTRIBUTE, {"verdict": "INCONCLUSIVE"})
    book = book_of(item.config)
    compared = _baseline_line(item)
    _note_comparison(item, report)
    if raised is not None:
        result.longrepr = _baseline_failure(item) or result.longrepr
        first = str(raised).strip().splitlines()[:1]
        _add(book.verdicts, report, "FAIL", compared or (first[0] if first else repr(raised)))
    else:
        if not _assignment_of(item).gates and allowed is None:
            _add(book.verdicts, report, "PASS", f"{item.name} {population(report)}")
        if compared:
            word = "UNGATED" if _lacks_baseline(item) else "PASS"
            _add(book.verdicts, report, word, compared)


def _unless_allowed(item: pytest.Item, raised: GateInconclusive) -> GateInconclusive | None:
    """Note what an assert of the test could not decide; nothing is raised where it may be so."""
    noted = item.stash.get(NOTED_KEY, ())
    book_of(item.config).verdicts.extend(
        verdict for verdict in raised.verdicts if verdict not in noted
    )
    choice = run_of(item.config).settings.inconclusive
    if not raised.verdicts or any(fails(verdict, choice) for verdict in raised.verdicts):
        return raised
    item.stash[ALLOWED_KEY] = str(raised)
    return None


def _add(verdicts: list[Verdict], report: Report, word: str, text: str) -> None:
    verdicts.append(
        Verdict(
            word=word,  # type: ignore[arg-type]
            text=text,
            evaluation=report.evaluation,
            model=report.model,
        )
    )


def _note_comparison(item: pytest.Item, report: Report) -> None:
    baseline = item.stash.get(BASELINE_KEY, None)
    if baseline is None:
        return
    from pytest_llmclf.plugin.committed import compared

    found = compared(baseline)
    if found is not None:
        book_of(item.config).comparisons[report.evaluation, report.model] = found


def _baseline_line(item: pytest.Item) -> str | None:
    baseline = item.stash.get(BASELINE_KEY, None)
    if baseline is None:
        return None
    from pytest_llmclf.plugin.committed import told

    return told(baseline)


def _baseline_failure(item: pytest.Item) -> str | None:
    """All that a comparison found: pytest itself would cut it after a few lines."""
    baseline = item.stash.get(BASELINE_KEY, None)
    if baseline is None:
        return None
    from pytest_llmclf.plugin.committed import failure

    return failure(baseline)


def _lacks_baseline(item: pytest.Item) -> bool:
    from pytest_llmclf.plugin.committed import NoBaseline

    return isinstance(item.stash.get(BASELINE_KEY, None), NoBaseline)


def judge_orphans(
    reports: list[Report], assignments: Iterable[Assignment], gated: set[str]
) -> list[Verdict]:
    """Verdicts on declared gates of evaluations that have no gate test at all."""
    declared = {
        assignment.key: assignment.gates
        for assignment in assignments
        if assignment.gates and assignment.evaluation.title not in gated
    }
    return [
        verdict
        for report in reports
        if (report.evaluation, report.model) in declared
        for verdict in judge(report, declared[report.evaluation, report.model])
    ]


class DistributedGates:
    """On the xdist controller: collects what the workers run, and runs the gates after them.

    A worker sees only its own share of the images, so gates are dropped there. The controller
    sees every report.
    """

    def __init__(self) -> None:
        self._session: pytest.Session | None = None
        self._collected = False

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Keep the session for the hooks that do not get it."""
        self._session = session

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: object) -> None:
        """Share the run's id with the workers."""
        config: pytest.Config = node.config  # type: ignore[attr-defined]
        config.stash[RUN_ID_KEY] = node.workerinput["testrunuid"]  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Collect here too as soon as a worker is known to have collected images."""
        session = self._session
        if session is None or self._collected or session.testsfailed:
            return
        if any(MODEL_MARK in test_id for test_id in ids):
            self._collected = True
            session.perform_collect()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Run the gates when every worker is done."""
        result = yield
        gates = [item for item in session.items if is_gate(item)] if self._collected else []
        session.testscollected += len(gates)
        for number, gate in enumerate(gates, start=1):
            following = gates[number] if number < len(gates) else None
            gate.config.hook.pytest_runtest_protocol(item=gate, nextitem=following)
            if session.shouldfail:
                raise session.Failed(session.shouldfail)
            if session.shouldstop:
                raise session.Interrupted(session.shouldstop)
        return result
