"""A task in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.batch.rows import read_rows
from pytest_llmclf.batch.window import answer_rows, asking
from pytest_llmclf.runner.answer_cache import AnswerStore
from pytest_llmclf.runner.scheduler import unheard

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

    from pytest_llmclf.batch.batch_task import BatchTask
    from pytest_llmclf.batch.tally import Batch


def run_local(
    batch_task: BatchTask, store_path: Path, on_wait: Callable[[float | None], None] = unheard
) -> Generator[Batch]:
    """Ask about every row of a task and say what became of it, row by row.

    Args:
        batch_task: What is asked.
        store_path: The answer store.
        on_wait: Is told for how many seconds a server has been waited for.
    """
    with AnswerStore(store_path) as store, asking(batch_task, store, on_wait) as engine:
        for batch in answer_rows(engine, batch_task, read_rows(batch_task)):
            yield batch if store.notice is None else replace(batch, notice=store.notice)
