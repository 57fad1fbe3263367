"""How two sides differ in recall, F1 and macro averages, with paired intervals.

Such a score is no share of images, so its difference has no exact interval. Every image (with
groups and copies: every cluster) gets one random weight on both sides at once, as in the Bayesian
bootstrap (Rubin, Annals of Statistics 9, 1981, 130-134), and beside those seen there is one that
nobody saw, which the first side has right and the second wrong for the lower end, and the other way
round for the upper one (see `gate.bounds`). Seeded, and of a generator whose numbers never change.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.clusters import mean_size, sizes_of
from pytest_llmclf.stats import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_llmclf.comparison import Comparison
    from pytest_llmclf.outcome import Outcome
    from pytest_llmclf.report import Report

CONFIDENCE: Final = 0.95
"""Of each interval by itself: of a hundred of them about five miss."""
_DRAWS: Final = 4000
_FEWEST_DRAWS: Final = 1000
_MOST_NUMBERS: Final = 20_000_000
_SEED: Final = 20
_FEWEST_CLUSTERS: Final = 2


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
    # A fifth of a second to import; only a comparison needs it.

    labels = now.confusion.labels
    names: tuple[str, ...] = ("macro_recall", "macro_precision", "macro_f1")
    shown = {found.expected for found in now.outcomes if found.case in set(comparison.cases)}
    places = [place for place, label in enumerate(labels) if label in shown]
    names += tuple(f"recall[{labels[p]}]" for p in places)
    names += tuple(f"f1[{labels[p]}]" for p in places)
    clusters = dict(zip(comparison.cases, comparison.clusters or comparison.cases, strict=True))
    counts, times = _counts(before, now, labels, clusters, clustered=bool(comparison.clusters))
    size = mean_size(sizes_of(clusters, clusters))
    seen = counts.T @ times if not comparison.clusters else counts.sum(axis=0)
    whole = seen.reshape(1, 5, len(labels))
    first, second = (_scores(whole, side, places, whole)[0] for side in (0, 1))
    ends: Sequence[tuple[float, float] | None] = [None] * len(names)
    if not comparison.not_asked and len(set(clusters.values())) >= _FEWEST_CLUSTERS:
        ends = _ends(counts, times, whole, places, size)
    return tuple(
        ScoreDifference(
            name=name,
            before=float(one),
            now=float(two),
            stopped=bool(comparison.not_asked),
            interval=None
            if end is None
            else Interval(low=end[0], high=end[1], confidence=CONFIDENCE),
        )
        for name, one, two, end in zip(names, first, second, ends, strict=True)
    )


def _counts(
    before: Report, now: Report, labels: Sequence[str], clusters: dict[str, str], *, clustered: bool
) -> tuple[np.ndarray, np.ndarray]:
    """By cluster, or by kind of image: what it adds, and how many there are of that kind.

    Columns: images shown, then right and named of the first side, then of the second one.
    """
    import numpy as np

    place = {label: number for number, label in enumerate(labels)}
    sides = [{found.case: found for found in report.outcomes} for report in (before, now)]
    rows: defaultdict[Any, list[tuple[int, int, int]]] = defaultdict(list)
    for case, cluster in clusters.items():
        first, second = (side[case] for side in sides)
        cell = (place[first.expected], _named(first, place), _named(second, place))
        rows[cluster if clustered else cell].append(cell)
    counts = np.zeros((len(rows), 5, len(labels)))
    for row, cells in zip(counts, rows.values(), strict=True):
        for shown, *named in cells if clustered else cells[:1]:
            row[0, shown] += 1
            for side, name in enumerate(named):
                if name >= 0:
                    row[2 + 2 * side, name] += 1
                    row[1 + 2 * side, shown] += name == shown
    times = np.array([1 if clustered else len(cells) for cells in rows.values()], dtype=float)
    return counts.reshape(len(rows), -1), times


def _named(outcome: Outcome, place: dict[str, int]) -> int:
    return -1 if outcome.predicted is None else place[outcome.predicted]


def _scores(found: np.ndarray, side: int, places: Sequence[int], seen: np.ndarray) -> np.ndarray:
    """Draw by draw: the three averages, recall of each class, F1 of each class."""
    import numpy as np

    shown, right, named = found[:, 0], found[:, 1 + 2 * side], found[:, 2 + 2 * side]
    with np.errstate(divide="ignore", invalid="ignore"):
        recall = np.nan_to_num(right / shown)
        precision = np.nan_to_num(right / named)
        f1 = np.nan_to_num(2 * right / (shown + named))
    occurs = (seen[0, 0] + seen[0, 2 + 2 * side]) > 0
    averages = [each[:, occurs].mean(axis=1) for each in (recall, precision, f1)]
    return np.column_stack([*averages, recall[:, places], f1[:, places]])


def _ends(
    counts: np.ndarray, times: np.ndarray, seen: np.ndarray, places: Sequence[int], size: float
) -> list[tuple[float, float]]:
    """Both ends of every difference."""
    import numpy as np

    draws = max(_FEWEST_DRAWS, min(_DRAWS, _MOST_NUMBERS // max(1, counts.size)))
    chance = np.random.RandomState(_SEED)
    weights = chance.standard_gamma(times, size=(draws, len(times)))
    unseen = chance.standard_exponential(draws) * size
    found = (weights @ counts).reshape(draws, 5, -1)
    # For an average the smallest class, where one image more weighs most.
    least = min(places, key=lambda place: seen[0, 0, place])
    ends = []
    for loser, tail in ((1, (1 - CONFIDENCE) / 2), (0, (1 + CONFIDENCE) / 2)):
        every = _with_unseen(found, unseen, loser, slice(None))
        one = _with_unseen(found, unseen, loser, least)
        others = [place for place in range(found.shape[2]) if place != least]
        if others:
            called = min(others, key=lambda place: seen[0, 2 + 2 * loser, place])
            one[:, 2 + 2 * loser, called] += unseen
        both = [
            np.column_stack(
                [_scores(one, side, places, seen)[:, :3], _scores(every, side, places, seen)[:, 3:]]
            )
            for side in (0, 1)
        ]
        ends.append(np.quantile(both[1] - both[0], tail, axis=0))
    return [(float(low), float(high)) for low, high in zip(*ends, strict=True)]


def _with_unseen(
    found: np.ndarray, unseen: np.ndarray, loser: int, classes: int | slice
) -> np.ndarray:
    """With one more image of a class, which only the other side than `loser` has right."""
    more = found.copy()
    winner = 1 - loser
    for row in (0, 1 + 2 * winner, 2 + 2 * winner):
        more[:, row, classes] += unseen if isinstance(classes, int) else unseen[:, None]
    return more
