"""What a run that stopped early says, from its report alone: as its `SequentialMonitor` did."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_llmclf.gates.gate import Gate, verdict_on
from pytest_llmclf.gates.sequential.paired import PairedQuestion, start_paired
from pytest_llmclf.gates.sequential.question import Question, questions
from pytest_llmclf.gates.sequential.threshold_progress import start
from pytest_llmclf.gates.sequential.verdict_lines import Told, of_paired
from pytest_llmclf.gates.sequential.watch import EARLY_ERROR
from pytest_llmclf.values.case import Case
from pytest_llmclf.values.outcome import ANSWERED
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.gates.reading import Certainty
    from pytest_llmclf.gates.sequential.threshold_progress import Progress
    from pytest_llmclf.gates.threshold import Threshold
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.metrics.report_facts import StopRule
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.verdict import Verdict, VerdictWord

    _Key = tuple[Threshold, Certainty | None]


def judge_early(
    report: Report, gates: Sequence[Gate], error: float | None = None
) -> tuple[Verdict, ...]:
    """What all images of a run that stopped early would give: one verdict a threshold.

    Looks at the images that the session's `SequentialMonitor` looked at, to say the same.
    Thresholds that were not among those which decided when to stop (`Report.stop_rule`) are only
    judged where the images not asked cannot change the verdict: the error that may be made is
    spent on the others.

    Args:
        report: With images that were not needed, without errors and lost ones, and with
            `Report.order`.
        gates: What is asked, some of it of the report's model and images.
        error: How often any of the verdicts may be wrong; ``None``: as `Report.stop_error` says.
    """
    answers = _in_order(report)
    if answers is None:
        return (verdict_on(report, "INCONCLUSIVE", _no_order(report), "incomplete"),)
    found = _questions(gates, report)
    obstacles = [one for one in found if isinstance(one, str)]
    if obstacles:
        return tuple(verdict_on(report, "INCONCLUSIVE", text, "sample") for text in obstacles)
    asked = [one for one in found if isinstance(one, Question)]
    error = _error(report) if error is None else error
    rule = report.stop_rule
    tests = len(asked) if rule is None else max(rule.tests, 1)
    known = None if rule is None else _known(rule, report)
    progress = [
        start(one, error / tests if known is None or _key(one) in known else 0.0) for one in asked
    ]
    # Without a rule the gates themselves decided when to stop.
    progress, seen = _looked_at(answers, progress, until_decided=rule is None)
    told = Told(
        progress=progress,
        images=report.ledger.collected,
        whole=max(report.ledger.collected, report.dataset.cases_in_dataset),
        asked=seen,
        error=error,
        tests=tests,
    )
    return tuple(
        verdict_on(report, word, text, "sample" if word == "INCONCLUSIVE" else None)
        for word, text in told.lines()
    )


def _looked_at(
    answers: Sequence[Outcome], progress: list[Progress], *, until_decided: bool
) -> tuple[list[Progress], int]:
    """How far thresholds are with answers, and after how many."""
    for seen, outcome in enumerate(answers):
        if until_decided and all(one.word is not None for one in progress):
            return progress, seen
        progress = [one.after(outcome, seen + 1) for one in progress]
    return progress, len(answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """What all images of a run that stopped early would say of committed predictions.

    Attributes:
        word: PASS, FAIL, or INCONCLUSIVE where the images asked do not tell.
        text: How many those are, what follows from them, and how sure that is.
    """

    word: VerdictWord
    text: str


def foretell(report: Report, question: PairedQuestion) -> Foretold:
    """What all images of a run that stopped early would say of the committed predictions.

    Args:
        report: With images that were not needed.
        question: What the committed predictions are, and when they fail; all images of the report.
    """
    answers = _in_order(report)
    if answers is None:
        return Foretold(word="INCONCLUSIVE", text=_no_order(report))
    rule = report.stop_rule
    known = rule is not None and question.name in rule.baselines
    tests = max(rule.tests, 1) if rule is not None and known else 1
    progress = start_paired(question, _error(report) / tests if known else 0.0)
    for number, outcome in enumerate(answers, start=1):
        progress = progress.after(outcome, number)
    text = of_paired(
        progress,
        images=report.ledger.collected,
        whole=max(report.ledger.collected, report.dataset.cases_in_dataset),
        asked=len(answers),
        error=_error(report),
        tests=tests,
    )
    return Foretold(word=progress.word or "INCONCLUSIVE", text=text)


def _in_order(report: Report) -> list[Outcome] | None:
    """The answers that decisions rest on, in the order of asking; ``None`` if it is not known."""
    outcomes = {outcome.case: outcome for outcome in report.outcomes}
    if len(report.order) != len(outcomes) or set(report.order) != set(outcomes):
        return None
    found = []
    for id_ in report.order[: None if report.stop_rule is None else report.stop_rule.after]:
        if outcomes[id_].kind not in ANSWERED:
            break
        found.append(outcomes[id_])
    return found


def _no_order(report: Report) -> str:
    return (
        f"{report.ledger.not_needed} of {report.ledger.collected} images "
        f"{noun(report.ledger.not_needed, 'was', 'were')} not asked, and "
        "the random order of asking is not known: nothing can be said from the others; "
        "run it again"
    )


def _error(report: Report) -> float:
    return EARLY_ERROR if report.stop_error is None else report.stop_error


def _known(rule: StopRule, report: Report) -> set[_Key]:
    """What decided when to stop."""
    gates = [Gate(expression).knowing(report.own_by_name) for expression in rule.gates]
    found = _questions(gates, report)
    return {_key(one) for one in found if isinstance(one, Question)}


def _questions(gates: Sequence[Gate], report: Report) -> tuple[Question | str, ...]:
    """What gates ask of the images of a report; see `question.questions`."""
    return questions(
        gates,
        report.dataset.labels,
        [_case(outcome) for outcome in report.outcomes],
        report.model,
        imported=report.dataset.imported,
        group=report.group,
        variant=report.variant,
    )


def _key(question: Question) -> _Key:
    return question.threshold, question.certainty


def _case(outcome: Outcome) -> Case:
    return Case(
        id=outcome.case,
        root=Path(),
        sha256=outcome.sha256,
        label=outcome.expected,
        tags=outcome.tags,
        also=outcome.also,
        review=outcome.review,
        stranger=outcome.stranger,
    )
