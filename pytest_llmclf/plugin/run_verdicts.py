"""What the gates of a run come to: verdicts, whether they fail it, and which looks they were."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.gates.gate import Gate, Judgement, meant_for, verdict_on
from pytest_llmclf.gates.judging import judge
from pytest_llmclf.gates.looks import data_of, question_of
from pytest_llmclf.gates.unreadable import why_unread
from pytest_llmclf.values.verdict import Look

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.plugin.session import EvaluationSession
    from pytest_llmclf.runner.settings import Inconclusive
    from pytest_llmclf.values.outcome import TaskName
    from pytest_llmclf.values.verdict import Verdict


def verdicts_on(report: Report, gates: Sequence[Gate]) -> tuple[Verdict, ...]:
    """What the gates come to, and that no answer could be read, if it is so."""
    verdicts = judge(report, gates)
    why = why_unread(report)
    if why is None:
        return verdicts
    if is_incomplete(verdicts):
        # Of images without an answer nothing is known; of the others it is, and that is told, too.
        return tuple(
            replace(one, text=f"{one.text}; {why}") if one.undecided == "incomplete" else one
            for one in verdicts
        )
    return (*verdicts, verdict_on(report, "FAIL", why))


def looks_of(reports: Iterable[Report], gates: Mapping[TaskName, Sequence[Gate]]) -> list[Look]:
    """The looks at gates with confidence that a run was, each with its own verdict.

    A report on which nothing may be said is none. A run that stopped early is one unless it
    passed: its verdict foretells that of all images, and a gate that passed may pass again.

    Args:
        reports: Those that the run judged.
        gates: By task, those of the evaluation and those that the run added.
    """
    found = []
    for report in reports:
        if not report.ledger.answered:
            continue
        asked = meant_for(report, gates[report.task])
        own = report.own_by_name
        asked += (Gate(one).knowing(own) for one in dict.fromkeys(report.judged))
        sure = {gate.text: gate for gate in asked if gate.parsed.confidence is not None}
        if not sure:
            continue
        question, data = question_of(report), data_of(report)
        for gate in sure.values():
            verdicts = judge(report, [gate])
            word = Judgement(verdicts=verdicts).word
            foretold = report.ledger.not_needed and word == "PASS"
            if not is_incomplete(verdicts) and not foretold:
                found.append(
                    Look(
                        gate=gate.text,
                        question=question,
                        data=data,
                        images=report.ledger.answered,
                        word=word,
                    )
                )
    return found


def fails(verdict: Verdict, choice: Inconclusive) -> bool:
    """Whether a verdict makes the run fail.

    Where nothing but more images would help, that is the user's choice; images without an answer
    are never excused.
    """
    if verdict.word == "INCONCLUSIVE":
        return choice == "fail" or verdict.undecided == "incomplete"
    return verdict.word == "FAIL"


def is_incomplete(verdicts: Iterable[Verdict]) -> bool:
    """Whether images lack their answers, so that nobody may say anything."""
    return any(verdict.undecided == "incomplete" for verdict in verdicts)


def verdict_lines(verdicts: Sequence[Verdict]) -> str:
    """One line a verdict: what, of whom, and why."""
    return "\n".join(
        f"{verdict.word} {verdict.evaluation} on {verdict.task.configuration}: {verdict.text}"
        for verdict in verdicts
    )


def judge_untested(reports: Iterable[Report], session: EvaluationSession) -> list[Verdict]:
    """Verdicts where no gate test gave them: there is none, or it did not come to that.

    A gate test that was left out or skipped is left out on purpose, and its gates with it.
    """
    found = []
    for report in reports:
        task = session.results.of(report.task)
        if task.gate is not None or report.ledger.all_skipped:
            continue
        meant = report.evaluation not in session.gated or task.awaits_gate
        known = session.tasks.get(report.task)
        gates = known.gates if known is not None and meant else ()
        verdicts = verdicts_on(report, gates)
        found += [each for each in verdicts if gates or each.word == "FAIL"]
    return found
