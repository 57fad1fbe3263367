"""Which images are hard: how many of several tasks are right on each.

An image that every task has wrong is a reason to look at its label, and no more than that: tasks
that share a model or a prompt err together. What all of them call it instead is told for that.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmclf.analysis.leaderboard.common_images import CommonImages
    from pytest_llmclf.metrics.report import Report

RightBy = Literal["all", "some", "one", "none"]
"""Which tasks are right on an image; "some" is more than one and not all."""
RIGHT_BY: Final[tuple[RightBy, ...]] = get_args(RightBy)
TAG: Final = "right_by"
"""Name of the tag that holds it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HardImage:
    """An image that no task is right on.

    Attributes:
        case: Its id.
        expected: Its label.
        answer: What most of them say; of equally frequent answers the first by name.
        times: How many say that.
    """

    case: str
    expected: str
    answer: str
    times: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Difficulty:
    """How many tasks are right on each image that all of them answered.

    Attributes:
        tasks: How many tasks there are.
        right_by: By case, which of them are right.
        only: By case that one task alone is right on, that task.
        hard: The images that none is right on; those first that most call the same.
        left_out: Images that some tasks have and not all answered; in no count.
    """

    tasks: int
    right_by: Mapping[str, RightBy]
    only: Mapping[str, Report]
    hard: tuple[HardImage, ...]
    left_out: int

    def counts(self) -> dict[RightBy, int]:
        """Images of each kind, zeros included."""
        found = Counter(self.right_by.values())
        return {kind: found[kind] for kind in RIGHT_BY}


def difficulty(images: CommonImages) -> Difficulty:
    """How many of several tasks are right on each of their common images.

    Args:
        images: Of two tasks or more.
    """
    tasks = len(images.reports)
    right = images.right.sum(axis=0).tolist()
    right_by = {
        case: _kind(number, tasks) for case, number in zip(images.cases, right, strict=True)
    }
    first = images.right.argmax(axis=0).tolist()
    return Difficulty(
        tasks=tasks,
        right_by=right_by,
        only={
            case: images.reports[place]
            for case, place in zip(images.cases, first, strict=True)
            if right_by[case] == "one"
        },
        hard=tuple(
            sorted(
                (_hard(images, case) for case in images.cases if right_by[case] == "none"),
                key=lambda one: (-one.times, one.case),
            )
        ),
        left_out=len(images.left_out),
    )


def _kind(right: int, tasks: int) -> RightBy:
    if right == 0:
        return "none"
    if right == tasks:
        return "all"
    return "one" if right == 1 else "some"


def _hard(images: CommonImages, case: str) -> HardImage:
    said = Counter(side[case].said for side in images.sides)
    answer, times = min(said.items(), key=lambda one: (-one[1], one[0]))
    expected = images.sides[0][case].wanted
    return HardImage(case=case, expected=expected, answer=answer, times=times)
