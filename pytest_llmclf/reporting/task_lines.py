"""What will be asked of whom, a line a task, before anybody is asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.gates.tuning_looks import part_note
from pytest_llmclf.reporting.numbers import plural
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.runner.task import Task


def place_of(task: Task) -> str:
    """Evaluation and variant."""
    return " · ".join(filter(None, (task.evaluation.title, task.variant)))


def task_line(task: Task, images: int) -> str:
    """How many images of how many classes are put to whom.

    Args:
        task: What is asked.
        images: How many of its images are asked about.
    """
    part = f" of {task.whole}" if images < task.whole else ""
    classes = plural(len(task.labels.names), "class", "classes")
    asked = f"{images}{part} {noun(task.whole, 'image')}, {classes}"
    return f"{place_of(task)}: {asked} -> {task.spec}"


def part_lines(task: Task) -> Iterator[str]:
    """Which images are not asked about since some are held out."""
    if task.part:
        yield f"{task.evaluation.title}: {part_note(task.part, task.part_sizes)}"


def planned_lines(tasks: Sequence[Task]) -> Iterator[str]:
    """All tasks of an evaluation, what is to be known of them, and how many questions that is."""
    for task in tasks:
        yield task_line(task, len(task.dataset.cases))
    about = [f"{place_of(task)}: {line}" for task in tasks for line in task.about_examples]
    parts = [line for task in tasks for line in part_lines(task)]
    reasons = [task.reason for task in tasks if task.reason]
    yield from dict.fromkeys([*parts, *about, *reasons])
    questions = sum(len(task.dataset.cases) for task in tasks)
    yield f"{plural(questions, 'question')} in {plural(len(tasks), 'task')}, without known answers"
