"""How sure an answer is, as far as that is known."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.values.outcome import ANSWERED
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome


LEAST_KNOWN: Final = Fraction(99, 100)
"""Share of the answers with a label whose probabilities must be known.

Calibration error, Brier score and accuracy at a coverage are undefined below it: answers without
probabilities are seldom a fair sample of all, and those without a label say nothing of the others.
"""


def confidence(outcome: Outcome) -> float | None:
    """Probability of the label that the answer names; 0 where it names none.

    ``None`` where there is no answer, or it came without probabilities.
    """
    match outcome.kind:
        case "unparsed" if outcome.answer is not None and outcome.answer.logprobs:
            return 0.0
        case "correct" | "misclassified" if outcome.probabilities is not None:
            return outcome.probabilities[str(outcome.predicted)]
        case _:
            return None


def why_missing(report: Report) -> str | None:
    """Why some answers have no confidence, in one line; ``None`` where all have one."""
    named = [one for one in answers_of(report) if one.kind != "unparsed"]
    without = [one for one in named if one.probabilities is None]
    if not without:
        # Of answers without a label alone no confidence can be judged.
        return None if named or not answers_of(report) else "no answer names a label"
    whose = ""
    if len(without) < len(named):
        verb = noun(len(without), "has", "have")
        answers = noun(len(named), "answer")
        whose = f"{len(without)} of {len(named)} {answers} with a label {verb} "
    if whose and not is_known(report):
        allowed = f" (at most {float(100 * (1 - LEAST_KNOWN)):g}% may lack them)"
    else:
        allowed = ""
    if all(one.answer is None or not one.answer.logprobs for one in without):
        return f"{whose}no log-probabilities{allowed}: {_how_to_get_them(report, without)}"
    return (
        f"{whose}no probabilities of labels{allowed}: too few alternatives a token "
        "(set top_logprobs=20), tokens that do not spell the answer, or labels that begin others, "
        'which only answer="enum" tells apart where the server does not tell the end of an answer'
    )


def _how_to_get_them(report: Report, without: Sequence[Outcome]) -> str:
    """What to do for log-probabilities, which whoever asked for them already knows how to ask."""
    told = report.full_instructions
    if report.told_nothing:
        return "give probabilities of the labels, or name a classifier that tells them"
    if any(one.answer and "top_logprobs" in one.answer.asked_without for one in without):
        return "the server refuses them, so ask another server or model"
    if told is not None and told.top_logprobs:
        return "the server gives none though it is asked, so ask another server or model"
    return "set top_logprobs=20 in the evaluation"


def known(report: Report) -> Ratio:
    """Answers whose probabilities are known among those that name a label."""
    named = [one for one in answers_of(report) if one.kind != "unparsed"]
    return Ratio(hits=sum(one.probabilities is not None for one in named), total=len(named))


def is_known(report: Report) -> bool:
    """Whether confidence is known of enough answers for any number on it; see `LEAST_KNOWN`."""
    found = known(report)
    return found.hits > 0 and found.hits >= LEAST_KNOWN * found.total


def judged_answers(report: Report) -> list[Outcome]:
    """The answers that the numbers on confidence are of; none where too few are known.

    Those that name a label and whose probabilities are known, and those without a label.
    """
    if not is_known(report):
        return []
    return [one for one in answers_of(report) if rank(one) is not None]


def rank(outcome: Outcome) -> float | None:
    """`confidence`, and 0 for every answer without a label, however it came."""
    return 0.0 if outcome.kind == "unparsed" else confidence(outcome)


def lacking(report: Report) -> str:
    """How many answers a number on confidence leaves out; empty where none.

    Such as ``3 of 500 answers with a label have no probabilities``.
    """
    found = known(report)
    without = found.total - found.hits
    if not without:
        return ""
    verb = noun(without, "has", "have")
    answers = noun(found.total, "answer")
    return f"{without} of {found.total} {answers} with a label {verb} no probabilities"


def answers_of(report: Report) -> list[Outcome]:
    """The outcomes of a report that are answers, with a label or without one."""
    return [outcome for outcome in report.outcomes if outcome.kind in ANSWERED]


def confidences(answers: Sequence[Outcome]) -> list[tuple[float, bool]]:
    """Confidence, and whether it is correct, of every answer that has one."""
    pairs = [(rank(outcome), outcome.kind == "correct") for outcome in answers]
    return [(sure, right) for sure, right in pairs if sure is not None]
