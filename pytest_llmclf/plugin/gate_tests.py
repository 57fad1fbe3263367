"""Gates: judged after all images, wherever those ran."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from pytest_llmclf.gates.gate import Gate, GateFailed, GateInconclusive, Judgement
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.looks import data_of, question_of
from pytest_llmclf.gates.unreadable import why_unread
from pytest_llmclf.metrics.population import population
from pytest_llmclf.metrics.report import Look, Verdict
from pytest_llmclf.plugin.absences import REPORT_ATTRIBUTE
from pytest_llmclf.plugin.collection import MODEL_MARK, assignment_of, is_gate
from pytest_llmclf.plugin.results import book_of
from pytest_llmclf.plugin.session import EVALUATIONS, EVALUATIONS_KEY, RUN_ID_KEY, run_of
from pytest_llmclf.plugin.stopped_report import guarded

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence

    from syrupy.assertion import SnapshotAssertion

    from pytest_llmclf.metrics.report import Report, Undecided, VerdictWord
    from pytest_llmclf.plugin.results import Book
    from pytest_llmclf.plugin.session import Run
    from pytest_llmclf.plugin.snapshots import NoBaseline, StoppedBaseline
    from pytest_llmclf.runner.settings import Inconclusive
    from pytest_llmclf.runner.task import Assignment

NOTED_KEY = pytest.StashKey[tuple[Verdict, ...]]()
"""What the declared gates came to, as far as this gate test answers for it."""
OWN_KEY = pytest.StashKey[BaseException]()
"""What a gate test itself raised."""
REPORT_KEY = pytest.StashKey["Report"]()
"""What a gate test judges. Not its argument: a project may wrap the fixture."""
BASELINE_KEY = pytest.StashKey[object]()
"""The committed predictions that a gate test was given, as `snapshots` knows them."""
ALLOWED_KEY = pytest.StashKey[str]()
"""What a gate test could not decide, where that is allowed."""

_STOPPING: Final = ("FAIL", "INCONCLUSIVE")


def open_report(item: pytest.Item, assignment: Assignment) -> Report:
    """The report of a gate test, made when its test begins; what that is given of it."""
    item.stash[REPORT_KEY] = book_of(item.config).report(assignment)
    return guarded(item.stash[REPORT_KEY])


def open_baseline_of(
    item: pytest.Item, snapshot: object
) -> SnapshotAssertion | NoBaseline | StoppedBaseline:
    """The committed predictions of a gate test, its report made.

    Args:
        item: The gate test.
        snapshot: What its fixture ``snapshot`` gave; must be syrupy's.
    """
    from pytest_llmclf.plugin.snapshots import open_baseline, syrupys

    tolerance = run_of(item.config).settings.tolerance
    found = open_baseline(syrupys(snapshot), item.stash[REPORT_KEY], item, tolerance=tolerance)
    item.stash[BASELINE_KEY] = found
    return found


def judge_declared(item: pytest.Function) -> None:
    """Judge the gates that the evaluation declares and those that the run adds, once a model.

    The first gate test of a model answers for them. The others answer for their own asserts, and
    for a report on which nobody may say anything.

    Raises:
        GateInconclusive: Predictions would be committed that lack answers.
    """
    report, book = item.stash[REPORT_KEY], book_of(item.config)
    if report.ledger.all_skipped:
        pytest.skip(str(report.ledger.why_none))
    answers = book.begin_gate((report.evaluation, report.model), item.nodeid)
    gates = assignment_of(item).gates
    # An evaluation without gates leaves its verdict to the test's own asserts.
    said = [each for each in verdicts_on(report, gates) if gates or each.word in _STOPPING]
    if answers:
        book.add_verdicts(item.nodeid, said)
    else:
        said = [each for each in said if each.undecided == "incomplete"]
    item.stash[NOTED_KEY] = tuple(said)
    if _incomplete(said) and item.config.getoption("update_snapshots", default=False):
        raise GateInconclusive(_told(said), said)


def conclude(item: pytest.Function, own: BaseException | None) -> None:
    """End a gate test, whose own asserts have run whatever the declared gates came to.

    Args:
        item: The gate test.
        own: What it raised.

    Raises:
        GateFailed: A declared threshold was not reached.
        GateInconclusive: The outcomes do not allow a verdict, and that is not allowed.
    """
    said = item.stash[NOTED_KEY]
    if own is not None:
        item.stash[OWN_KEY] = own
    failed = [verdict for verdict in said if verdict.word == "FAIL"]
    undecided = [verdict for verdict in said if verdict.word == "INCONCLUSIVE"]
    if failed:
        raise GateFailed(_told([*failed, *undecided])) from None
    choice = run_of(item.config).settings.inconclusive
    stops = any(fails(verdict, choice) for verdict in undecided)
    if stops and (_incomplete(said) or not _is_failure(own)):
        raise GateInconclusive(_told(undecided), undecided) from None
    if undecided:
        item.stash[ALLOWED_KEY] = _told(undecided)
    if own is not None:
        raise own


def verdicts_on(report: Report, gates: Sequence[Gate]) -> tuple[Verdict, ...]:
    """What the gates come to, and that no answer could be read, if it is so."""
    verdicts = judge(report, gates)
    why = why_unread(report)
    if why is None or _incomplete(verdicts):
        return verdicts
    return (
        *verdicts,
        Verdict(word="FAIL", text=why, evaluation=report.evaluation, model=report.model),
    )


def looks_of(reports: Iterable[Report], run: Run) -> list[Look]:
    """The looks at gates with confidence that a run was, each with its own verdict.

    A report on which nothing may be said is none. A run that stopped early is one unless it
    passed: its verdict foretells that of all images, and a gate that passed may pass again.
    """
    found = []
    for report in reports:
        if not report.ledger.answered:
            continue
        declared = run.assignments[report.evaluation, report.model].gates
        imported = report.dataset.imported
        asked = [gate for gate in declared if gate.applies(report.model, imported=imported)]
        asked += map(Gate, dict.fromkeys(report.judged))
        sure = {gate.text: gate for gate in asked if gate.parsed.confidence is not None}
        if not sure:
            continue
        question, data = question_of(report), data_of(report)
        for gate in sure.values():
            verdicts = judge(report, [gate])
            word = Judgement(verdicts=verdicts).word
            foretold = report.ledger.not_needed and word == "PASS"
            if not _incomplete(verdicts) and not foretold:
                found.append(
                    Look(
                        gate=gate.text,
                        question=question,
                        data=data,
                        images=report.ledger.answered,
                        word=word,
                    )
                )
    return found


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


def note_verdict(item: pytest.Item, call: pytest.CallInfo[None], result: pytest.TestReport) -> None:
    """Note what a gate test came to, its own asserts and its baseline included."""
    if result.when == "setup" and result.skipped and is_gate(item):
        book_of(item.config).excuse_gate(assignment_of(item).key)
    if result.when != "call" or NOTED_KEY not in item.stash:
        return
    raised = None if call.excinfo is None else call.excinfo.value
    allowed = item.stash.get(ALLOWED_KEY, None)
    own = item.stash.get(OWN_KEY, None)
    if isinstance(own, GateInconclusive):
        allowed = _note_undecided(item, own) if raised is own else allowed
    _note_comparison(item)
    _note_own(item, own, allowed=allowed is not None)
    if hasattr(result, "wasxfail"):
        return  # marked as one that fails: its author's reason stands
    excused = raised is own and isinstance(own, GateInconclusive) and allowed is not None
    final = None if excused else raised
    if isinstance(final, GateFailed | GateInconclusive):
        result.longrepr = "\n\n".join([str(final), *_own_failure(item, own, final)])
        word = "FAIL" if isinstance(final, GateFailed) else "INCONCLUSIVE"
        setattr(result, REPORT_ATTRIBUTE, {"verdict": word})
    elif _is_failure(final):
        result.longrepr = _baseline_failure(item) or result.longrepr
    elif final is None and allowed is not None:
        # Every other reporter knows an expected failure.
        result.outcome, result.wasxfail = "skipped", allowed
        setattr(result, REPORT_ATTRIBUTE, {"verdict": "INCONCLUSIVE"})


def _note_own(item: pytest.Item, own: BaseException | None, *, allowed: bool) -> None:
    """Note what a gate test's own asserts and its baseline came to."""
    report, said = item.stash[REPORT_KEY], item.stash[NOTED_KEY]
    compared, broken = _baseline_line(item), _baseline_failure(item)
    if _incomplete(said):
        if compared and not _lacks_baseline(item):
            _add(item, "INCONCLUSIVE", compared, "incomplete")
        return
    if compared:
        word: VerdictWord = "PASS" if broken is None else "FAIL"
        word = "UNGATED" if _lacks_baseline(item) else word
        # What a run that stopped early cannot tell is noted with what the comparison raised.
        if word != "PASS" or not _undecided_baseline(item):
            _add(item, word, compared)
    if _is_failure(own) and broken is None and not isinstance(own, GateInconclusive):
        first = str(own).strip().splitlines()[:1]
        _add(item, "FAIL", first[0] if first else repr(own))
    if own is None and not allowed and not said and not assignment_of(item).gates:
        _add(item, "PASS", f"{item.name} {population(report)}")


