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

    from pytest_llmclf.batch.batch_task import BatchTask
    from pytest_llmclf.batch.rows import Row
    from pytest_llmclf.runner.answer_cache import AnswerStore

WINDOW: Final = 512
"""Rows that are being asked about, or wait for an earlier one that is. A slow answer holds up
nothing before so many rows behind it are answered."""


def endpoint_key_of(batch_task: BatchTask) -> str | None:
    """Everything that determines who answers a task; see `way_to`."""
    task = batch_task.task
    return way_to(task.spec, task.modelfile, batch_task.connect.ollama_hosts)


@contextmanager
def asking(
    batch_task: BatchTask, store: AnswerStore, on_wait: Callable[[float | None], None] = unheard
) -> Iterator[Engine]:
    """An engine that asks what the task says; closed at the end, with the servers it started.

    Args:
        batch_task: What is asked of whom.
        store: Known answers; new ones are put there.
        on_wait: Is told for how many seconds a server has been waited for.
    """
    connections = Connections(batch_task.connect)
    engine = Engine(
        connect=lambda task: connections.connect(task.spec, task.modelfile, task.images),
        store=store,
        policy=batch_task.asking,
        endpoint_key=lambda _: endpoint_key_of(batch_task),
        on_wait=on_wait,
    )
    try:
        yield engine
    finally:
        engine.close()
        connections.close()


def answer_rows(engine: Engine, batch_task: BatchTask, rows: Iterable[Row]) -> Iterator[Batch]:
    """Ask about rows and say what became of each, in their order.

    Args:
        engine: Who asks; it stores every answer.
        batch_task: What is asked.
        rows: Read as they are wanted.
    """
    waiting: deque[tuple[Row, Job | Failure]] = deque()
    for row in rows:
        job = _job(batch_task, row)
        if isinstance(job, Job):
            if job.case.sha256 in batch_task.left_out:
                continue
            engine.expect([job])
        waiting.append((row, job))
        # The first outcome asked for sets the engine to work, on all that it was told of.
        if len(waiting) >= WINDOW:
            yield _answered(engine, *waiting.popleft())
    while waiting:
        yield _answered(engine, *waiting.popleft())


def _job(batch_task: BatchTask, row: Row) -> Job | Failure:
    try:
        return Job(task=batch_task.task, case=case_of(batch_task, row))
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
