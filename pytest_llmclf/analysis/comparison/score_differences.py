"""How two sides differ in recall, F1 and macro averages, with paired intervals.

Such a score is no share of images, so its difference has no exact interval. Every image (with
groups and copies: every cluster) gets one random weight on both sides at once, as in the Bayesian
bootstrap (Rubin, Annals of Statistics 9, 1981, 130-134), and beside those seen there is one that
nobody saw, which the first side has right and the second wrong for the lower end, and the other way
round for the upper one (see `gate.bounds`). An average is a share of weighted images, as in a gate
(`gate.evidence.AverageWeights`): were each class weighed by itself, one of two images would hardly
vary. Seeded, and of a generator whose numbers never change.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.gates.evidence import average_weights
from pytest_llmclf.metrics.clusters import FEWEST_CLUSTERS, mean_size, sizes_of
from pytest_llmclf.metrics.confusion import Confusion
from pytest_llmclf.metrics.intervals import Interval
from pytest_llmclf.metrics.metric import Average
from pytest_llmclf.metrics.metric_table import METRICS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_llmclf.analysis.comparison.paired_comparison import Comparison
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

_AVERAGES: Final = {
    name: metric.bound
    for name, metric in METRICS.items()
    if isinstance(metric.bound, Average) and metric.bound.over == "occurring"
}
_PER_CLASS: Final = ("recall", "f1")
CONFIDENCE: Final = 0.95
"""Of each interval by itself: of a hundred of them about five miss."""
_DRAWS: Final = 4000
_FEWEST_DRAWS: Final = 1000
_MOST_NUMBERS: Final = 20_000_000
_SEED: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreDifference:
    """One score of both sides, on the images that both answered.

    Attributes:
        name: As a gate writes it: ``macro_f1``, ``recall[cat]``.
        before: Of the first side.
        now: Of the second side.
        interval: Plausible differences, second minus first, for images like these; ``None`` where
            a side stopped early and where all images are of one cluster.
        stopped: Whether a side stopped early.
    """

    name: str
    before: float
    now: float
    interval: Interval | None
    stopped: bool = False

    @property
    def difference(self) -> float:
        """Second minus first."""
        return self.now - self.before


def score_differences(
    before: Report, now: Report, comparison: Comparison
) -> tuple[ScoreDifference, ...]:
    """Macro averages, then recall and F1 of each class that an image shows.

    Args:
        before: The first side.
        now: The second side.
        comparison: Of both; nothing is said where it is refused.
    """
    if comparison.refused is not None or not comparison.common:
        return ()
    answers = _answers(before, now, comparison)
    first, second = answers.scores
    ends: Sequence[tuple[float, float] | None] = [None] * len(answers.names)
    if not comparison.not_asked and answers.clusters >= FEWEST_CLUSTERS:
        ends = _ends(answers)
    return tuple(
        ScoreDifference(
            name=name,
            before=one,
            now=two,
            stopped=bool(comparison.not_asked),
            interval=None
            if end is None
            else Interval(low=end[0], high=end[1], confidence=CONFIDENCE),
        )
        for name, one, two, end in zip(answers.names, first, second, ends, strict=True)
    )


_Cell = tuple[tuple[int, int], tuple[int | None, int | None]]
"""An image by places of labels: the class that it counts for on each side, which only differs where
it has several right labels, and what each side calls it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """What both sides say to the images that both answered.

    Attributes:
        rows: By cluster, or by kind of image: the cells of its images.
        times: How many clusters, or images, of that kind there are.
        places: The places of the classes that an image counts for on both sides.
        sides: The confusion of each side on these images.
        clusters: How many pieces of evidence there are.
        size: Images in the one that nobody saw.
    """

    rows: Sequence[Sequence[_Cell]]
    times: Sequence[int]
    places: Sequence[int]
    sides: tuple[Confusion, Confusion]
    clusters: int
    size: float

    @property
    def names(self) -> tuple[str, ...]:
        """Of the scores."""
        labels = [self.sides[0].labels[place] for place in self.places]
        return (*_AVERAGES, *(f"{kind}[{label}]" for kind in _PER_CLASS for label in labels))

    @property
    def scores(self) -> list[list[float]]:
        """Of each side, in that order."""
        return [
            [
                *(getattr(side.macro, average.of).value or 0.0 for average in _AVERAGES.values()),
                *(getattr(side.scores[place], kind).value or 0.0
                  for kind in _PER_CLASS for place in self.places),
            ]
            for side in self.sides
        ]  # fmt: skip


