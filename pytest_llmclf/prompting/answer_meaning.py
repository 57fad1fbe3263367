"""What an answer means for its image: the same for a run and for whoever reads it anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.prompting.label_probabilities import class_probabilities
from pytest_llmclf.prompting.readers import ReaderFailed, read_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.prompting.readers import LabelOrReason, ReaderFunction
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind

_BLANK: Final[Mapping[str, Any]] = {
    "predicted": None,
    "reason": None,
    "message": "",
    "probabilities": None,
    "label_mass": None,
    "shared_mass": None,
}
"""What an earlier reading left in an outcome, taken away."""
Text = tuple[str, str, bool]
"""What a reader looks at: the text, why it ended, and whether the model thought."""


def with_answer(
    outcome: Outcome,
    answer: Answer,
    labels: LabelSet,
    reader: str | ReaderFunction,
    known: dict[Text, LabelOrReason] | None = None,
) -> Outcome:
    """The outcome of an image with an answer to it; an error where the reader fails.

    Args:
        outcome: Of the image; whatever it says of an earlier reading is dropped.
        answer: What the model said.
        labels: Those that it may name.
        reader: As for `readers.read_answer`.
        known: Where many answers are read with the same labels and reader: what was read so far,
            to which this one is added. A reader of one's own is called for each answer.
    """
    return replace(outcome, answer=answer, **_said(outcome, answer, labels, reader, known))


def _said(
    outcome: Outcome,
    answer: Answer,
    labels: LabelSet,
    reader: str | ReaderFunction,
    known: dict[Text, LabelOrReason] | None,
) -> dict[str, Any]:
    """What an answer changes in the outcome of its image."""
    if answer.label in labels.names:
        return _named(outcome, answer.label, answer.probabilities)
    try:
        found = _read(answer, labels, reader, known)
    except ReaderFailed as error:
        return {**_BLANK, "kind": "error", "reason": error.kind, "message": str(error)}
    if found.label is None:
        return {**_BLANK, "kind": "unparsed", "reason": found.reason}
    sure = class_probabilities(answer, labels, found.label)
    if sure is None:
        return _named(outcome, found.label, answer.probabilities)
    return {
        **_named(outcome, found.label, sure.probabilities),
        "label_mass": sure.label_mass,
        "shared_mass": sure.shared_mass,
    }


def _read(
    answer: Answer,
    labels: LabelSet,
    reader: str | ReaderFunction,
    known: dict[Text, LabelOrReason] | None,
) -> LabelOrReason:
    if known is None or not isinstance(reader, str):
        return read_answer(answer, labels, reader=reader)
    said = (answer.text, answer.finish, bool(answer.thought))
    if said not in known:
        known[said] = read_answer(answer, labels, reader=reader)
    return known[said]


def _named(
    outcome: Outcome, label: str, probabilities: Mapping[str, float] | None
) -> dict[str, Any]:
    """What an answer changes that names a label."""
    kind: OutcomeKind = "correct" if label in outcome.labels else "misclassified"
    given = None if probabilities is None else dict(probabilities)
    return {**_BLANK, "kind": kind, "predicted": label, "probabilities": given}
