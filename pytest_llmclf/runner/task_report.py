"""The report of a task: its outcomes, with everything that they depend on."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.prompting.readers import reader_note
from pytest_llmclf.runner.settings import path_in_project
from pytest_llmclf.values.price import price_of
from pytest_llmclf.values.provenance import tool_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.runner.settings import Settings
    from pytest_llmclf.runner.task import Task
    from pytest_llmclf.values.outcome import Outcome


def task_report(
    task: Task,
    outcomes: Iterable[Outcome],
    settings: Settings,
    *,
    content_hash: str,
    notes: Sequence[str] = (),
    **more: Any,
) -> Report:
    """What the outcomes of a task add up to.

    Args:
        task: Who was asked what.
        outcomes: One a case and repeat.
        settings: What the user said.
        content_hash: Of the task's dataset.
        notes: What people must know of this run besides what the task itself tells.
        **more: Further arguments of `metrics.report_build.build`.
    """
    report = build(
        **task.key._asdict(),
        dataset=_facts(task, content_hash, settings.root),
        outcomes=outcomes,
        notes=(
            *task.about_examples,
            *task.dataset.warnings,
            *reader_note(task.evaluation.reader),
            *notes,
        ),
        modelfile_digest=task.modelfile.digest(),
        instructions=task.instructions.prose,
        full_instructions=task.instructions,
        tool=tool_version(),
        group=task.evaluation.group or "",
        **more,
    )
    own = tuple(task.evaluation.own_metrics.values())
    return replace(report, own_metrics=own, price=price_of(task.model, settings.prices))


def _facts(task: Task, content_hash: str, root: Path) -> DatasetFacts:
    dataset = task.dataset
    apart = (case.root for case in dataset.cases if case.stranger and case.root != dataset.root)
    strangers = next((path_in_project(folder, root) for folder in apart), "")
    return DatasetFacts(
        name=dataset.name,
        content_hash=content_hash,
        labels=task.labels.names,
        licence=dataset.licence,
        imported=dataset.imported,
        cases_in_dataset=task.whole,
        class_sizes=task.class_sizes,
        taken_out=task.taken_out,
        part=task.part,
        other_part=task.other_part,
        path=path_in_project(dataset.root, root),
        review=dataset.review,
        strangers=strangers,
    )
