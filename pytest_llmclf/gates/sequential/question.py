"""Which thresholds can be decided before every image is asked, and what decides them.

A threshold takes part if what it compares is a share of a set of images that is known before any
answer: each image adds a known weight if its answer counts. Then the images' order is random
within the set too, and each possible total has its verdict.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

from pytest_llmclf.gates.evidence import proportion
from pytest_llmclf.gates.reading import asked_for, sure_word
from pytest_llmclf.metrics.clusters import clusters_of
from pytest_llmclf.metrics.metric import Average, ImageMean

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_llmclf.gates.gate import Gate
    from pytest_llmclf.gates.reading import Certainty
    from pytest_llmclf.gates.threshold import Threshold
    from pytest_llmclf.values.case import Case
    from pytest_llmclf.values.outcome import Outcome
    from pytest_llmclf.values.verdict import VerdictWord


@dataclass(frozen=True, slots=True, kw_only=True)
class Regions:
    """The verdict of every total that all images may come to.

    Attributes:
        low: The verdict of low totals.
        last_low: The largest total with it; -1 if none.
        high: The verdict of high totals.
        first_high: The smallest total with it; one more than the largest total if none. What lies
            between is INCONCLUSIVE.
    """

    low: VerdictWord
    last_low: int
    high: VerdictWord
    first_high: int

    def at(self, total: int) -> VerdictWord:
        """The verdict of a total."""
        if total <= self.last_low:
            return self.low
        return self.high if total >= self.first_high else "INCONCLUSIVE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A threshold as a question about a total over known images.

    Attributes:
        threshold: What is asked.
        certainty: What is asked of images like these; ``None``: it is about these images.
        because: Where the number comes from, for people.
        written: Number of its gate and the threshold as that has it: ``recall[*]`` is one question
            a class.
        weights: What each image of the set adds if its answer counts, in units; by case id.
        total: Sum of weights: what the value 1 stands for.
        regions: The verdict of every total.
    """

    threshold: Threshold
    certainty: Certainty | None
    because: str
    written: tuple[int, Threshold]
    weights: Mapping[str, int]
    total: int
    regions: Regions

    def counts(self, outcome: Outcome) -> bool:
        """Whether an answer adds its image's weight."""
        return outcome.kind == self.threshold.spec.counts


def why_not_early(threshold: Threshold, certainty: Certainty | None = None) -> str | None:
    """Why a threshold needs every image, in one line; ``None`` where it may be decided early.

    Args:
        threshold: What a gate asks.
        certainty: What it asks of images like these; ``None``: it is about these images.
    """
    spec = threshold.spec
    why = None
    if threshold.coverage is not None:
        why = "which answers are the most confident ones is known only when all are there"
    elif spec.bound is None or isinstance(spec.bound, ImageMean):
        why = spec.needs_all
    elif spec.kind in ("precision", "f1"):
        why = "it divides by how many answers name a class, which depends on answers still to come"
    elif isinstance(spec.bound, Average) and spec.bound.over == "support":
        why = "it divides by how many answers there are of each class"
    elif isinstance(spec.bound, Average) and certainty is not None:
        why = (
            "with confidence it depends on how right answers are spread over the classes, "
            "not on one count"
        )
    return None if why is None else f"{asked_for(threshold, certainty)} needs every image: {why}"


def questions(
    gates: Sequence[Gate],
    labels: Sequence[str],
    cases: Sequence[Case],
    model: str,
    *,
    imported: bool,
    group: str = "",
    variant: str = "",
) -> tuple[Question | str, ...]:
    """One a threshold that is meant for a model and images: see `question`.

    Args:
        gates: All gates of an evaluation.
        labels: The classes.
        cases: The images that all verdicts are about.
        model: The model as people write it.
        imported: Whether the images are a full imported set.
        group: Tag whose values are groups of images that are not independent.
        variant: Name of the variant; empty for the evaluation as it is declared.
    """
    together = bool(clusters_of(((case.id, case.sha256, case.tags) for case in cases), group))
    by_label: defaultdict[str, list[Case]] = defaultdict(list)
    for case in cases:
        for label in case.labels:
            by_label[label].append(case)
    return tuple(
        question(
            threshold,
            cases=cases if threshold.label is None else by_label[threshold.label],
            labels=labels,
            certainty=gate.certainty(labels),
            because=gate.because,
            written=(number, as_written),
            together=together,
        )
        for number, gate in enumerate(gates)
        if gate.applies(model, imported=imported, variant=variant)
        for as_written in gate.parsed.thresholds
        for threshold in as_written.expanded(labels)
    )


