"""Rows through the engine: in order, several at once, never more than a window of them held."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pytest_llmclf.batch.rows import RowProblem, case_of
from pytest_llmclf.batch.tally import ROW, Batch, Failure
from pytest_llmclf.models.connect import Connections
from pytest_llmclf.models.endpoint_key import way_to
from pytest_llmclf.runner.job import Job
from pytest_llmclf.runner.scheduler import Engine, unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest_llmclf.batch.batch_task import Task
    from pytest_llmclf.batch.rows import Row
    from pytest_llmclf.runner.answer_cache import AnswerStore

WINDOW: Final = 512
"""Rows that are being asked about, or wait for an earlier one that is. A slow answer holds up
nothing before so many rows behind it are answered."""


def way_of(task: Task) -> str | None:
    """Everything that determines who answers a task; see `way_to`."""
    assignment = task.assignment
    return way_to(assignment.spec, assignment.modelfile, task.connect.ollama_hosts)


@contextmanager
def asking(
    task: Task, store: AnswerStore, on_wait: Callable[[float | None], None] = unheard
) -> Iterator[Engine]:
    """An engine that asks what the task says; closed at the end, with the servers it started.

    Args:
        task: What is asked of whom.
        store: Known answers; new ones are put there.
        on_wait: Is told for how many seconds a server has been waited for.
    """
    connections = Connections(task.connect)
    engine = Engine(
        connect=lambda assignment: connections.connect(assignment.spec, assignment.modelfile),
        store=store,
        policy=task.asking,
        way=lambda _: way_of(task),
        on_wait=on_wait,
    )
    try:
        yield engine
    finally:
        engine.close()
        connections.close()


def answer_rows(engine: Engine, task: Task, rows: Iterable[Row]) -> Iterator[Batch]:
    """Ask about rows and say what became of each, in their order.

    Args:
        engine: Who asks; it stores every answer.
        task: What is asked.
        rows: Read as they are wanted.
    """
    waiting: deque[tuple[Row, Job | Failure]] = deque()
    for row in rows:
        job = _job(task, row)
        if isinstance(job, Job):
            engine.expect([job])
        waiting.append((row, job))
        # The first outcome asked for sets the engine to work, on all that it was told of.
        if len(waiting) >= WINDOW:
            yield _answered(engine, *waiting.popleft())
    while waiting:
        yield _answered(engine, *waiting.popleft())


def _job(task: Task, row: Row) -> Job | Failure:
    try:
        return Job(assignment=task.assignment, case=case_of(task, row))
    except RowProblem as problem:
        return Failure(id=row.id, place=row.place, kind=ROW, message=str(problem))


def _answered(engine: Engine, row: Row, job: Job | Failure) -> Batch:
    if isinstance(job, Failure):
        return Batch(failures=(job,))
    outcome = engine.outcome(job)
    told = engine.notices()
    if outcome.kind == "error":
        failure = Failure(
            id=row.id,
            place=row.place,
            kind=outcome.reason or "error",
            message=outcome.message,
        )
        return Batch(failures=(failure,), told=told)
    return Batch(known=1, told=told) if outcome.cached else Batch(asked=1, told=told)
