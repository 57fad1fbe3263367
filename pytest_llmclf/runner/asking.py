"""All questions of some tasks, asked and answered, outside of a test run."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pytest_llmclf.runner.job import Job
from pytest_llmclf.runner.task_report import task_report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.progress import Progress
    from pytest_llmclf.runner.resources import Resources
    from pytest_llmclf.runner.task import Task


def ask_all(resources: Resources, tasks: Sequence[Task], progress: Progress) -> tuple[Report, ...]:
    """Ask about every image of the tasks, all of them ahead of the first answer that is waited for.

    Args:
        resources: What is needed to ask; stays open.
        tasks: Who is asked what; some of `resources.tasks`.
        progress: Is told how far it is.

    Returns:
        One report a task, in order.

    Raises:
        BackendError: A task's answers would measure nothing, see `Task.unfit`.
    """
    for task in tasks:
        if task.unfit is not None:
            raise task.unfit
    repeats = range(resources.settings.repeats)
    jobs = {
        task.key: [
            Job(task=task, case=case, repeat=repeat)
            for case in task.dataset.cases
            for repeat in repeats
        ]
        for task in tasks
    }
    resources.engine.expect(job for ours in jobs.values() for job in ours)
    total = sum(map(len, jobs.values()))
    done, reports = 0, []
    for task in tasks:
        outcomes, began = [], time.monotonic()
        for job in jobs[task.key]:
            outcomes.append(resources.engine.outcome(job))
            done += 1
            progress(f"{task.evaluation.title} · {task.key.configuration}", done, total)
        spent_s = time.monotonic() - began
        reports.append(
            task_report(
                task,
                outcomes,
                resources.settings,
                content_hash=task.dataset.content_hash(),
                notes=resources.engine.notices(task),
                identity=resources.engine.identity(task),
                deselected=task.whole - len(task.dataset.cases),
                duration_s=spent_s,
            )
        )
    return tuple(reports)
