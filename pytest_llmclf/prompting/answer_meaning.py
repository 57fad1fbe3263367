"""What an answer means for its image: the same for a run and for whoever reads it anew."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.prompting.label_probabilities import class_probabilities
from pytest_llmclf.prompting.readers import ReaderFailed, read_answer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.prompting.labels import LabelSet
    from pytest_llmclf.prompting.readers import ReaderFunction
    from pytest_llmclf.values.answer import Answer
    from pytest_llmclf.values.outcome import Outcome, OutcomeKind


def with_answer(
    outcome: Outcome, answer: Answer, labels: LabelSet, reader: str | ReaderFunction
) -> Outcome:
    """The outcome of an image with an answer to it; an error where the reader fails.

    Args:
        outcome: Of the image; whatever it says of an earlier reading is dropped.
        answer: What the model said.
        labels: Those that it may name.
        reader: As for `readers.read_answer`.
    """
    blank = replace(
        outcome,
        answer=answer,
        predicted=None,
        reason=None,
        message="",
        probabilities=None,
        label_mass=None,
        shared_mass=None,
    )
    if answer.label in labels.names:
        return _named(blank, answer.label, answer.probabilities)
    try:
        found = read_answer(answer, labels, reader=reader)
    except ReaderFailed as error:
        return replace(blank, kind="error", reason=error.kind, message=str(error))
    if found.label is None:
        return replace(blank, kind="unparsed", reason=found.reason)
    sure = class_probabilities(answer, labels, found.label)
    if sure is None:
        return _named(blank, found.label, answer.probabilities)
    return replace(
        _named(blank, found.label, sure.probabilities),
        label_mass=sure.label_mass,
        shared_mass=sure.shared_mass,
    )


def _named(blank: Outcome, label: str, probabilities: Mapping[str, float] | None) -> Outcome:
    """The outcome of an image whose answer names a label."""
    kind: OutcomeKind = "correct" if label in blank.labels else "misclassified"
    given = None if probabilities is None else dict(probabilities)
    return replace(blank, kind=kind, predicted=label, probabilities=given)
