"""Gate tests: judged after all images, wherever those ran."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_llmclf.gates.gate import GateFailed, GateInconclusive, verdict_on
from pytest_llmclf.metrics.population import population
from pytest_llmclf.plugin.carried import REPORT_ATTRIBUTE
from pytest_llmclf.plugin.items import is_gate, task_of
from pytest_llmclf.plugin.run_verdicts import fails, is_incomplete, verdict_lines, verdicts_on
from pytest_llmclf.plugin.session import session_of
from pytest_llmclf.plugin.stopped_report import guarded
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from syrupy.assertion import SnapshotAssertion

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.baselines import ComparedBaseline, NoBaseline, StoppedBaseline
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.verdict import Undecided, Verdict, VerdictWord


@dataclass(slots=True)
class GateTest:
    """One run of a gate test, from its report to its verdict.

    Attributes:
        report: What it judges. Not the test's argument: a project may wrap the fixture.
        declared: What the declared gates came to, as far as this test answers for it; ``None``
            before they are judged.
        own: What the test itself raised.
        allowed: What it could not decide, where that is allowed.
        baseline: Its comparison with the committed predictions that it was given.
    """

    report: Report
    declared: tuple[Verdict, ...] | None = None
    own: BaseException | None = None
    allowed: str | None = None
    baseline: ComparedBaseline | None = None

    @property
    def broken(self) -> str | None:
        """All that the comparison found wrong: pytest itself would cut it after a few lines."""
        return None if self.baseline is None else self.baseline.failure


GATE_KEY = pytest.StashKey[GateTest]()
_STOPPING: Final = ("FAIL", "INCONCLUSIVE")


def spared(task: Task) -> str:
    """Why nobody judges a yardstick: a gate that names no model, or what a gate test asserts."""
    return (
        "a yardstick is there to compare with, and only a gate that names it judges it, such as "
        f'Gate("accuracy >= 0.9", model="{task.model}")'
    )


def open_report(item: pytest.Item, task: Task) -> Report:
    """The report of a gate test, made when its test begins; what that is given of it.

    The test of a yardstick is skipped where no gate names it.
    """
    if task.is_yardstick and not task.meant_gates:
        pytest.skip(spared(task))
    report = session_of(item.config).results.report(task)
    item.stash[GATE_KEY] = GateTest(report)
    return guarded(report)


def open_baseline_of(
    item: pytest.Item, snapshot: object
) -> SnapshotAssertion | NoBaseline | StoppedBaseline:
    """The committed predictions of a gate test, its report made.

    Args:
        item: The gate test.
        snapshot: What its fixture ``snapshot`` gave; must be syrupy's.
    """
    from pytest_llmclf.plugin.baselines import ComparedBaseline, open_baseline, syrupys

    gate, settings = item.stash[GATE_KEY], session_of(item.config).settings
    found = open_baseline(syrupys(snapshot), gate.report, item, settings)
    gate.baseline = None if task_of(item).is_yardstick else ComparedBaseline(found)
    return found


def judged(item: pytest.Function) -> Generator[None, Any, Any]:
    """Run a gate test between the verdicts on declared gates and its own.

    Its own asserts run whatever the declared gates came to.

    Args:
        item: The gate test.

    Raises:
        GateFailed: A declared threshold was not reached.
        GateInconclusive: The outcomes do not allow a verdict, and that is not allowed.
    """
    _judge_declared(item)
    own: BaseException | None = None
    result = None
    try:
        result = yield
    except pytest.exit.Exception:
        raise
    except (Exception, pytest.fail.Exception, pytest.skip.Exception) as raised:  # noqa: BLE001
        own = raised
    _conclude(item, own)
    return result


def _judge_declared(item: pytest.Function) -> None:
    """Judge the gates that the evaluation declares and those that the run adds, once a model.

    The first gate test of a model answers for them. The others answer for their own asserts, and
    for a report on which nobody may say anything.

    Raises:
        GateInconclusive: Predictions would be committed that lack answers.
    """
    gate, results = item.stash[GATE_KEY], session_of(item.config).results
    report = gate.report
    if report.ledger.all_skipped:
        pytest.skip(str(report.ledger.why_none))
    answers = results.begin_gate(report.task, item.nodeid)
    gates = task_of(item).gates
    # An evaluation without gates leaves its verdict to the test's own asserts.
    verdicts = [each for each in verdicts_on(report, gates) if gates or each.word in _STOPPING]
    if answers:
        results.add_verdicts(item.nodeid, verdicts)
    else:
        verdicts = [each for each in verdicts if each.undecided == "incomplete"]
    gate.declared = tuple(verdicts)
    if is_incomplete(verdicts) and item.config.getoption("update_snapshots", default=False):
        refused = (
            "--snapshot-update was not performed: predictions that lack answers are not written"
        )
        lines = [verdict_lines(verdicts)]
        lines += [refused] if "baseline" in item.fixturenames else []
        raise GateInconclusive("\n".join(lines), verdicts)


def _conclude(item: pytest.Function, own: BaseException | None) -> None:
    """End a gate test, whose own asserts have run and raised `own`, if anything."""
    gate = item.stash[GATE_KEY]
    gate.own, declared = own, gate.declared or ()
    failed = [verdict for verdict in declared if verdict.word == "FAIL"]
    undecided = [verdict for verdict in declared if verdict.word == "INCONCLUSIVE"]
    if failed:
        raise GateFailed(verdict_lines([*failed, *undecided])) from None
    choice = session_of(item.config).settings.inconclusive
    stops = any(fails(verdict, choice) for verdict in undecided)
    if stops and (is_incomplete(declared) or not _is_failure(own)):
        raise GateInconclusive(verdict_lines(undecided), undecided) from None
    if undecided:
        gate.allowed = verdict_lines(undecided)
    if own is not None:
        raise own


def note_verdict(item: pytest.Item, call: pytest.CallInfo[None], result: pytest.TestReport) -> None:
    """Note what a gate test came to, its own asserts and its baseline included."""
    if result.when == "setup" and result.skipped and is_gate(item):
        session_of(item.config).results.of(task_of(item).key).gate_skipped = True
    gate = item.stash.get(GATE_KEY, None)
    if result.when != "call" or gate is None or gate.declared is None:
        return
    raised = None if call.excinfo is None else call.excinfo.value
    allowed, own = gate.allowed, gate.own
    if isinstance(own, GateInconclusive):
        allowed = _note_undecided(item, own) if raised is own else allowed
    _note_comparison(item)
    _note_own(item, allowed=allowed is not None)
    if hasattr(result, "wasxfail"):
        return  # marked as one that fails: its author's reason stands
    excused = raised is own and isinstance(own, GateInconclusive) and allowed is not None
    final = None if excused else raised
    if isinstance(final, GateFailed | GateInconclusive):
        result.longrepr = "\n\n".join([f"{_headline(gate)}{final}", *_own_failure(item, final)])
        word = "FAIL" if isinstance(final, GateFailed) else "INCONCLUSIVE"
        setattr(result, REPORT_ATTRIBUTE, {"verdict": word})
    elif _is_failure(final):
        result.longrepr = f"{_headline(gate)}{gate.broken}" if gate.broken else result.longrepr
    elif final is None and allowed is not None:
        # Every other reporter knows an expected failure.
        result.outcome, result.wasxfail = "skipped", allowed
        setattr(result, REPORT_ATTRIBUTE, {"verdict": "INCONCLUSIVE"})


def _headline(gate: GateTest) -> str:
    """What broke, as the first line of a failure: pytest's short summary shows that one alone."""
    found, declared = None if gate.baseline is None else gate.baseline.comparison, gate.declared
    if gate.broken is None or found is None or not found.changes or is_incomplete(declared or ()):
        return ""
    others = sum(verdict.word == "FAIL" for verdict in declared or ())
    more = f"; {others} more {noun(others, 'gate fails', 'gates fail')}" if others else ""
    counts = f"{len(found.broken)} broken, {len(found.fixed)} fixed"
    return f"{counts} since the committed predictions{more}\n"


