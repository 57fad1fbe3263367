"""The pytest edge: every hook delegates in a few lines.

What a hook needs is imported inside it: a pytest run that uses no evaluation loads only this
module, its options and what it needs to know that there is no evaluation.
"""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING, Any

import pytest

from pytest_llmclf.plugin.earlier import folder_of, set_aside
from pytest_llmclf.plugin.option_values import check_final, check_gate_names, check_options
from pytest_llmclf.plugin.options import add_options
from pytest_llmclf.plugin.pytest_private import is_worker, leave_behind
from pytest_llmclf.plugin.session import EVALUATIONS, EVALUATIONS_KEY, session_if_any
from pytest_llmclf.runner.marks import is_marked

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from syrupy.assertion import SnapshotAssertion

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.baselines import NoBaseline, StoppedBaseline
    from pytest_llmclf.values.outcome import Outcome


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """On an xdist controller, gather the workers' outcomes and take charge of the gates."""
    if is_worker(config):
        return
    try:
        check_options(config)
    except pytest.UsageError as error:
        _tell_github(str(error))
        set_aside(folder_of(config))
        raise
    if config.option.llmclf_stop_early and config.getoption("maxschedchunk", 0) is None:
        # Workers get the random order in small pieces, so that its beginning is known first.
        config.option.maxschedchunk = 1
    if config.pluginmanager.hasplugin("xdist") and config.getoption("dist", "no") != "no":
        from pytest_llmclf.plugin.registration import take_charge_of_gates

        take_charge_of_gates(config)


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Committed predictions are no doctests, whatever their names look like."""
    return True if collection_path.name == "__predictions__" else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test an image and model, one gate a model."""
    if is_marked(metafunc.function):
        from pytest_llmclf.plugin.registration import collect

        collect(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_exception_interact(
    node: pytest.Item | pytest.Collector,
    call: pytest.CallInfo[object],
    report: pytest.CollectReport | pytest.TestReport,
) -> None:
    """Say what is wrong with an evaluation that could not be declared, and no more."""
    config = node.config
    if not isinstance(report, pytest.CollectReport) or call.excinfo is None:
        return
    from pytest_llmclf.plugin.import_errors import message_of

    message = message_of(call.excinfo, config.invocation_params.dir)
    if message is not None:
        config.stash[EVALUATIONS_KEY] = True
        if not config.option.fulltrace:
            report.longrepr = message


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Gates come last; a worker has none."""
    if session_if_any(config) is None:
        return
    from pytest_llmclf.plugin.items import is_gate

    if is_worker(config):
        items[:] = [item for item in items if not is_gate(item)]
    else:
        items.sort(key=is_gate)  # each sees all outcomes, in any test order


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Expect the results of every test, and tell the engine their order."""
    config = session.config
    ours = session_if_any(config)
    if ours is None:
        return
    if ours.settings.probes and not config.option.collectonly:
        from pytest_llmclf.plugin.image_tests import plan_probes

        plan_probes(ours, session.items)
    if ours.worker:
        return
    ours.results.expect(session.items)
    try:
        check_gate_names(config, [name.evaluation for name in ours.tasks])
        check_final(config, [task.evaluation.holdout for task in ours.tasks.values()])
    except pytest.UsageError as error:
        ours.results.absences.refused = str(error)
        raise
    from pytest_llmclf.plugin.image_tests import announce
    from pytest_llmclf.plugin.registration import runs_gates_only

    if not runs_gates_only(config):
        announce(config, session.items)


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say who will be asked about what, before anybody is."""
    session = session_if_any(config)
    if session is None or config.get_verbosity() < 0:
        return []
    from pytest_llmclf.plugin.terminal_summary import announcement, style_of

    return announcement(session, style_of(config), asks=not config.option.collectonly)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Under xdist, ask for what this worker has in hand, as far as it knows."""
    if is_worker(item.config) and session_if_any(item.config) is not None:
        from pytest_llmclf.plugin.image_tests import announce

        announce(item.config, [item] if nextitem is None else [item, nextitem])


@pytest.fixture
def outcome(request: pytest.FixtureRequest) -> Outcome:
    """How the model did on this test's image; the test usually just calls `check()`."""
    from pytest_llmclf.plugin.image_tests import fetch

    return fetch(request.node, _given(request, "images"))


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Report:
    """Everything that the outcomes of this gate's evaluation and model add up to."""
    from pytest_llmclf.plugin.gate_tests import open_report

    return open_report(request.node, _given(request, "gate"))


@pytest.fixture
def baseline(
    request: pytest.FixtureRequest,
    report: object,  # noqa: ARG001 - made first
    snapshot: object,
) -> SnapshotAssertion | NoBaseline | StoppedBaseline:
    """The committed predictions: ``assert report.predictions == baseline``."""
    from pytest_llmclf.plugin.gate_tests import open_baseline_of

    return open_baseline_of(request.node, snapshot)


def _given(request: pytest.FixtureRequest, decorator: str) -> Any:
    """What the evaluation's decorator gave to a fixture.

    Args:
        request: Of the fixture.
        decorator: The decorator that its test must have.
    """
    if not hasattr(request, "param"):
        pytest.fail(
            f"the fixture {request.fixturename!r} is for the tests of an evaluation: put "
            f"@EVALUATION.{decorator} over {request.node.name}",
            pytrace=False,
        )
    return request.param


@pytest.hookimpl(specname="pytest_pyfunc_call", tryfirst=True)
def pytest_pyfunc_call_of_yardstick(pyfuncitem: pytest.Function) -> bool | None:
    """What a gate test itself asserts names no model, so it judges no yardstick."""
    if not is_marked(pyfuncitem.obj):
        return None
    from pytest_llmclf.plugin.items import is_gate, task_of

    return (is_gate(pyfuncitem) and task_of(pyfuncitem).is_yardstick) or None


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, Any, Any]:
    """Judge declared gates, and a gate test's own asserts whatever those came to."""
    if not is_marked(pyfuncitem.obj):
        return (yield)
    from pytest_llmclf.plugin.gate_tests import judged
    from pytest_llmclf.plugin.items import is_gate

    return (yield from judged(pyfuncitem)) if is_gate(pyfuncitem) else (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put outcomes and verdicts on the reports of their tests."""
    if not is_marked(getattr(item, "obj", None)):
        return (yield)
    from pytest_llmclf.plugin.gate_tests import note_verdict
    from pytest_llmclf.plugin.image_tests import carry, told_briefly

    with told_briefly(item, call):
        result = yield
    carry(item, call, result)
    note_verdict(item, call, result)
    return result


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str | tuple[str, dict[str, bool]]] | None:
    """Own words for misclassified, unparsed, errors and inconclusive gates."""
    if not hasattr(report, "llmclf"):
        return None
    from pytest_llmclf.plugin.image_tests import status

    return status(report, config)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Tell a GitHub runner why a session ended before its first test."""
    if os.environ.get("GITHUB_ACTIONS") != "true":
        return
    from pytest_llmclf.plugin.github import annotate, collection_trouble

    broken = collection_trouble(terminalreporter.stats.get("error", []))
    session = session_if_any(config)
    if session is None:
        ours = config.stash.get(EVALUATIONS_KEY, __name__.partition(".")[0] in broken)
        trouble = broken if ours else ""
    else:
        absences = session.results.absences
        trouble = "" if absences.began else absences.refused or broken
    if trouble:
        annotate(trouble, terminalreporter)


def _not_collected(config: pytest.Config) -> bool:
    """Whether a file could not be collected, here or by a worker, or a worker's evaluation."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    errors = [] if reporter is None else reporter.stats.get("error", [])
    broken = any(isinstance(report, pytest.CollectReport) for report in errors)
    return broken or config.stash.get(EVALUATIONS_KEY, False)


def _tell_github(text: str) -> None:
    """Annotate a job before there is a terminal, where a GitHub runner reads what is written."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        from pytest_llmclf.plugin.github import annotate

        annotate(text)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_sessionfinish(
    session: pytest.Session, exitstatus: int | pytest.ExitCode
) -> Generator[None, Any, Any]:
    """Stop asking; end every server that was started."""
    ours, config = session_if_any(session.config), session.config
    if is_worker(config) and (ours is not None or config.stash.get(EVALUATIONS_KEY, False)):
        leave_behind(config, EVALUATIONS)
    folder = folder_of(config)
    if ours is None and folder is not None and not is_worker(config):
        broken_off = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)
        if exitstatus in broken_off or _not_collected(config):
            set_aside(folder)  # perhaps an evaluation could not be collected
    # syrupy warns when a worker ended without a word to it, as after Ctrl-C; where warnings are
    # errors that would cost the whole report.
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "syrupy: received", UserWarning)
            return (yield)
    finally:
        if ours is not None:
            ours.stop_asking()


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close what is still open, also after a run that broke off."""
    session = session_if_any(config)
    if session is not None:
        session.close()
