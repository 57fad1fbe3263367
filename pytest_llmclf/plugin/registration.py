"""What is registered with pytest, and when: the one place that makes the session."""

from __future__ import annotations

from typing import Final

import pytest

from pytest_llmclf.errors import LlmclfError
from pytest_llmclf.plugin.collection import parametrize
from pytest_llmclf.plugin.distribution import DistributedGates
from pytest_llmclf.plugin.earlier import folder_of, set_aside
from pytest_llmclf.plugin.import_errors import placed
from pytest_llmclf.plugin.interrupts import NAME as INTERRUPTS
from pytest_llmclf.plugin.interrupts import Interrupts
from pytest_llmclf.plugin.items import evaluation_of
from pytest_llmclf.plugin.option_values import read_settings
from pytest_llmclf.plugin.pytest_private import is_worker, run_id_given
from pytest_llmclf.plugin.reporter import Reporter
from pytest_llmclf.plugin.session import RUN_ID_KEY, SESSION_KEY, EvaluationSession

REPORTER: Final = "llmclf-reporter"
DISTRIBUTED: Final = "llmclf-distributed-gates"


def collect(metafunc: pytest.Metafunc) -> None:
    """Give a test function of an evaluation its images or its models.

    Raises:
        Collector.CollectError: What the evaluation names, or what the run was told, makes no sense.
    """
    try:
        parametrize(metafunc, start_session(metafunc.config))
    except pytest.UsageError as error:
        raise pytest.Collector.CollectError(str(error)) from error
    except LlmclfError as error:
        images, gate = evaluation_of(metafunc.function)
        evaluation, text = images or gate, str(error)
        if evaluation is not None:
            text = placed(
                error, evaluation, metafunc.function, metafunc.config.invocation_params.dir
            )
        raise pytest.Collector.CollectError(text) from error


def start_session(config: pytest.Config) -> EvaluationSession:
    """This process's session, made and listened to when the first evaluation is collected.

    Raises:
        UsageError: A value that the user gave makes no sense.
    """
    found = config.stash.get(SESSION_KEY, None)
    if found is not None:
        return found
    worker = is_worker(config)
    session = EvaluationSession(read_settings(config), _run_id(config), worker=worker)
    config.stash[SESSION_KEY] = session
    config.pluginmanager.register(Interrupts(config, session.halt), INTERRUPTS)
    if not worker:
        gather_reports(config)
        set_aside(folder_of(config))
    return session


def gather_reports(config: pytest.Config) -> None:
    """Listen to test reports from here on; a pytest run without an evaluation never does."""
    if not config.pluginmanager.hasplugin(REPORTER):
        config.pluginmanager.register(Reporter(config), REPORTER)


def take_charge_of_gates(config: pytest.Config) -> None:
    """On the controller of xdist: gather the outcomes of the workers, and run the gates here."""
    gather_reports(config)
    config.pluginmanager.register(DistributedGates(), DISTRIBUTED)


def runs_gates_only(config: pytest.Config) -> bool:
    """Whether images are asked about by workers, and only the gates are judged here."""
    return config.pluginmanager.hasplugin(DISTRIBUTED)


def _run_id(config: pytest.Config) -> str:
    if is_worker(config):
        return run_id_given(config)
    if RUN_ID_KEY not in config.stash:
        # Imported here: a run without an evaluation does not need it.
        import uuid

        config.stash[RUN_ID_KEY] = uuid.uuid4().hex
    return config.stash[RUN_ID_KEY]
