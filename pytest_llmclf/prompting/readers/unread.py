"""Answers that nobody could read, the most frequent ones first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.prompting.label_text import normalise

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_llmclf.values.outcome import Outcome

_LOOKED_AT = 500
"""Characters that tell answers apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadAnswer:
    """One answer and the images that it was given to.

    Attributes:
        text: As it was given first; the thinking where there is nothing else.
        reason: Why no label was read.
        cases: The images, in order.
    """

    text: str
    reason: str
    cases: tuple[str, ...]


def unread_answers(outcomes: Iterable[Outcome]) -> tuple[UnreadAnswer, ...]:
    """The unparsed answers, equal ones together, most frequent first, ties in order of cases.

    Case, blanks and decoration do not make two answers differ.

    Args:
        outcomes: First askings; those of another kind are passed over.
    """
    found: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.kind == "unparsed":
            text = _shown(outcome)
            key = (outcome.reason or "", normalise(text[:_LOOKED_AT]))
            found.setdefault(key, []).append(outcome)
    answers = (
        UnreadAnswer(
            text=_shown(same[0]),
            reason=reason,
            cases=tuple(outcome.case for outcome in same),
        )
        for (reason, _), same in found.items()
    )
    return tuple(sorted(answers, key=lambda answer: -len(answer.cases)))


def _shown(outcome: Outcome) -> str:
    answer = outcome.answer
    return "" if answer is None else answer.text or answer.thinking
