"""Every pair of tasks compared on the same images, and what that shows of the best one.

All pairs are one family of tests: by Holm's method any false statement among them comes up in at
most 5% of all cases. The best task is itself chosen by its answers, and that changes nothing: it is
only said of pairs of this family that one is worse than the other, and whichever task the answers
choose as the best, its pairs are in it (all pairs: Hsu, Multiple Comparisons, 1996, section 5.1;
Holm's method holds however the tests depend on each other). Had it been held against the others
alone, as if it had been chosen beforehand, the best of several equal tasks would be luck, and that
luck would be called a finding (`benchmarks/leaderboard.py` counts both).

The same goes for the intervals of differences to the best: each has its part of the 5%, for all
pairs at once (Bonferroni). Holm's method shows a little more, so that such an interval may touch 0
where a task is shown to be worse.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Final, Literal

from pytest_llmclf.analysis.comparison.flips import SIGNIFICANCE
from pytest_llmclf.analysis.leaderboard.common_images import CommonImages, common_images
from pytest_llmclf.gates.evidence import share_interval
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.significance import holm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmclf.metrics.intervals import Interval
    from pytest_llmclf.metrics.report import Report

Standing = Literal["shown to be the best", "best here", "not told apart from the best", "worse"]
"""What is shown of a task: better than every other; no more than that it has most right; nothing;
worse than the one that has most right."""
DECLARED: Final = "as declared"
"""What the evaluation without a variant is called among its variants."""
FEWEST: Final = 2
"""Tasks that a leaderboard takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the answers of several tasks show of which is best.

    Attributes:
        order: Their places, by right answers; equal ones in the order given.
        standings: By place, what is shown.
        p_values: Of every pair of places, the smaller one first, adjusted for all of them (Holm).
    """

    order: tuple[int, ...]
    standings: Mapping[int, Standing]
    p_values: Mapping[tuple[int, int], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """One task.

    Attributes:
        report: Its report.
        place: Its place in `CommonImages.reports`.
        accuracy: On the common images.
        interval: Plausible accuracies for images like these, 95% of each by itself; ``None`` where
            there is none.
        difference: Accuracy minus that of the best task, at most 0.
        difference_interval: Plausible values of it, for all pairs at once; ``None`` for the best
            and where there is none.
        p_value: Of the comparison with the best, adjusted for all pairs; ``None`` for the best, and
            where no test holds.
        standing: What is shown.
        judged: The report of its answers to the common images alone, for what those cost.
    """

    report: Report
    place: int
    accuracy: Ratio
    interval: Interval | None
    difference: float
    difference_interval: Interval | None
    p_value: float | None
    standing: Standing
    judged: Report

    @property
    def best(self) -> bool:
        """Whether it is the one that others are held against."""
        return self.standing in ("shown to be the best", "best here")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Leaderboard:
    """The tasks of one evaluation, the one with most right answers first.

    Attributes:
        evaluation: Name of the evaluation.
        images: The images that all of them answered.
        rows: One a task, by right answers; equal ones in the order given.
        p_values: `Judged.p_values`.
    """

    evaluation: str
    images: CommonImages
    rows: tuple[Ranked, ...]
    p_values: Mapping[tuple[int, int], float]

    @property
    def tests(self) -> int:
        """How many pairs there are."""
        return len(self.p_values)

    @property
    def winner(self) -> Ranked | None:
        """The task that is shown to be better than every other one."""
        return next((row for row in self.rows if row.standing == "shown to be the best"), None)

    @property
    def one_model(self) -> str:
        """The model that all tasks are variants of; empty where there are several."""
        every = [*self.images.reports, *(report for report, _ in self.images.apart)]
        models = {report.model for report in every}
        return every[0].model if len(models) == 1 else ""

    def called(self, report: Report) -> str:
        """What a task is called among the others: its model, its variant, or both."""
        return report.variant or DECLARED if self.one_model else report.configuration

    def p_value(self, first: Report, second: Report) -> float | None:
        """Adjusted p-value of a pair; ``None`` where one of them is not in it."""
        places = {id(report): place for place, report in enumerate(self.images.reports)}
        pair = sorted(places.get(id(one), -1) for one in (first, second))
        return self.p_values.get((pair[0], pair[1]))


def leaderboards(reports: Sequence[Report]) -> tuple[Leaderboard, ...]:
    """One of each evaluation that has several tasks, in the order given."""
    names = dict.fromkeys(report.evaluation for report in reports)
    found = (leaderboard([one for one in reports if one.evaluation == name]) for name in names)
    return tuple(board for board in found if board is not None)


def leaderboard(reports: Sequence[Report]) -> Leaderboard | None:
    """Rank the tasks of one evaluation; ``None`` where fewer than two have images in common.

    Args:
        reports: One a task.
    """
    if len(reports) < FEWEST:
        return None
    # Terminal, page, Markdown and files ask one after the other; reports never change.
    known = reports[0].worked_out.setdefault(__name__, {})
    same = tuple(map(id, reports))
    if same not in known:
        # The reports are kept with it, so that no other one takes the id of one of them.
        known[same] = (tuple(reports), _ranked(reports))
    board: Leaderboard | None = known[same][1]
    return board


def judge(images: CommonImages) -> Judged:
    """Which task has most right answers, and what all pairs together show of the others."""
    pairs = list(combinations(range(len(images.right)), 2))
    adjusted = holm([images.flips(*pair).p_value for pair in pairs])
    p_values = dict(zip(pairs, adjusted, strict=True))
    hits = images.right.sum(axis=1).tolist()
    order = sorted(range(len(hits)), key=lambda place: -hits[place])
    best, *others = order
    standings: dict[int, Standing] = {}
    for place in others:
        found = images.flips(best, place).direction(p_values[_pair(best, place)])
        standings[place] = "worse" if found == "worse" else "not told apart from the best"
    shown = all(standing == "worse" for standing in standings.values())
    standings[best] = "shown to be the best" if shown else "best here"
    return Judged(order=tuple(order), standings=standings, p_values=p_values)


def _ranked(reports: Sequence[Report]) -> Leaderboard | None:
    images = common_images(reports)
    if len(images.reports) < FEWEST or not images.cases:
        return None
    judged = judge(images)
    return Leaderboard(
        evaluation=reports[0].evaluation,
        images=images,
        rows=tuple(_row(images, judged, place) for place in judged.order),
        p_values=judged.p_values,
    )


def _row(images: CommonImages, judged: Judged, place: int) -> Ranked:
    best = judged.order[0]
    flips = images.flips(best, place)
    hits = int(images.right[place].sum())
    ratio = Ratio(hits=hits, total=len(images.cases))
    confidence = 1 - SIGNIFICANCE / len(judged.p_values)
    return Ranked(
        report=images.reports[place],
        place=place,
        accuracy=ratio,
        interval=_interval(images, place, ratio),
        difference=flips.difference or 0.0,
        difference_interval=None if place == best else flips.interval_at(confidence),
        p_value=None
        if place == best or flips.test == "none"
        else judged.p_values[_pair(best, place)],
        standing=judged.standings[place],
        judged=_judged_alone(images, place),
    )


def _judged_alone(images: CommonImages, place: int) -> Report:
    report, cases = images.reports[place], frozenset(images.cases)
    kept = tuple(found for found in report.outcomes if found.case in cases)
    return replace(report, outcomes=kept)


def _pair(one: int, other: int) -> tuple[int, int]:
    return min(one, other), max(one, other)


def _interval(images: CommonImages, place: int, ratio: Ratio) -> Interval | None:
    if images.not_asked:
        return None
    right = dict(zip(images.cases, images.right[place].tolist(), strict=True))
    return share_interval(ratio, right, dict(zip(images.cases, images.clusters, strict=False)))
