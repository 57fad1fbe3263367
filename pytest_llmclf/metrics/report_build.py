"""From outcomes to the report that they add up to."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypedDict, Unpack

from pytest_llmclf.metrics.case_counts import ledger_of
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.metrics.report import Report, clusters_in
from pytest_llmclf.metrics.wording import stop_note
from pytest_llmclf.values.outcome import TaskName

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmclf.metrics.case_counts import Ledger
    from pytest_llmclf.metrics.report_facts import DatasetFacts, StopRule
    from pytest_llmclf.prompting.prompt import Instructions
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.request import ModelIdentity


class ReportMore(TypedDict, total=False):
    """What `build` takes over as it is; see `Report`."""

    duration_s: float | None
    modelfile_digest: str
    instructions: str
    stop_error: float | None
    full_instructions: Instructions | None
    tool: str


def build(
    *,
    evaluation: str,
    model: str,
    variant: str = "",
    dataset: DatasetFacts,
    outcomes: Iterable[Outcome],
    identity: ModelIdentity | None = None,
    collected: int | None = None,
    deselected: int = 0,
    skipped: int = 0,
    notes: Sequence[str] = (),
    order: Sequence[str] = (),
    group: str = "",
    stop_rule: StopRule | None = None,
    **more: Unpack[ReportMore],
) -> Report:
    """Add up the outcomes of one evaluation and one model, in whatever order they came.

    What is not told here is an attribute of `Report`.

    Args:
        evaluation: Name of the evaluation.
        model: The model as people write it.
        variant: Name of the evaluation's variant; empty for the evaluation as it is declared.
        dataset: What was asked about.
        outcomes: One a case and repeat; repeats above 0 become `Report.repeats`.
        identity: Who answered.
        collected: How many outcomes were to come; those that did not are `lost`. Without it
            only outcomes of kind `lost` are.
        deselected: How many were left out on purpose.
        skipped: How many were left out by their tests.
        notes: Lines for people.
        order: Case ids in the random order of a run that may stop early.
        group: Tag whose values are groups of images that are not independent.
        stop_rule: What it had decided when it stopped.
        **more: Further attributes.

    Raises:
        ValueError: A case ended twice, is of another evaluation, model or variant, or names a label
            that the dataset does not have.
    """
    ordered = tuple(sorted(outcomes, key=lambda outcome: (outcome.case, outcome.repeat)))
    _refuse_strangers(TaskName(evaluation, model, variant), ordered)
    first = tuple(outcome for outcome in ordered if outcome.repeat == 0)
    ledger = ledger_of(first, collected, deselected, skipped)
    return Report(
        evaluation=evaluation,
        model=model,
        variant=variant,
        identity=identity,
        dataset=dataset,
        ledger=ledger,
        outcomes=first,
        confusion=Confusion.from_outcomes(dataset.labels, first),
        notes=_with_stop_note(notes, ledger, dataset, stop_rule),
        order=tuple(order),
        stop_rule=stop_rule,
        repeats=tuple(outcome for outcome in ordered if outcome.repeat),
        group=group,
        clusters=clusters_in(first, group),
        **more,
    )


def _with_stop_note(
    notes: Sequence[str], ledger: Ledger, dataset: DatasetFacts, rule: StopRule | None
) -> tuple[str, ...]:
    """The notes, after that of an early stop: nobody shall read a number before it."""
    if not ledger.not_needed:
        return tuple(notes)
    stop = stop_note(ledger, dataset.cases_in_dataset, None if rule is None else rule.after)
    # Once, where a report is read back.
    return (stop, *(note for note in notes if note != stop))


def _refuse_strangers(task: TaskName, outcomes: Sequence[Outcome]) -> None:
    for outcome in outcomes:
        if outcome.task != task:
            raise ValueError(
                f"{outcome.case} is of {outcome.evaluation} on {outcome.task.configuration}, "
                f"not of {task.evaluation} on {task.configuration}"
            )
    twice = Counter((outcome.case, outcome.repeat) for outcome in outcomes).most_common(1)
    if twice and twice[0][1] > 1:
        (case, repeat), times = twice[0]
        raise ValueError(f"{case} (repeat {repeat}) ended {times} times")
