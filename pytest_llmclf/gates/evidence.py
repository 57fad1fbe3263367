"""What a report's images say about a threshold: which are right, and how much each weighs."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.gates.bounds import Evidence
from pytest_llmclf.gates.cluster_evidence import by_cluster
from pytest_llmclf.metrics.intervals import Interval, clopper_pearson
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.metric import Average, ImageMean, Share
from pytest_llmclf.metrics.report import once_a_report
from pytest_llmclf.values.outcome import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_llmclf.gates.bounds import Groups
    from pytest_llmclf.gates.cluster_evidence import Weighed
    from pytest_llmclf.gates.threshold import Threshold
    from pytest_llmclf.metrics.confusion import Confusion
    from pytest_llmclf.metrics.measure import Measure
    from pytest_llmclf.metrics.metric import Kind
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

CONFIDENCE = 0.95
"""Of every interval in a table."""
_STEPS = 64
"""From 0 to 1, that numbers of images are counted at; see `_mean`."""


def evidence_of(threshold: Threshold, report: Report, measure: Measure) -> Evidence:
    """What a report says about what a threshold compares.

    Averages are about images of the same mix of classes. Which classes occur, and how many images
    show and answers name each, is taken as it is. That errs on the safe side, since the spread
    between the classes counts as chance; ``benchmarks/gate_errors.py`` measures how much.

    Args:
        threshold: Of one class, if of classes.
        report: All of it; the slice is taken here.
        measure: What the threshold measures in it; the evidence's estimate is the same number.

    Raises:
        TypeError: For a metric that has no bounds, such as ``ece``.
    """
    if not report.clusters:
        return _independent(threshold, report, measure)
    part = threshold.part(report)
    plain = _independent(threshold, report, measure)
    # In a slice an original may be missing, so that its copies are what is together.
    images = list(_weighed(threshold, part))
    clusters = part.clusters or {case: case for case, _, _ in images}
    return by_cluster(plain, images, clusters)


def _independent(threshold: Threshold, report: Report, measure: Measure) -> Evidence:
    """What the images say if each was drawn by itself."""
    bound = threshold.spec.bound
    if isinstance(bound, Average):
        return _average(bound, threshold.part(report).confusion)
    if isinstance(bound, ImageMean):
        return _mean(bound, threshold.part(report))
    if isinstance(bound, Share) and bound.counted is not None:
        measure = bound.counted(threshold.part(report))
    if bound is None or not isinstance(measure, Ratio):
        raise TypeError(f"{threshold.metric} has no confidence bounds")
    if bound.of == "f1":
        return Evidence(
            right=_groups([(2.0, measure.hits // 2)]),
            wrong=_groups([(1.0, measure.total - measure.hits)]),
            unseen_right=2.0,
        )
    return proportion(measure.hits, measure.total)


def _weighed(threshold: Threshold, part: Report) -> Iterator[Weighed]:
    """The images of `_independent`, one by one."""
    bound = threshold.spec.bound
    if isinstance(bound, Average):
        weights = average_weights(bound, part.confusion)
        place = {label: number for number, label in enumerate(part.confusion.labels)}
        for found in _answered(part):
            named = None if found.predicted is None else place[found.predicted]
            weight = weights.of(place[found.counts_for], named)
            yield _as_weighed(found, weight, right=found.kind == "correct")
        return
    if isinstance(bound, ImageMean):
        yield from ((found.case, value, 1 - value) for found, value in bound.values(part))
        return
    for found in _denominator(threshold, part):
        right = found.kind == threshold.spec.counts
        double = threshold.spec.kind == "f1" and right
        yield _as_weighed(found, 2.0 if double else 1.0, right=right)


def _denominator(threshold: Threshold, part: Report) -> Iterable[Outcome]:
    """The answered images that a ratio is of."""
    if threshold.coverage is not None:
        from pytest_llmclf.metrics.calibration.coverage import accepted

        return accepted(part, threshold.coverage)
    if threshold.spec.strangers:
        return (found for found in _answered(part) if found.stranger)
    if threshold.label is None:
        return _answered(part)
    shown, named = (found.get(threshold.label, ()) for found in _by_label(part))
    match threshold.spec.kind:
        case "recall":
            return shown
        case "precision":
            return named
        case _:
            return (*shown, *(found for found in named if found.counts_for != threshold.label))


def _answered(part: Report) -> Iterator[Outcome]:
    return (found for found in part.outcomes if found.kind in ANSWERED)


@once_a_report
def _by_label(part: Report) -> tuple[dict[str, list[Outcome]], dict[str, list[Outcome]]]:
    """The answered images that show each label, and those that are called so.

    One walk for all classes: a thousand of them would walk all images a thousand times.
    """
    shown: defaultdict[str, list[Outcome]] = defaultdict(list)
    named: defaultdict[str, list[Outcome]] = defaultdict(list)
    for found in _answered(part):
        shown[found.counts_for].append(found)
        if found.predicted is not None:
            named[found.predicted].append(found)
    return dict(shown), dict(named)


def _as_weighed(found: Outcome, weight: float, *, right: bool) -> Weighed:
    return (found.case, weight, 0.0) if right else (found.case, 0.0, weight)


def interval_of(
    ratio: Ratio, report: Report, among: Iterable[Outcome] | None = None
) -> Interval | None:
    """Plausible values of a share of right answers, for images like these.

    Clopper and Pearson's where every image is one by itself; else that of `gate.cluster_evidence`.
    ``None`` without an image, where the run stopped early (when it stopped depended on these very
    counts), and where all images are of one cluster.

    Args:
        ratio: Correct answers among some of the answered images.
        report: Of which it is.
        among: The outcomes of it that those are, answered or not; all of them without it.
            Where it is empty and images are not independent, there is no interval.
    """
    if not ratio.total or report.ledger.not_needed:
        return None
    outcomes = report.outcomes if among is None else among
    right = {one.case: one.kind == "correct" for one in outcomes if one.kind in ANSWERED}
    return share_interval(ratio, right, report.clusters)


def share_interval(
    ratio: Ratio, right: Mapping[str, bool], clusters: Mapping[str, str]
) -> Interval | None:
    """`interval_of` for the answers to some images.

    Args:
        ratio: Right ones among them.
        right: By case, whether its answer is right.
        clusters: The cluster of every image; empty where each is one by itself.
    """
    if not clusters:
        return clopper_pearson(ratio.hits, ratio.total, confidence=CONFIDENCE)
    images = [(case, float(hit), float(not hit)) for case, hit in right.items()]
    return by_cluster(proportion(ratio.hits, ratio.total), images, clusters).interval(CONFIDENCE)


def proportion(hits: int, total: int) -> Evidence:
    """What so many of so many images say, all weighing the same."""
    return Evidence(right=_groups([(1.0, hits)]), wrong=_groups([(1.0, total - hits)]))


def _mean(mean: ImageMean, part: Report) -> Evidence:
    """What numbers from 0 to 1 say of their mean: each image is right to that part.

    A number between two steps is counted in parts as both, which keeps the mean and only adds
    spread, so that ten thousand different numbers take no longer than the steps.
    """
    counts: defaultdict[float, float] = defaultdict(float)
    for _, value in mean.values(part):
        low = math.floor(value * _STEPS)
        counts[low / _STEPS] += 1 - (value * _STEPS - low)
        counts[(low + 1) / _STEPS] += value * _STEPS - low
    return Evidence(
        right=tuple((step, count) for step, count in counts.items() if step == 1 and count),
        wrong=tuple((1.0, count) for step, count in counts.items() if step == 0 and count),
        mixed=tuple(
            (step, 1 - step, count)
            for step, count in sorted(counts.items())
            if 0 < step < 1 and count
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AverageWeights:
    """How an average of a ratio over classes is a share of weighted images.

    Every class hands its weight out in equal parts: for recall to the images that show it, for
    precision to the answers that name it, for F1 to both, so that an image has a part as what it
    shows and a part as what it is called. The weight of the right ones is the average.

    Attributes:
        by_shown: Of an image by the place of the class that it shows.
        by_named: Of an image by the place of the class that it is called.
        unknown: The share of the average that is of classes without anything to measure.
    """

    by_shown: Sequence[float]
    by_named: Sequence[float]
    unknown: float

    def of(self, shown: int, named: int | None) -> float:
        """The weight of an image; `named` is ``None`` for an answer without a label."""
        return self.by_shown[shown] + (0.0 if named is None else self.by_named[named])

    @property
    def heaviest_right(self) -> float:
        """The most that an image can weigh that is answered right."""
        return max(map(sum, zip(self.by_shown, self.by_named, strict=True)), default=1.0)

    @property
    def heaviest_wrong(self) -> float:
        """The most that one can weigh that is called another class or nothing."""
        return _heaviest_mistake(self.by_shown, self.by_named)


def average_weights(average: Average, confusion: Confusion) -> AverageWeights:
    """The weights of images in an average over classes."""
    by_shown, by_named, unknown = _shares(confusion, average.of, average.weights(confusion))
    return AverageWeights(by_shown=by_shown, by_named=by_named, unknown=unknown)


def _average(average: Average, confusion: Confusion) -> Evidence:
    """An average of a ratio over classes, as a share of weighted images."""
    weights = average_weights(average, confusion)
    by_shown, by_named = weights.by_shown, weights.by_named
    return Evidence(
        right=_groups(
            (by_shown[place] + by_named[place], row.get(place, 0))
            for place, row in enumerate(confusion.cells)
        ),
        wrong=_groups(
            [
                (by_shown[actual] + by_named[predicted], count)
                for actual, row in enumerate(confusion.cells)
                for predicted, count in row.items()
                if actual != predicted
            ]
            + list(zip(by_shown, confusion.unparsed, strict=True))
        ),
        unseen_right=weights.heaviest_right,
        unseen_wrong=weights.heaviest_wrong,
        unknown=weights.unknown,
        lean=_lean(confusion, average.of, average.weights(confusion)),
    )


def _shares(
    confusion: Confusion, kind: Kind, weights: list[int]
) -> tuple[list[float], list[float], float]:
    """What an image weighs by the class that it shows and by the one that it is called.

    The third is the share of the average that is of classes without anything to measure.
    """
    named = [sum(column.values()) for column in confusion.sources]
    shown = [score.support for score in confusion.scores]
    total = sum(weights)
    by_shown, by_named = [0.0] * len(shown), [0.0] * len(shown)
    empty = 0
    for place, weight in enumerate(weights):
        takers = shown[place] * (kind != "precision") + named[place] * (kind != "recall")
        if not weight:
            continue
        if not takers:
            empty += weight
            continue
        part = weight / total / takers
        by_shown[place] = part if kind != "precision" else 0.0
        by_named[place] = part if kind != "recall" else 0.0
    return by_shown, by_named, empty / total if total else 0.0


def _lean(confusion: Confusion, kind: Kind, weights: list[int]) -> float:
    """By how much an average of ratios is above that of endlessly many images, on average.

    A ratio X/D whose denominator depends on chance is biased by about
    ``(X/D Var(D) - Cov(X, D)) / D²`` (Cochran, Sampling Techniques, 3rd ed. 1977, section 6.8).
    It does not average out over many small classes. The number of images that show a class is
    fixed, so that the recall has none; how many answers name it is not.
    """
    if kind == "recall" or not sum(weights):
        return 0.0
    scores = confusion.scores
    pooled = 1 - (confusion.accuracy.value or 0.0)
    found = 0.0
    for place, score in enumerate(scores):
        # A class of which no image is called so has no spread.
        column = confusion.sources[place]
        spread = {
            actual: _spread(count, scores[actual].support, pooled)
            for actual, count in column.items()
        }
        named = sum(column.values())
        double, taken = (1, named) if kind == "precision" else (2, named + score.support)
        if taken:
            ratio = double * column.get(place, 0) / taken
            lean = (ratio * sum(spread.values()) - double * spread.get(place, 0.0)) / taken**2
            found += weights[place] * lean
    return found / sum(weights)


def _spread(count: int, images: int, pooled: float) -> float:
    """Variance of a count among so many images; of a single one its own tells nothing."""
    if images > 1:
        return count * (1 - count / images) * images / (images - 1)
    return count * pooled


def _heaviest_mistake(by_shown: Sequence[float], by_named: Sequence[float]) -> float:
    """The most that an image of one class, called another or nothing, can weigh."""
    # The heaviest class to be called by, or the second for images of the heaviest itself.
    order = sorted(range(len(by_named)), key=lambda place: -by_named[place])[:2]
    return max(
        (
            shown + max((by_named[place] for place in order if place != actual), default=0.0)
            for actual, shown in enumerate(by_shown)
        ),
        default=1.0,
    )


def _groups(parts: Iterable[tuple[float, int]]) -> Groups:
    """Added up by weight and sorted, so that the order of classes and images never matters."""
    counts: Counter[float] = Counter()
    for weight, count in parts:
        if weight and count:
            counts[weight] += count
    return tuple(sorted(counts.items()))
