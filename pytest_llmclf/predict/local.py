"""A task in this process."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.predict.asking import answer_rows, asking
from pytest_llmclf.predict.rows import read_rows
from pytest_llmclf.store import AnswerStore

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_llmclf.predict.tally import Batch
    from pytest_llmclf.predict.task import Task


def run_local(task: Task, store_path: Path) -> Generator[Batch]:
    """Ask about every row of a task and say what became of it, row by row.

    Args:
        task: What is asked.
        store_path: The answer store.
    """
    with AnswerStore(store_path) as store, asking(task, store) as engine:
        for batch in answer_rows(engine, task, read_rows(task)):
            yield batch if store.notice is None else replace(batch, notice=store.notice)
