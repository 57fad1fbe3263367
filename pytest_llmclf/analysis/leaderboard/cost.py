"""What the answers of a task took: tokens and seconds an image, as far as anybody tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from pytest_llmclf.metrics.report import Report

Clock = Literal["server", "waited"]
"""Whose seconds: what the server says it spent, or what was waited for the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """A mean over the answers that tell a number.

    Attributes:
        value: The mean; ``None`` where none tells it.
        known: How many do.
    """

    value: float | None
    known: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What answers took, each a mean over images.

    Attributes:
        answers: How many answers there are.
        tokens: Read and written, the image's and those of thinking included.
        seconds: Spent on an answer; those from the cache count as they did when they were asked.
        clock: Whose seconds those are; the server's where every answer has them.
    """

    answers: int
    tokens: Spent
    seconds: Spent
    clock: Clock


def cost_of(report: Report, cases: Collection[str]) -> Cost:
    """What the answers to these images took.

    Args:
        report: Of the task.
        cases: Ids of the images.
    """
    among = frozenset(cases)
    answers = [
        found.answer
        for found in report.outcomes
        if found.answer is not None and found.case in among
    ]
    server = [answer.server_s for answer in answers]
    clock: Clock = "waited" if not answers or None in server else "server"
    return Cost(
        answers=len(answers),
        tokens=_mean(
            None
            if answer.prompt_tokens is None or answer.answer_tokens is None
            else answer.prompt_tokens + answer.answer_tokens
            for answer in answers
        ),
        seconds=_mean(server if clock == "server" else (answer.wall_s for answer in answers)),
        clock=clock,
    )


def _mean(numbers: Iterable[float | None]) -> Spent:
    known = [number for number in numbers if number is not None]
    return Spent(value=sum(known) / len(known) if known else None, known=len(known))
