"""Gates: judged after all images, wherever those ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest

from pytest_llmclf.gate import judge, population
from pytest_llmclf.marks import GATE_ATTRIBUTE
from pytest_llmclf.plugin.collect import MODEL_MARK, is_gate
from pytest_llmclf.plugin.ledger import REPORT_ATTRIBUTE, book_of
from pytest_llmclf.plugin.run import RUN_ID_KEY
from pytest_llmclf.report import Verdict

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable

    from pytest_llmclf.assignment import Assignment
    from pytest_llmclf.evaluation import Evaluation
    from pytest_llmclf.report import Report


class GateFailed(AssertionError):
    """A threshold was not reached."""


class GateInconclusive(AssertionError):
    """The outcomes do not allow a verdict."""


def judge_declared(item: pytest.Function) -> None:
    """Judge the gates that the evaluation declares.

    Raises:
        GateFailed: A threshold was not reached.
        GateInconclusive: The outcomes do not allow a verdict.
    """
    gate: Evaluation = getattr(item.obj, GATE_ATTRIBUTE)
    report = cast("Report", item.funcargs["report"])
    book = book_of(item.config)
    book.judged.add((report.evaluation, report.model))
    verdicts = judge(report, gate.gates)
    # An evaluation that declares nothing leaves its verdict to the test's own asserts.
    said = [verdict for verdict in verdicts if gate.gates or verdict.word == "INCONCLUSIVE"]
    book.verdicts.extend(said)
    words = {verdict.word for verdict in said}
    text = "\n".join(
        f"{verdict.word} {verdict.evaluation} on {verdict.model}: {verdict.text}"
        for verdict in said
        if verdict.word in ("FAIL", "INCONCLUSIVE")
    )
    if "FAIL" in words:
        raise GateFailed(text)
    if "INCONCLUSIVE" in words:
        raise GateInconclusive(text)


def note_verdict(item: pytest.Item, call: pytest.CallInfo[None], result: pytest.TestReport) -> None:
    """Note what a gate test came to, its own asserts and its baseline included."""
    if result.when != "call" or not is_gate(item):
        return
    report = cast("Report", item.funcargs["report"])  # type: ignore[attr-defined]
    gate: Evaluation = getattr(item.obj, GATE_ATTRIBUTE)  # type: ignore[attr-defined]
    raised = None if call.excinfo is None else call.excinfo.value
    if isinstance(raised, GateFailed | GateInconclusive):
        result.longrepr = str(raised)
        word = "FAIL" if isinstance(raised, GateFailed) else "INCONCLUSIVE"
        setattr(result, REPORT_ATTRIBUTE, {"verdict": word})
        return
    book = book_of(item.config)
    compared = _baseline_line(item)
    if raised is not None:
        first = str(raised).strip().splitlines()[:1]
        _add(book.verdicts, report, "FAIL", compared or (first[0] if first else repr(raised)))
    else:
        if not gate.gates:
            _add(book.verdicts, report, "PASS", f"{item.name} {population(report)}")
        if compared:
            word = "UNGATED" if _lacks_baseline(item) else "PASS"
            _add(book.verdicts, report, word, compared)


def _add(verdicts: list[Verdict], report: Report, word: str, text: str) -> None:
    verdicts.append(
        Verdict(
            word=word,  # type: ignore[arg-type]
            text=text,
            evaluation=report.evaluation,
            model=report.model,
        )
    )


def _baseline_line(item: pytest.Item) -> str | None:
    baseline = item.funcargs.get("baseline")  # type: ignore[attr-defined]
    if baseline is None:
        return None
    from pytest_llmclf.plugin.committed import told

    return told(baseline)


def _lacks_baseline(item: pytest.Item) -> bool:
    from pytest_llmclf.plugin.committed import NoBaseline

    return isinstance(item.funcargs.get("baseline"), NoBaseline)  # type: ignore[attr-defined]


def judge_orphans(
    reports: list[Report], assignments: Iterable[Assignment], gated: set[str]
) -> list[Verdict]:
    """Verdicts on declared gates of evaluations that have no gate test at all."""
    declared = {
        assignment.key: assignment.evaluation.gates
        for assignment in assignments
        if assignment.evaluation.gates and assignment.evaluation.title not in gated
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
