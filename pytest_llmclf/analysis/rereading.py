"""Stored answers judged anew by another reader, without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmclf.metrics.report import build
from pytest_llmclf.prompting.answer_meaning import with_answer
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.readers import EXACT, READ_BY, reader_name

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.prompting.readers import ReaderFunction
    from pytest_llmclf.values.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Reread:
    """A report whose answers another reader has read.

    Attributes:
        before: The report as it was.
        after: The same answers, read anew.
        changed: Outcomes before and after where label or reason differ, in the order of cases;
            first askings only.
    """

    before: Report
    after: Report
    changed: tuple[tuple[Outcome, Outcome], ...]


def reread(report: Report, reader: str | ReaderFunction) -> Reread:
    """Read every stored answer of a report anew.

    Images without an answer stay as they are. Synonyms of labels are known where the run recorded
    its instructions; an older run is read by the names of its labels alone, and says so.

    Args:
        report: A report, such as one of a run folder.
        reader: As for `readers.read_answer`.
    """
    full = report.full_instructions
    given = full.labels if full is not None else tuple(map(Label, report.dataset.labels))
    labels = LabelSet(labels=given, case_matters=reader == EXACT)
    outcomes = [
        outcome if outcome.answer is None else with_answer(outcome, outcome.answer, labels, reader)
        for outcome in (*report.outcomes, *report.repeats)
    ]
    name = reader_name(reader)
    notes = [note for note in report.notes if not note.startswith(READ_BY)]
    notes.append(f"{READ_BY}{name}, after the run")
    if full is None:
        notes.append("the run did not record synonyms of labels: answers were read without them")
    after = build(
        **report.task._asdict(),
        dataset=report.dataset,
        outcomes=outcomes,
        identity=report.identity,
        deselected=report.ledger.deselected,
        skipped=report.ledger.skipped,
        duration_s=report.duration_s,
        notes=notes,
        modelfile_digest=report.modelfile_digest,
        instructions=report.instructions,
        order=report.order,
        stop_error=report.stop_error,
        full_instructions=None if full is None else replace(full, reader=name),
        tool=report.tool,
    )
    pairs = zip(report.outcomes, after.outcomes, strict=True)
    return Reread(
        before=report,
        after=after,
        changed=tuple(
            (old, new)
            for old, new in pairs
            if (old.kind, old.predicted, old.reason) != (new.kind, new.predicted, new.reason)
        ),
    )