def question(
    threshold: Threshold,
    *,
    cases: Sequence[Case],
    labels: Sequence[str],
    certainty: Certainty | None = None,
    because: str = "",
    written: tuple[int, Threshold] | None = None,
    together: bool = False,
) -> Question | str:
    """What has to be found out for a threshold, or why it needs every image.

    Args:
        threshold: What a gate asks.
        cases: The images that all verdicts are about.
        labels: The classes.
        certainty: What the gate asks of images like these; ``None``: it is about these images.
        because: Where the number comes from.
        written: Number of its gate and the threshold as that has it.
        together: Whether images are copies or in groups, so that they are not independent.
    """
    formal = why_not_early(threshold, certainty)
    if formal is not None:
        return formal
    members = [
        case
        for case in cases
        if threshold.is_about(case) and (threshold.label is None or threshold.label in case.labels)
    ]
    why = _why_not_these(threshold, members, labels, spread=together and certainty is not None)
    if why is not None:
        return f"{asked_for(threshold, certainty)} needs every image: {why}"
    weights = _weights(threshold, members)
    total = sum(weights.values())
    return Question(
        threshold=threshold,
        certainty=certainty,
        because=because,
        written=written or (0, threshold),
        weights=weights,
        total=total,
        regions=_regions(threshold, total, _reading(threshold, certainty)),
    )


def _why_not_these(
    threshold: Threshold, members: Sequence[Case], labels: Sequence[str], *, spread: bool
) -> str | None:
    """Why a threshold needs the answers to all of these very images; ``None`` where it does not."""
    if spread:
        return (
            "with confidence it depends on how right answers are spread over groups or copies, not "
            "on one count"
        )
    if not members:
        return "no image is among those that it is about"
    if threshold.spec.kind is not None and any(case.also for case in members):
        return (
            "an image with several right labels counts for the one that is answered, which depends "
            "on answers still to come"
        )
    bound, shown = threshold.spec.bound, {case.label for case in members}
    absent = [label for label in labels if label not in shown]
    if absent and isinstance(bound, Average) and bound.over == "occurring":
        return f"no image shows {absent[0]!r}, which counts as soon as an answer names it"
    return None


def _weights(threshold: Threshold, members: Sequence[Case]) -> dict[str, int]:
    """The same for all images, or for all classes: in units that make every weight whole."""
    if not isinstance(threshold.spec.bound, Average):
        return {case.id: 1 for case in members}
    sizes = Counter(case.label for case in members)
    unit = math.lcm(*sizes.values())
    return {case.id: unit // sizes[case.label] for case in members}


def _reading(
    threshold: Threshold, certainty: Certainty | None
) -> Callable[[int, int], VerdictWord]:
    """The verdict of a total of all images, as `reading` gives it."""

    def about_these(hits: int, total: int) -> VerdictWord:
        return "PASS" if threshold.holds(float(Fraction(hits, total))) else "FAIL"

    def about_others(hits: int, total: int) -> VerdictWord:
        return sure_word(threshold, proportion(hits, total), cast("Certainty", certainty))

    return about_these if certainty is None else about_others


def _regions(
    threshold: Threshold, total: int, reading: Callable[[int, int], VerdictWord]
) -> Regions:
    low: VerdictWord = "FAIL" if threshold.upwards else "PASS"
    high: VerdictWord = "PASS" if low == "FAIL" else "FAIL"
    return Regions(
        low=low,
        last_low=_first(lambda hits: reading(hits, total) != low, total) - 1,
        high=high,
        first_high=_first(lambda hits: reading(hits, total) == high, total),
    )


def _first(holds: Callable[[int], bool], last: int) -> int:
    """The smallest of 0 to `last` from which on it holds; ``last + 1`` if it never does."""
    # Not bisect: with many classes the units are too small for the length of a range.
    low, high = 0, last + 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(middle) else (middle + 1, high)
    return low
