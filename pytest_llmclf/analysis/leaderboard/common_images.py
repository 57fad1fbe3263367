"""The images that every one of several tasks answered, and what each of them said.

An image takes part if every task has it and answered it; an answer without a label is a wrong one.
Only the first asking counts where there are several. Of a task that stopped early only what it had
looked at when it was decided takes part, and then for all tasks, since its answers chose when that
was. A task that answered nothing, or is not of the same images with the same labels, is left out
and takes no image from the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_llmclf.analysis.comparison.flips import Flips
from pytest_llmclf.analysis.comparison.paired_comparison import predictions_of, together
from pytest_llmclf.analysis.comparison.same_images import why_refused

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from pytest_llmclf.analysis.comparison.prediction import Prediction
    from pytest_llmclf.metrics.report import Report

NO_ANSWER = "no image has an answer"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CommonImages:
    """What several tasks say to the images that all of them answered.

    Attributes:
        cases: Ids of the images, sorted: the denominator of everything that is said of them.
        right: By task and image, whether the answer is right; of shape (tasks, images).
        reports: The tasks, in the order given, without those left out.
        sides: By task, what it says to each image that it has, those left out here included.
        apart: Tasks that are left out, each with the reason.
        lacking: By task, how many images are left out for want of its answer.
        left_out: Images that some tasks have and that do not take part.
        not_asked: Those of them that a task had not looked at when it stopped early.
        clusters: Of each of `cases`, which images are one piece of evidence (`clusters_of`); empty
            where every image is one by itself.
        group: Tag whose values those clusters are; empty where they are only copies.
    """

    cases: tuple[str, ...]
    right: np.ndarray
    reports: tuple[Report, ...] = ()
    sides: tuple[dict[str, Prediction], ...] = ()
    apart: tuple[tuple[Report, str], ...] = ()
    lacking: tuple[int, ...] = ()
    left_out: tuple[str, ...] = ()
    not_asked: tuple[str, ...] = ()
    clusters: tuple[str, ...] = ()
    group: str = ""
    # Worked out once by `sized`: images of each cluster, and by task how many of them are right.
    sizes: tuple[int, ...] = ()
    by_cluster: np.ndarray | None = None

    def flips(self, first: int, second: int) -> Flips:
        """The second task held against the first one, both by their places in `reports`."""
        one, other = self.right[first], self.right[second]
        clusters: tuple[tuple[int, int], ...] = ()
        if self.by_cluster is not None:
            nets = self.by_cluster[second] - self.by_cluster[first]
            clusters = tuple(zip(self.sizes, nets.tolist(), strict=True))
        return Flips(
            broken=int((one & ~other).sum()),
            fixed=int((other & ~one).sum()),
            common=len(self.cases),
            stopped=bool(self.not_asked),
            clusters=clusters,
        )


def common_images(reports: Sequence[Report]) -> CommonImages:
    """What these tasks of one evaluation say to the images that all of them answered.

    Args:
        reports: One a task. Those that fit the most of the others are kept.
    """
    import numpy as np

    told = [predictions_of(report) for report in reports]
    kept_places, apart = _fitting(reports, told)
    kept = [reports[place] for place in kept_places]
    sides = tuple(told[place] for place in kept_places)
    every = sorted(set().union(*sides))
    not_asked = {case for side in sides for case, one in side.items() if one.kind == "not_needed"}
    cases = tuple(
        case
        for case in every
        if case not in not_asked and all(case in side and side[case].answered for side in sides)
    )
    whole = [case for case in every if case not in not_asked]
    grouped = next((one for one in kept if one.group), kept[0] if kept else None)
    clusters = () if grouped is None else together(grouped.clusters, cases)
    right = np.array([[side[case].correct for case in cases] for side in sides], dtype=bool)
    right = right.reshape(len(sides), len(cases))
    taking_part = set(cases)
    found = CommonImages(
        reports=tuple(kept),
        cases=cases,
        sides=sides,
        right=right,
        apart=tuple(apart),
        lacking=tuple(
            sum(case not in side or not side[case].answered for case in whole) for side in sides
        ),
        left_out=tuple(case for case in every if case not in taking_part),
        not_asked=tuple(sorted(not_asked)),
        clusters=clusters,
        group="" if grouped is None else grouped.group,
    )
    return sized(found)


def _fitting(
    reports: Sequence[Report], told: Sequence[Mapping[str, Prediction]]
) -> tuple[list[int], list[tuple[Report, str]]]:
    """Places of the largest set of tasks of the same images, and why others are not in it."""

    def why_not(group: Sequence[int], place: int) -> str | None:
        # To be of the same images and labels is to be so with one of them; two orders of runs that
        # stopped early only clash with each other.
        stopped = [one for one in group if reports[one].ledger.not_needed]
        for other in dict.fromkeys([group[0], *stopped[:1]]):
            why = why_refused(reports[other], reports[place], told[other], told[place])
            if why is not None:
                return why
        return None

    groups: list[list[int]] = []
    for place, report in enumerate(reports):
        if report.ledger.answered:
            fitting = next((one for one in groups if why_not(one, place) is None), None)
            if fitting is None:
                groups.append([place])
            else:
                fitting.append(place)
    kept = max(groups, key=len, default=[])
    apart = [
        (report, NO_ANSWER if not report.ledger.answered else str(why_not(kept, place)))
        for place, report in enumerate(reports)
        if place not in kept
    ]
    return kept, apart


def sized(images: CommonImages) -> CommonImages:
    """The same with what every pair needs of its clusters."""
    import numpy as np

    if not images.clusters:
        return images
    sizes = Counter(images.clusters)
    place = {cluster: number for number, cluster in enumerate(sizes)}
    codes = np.array([place[cluster] for cluster in images.clusters])
    right = [np.bincount(codes, weights=row, minlength=len(sizes)) for row in images.right]
    return replace(
        images, sizes=tuple(sizes.values()), by_cluster=np.array(right).round().astype(int)
    )
