"""Counts, and the ratios that follow from them.

What is in which denominator:

===============  ==================================================================
correct          accuracy, recall of its class, precision of its class
misclassified    accuracy, recall of the expected class, precision of the predicted
unparsed         accuracy, recall of the expected class; of no precision, since the
                 answer names no class
error            none: there is no answer (its own column and rate)
not_needed       none: it was not asked (its own count)
not_run          none: the session stopped before it (its own count)
lost             none: nobody knows (its own count; see `ledger.Ledger`)
===============  ==================================================================

Where an image has several right labels, an answer is right if it is any of them. Such an image then
is one of the class that was answered, and counts as an image of no other; answered wrong it is one
of the first of its labels (`Outcome.counts_for`). So each image is in one row of the matrix, and
what is not on the diagonal is a mistake.

All ratios equal scikit-learn's `precision_recall_fscore_support` with ``zero_division=nan``, an
unparsed answer being one more predicted label; what is ``nan`` there is undefined here.

Averages run over the classes that *occur*: expected or predicted at least once among the answers.
A class that occurs but whose ratio is undefined counts as 0 (``zero_division=0``, scikit-learn's
default): leaving it out would raise the average of a model for never naming a class. A class that
does not occur at all, as in a run over a part of the data, is left out: nothing is known about it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING

from pytest_llmclf.errors import some_of
from pytest_llmclf.metrics.measure import Mean, Ratio
from pytest_llmclf.values.outcome import ASKED, NAMED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llmclf.metrics.measure import Measure
    from pytest_llmclf.values.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassScores:
    """How well one class is told from the others.

    Attributes:
        label: The class.
        precision: Correct among the answers that name it.
        recall: Correct among the answered images that show it.
        f1: Harmonic mean of both as counts: twice the correct ones over the answers that name it
            plus the images that show it (van Rijsbergen 1979, beta = 1).
        support: Answered images that show it.
    """

    label: str
    precision: Ratio
    recall: Ratio
    f1: Ratio
    support: int

    @property
    def occurs(self) -> bool:
        """Whether any answered image shows it or any answer names it."""
        return self.f1.total > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Averages:
    """Precision, recall and F1 over classes.

    Attributes:
        precision: Average precision.
        recall: Average recall.
        f1: Average F1 (the average of the F1s, not the F1 of the averages).
        support: Answered images.
    """

    precision: Measure
    recall: Measure
    f1: Measure
    support: int


# No slots: what follows from the counts is worked out once and kept beside them.
@dataclass(frozen=True, kw_only=True)
class Confusion:
    """How often each class was answered as which.

    Attributes:
        labels: The classes in the dataset's order; n of them.
        counts: n rows of n: ``counts[actual][predicted]``, in images.
        unparsed: n: answers without a label, by actual class.
        error: n: images without an answer, by actual class.
        not_needed: Images not asked since the gates were decided.
        lost: Images collected but never reported.
        not_run: Images not run since the session stopped.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    unparsed: tuple[int, ...]
    error: tuple[int, ...]
    not_needed: int = 0
    lost: int = 0
    not_run: int = 0

    def __post_init__(self) -> None:
        size = len(self.labels)
        if len(set(self.labels)) != size:
            twice = next(label for label in self.labels if self.labels.count(label) > 1)
            raise ValueError(f"the label {twice!r} occurs twice")
        columns = (self.counts, self.unparsed, self.error, *self.counts)
        if any(len(column) != size for column in columns):
            raise ValueError(f"counts for {size} labels must be {size} x {size}")

    @classmethod
    def from_outcomes(cls, labels: Sequence[str], outcomes: Iterable[Outcome]) -> Confusion:
        """Count `outcomes`, whatever their order.

        Raises:
            ValueError: An outcome expects or predicts a label that is not in `labels`; it would
                otherwise vanish from a denominator.
        """
        place = {label: index for index, label in enumerate(labels)}
        pairs: Counter[tuple[str, str]] = Counter()
        kinds: Counter[tuple[str, str]] = Counter()
        rest: Counter[str] = Counter()
        for outcome in outcomes:
            _known(outcome, place)
            if outcome.kind in NAMED:
                pairs[outcome.counts_for, str(outcome.predicted)] += 1
            elif outcome.kind in ASKED:
                kinds[outcome.expected, outcome.kind] += 1
            else:
                rest[outcome.kind] += 1
        return cls(
            labels=tuple(labels),
            counts=_square(place, pairs),
            unparsed=tuple(kinds[row, "unparsed"] for row in labels),
            error=tuple(kinds[row, "error"] for row in labels),
            not_needed=rest["not_needed"],
            lost=rest["lost"],
            not_run=rest["not_run"],
        )

    @cached_property
    def cells(self) -> tuple[Mapping[int, int], ...]:
        """The counts that are not 0: by actual class, images by place of the predicted class.

        Of a thousand classes nearly all of the million counts are 0, so whoever walks over these
        takes as long as there are images, and not as long as there are pairs of classes.
        """
        return tuple(dict(compress(enumerate(row), row)) for row in self.counts)

    @cached_property
    def sources(self) -> tuple[Mapping[int, int], ...]:
        """`cells` the other way: by predicted class, images by place of the actual class."""
        found: tuple[dict[int, int], ...] = tuple({} for _ in self.labels)
        for actual, row in enumerate(self.cells):
            for predicted, count in row.items():
                found[predicted][actual] = count
        return found

    @cached_property
    def answered(self) -> int:
        """Images with an answer, readable or not: the denominator of accuracy."""
        return sum(map(sum, self.counts)) + sum(self.unparsed)

    @property
    def correct(self) -> int:
        """Images answered with their label."""
        return sum(row[index] for index, row in enumerate(self.counts))

    @property
    def accuracy(self) -> Ratio:
        """Correct among the answered."""
        return Ratio(hits=self.correct, total=self.answered)

    @property
    def unparsed_rate(self) -> Ratio:
        """Answers without a label among the answered."""
        return Ratio(hits=sum(self.unparsed), total=self.answered)

    @property
    def error_rate(self) -> Ratio:
        """Images without an answer among those asked about."""
        errors = sum(self.error)
        return Ratio(hits=errors, total=self.answered + errors)

    @cached_property
    def scores(self) -> tuple[ClassScores, ...]:
        """One entry a class, in the order of `labels`."""
        predicted = [sum(column.values()) for column in self.sources]
        found = []
        for index, (label, row) in enumerate(zip(self.labels, self.cells, strict=True)):
            hits, support = row.get(index, 0), sum(row.values()) + self.unparsed[index]
            found.append(
                ClassScores(
                    label=label,
                    precision=Ratio(hits=hits, total=predicted[index]),
                    recall=Ratio(hits=hits, total=support),
                    f1=Ratio(hits=2 * hits, total=predicted[index] + support),
                    support=support,
                )
            )
        return tuple(found)

    @property
    def micro(self) -> Averages:
        """Of all classes' counts added up; recall is accuracy.

        Precision differs from accuracy by the unparsed answers, which name no class.
        """
        named = self.answered - sum(self.unparsed)
        return Averages(
            precision=Ratio(hits=self.correct, total=named),
            recall=self.accuracy,
            f1=Ratio(hits=2 * self.correct, total=named + self.answered),
            support=self.answered,
        )

    @cached_property
    def macro(self) -> Averages:
        """Every class that occurs weighs the same; an undefined one counts as 0."""
        return self._averages({score.label: 1 for score in self.scores if score.occurs})

    @cached_property
    def weighted(self) -> Averages:
        """Every class weighs as its answered images; an undefined one counts as 0."""
        return self._averages({score.label: score.support for score in self.scores})

    @cached_property
    def balanced_accuracy(self) -> Mean:
        """Mean recall over the classes with answered images (sklearn's balanced_accuracy_score)."""
        found = [score for score in self.scores if score.support]
        return _mean([score.recall for score in found], [1] * len(found))

    def _averages(self, weights: dict[str, int]) -> Averages:
        scores = [score for score in self.scores if weights.get(score.label)]
        given = [weights[score.label] for score in scores]
        return Averages(
            precision=_mean([score.precision for score in scores], given),
            recall=_mean([score.recall for score in scores], given),
            f1=_mean([score.f1 for score in scores], given),
            support=self.answered,
        )