def _note_undecided(item: pytest.Item, raised: GateInconclusive) -> str | None:
    """Note what an assert of the test could not decide; what to say where it may be so."""
    noted = item.stash.get(NOTED_KEY, ())
    book_of(item.config).add_verdicts(
        item.nodeid, [verdict for verdict in raised.verdicts if verdict not in noted]
    )
    choice = run_of(item.config).settings.inconclusive
    if not raised.verdicts or any(fails(verdict, choice) for verdict in raised.verdicts):
        return None
    return str(raised)


def _own_failure(
    item: pytest.Item, own: BaseException | None, raised: BaseException
) -> Iterator[str]:
    """What a gate test's own asserts had to say beside the declared gates."""
    if own is None or own is raised or not _is_failure(own):
        return
    if isinstance(own, GateInconclusive):
        yield str(own)
        return
    found = pytest.ExceptionInfo.from_exception(own)
    yield _baseline_failure(item) or str(item.repr_failure(found))


def _is_failure(own: BaseException | None) -> bool:
    """Whether what a test raised makes it fail; one that skips itself does not."""
    return own is not None and not isinstance(own, pytest.skip.Exception | pytest.xfail.Exception)


def _incomplete(verdicts: Iterable[Verdict]) -> bool:
    """Whether images lack their answers, so that nobody may say anything."""
    return any(verdict.undecided == "incomplete" for verdict in verdicts)