def _answers(before: Report, now: Report, comparison: Comparison) -> _Answers:
    labels = now.confusion.labels
    place = {label: number for number, label in enumerate(labels)}
    cases = set(comparison.cases)
    first, second = (
        {found.case: found for found in report.outcomes if found.case in cases}
        for report in (before, now)
    )
    clusters = dict(zip(comparison.cases, comparison.clusters or comparison.cases, strict=True))
    rows: defaultdict[Any, list[_Cell]] = defaultdict(list)
    for case, cluster in clusters.items():
        one, other = first[case], second[case]
        named = (_named(one, place), _named(other, place))
        cell = ((place[one.counts_for], place[other.counts_for]), named)
        rows[cluster if comparison.clusters else cell].append(cell)
    listed = list(rows.values())
    return _Answers(
        rows=listed if comparison.clusters else [cells[:1] for cells in listed],
        times=[1 if comparison.clusters else len(cells) for cells in listed],
        places=sorted(
            {shown[0] for cells in listed for shown, _ in cells}
            & {shown[1] for cells in listed for shown, _ in cells}
        ),
        sides=(
            Confusion.from_outcomes(labels, first.values()),
            Confusion.from_outcomes(labels, second.values()),
        ),
        clusters=len(set(clusters.values())),
        size=mean_size(sizes_of(clusters, clusters)),
    )


def _named(outcome: Outcome, place: dict[str, int]) -> int | None:
    return None if outcome.predicted is None else place[outcome.predicted]


def _ends(answers: _Answers) -> list[tuple[float, float]]:
    """Both ends of every difference."""
    import numpy as np

    numbers = len(answers.rows) * len(answers.places) * 6
    draws = max(_FEWEST_DRAWS, min(_DRAWS, _MOST_NUMBERS // max(1, numbers)))
    chance = np.random.RandomState(_SEED)
    times = np.array(answers.times, dtype=float)
    weights = chance.standard_gamma(times, size=(draws, len(times)))
    unseen = chance.standard_exponential(draws) * answers.size
    found = weights @ _class_counts(answers).reshape(len(times), -1)
    by_class = found.reshape(draws, 6, len(answers.places))
    ends = []
    for loser, tail in ((1, (1 - CONFIDENCE) / 2), (0, (1 + CONFIDENCE) / 2)):
        averages = [
            np.subtract(*(_shares(answers, weights, unseen, name, loser)[::-1]))
            for name in _AVERAGES
        ]
        classes = _class_differences(by_class, unseen, loser)
        ends.append(np.quantile(np.column_stack([*averages, classes]), tail, axis=0))
    return [(float(low), float(high)) for low, high in zip(*ends, strict=True)]


def _shares(
    answers: _Answers, weights: np.ndarray, unseen: np.ndarray, name: str, loser: int
) -> list[np.ndarray]:
    """Draw by draw an average of either side, with one more image that `loser` has wrong."""
    import numpy as np

    found = []
    for side, confusion in enumerate(answers.sides):
        weigh = average_weights(_AVERAGES[name], confusion)
        right, every = np.zeros(len(answers.rows)), np.zeros(len(answers.rows))
        for row, cells in enumerate(answers.rows):
            for cell in cells:
                shown, named = cell[0][side], cell[1][side]
                weight = weigh.of(shown, named)
                every[row] += weight
                right[row] += weight * (shown == named)
        if side == loser:
            hit, more = 0.0, weigh.heaviest_wrong
        else:
            hit = more = weigh.heaviest_right
        whole = weights @ every + unseen * more
        # An average over no class counts as 0, as where the scores themselves are told.
        share = np.divide(
            weights @ right + unseen * hit, whole, out=np.zeros(len(unseen)), where=whole > 0
        )
        found.append((1 - weigh.unknown) * share)
    return found


def _class_counts(answers: _Answers) -> np.ndarray:
    """By row and class: images shown, right and named of the first side, then of the second."""
    import numpy as np

    at = {place: number for number, place in enumerate(answers.places)}
    counts = np.zeros((len(answers.rows), 6, len(at)))
    for row, cells in zip(counts, answers.rows, strict=True):
        for cell in cells:
            for side in (0, 1):
                shown, name = cell[0][side], cell[1][side]
                if shown in at:
                    row[3 * side, at[shown]] += 1
                if name in at:
                    row[2 + 3 * side, at[name]] += 1
                    row[1 + 3 * side, at[name]] += name == shown
    return counts


def _class_differences(found: np.ndarray, unseen: np.ndarray, loser: int) -> np.ndarray:
    """Draw by draw, of recall and F1 of each class, with one more image of it."""
    import numpy as np

    more = found.copy()
    winner = 1 - loser
    for row in (0, 3, 1 + 3 * winner, 2 + 3 * winner):
        more[:, row] += unseen[:, None]
    recalls, f1s = [], []
    for side in (0, 1):
        shown, right, named = (more[:, row + 3 * side] for row in range(3))
        recalls.append(right / shown)
        f1s.append(2 * right / (shown + named))
    return np.column_stack([recalls[1] - recalls[0], f1s[1] - f1s[0]])