def _note_own(item: pytest.Item, *, allowed: bool) -> None:
    """Note what a gate test's own asserts and its baseline came to."""
    gate = item.stash[GATE_KEY]
    own, declared = gate.own, gate.declared or ()
    baseline, broken = gate.baseline, gate.broken
    compared = None if baseline is None else baseline.told
    if is_incomplete(declared):
        if baseline is not None and compared and not baseline.lacks:
            _add(item, "INCONCLUSIVE", compared, "incomplete")
        return
    if baseline is not None and compared:
        word: VerdictWord = "PASS" if broken is None else "FAIL"
        word = "UNGATED" if baseline.lacks else word
        # What a run that stopped early cannot tell is noted with what the comparison raised.
        if word != "PASS" or not baseline.undecided:
            _add(item, word, compared)
    if _is_failure(own) and broken is None and not isinstance(own, GateInconclusive):
        first = str(own).strip().splitlines()[:1]
        _add(item, "FAIL", first[0] if first else repr(own))
    if own is None and not allowed and not declared and not task_of(item).gates:
        _add(item, "PASS", f"{item.name} {population(gate.report)}")


def _note_undecided(item: pytest.Item, raised: GateInconclusive) -> str | None:
    """Note what an assert of the test could not decide; what to say where it may be so."""
    noted, session = item.stash[GATE_KEY].declared or (), session_of(item.config)
    session.results.add_verdicts(
        item.nodeid, [verdict for verdict in raised.verdicts if verdict not in noted]
    )
    choice = session.settings.inconclusive
    if not raised.verdicts or any(fails(verdict, choice) for verdict in raised.verdicts):
        return None
    return str(raised)


def _own_failure(item: pytest.Item, raised: BaseException) -> Iterator[str]:
    """What a gate test's own asserts had to say beside the declared gates."""
    gate = item.stash[GATE_KEY]
    own = gate.own
    if own is None or own is raised or not _is_failure(own):
        return
    if isinstance(own, GateInconclusive):
        yield str(own)
        return
    found = pytest.ExceptionInfo.from_exception(own)
    yield gate.broken or str(item.repr_failure(found))


def _is_failure(own: BaseException | None) -> bool:
    """Whether what a test raised makes it fail; one that skips itself does not."""
    return own is not None and not isinstance(own, pytest.skip.Exception | pytest.xfail.Exception)


def _add(
    item: pytest.Item, word: VerdictWord, text: str, undecided: Undecided | None = None
) -> None:
    verdict = verdict_on(item.stash[GATE_KEY].report, word, text, undecided)
    session_of(item.config).results.add_verdicts(item.nodeid, [verdict])


def _note_comparison(item: pytest.Item) -> None:
    gate = item.stash[GATE_KEY]
    found = None if gate.baseline is None else gate.baseline.comparison
    if found is not None:
        session_of(item.config).results.of(gate.report.task).comparison = found