def _add(
    item: pytest.Item, word: VerdictWord, text: str, undecided: Undecided | None = None
) -> None:
    report = item.stash[REPORT_KEY]
    verdict = Verdict(
        word=word,
        text=text,
        evaluation=report.evaluation,
        model=report.model,
        undecided=undecided,
    )
    book_of(item.config).add_verdicts(item.nodeid, [verdict])


def _note_comparison(item: pytest.Item) -> None:
    baseline = item.stash.get(BASELINE_KEY, None)
    if baseline is None:
        return
    from pytest_llmclf.plugin.snapshots import compared

    found, report = compared(baseline), item.stash[REPORT_KEY]
    if found is not None:
        book_of(item.config).comparisons[report.evaluation, report.model] = found


def _baseline_line(item: pytest.Item) -> str | None:
    baseline = item.stash.get(BASELINE_KEY, None)
    if baseline is None:
        return None
    from pytest_llmclf.plugin.snapshots import told

    return told(baseline)


def _baseline_failure(item: pytest.Item) -> str | None:
    """All that a comparison found: pytest itself would cut it after a few lines."""
    baseline = item.stash.get(BASELINE_KEY, None)
    if baseline is None:
        return None
    from pytest_llmclf.plugin.snapshots import failure

    return failure(baseline)


def _lacks_baseline(item: pytest.Item) -> bool:
    from pytest_llmclf.plugin.snapshots import NoBaseline

    return isinstance(item.stash.get(BASELINE_KEY, None), NoBaseline)


def _undecided_baseline(item: pytest.Item) -> bool:
    from pytest_llmclf.plugin.snapshots import StoppedBaseline

    baseline = item.stash.get(BASELINE_KEY, None)
    return isinstance(baseline, StoppedBaseline) and baseline.undecided


def judge_orphans(reports: Iterable[Report], run: Run, book: Book) -> list[Verdict]:
    """Verdicts where no gate test gave them: there is none, or it did not come to that.

    A gate test that was left out or skipped is left out on purpose, and its gates with it.
    """
    found = []
    for report in reports:
        key = (report.evaluation, report.model)
        if key in book.answered_for or report.ledger.all_skipped:
            continue
        meant = report.evaluation not in run.gated or book.awaits_gate(key)
        gates = run.assignments[key].gates if key in run.assignments and meant else ()
        verdicts = verdicts_on(report, gates)
        found += [each for each in verdicts if gates or each.word == "FAIL"]
    return found


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
    def pytest_testnodedown(self, node: object) -> None:
        """Note that a worker had evaluations, whether or not any of it was run."""
        if EVALUATIONS in (getattr(node, "workeroutput", None) or {}):
            node.config.stash[EVALUATIONS_KEY] = True  # type: ignore[attr-defined]

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
