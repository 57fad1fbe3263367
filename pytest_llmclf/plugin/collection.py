"""Evaluations become test items: one an image, variant and model, one gate a variant and model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from pytest_llmclf.plugin.items import ItemId, evaluation_of, image_id, model_id
from pytest_llmclf.plugin.pytest_private import fixtures_named
from pytest_llmclf.runner.job import Job
from pytest_llmclf.values.seeded import seeded_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.plugin.session import EvaluationSession
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.case import Case

PLUGIN: Final = "pytest_llmclf.plugin"
"""The module that defines the fixtures."""


def parametrize(metafunc: pytest.Metafunc, session: EvaluationSession) -> None:
    """Give a test function of an evaluation its images or its models.

    Raises:
        LlmclfError: What the evaluation names cannot be loaded.
        Collector.CollectError: The function lacks its argument, or its fixture is hidden.
    """
    images, gate = evaluation_of(metafunc.function)
    if images is not None:
        _need(metafunc, "outcome")
        jobs = [
            Job(task=task, case=case)
            for task in session.assign(images, metafunc.definition.path)
            for case in _in_order(task, session.settings.seed)
        ]
        ids = [ItemId(image_id(job.case.id, job.task.model, job.task.variant)) for job in jobs]
        metafunc.parametrize("outcome", jobs, ids=_any(ids), indirect=True)
    elif gate is not None:
        _need(metafunc, "report")
        tasks = session.assign(gate, metafunc.definition.path)
        session.gated.add(gate.title)
        models = [ItemId(model_id(task.model, task.variant)) for task in tasks]
        metafunc.parametrize("report", tasks, ids=_any(models), indirect=True)


def _in_order(task: Task, seed: int) -> Sequence[Case]:
    """The cases as they will be asked about: in a random order, the same one everywhere.

    In the order of their folders the answers so far would be those of the first classes, and what
    befalls a server half way would look like a weakness of the classes that come then.
    """
    by_id = {case.id: case for case in task.dataset.cases}
    return [by_id[id_] for id_ in seeded_order(list(by_id), seed)]


def _any(ids: list[ItemId]) -> Any:
    """The ids for pytest, whose types do not list what it takes by its ``__name__``."""
    return ids


def _need(metafunc: pytest.Metafunc, argument: str) -> None:
    """Refuse a test without its argument, and a fixture of somebody else that goes by its name."""
    if argument not in metafunc.fixturenames:
        name = metafunc.function.__name__
        raise pytest.Collector.CollectError(
            f"{name} must take the argument {argument!r}: def {name}({argument}): ..."
        )
    for name in {argument, "baseline"} & set(metafunc.fixturenames):
        hidden = _hidden_by(metafunc, name)
        if hidden is not None:
            raise pytest.Collector.CollectError(
                f"{metafunc.function.__name__}: {hidden} defines a fixture {name!r}, which hides "
                f"the one of pytest-llmclf that an evaluation needs: rename it, or let it take "
                f"{name!r} as an argument and return what it is given"
            )


def _hidden_by(metafunc: pytest.Metafunc, name: str) -> str | None:
    """Where a fixture is defined that stands in the way of this plugin's; ``None``: nowhere.

    One that takes a fixture of its own name as an argument is handed the one that it hides.
    """
    for fixture in reversed(fixtures_named(metafunc, name)):
        if getattr(fixture.func, "__module__", "") == PLUGIN:
            return None
        if name not in fixture.argnames:
            code = getattr(fixture.func, "__code__", None)
            if code is None:
                return fixture.baseid or "a plugin"
            return f"{code.co_filename}:{code.co_firstlineno}"
    return None
