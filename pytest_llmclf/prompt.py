"""The text of a question: what is asked, the list of labels, and the form of the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, assert_never

from pytest_llmclf.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.label import Label, LabelSet

AnswerMode = Literal["text", "enum"]
"""Free text, or JSON under a schema that allows nothing but ``{"label": <one of the labels>}``."""

_HEADING = "Labels:"
_CLOSING_TEXT = "Answer with exactly one label from this list."
_CLOSING_ENUM = 'Answer as JSON: {"label": "<one label from this list>"}'


def compose(question: str, labels: LabelSet, mode: AnswerMode) -> str:
    """Write the user's text: the question, the list, and how to answer.

    No label stands out by being an example: models lean towards one that does.

    Args:
        question: What the evaluation asks; kept as written but for blanks at its ends.
        labels: In the order of the dataset.
        mode: The form of the answer.

    Raises:
        SettingsError: The question is empty.
    """
    question = question.strip()
    if not question:
        msg = 'the prompt is empty: ask something, such as prompt="Which animal is this?"'
        raise SettingsError(msg)
    closing: str
    match mode:
        case "text":
            closing = _CLOSING_TEXT
        case "enum":
            closing = _CLOSING_ENUM
        case _:
            assert_never(mode)
    return "\n".join((question, "", _HEADING, *map(_line, labels.labels), "", closing))


def answer_schema(labels: LabelSet, mode: AnswerMode) -> Mapping[str, Any] | None:
    """JSON schema that the answer must obey, or `None` where it is free text."""
    match mode:
        case "text":
            return None
        case "enum":
            return {
                "type": "object",
                "properties": {"label": {"type": "string", "enum": list(labels.names)}},
                "required": ["label"],
                "additionalProperties": False,
            }
        case _:
            assert_never(mode)


def _line(label: Label) -> str:
    also = f" (also: {', '.join(label.synonyms)})" if label.synonyms else ""
    # One line a label, whatever the description looks like in the source.
    description = " ".join((label.description or "").split())
    return f"- {label.name}{also}" + (f": {description}" if description else "")
