"""What gates come to on a report: read in full, or from the part that was asked before it stopped.

The one module that knows both: `reading` judges a whole run, `sequential.rejudging` one that
stopped early.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.gates.gate import (
    Gate,
    Judgement,
    check_gates,
    meant_for,
    verdict_on,
    why_undecided,
)
from pytest_llmclf.gates.reading import asked_for, read_gate, told
from pytest_llmclf.gates.sequential.rejudging import judge_early
from pytest_llmclf.gates.threshold import plain
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.verdict import Verdict


def judge(report: Report, gates: Sequence[Gate], error: float | None = None) -> tuple[Verdict, ...]:
    """The verdicts of the gates that are meant for the report's model and images.

    A report with errors or lost cases is never judged on what happens to be left: everything
    on it is INCONCLUSIVE. Without a gate the verdict is UNGATED.

    Args:
        report: What was measured; of a run that stopped early it is judged what all images would
            give.
        gates: What is asked, each perhaps for some models only.
        error: How often any of the verdicts of a run that stopped early may be wrong; ``None``: as
            `Report.stop_error` says.

    Returns:
        One a threshold; of ``recall[*]`` one for all classes that pass, one for all that are
        undecided for the same reason, and one for each class that fails.
    """
    why = why_undecided(report)
    if why is not None:
        return (verdict_on(report, "INCONCLUSIVE", why, "incomplete"),)
    meant = meant_for(report, gates)
    if not meant:
        kind = "imported" if report.dataset.imported else "bundled"
        elsewhere = f" on the {kind} images; the gates of this evaluation are for others"
        text = f"nobody has set a gate for {report.configuration}{elsewhere if gates else ''}"
        return (verdict_on(report, "UNGATED", text),)
    if report.ledger.not_needed:
        verdicts = judge_early(report, gates, error)
        return tuple(_unless_spent(report, meant, verdict) for verdict in verdicts)
    return tuple(verdict for gate in meant for verdict in _verdicts(report, gate))


def judgement(report: Report, expression: str) -> Judgement:
    """Judge an expression that is written in a test.

    Raises:
        SettingsError: It does not parse, or names a class or slice that the report does not have.
    """
    gate = Gate(expression).knowing(report.own_by_name)
    tags = {
        tag: {found.tags[tag] for found in report.outcomes if tag in found.tags}
        for tag in report.tags
    }
    # In a part of the images a slice may have no image by chance.
    whole = report.ledger.collected >= report.dataset.cases_in_dataset
    check_gates([gate], report.confusion.labels, tags if whole else None)
    if gate.parsed.confidence is not None:
        report.judged.append(expression)
    return Judgement(verdicts=judge(report, [gate]))


def _verdicts(report: Report, gate: Gate) -> Iterator[Verdict]:
    labels = report.confusion.labels
    certainty = gate.certainty(labels)
    if certainty is not None:
        certainty = replace(certainty, spent=_spent(report, gate))
    because = f" ({gate.because})" if gate.because else ""
    thresholds = gate.parsed.thresholds
    found = read_gate(thresholds, report, certainty)
    for threshold, readings in zip(thresholds, found, strict=True):
        for one, line in told(threshold, readings, report, certainty):
            yield verdict_on(report, one.word, line + because, one.undecided)


def _unless_spent(report: Report, gates: Sequence[Gate], verdict: Verdict) -> Verdict:
    """A verdict of a run that stopped early, where a PASS was spent on an earlier look."""
    if verdict.word != "PASS" or not report.looks:
        return verdict
    labels = report.confusion.labels
    for gate in gates:
        certainty, spent = gate.certainty(labels), _spent(report, gate)
        asked = (*gate.parsed.thresholds, *gate.thresholds_for(labels))
        # A line begins with what was asked.
        starts = tuple(f"{asked_for(one, certainty)}: " for one in asked)
        if spent and certainty is not None and verdict.text.startswith(starts):
            text = f"{verdict.text}; {spent}; judge new images by themselves"
            return replace(verdict, word="INCONCLUSIVE", text=text, undecided="sample")
    return verdict


def _spent(report: Report, gate: Gate) -> str:
    """What to say where earlier looks at a gate leave nothing for a PASS; empty for a first look.

    A gate that passed before may pass again: if that is wrong, it was wrong before.
    """
    before = [look for look in report.looks if look.gate == gate.text]
    if not before or any(look.word == "PASS" for look in before):
        return ""
    first, share = before[0], plain(round(100 * (1 - (gate.parsed.confidence or 0.0)), 10))
    return (
        f"look {len(before) + 1} at this gate: its {share}% were for the first, at {first.images} "
        f"{noun(first.images, 'image')} ({first.word})"
    )
