"""Stored answers judged anew by another reader, without asking anybody."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmclf.metrics.case_counts import ledger_of
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.prompting.answer_meaning import with_answer
from pytest_llmclf.prompting.labels import Label, LabelSet
from pytest_llmclf.prompting.readers import EXACT, READ_BY, reader_name

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.prompting.answer_meaning import Text
    from pytest_llmclf.prompting.readers import LabelOrReason, ReaderFunction
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

    Images without an answer stay as they are, and so does all else that the report knows, but for
    probes: their answers are kept as labels alone, which are told nothing by those of another
    reading. Synonyms of labels are known where the run recorded
    its instructions; an older run is read by the names of its labels alone, and says so.

    Args:
        report: A report, such as one of a run folder.
        reader: As for `readers.read_answer`.
    """
    full = report.full_instructions
    given = full.labels if full is not None else tuple(map(Label, report.dataset.labels))
    labels = LabelSet(labels=given, case_matters=reader == EXACT)
    known: dict[Text, LabelOrReason] = {}
    outcomes, repeats = (
        tuple(
            found
            if found.answer is None
            else with_answer(found, found.answer, labels, reader, known)
            for found in before
        )
        for before in (report.outcomes, report.repeats)
    )
    changed = tuple(
        (old, new)
        for old, new in zip(report.outcomes, outcomes, strict=True)
        if (old.kind, old.predicted, old.reason) != (new.kind, new.predicted, new.reason)
    )
    name = reader_name(reader)
    notes = [note for note in report.notes if not note.startswith(READ_BY)]
    notes.append(f"{READ_BY}{name}, after the run")
    if full is None:
        notes.append("the run did not record synonyms of labels: answers were read without them")
    if changed and report.probes:
        notes.append("what probes found is left out: their answers were read by the other reader")
    ledger = report.ledger
    after = replace(
        report,
        ledger=ledger_of(outcomes, ledger.collected, ledger.deselected, ledger.skipped),
        outcomes=outcomes,
        confusion=Confusion.from_outcomes(report.confusion.labels, outcomes),
        repeats=repeats,
        notes=tuple(notes),
        full_instructions=None if full is None else replace(full, reader=name),
        probes=() if changed else report.probes,
    )
    return Reread(before=report, after=after, changed=changed)
