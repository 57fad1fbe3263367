"""The outcomes of a report as columns, with each text once.

Answers, reasons and tags that occur often stand once in a list of texts; outcomes are columns
rather than objects. Ten thousand of them stay a few megabytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.metrics.calibration.answers import confidence
from pytest_llmclf.reporting import numbers
from pytest_llmclf.values.outcome import NAMED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.outcome import Outcome

LONGEST: Final = 4000
"""Most characters of any text that a page holds."""
LONGEST_TOLD: Final = 200_000
"""Most characters of what a model was told: a thousand labels with a description each."""
SHORTEST: Final = 300
"""Least characters of an answer that it holds, however many there are."""
NONE: Final = -1
"""Stands for no text, no class, no image."""
_ALL_ANSWERS: Final = 4_000_000
"""Characters of all answers together, unless there are so many that `SHORTEST` is more."""
_LABELS: Final = 10
"""Probabilities kept an answer, the largest ones."""


@dataclass(slots=True)
class Texts:
    """Texts by number, each once; grows while a page is put together."""

    places: dict[str, int] = field(default_factory=dict)

    def place(self, text: str | None) -> int:
        """Its number; -1 for none."""
        return NONE if text is None else self.places.setdefault(text, len(self.places))

    def cut(self, text: str, longest: int) -> int:
        """The number of its beginning, which says how long it was."""
        return self.place(cut(text, longest))


def longest_answer(answers: int) -> int:
    """How many characters of an answer a page holds that has so many of them."""
    return max(SHORTEST, min(LONGEST, _ALL_ANSWERS // max(1, answers)))


def case_columns(
    report: Report, texts: Texts, longest: int, images: Mapping[str, int]
) -> dict[str, Any]:
    """The outcomes, one column a property."""
    outcomes = report.outcomes
    label = {name: place for place, name in enumerate(report.confusion.labels)}
    answers = [outcome.answer for outcome in outcomes]
    return {
        "id": [cut(outcome.case, LONGEST) for outcome in outcomes],
        "sha256": [outcome.sha256 for outcome in outcomes],
        "expected": [label[outcome.counts_for] for outcome in outcomes],
        "also": [
            [label[name] for name in one.labels if name != one.counts_for] for one in outcomes
        ],
        "kind": [outcome.kind for outcome in outcomes],
        "predicted": [_predicted(outcome, label) for outcome in outcomes],
        "reason": [texts.place(outcome.reason) for outcome in outcomes],
        "message": [texts.cut(outcome.message, longest) for outcome in outcomes],
        "answer": [NONE if one is None else texts.cut(one.text, longest) for one in answers],
        "thinking": [_thinking(one, texts, longest) for one in answers],
        "signs": [NONE if one is None else len(one.text) for one in answers],
        "wall": [None if one is None else _seconds(one.wall_s) for one in answers],
        "server": [None if one is None else _seconds(one.server_s) for one in answers],
        "load": [None if one is None else _seconds(one.load_s) for one in answers],
        "prompt_tokens": [None if one is None else one.prompt_tokens for one in answers],
        "answer_tokens": [None if one is None else one.answer_tokens for one in answers],
        "thinking_tokens": [None if one is None else one.thinking_tokens for one in answers],
        "finish": [NONE if one is None else texts.place(one.finish) for one in answers],
        "cached": [int(outcome.cached) for outcome in outcomes],
        "attempts": [outcome.attempts for outcome in outcomes],
        "request": [outcome.request_digest for outcome in outcomes],
        "confidence": [rounded(confidence(outcome)) for outcome in outcomes],
        "mass": [rounded(outcome.label_mass) for outcome in outcomes],
        "probabilities": [_probabilities(outcome, label) for outcome in outcomes],
        "image": [images.get(outcome.sha256, NONE) for outcome in outcomes],
        "tags": [
            [tag, [texts.place(_tag(outcome, tag)) for outcome in outcomes]] for tag in report.tags
        ],
    }


def _thinking(answer: Answer | None, texts: Texts, longest: int) -> int:
    if answer is None or not answer.thinking:
        return NONE
    return texts.cut(answer.thinking, longest)


def _predicted(outcome: Outcome, label: Mapping[str, int]) -> int:
    named = outcome.kind in NAMED
    return label[str(outcome.predicted)] if named else NONE


def _tag(outcome: Outcome, tag: str) -> str | None:
    value = outcome.tags.get(tag)
    return None if value is None else cut(value, LONGEST)


def _probabilities(outcome: Outcome, label: Mapping[str, int]) -> list[float] | None:
    """Class, probability, class, probability ... of the likeliest, the first one first."""
    if outcome.probabilities is None:
        return None
    ranked = sorted(
        ((value, label[name]) for name, value in outcome.probabilities.items() if name in label),
        key=lambda entry: (-entry[0], entry[1]),
    )
    return [
        number for value, place in ranked[:_LABELS] for number in (place, rounded(value) or 0.0)
    ]


def repeat_rows(
    report: Report, texts: Texts, longest: int, places: Mapping[str, int]
) -> list[list[int]]:
    """Further askings: case, which asking, class or -1, and the answer's text or -1."""
    label = {name: place for place, name in enumerate(report.confusion.labels)}
    return [
        [
            places[one.case],
            one.repeat,
            _predicted(one, label),
            NONE if one.answer is None else texts.cut(one.answer.text, min(longest, SHORTEST)),
        ]
        for one in report.repeats
        if one.case in places
    ]


def cut(text: str, longest: int) -> str:
    """Its beginning, and how long it was, where it is longer than `longest` characters."""
    if len(text) <= longest:
        return text
    return (
        f"{text[:longest]}… ({numbers.count(len(text))} characters; the whole is in outcomes.jsonl)"
    )


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def rounded(value: float | None) -> float | None:
    """A share with the digits that a page needs."""
    return None if value is None else round(value, 5)
