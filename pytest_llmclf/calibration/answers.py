"""How sure an answer is, as far as that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.outcome import Outcome
    from pytest_llmclf.report import Report


def confidence(outcome: Outcome) -> float | None:
    """Probability of the label that the answer names; 0 where it names none.

    ``None`` where there is no answer, or its probabilities are unknown.
    """
    match outcome.kind:
        case "unparsed":
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
        return None
    whose = ""
    if len(without) < len(named):
        verb = "has" if len(without) == 1 else "have"
        whose = f"{len(without)} of {len(named)} answers with a label {verb} "
    if all(one.answer is None or not one.answer.logprobs for one in without):
        return f"{whose}no log-probabilities: set top_logprobs=20 in the evaluation"
    return (
        f"{whose}no probabilities of labels: too few alternatives a token (set top_logprobs=20), "
        f"or tokens that do not spell the answer"
    )


def answers_of(report: Report) -> list[Outcome]:
    """The outcomes of a report that are answers, with a label or without one."""
    kinds = ("correct", "misclassified", "unparsed")
    return [outcome for outcome in report.outcomes if outcome.kind in kinds]


def confidences(answers: Sequence[Outcome]) -> list[tuple[float, bool]]:
    """Confidence, and whether it is correct, of every answer that has one."""
    pairs = [(confidence(outcome), outcome.kind == "correct") for outcome in answers]
    return [(sure, right) for sure, right in pairs if sure is not None]
