"""Evaluations become test items: one an image and model, one gate a model."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Any, cast

import pytest

from pytest_llmclf.errors import LlmclfError
from pytest_llmclf.plugin.session import run_of
from pytest_llmclf.runner.job import Job
from pytest_llmclf.runner.marks import GATE_ATTRIBUTE, IMAGES_ATTRIBUTE
from pytest_llmclf.values.seeded import seeded_order

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.runner.evaluation import Evaluation
    from pytest_llmclf.runner.task import Assignment
    from pytest_llmclf.values.case import Case


MODEL_MARK = "|"
"""Stands between image and model in a test id. The xdist controller knows by it, from ids alone,
that a worker collected images."""

PLUGIN = "pytest_llmclf.plugin"
"""The module that defines the fixtures."""

_LONGEST_ID = 100
_MARKUP = frozenset("<>&\"'`")


class _TestId:
    """A test id that pytest takes as it is; one given as text would be escaped.

    A name like ``kočka.png`` could then not be chosen by ``-k`` or by id as reports print it.
    """

    __slots__ = ("__name__",)

    def __init__(self, text: str) -> None:
        self.__name__ = text


def evaluation_of(function: object) -> tuple[Evaluation | None, Evaluation | None]:
    """The evaluation whose images, and the one whose gate, a test function runs."""
    return getattr(function, IMAGES_ATTRIBUTE, None), getattr(function, GATE_ATTRIBUTE, None)


def parametrize(metafunc: pytest.Metafunc) -> None:
    """Give a test function of an evaluation its images or its models."""
    images, gate = evaluation_of(metafunc.function)
    try:
        if images is not None:
            _need(metafunc, "outcome")
            jobs = [
                Job(assignment=assignment, case=case)
                for assignment in run_of(metafunc.config).assign(images, metafunc.definition.path)
                for case in _in_order(metafunc.config, assignment)
            ]
            ids = [_TestId(image_id(job.case.id, job.assignment.model)) for job in jobs]
            metafunc.parametrize("outcome", jobs, ids=_any(ids), indirect=True)
        elif gate is not None:
            _need(metafunc, "report")
            run = run_of(metafunc.config)
            assignments = run.assign(gate, metafunc.definition.path)
            run.gated.add(gate.title)
            models = [_TestId(model_id(assignment.model)) for assignment in assignments]
            metafunc.parametrize("report", assignments, ids=_any(models), indirect=True)
    except (LlmclfError, pytest.UsageError) as error:
        raise pytest.Collector.CollectError(str(error)) from error


def _in_order(config: pytest.Config, assignment: Assignment) -> Sequence[Case]:
    """The cases as they will be asked about: in a random order, the same one everywhere.

    In the order of their folders the answers so far would be those of the first classes, and what
    befalls a server half way would look like a weakness of the classes that come then.
    """
    by_id = {case.id: case for case in assignment.dataset.cases}
    return [by_id[id_] for id_ in seeded_order(list(by_id), run_of(config).settings.seed)]


def sort_gates_last(items: list[pytest.Item]) -> None:
    """Move gates behind everything else, so that each sees all outcomes, in any test order."""
    items.sort(key=is_gate)


def is_gate(item: pytest.Item) -> bool:
    """Whether an item judges a report."""
    return evaluation_of(getattr(item, "obj", None))[1] is not None


def job_of(item: pytest.Item) -> Job | None:
    """The job of an image item, or ``None`` for another item."""
    callspec = getattr(item, "callspec", None)
    job = None if callspec is None else callspec.params.get("outcome")
    return job if isinstance(job, Job) else None


def assignment_of(gate: pytest.Item) -> Assignment:
    """The assignment whose report a gate test judges."""
    return cast("Assignment", gate.callspec.params["report"])  # type: ignore[attr-defined]


def image_id(case: str, model: str) -> str:
    """Test id of an image: path in the dataset and model; printable, short, unique.

    Without what HTML is made of, too: there are reporters that write test ids as they are.
    """
    readable = _plain(case)
    if len(readable) > _LONGEST_ID or readable != case:
        # Long ids break environment variables and paths on Windows; the tail keeps them unique.
        tail = hashlib.sha256(case.encode("utf-8", "surrogatepass")).hexdigest()[:8]
        readable = f"{readable[: _LONGEST_ID - 9]}~{tail}"
    return f"{readable}{MODEL_MARK}{model_id(model)}"


def model_id(model: str) -> str:
    """Model in a test id: short, and without what separates the parts of node ids."""
    return _plain(model.removeprefix("llamacpp:"))[:60]


def _plain(text: str) -> str:
    safe = (char if char.isprintable() and char not in _MARKUP else "_" for char in text)
    readable = "".join(safe).replace("::", "__")
    try:
        os.fsencode(readable)
    except UnicodeEncodeError:  # pytest puts the id into the environment, which may be Latin-1
        return readable.encode("ascii", "replace").decode().replace("?", "_")
    return readable


def _any(ids: list[_TestId]) -> Any:
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
    info = metafunc.definition._fixtureinfo  # noqa: SLF001 - pytest offers no other way
    for fixture in reversed(info.name2fixturedefs.get(name, ())):
        if getattr(fixture.func, "__module__", "") == PLUGIN:
            return None
        if name not in fixture.argnames:
            code = getattr(fixture.func, "__code__", None)
            if code is None:
                return fixture.baseid or "a plugin"
            return f"{code.co_filename}:{code.co_firstlineno}"
    return None
