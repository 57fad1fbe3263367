"""Reports of answers that exist already: nothing is asked."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.metrics.report_build import build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.progress import silent
from pytest_llmclf.prompting.answer_meaning import with_answer
from pytest_llmclf.prompting.labels import NONE_LABEL, Label, LabelSet
from pytest_llmclf.prompting.readers import EXACT, STRICT, reader_note
from pytest_llmclf.values.answer import Answer
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.outcome import Outcome, TaskName
from pytest_llmclf.values.provenance import tool_version
from pytest_llmclf.values.request import ModelIdentity

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_llmclf.data.foreign_answers import ForeignAnswers
    from pytest_llmclf.data.foreign_logs import ForeignAnswer
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.progress import Progress
    from pytest_llmclf.prompting.answer_meaning import Text
    from pytest_llmclf.prompting.readers import LabelOrReason, ReaderFunction


_NUMBERED = "no column is known to name the images: rows are numbered (--image COLUMN names one)"


def foreign_reports(
    found: ForeignAnswers,
    evaluation: str,
    image: Callable[[str], Path | None],
    reader: str | ReaderFunction = STRICT,
    none_label: str = NONE_LABEL,
    *,
    progress: Progress = silent,
) -> tuple[Report, ...]:
    """One report a model and prompt of a file of answers, in the order of the file.

    Args:
        found: The file.
        evaluation: What the reports call it.
        image: The file of an image, by what it is called there, or ``None``.
        reader: What finds the label in a text; a label that is predicted by its name needs none.
        none_label: The label of images of no class, where it is expected of any.
        progress: Is told how many answers are read.

    Raises:
        SettingsError: An image is there twice, or with two labels, or a label is none.
    """
    try:
        labels = LabelSet(labels=tuple(map(Label, found.labels)), case_matters=reader == EXACT)
    except SettingsError as error:
        raise SettingsError(f"{found.path}: {error}") from error
    by_task: defaultdict[TaskName, list[Outcome]] = defaultdict(list)
    digests: dict[str, str] = {}
    known: dict[Text, LabelOrReason] = {}
    for place, one in enumerate(found.answers):
        progress("reading answers", place, len(found.answers))
        if one.case not in digests:
            path = image(one.case)
            data = None if path is None else path.read_bytes()
            digests[one.case] = "" if data is None else hashlib.sha256(data).hexdigest()
        task = TaskName(evaluation, one.model or found.path.name, one.variant)
        case = Case(
            id=one.case,
            root=found.path.parent,
            sha256=digests[one.case],
            label=one.expected.strip(),
            also=one.also,
            stranger=one.expected.strip() == none_label and not one.also,
        )
        outcome = _outcome(task, case, one, f"sha256:{found.sha256}")
        if outcome.answer is not None:
            outcome = with_answer(outcome, outcome.answer, labels, reader, known)
        by_task[task].append(outcome)
    return tuple(_report(task, ours, found, reader) for task, ours in by_task.items())


def _outcome(task: TaskName, case: Case, one: ForeignAnswer, digest: str) -> Outcome:
    """How an image ended, its answer not read yet."""
    if one.error and not (one.text or one.predicted):
        return Outcome.of(
            task, case, "error", reason="foreign", message=one.error, repeat=one.repeat
        )
    answer = Answer(
        text=one.text or one.predicted,
        label=one.predicted or None,
        probabilities=one.probabilities,
        wall_s=one.seconds,
        prompt_tokens=one.read,
        answer_tokens=one.written,
    )
    return Outcome.of(task, case, "unparsed", model_digest=digest, repeat=one.repeat, answer=answer)


def _report(
    task: TaskName,
    outcomes: list[Outcome],
    found: ForeignAnswers,
    reader: str | ReaderFunction,
) -> Report:
    first = [one for one in outcomes if one.repeat == 0]
    sizes = Counter(one.expected for one in first)
    twice = Counter((one.case, one.repeat) for one in outcomes).most_common(1)[0]
    if twice[1] > 1:
        raise SettingsError(
            f"{found.path}: {twice[0][0]} is there {twice[1]} times for {task.configuration}: keep "
            "one row an image, or give the rows a column model"
        )
    content = "\n".join(
        sorted(f"{one.case}\t{'|'.join(one.labels)}\t{one.sha256}" for one in first)
    )
    return build(
        **task._asdict(),
        dataset=DatasetFacts(
            name=task.evaluation,
            content_hash=hashlib.sha256(content.encode()).hexdigest(),
            labels=found.labels,
            cases_in_dataset=len(first),
            class_sizes=tuple(sizes[label] for label in found.labels),
        ),
        outcomes=outcomes,
        identity=ModelIdentity(
            backend="predictions", name=task.model, digest=f"sha256:{found.sha256}"
        ),
        notes=(
            f"answers of {found.tool or 'a table'}, {found.path.name}: nothing was asked",
            *((_NUMBERED,) if found.numbered else ()),
            *reader_note(reader),
        ),
        tool=tool_version(),
    )
