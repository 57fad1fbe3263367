"""What models say of each image, as logarithms of probabilities of the labels.

A source need not be a model that looks at images: whatever answers an evaluation is one, yardsticks
that were trained on other images of the set included.

Where an answer comes without probabilities, what it is worth is counted: how often this model gives
such an answer to images of each label (Dawid and Skene, Applied Statistics 28, 1979, with the given
labels for the true ones). The image itself is left out of that count, so that no label vouches for
itself. That an answer names no label is an answer in this, too.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.label_review.pooling import LEAST_PROBABILITY, normalised
from pytest_llmclf.values.outcome import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

_PSEUDO_ANSWERS: Final = 2.0
"""Answers added to those of each label, spread over all: nothing counted twice is certain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSource:
    """Whoever answered about the images of a dataset.

    Attributes:
        name: As people are told.
        model: As reports have it.
        answers: By case every answer, the first asking first.
    """

    name: str
    model: str
    answers: Mapping[str, tuple[Outcome, ...]]

    def named(self, case: str) -> tuple[str | None, ...]:
        """What each answer to an image names, in order; ``None``: no label."""
        return tuple(one.predicted for one in self.answers.get(case, ()))

    def probability(self, case: str, label: str) -> float | None:
        """What it gives a label, on average over the askings that tell."""
        told = [one.probabilities for one in self.answers.get(case, ()) if one.probabilities]
        return sum(each.get(label, 0.0) for each in told) / len(told) if told else None


def sources_of(reports: Sequence[Report]) -> tuple[LabelSource, ...]:
    """One a report that has an answer, named by model and variant, by evaluation where needed."""
    names = [report.configuration for report in reports]
    found = []
    for report in reports:
        answers: defaultdict[str, list[Outcome]] = defaultdict(list)
        for outcome in (*report.outcomes, *report.repeats):
            if outcome.kind in ANSWERED:
                answers[outcome.case].append(outcome)
        name = report.configuration
        name = name if names.count(name) == 1 else f"{name} in {report.evaluation}"
        if answers:
            kept = {case: tuple(one) for case, one in answers.items()}
            found.append(LabelSource(name=name, model=report.model, answers=kept))
    return tuple(found)


def log_probabilities(
    source: LabelSource, cases: Sequence[str], given: NDArray[Any], labels: Sequence[str]
) -> NDArray[Any]:
    """What a source says of each image: images by labels; rows of 0 where it says nothing.

    Several askings of one image count as their mean, since they are no independent opinions.

    Args:
        source: Who.
        cases: The images, in order.
        given: The label of each, as its place.
        labels: All labels, in order.
    """
    import numpy as np

    places = {label: place for place, label in enumerate(labels)}
    answers = [source.answers.get(case, ()) for case in cases]
    counts = _counts(answers, given, places)
    totals = counts.sum(1)
    told, rows, parts = [], [], []
    for row, several in enumerate(answers):
        for one in several:
            if one.probabilities is None:
                told.append(_worth((counts, totals), several, one, int(given[row]), places))
            else:
                told.append([one.probabilities.get(label, 0.0) for label in labels])
            rows.append(row)
            parts.append(1 / len(several))
    found = np.zeros((len(cases), len(labels)))
    if told:
        said = normalised(np.log(np.maximum(np.array(told), LEAST_PROBABILITY)))
        np.add.at(found, np.array(rows), said * np.array(parts)[:, None])
    return found


def _counts(
    answers: Sequence[Sequence[Outcome]], given: NDArray[Any], places: Mapping[str, int]
) -> NDArray[Any]:
    """Answers by the label of the image and what they name, the last column for no label."""
    import numpy as np

    found = np.zeros((len(places), len(places) + 1))
    for several, label in zip(answers, given, strict=True):
        for one in several:
            found[label, places.get(str(one.predicted), len(places))] += 1
    return found


def _worth(
    counted: tuple[NDArray[Any], NDArray[Any]],
    own: Sequence[Outcome],
    one: Outcome,
    label: int,
    places: Mapping[str, int],
) -> Sequence[float]:
    """How an answer speaks for each label, as shares; the image's own answers are not counted."""
    answer = places.get(str(one.predicted), len(places))
    given, total = counted[0][:, answer].copy(), counted[1].copy()
    same = sum(places.get(str(each.predicted), len(places)) == answer for each in own)
    given[label] -= same
    total[label] -= len(own)
    spread = _PSEUDO_ANSWERS / (len(places) + 1)
    shares = (given + spread) / (total + _PSEUDO_ANSWERS)
    found: Sequence[float] = (shares / shares.sum()).tolist()
    return found