def _square(
    place: Mapping[str, int], pairs: Mapping[tuple[str, str], int]
) -> tuple[tuple[int, ...], ...]:
    """The counts of pairs of labels as rows; classes without any share one row of zeros."""
    nothing = (0,) * len(place)
    rows: dict[int, list[int]] = {}
    for (actual, predicted), count in pairs.items():
        rows.setdefault(place[actual], list(nothing))[place[predicted]] = count
    return tuple(tuple(rows[row]) if row in rows else nothing for row in range(len(place)))


def _known(outcome: Outcome, labels: dict[str, int]) -> None:
    named = list(outcome.labels)
    if outcome.kind in NAMED:
        named.append(str(outcome.predicted))
        if (outcome.predicted in outcome.labels) != (outcome.kind == "correct"):
            raise ValueError(
                f"{outcome.case}: {outcome.kind}, but expected "
                f"{' or '.join(map(repr, outcome.labels))} and predicted {outcome.predicted!r}"
            )
    for label in named:
        if label not in labels:
            raise ValueError(f"{outcome.case}: {label!r} is none of the labels {some_of(labels)}")


def _mean(ratios: Sequence[Ratio], weights: Sequence[int]) -> Mean:
    """Weighted mean without rounding; an undefined ratio counts as 0."""
    if not ratios:
        return Mean(exact=None, classes=0)
    total = sum(
        (
            weight * (ratio.exact or Fraction(0))
            for ratio, weight in zip(ratios, weights, strict=True)
        ),
        start=Fraction(0),
    )
    return Mean(exact=total / sum(weights), classes=len(ratios))
