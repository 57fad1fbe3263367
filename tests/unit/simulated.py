"""Models whose chances are known, and reports of what they answer."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from pytest_llmclf.metrics import report, report_build
from pytest_llmclf.metrics.report_facts import DatasetFacts
from pytest_llmclf.values.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Chances = tuple[tuple[float, ...], ...]
"""``chances[actual][predicted]``; each row adds up to 1."""

TAGS = {"colour": 2, "set": 5, "scene": 20}
"""Tags of every image and how many values they have; none has to do with the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """A model and the images that it is asked about.

    Attributes:
        chances: How likely each class is answered as which.
        sizes: Images of each class.
    """

    chances: Chances
    sizes: tuple[int, ...]

    def reports(self, runs: int, seed: int) -> Iterator[report.Report]:
        """`runs` independent reports."""
        chance = random.Random(seed)  # noqa: S311 - a seeded simulation
        for _ in range(runs):
            yield self.report(chance)

    def report(self, chance: random.Random) -> report.Report:
        """What the model answers this time."""
        classes = range(len(self.sizes))
        outcomes = []
        for actual, size in enumerate(self.sizes):
            answers = chance.choices(classes, self.chances[actual], k=size)
            outcomes += [answer(actual, place, said) for place, said in enumerate(answers)]
        facts = DatasetFacts(name="simulated", content_hash="", labels=tuple(map(label, classes)))
        return report_build.build(
            evaluation="simulated", model="simulated", dataset=facts, outcomes=outcomes
        )


def label(place: int) -> str:
    """Name of a class."""
    return f"class-{place:03d}"


@cache
def answer(actual: int, place: int, said: int) -> Outcome:
    """One image and its answer; the tags are the image's."""
    case = f"{label(actual)}/{place:04d}.png"
    chance = random.Random(case)  # noqa: S311 - a seeded simulation
    return Outcome(
        evaluation="simulated",
        model="simulated",
        model_digest="",
        case=case,
        sha256="",
        expected=label(actual),
        kind="correct" if said == actual else "misclassified",
        predicted=label(said),
        tags={tag: f"{tag}-{chance.randrange(values)}" for tag, values in TAGS.items()},
    )


def even(accuracies: Sequence[float]) -> Chances:
    """Wrong answers spread evenly; one accuracy a class."""
    return tuple(
        tuple(
            accuracy if place == actual else (1 - accuracy) / (len(accuracies) - 1)
            for place in range(len(accuracies))
        )
        for actual, accuracy in enumerate(accuracies)
    )


def alike(groups: Sequence[Sequence[int]], accuracy: float, within: float) -> Chances:
    """Classes of a group are taken for each other: this share of the wrong answers stays in it.

    Args:
        groups: All classes, each in one group of at least two.
        accuracy: Of every class.
        within: Share of the wrong answers that name a class of the same group.
    """
    size = sum(map(len, groups))
    group_of = {place: group for group in groups for place in group}

    def chance(actual: int, place: int) -> float:
        group = group_of[actual]
        if place == actual:
            return accuracy
        if place in group:
            return (1 - accuracy) * within / (len(group) - 1)
        return (1 - accuracy) * (1 - within) / (size - len(group))

    return tuple(tuple(chance(actual, place) for place in range(size)) for actual in range(size))


def blind(answers: Sequence[float]) -> Chances:
    """The same chances of the answers whatever the image shows."""
    return tuple(tuple(answers) for _ in answers)


def drawn(chances: Chances, target: int, share: float, sources: Sequence[int]) -> Chances:
    """As `chances`, but in `sources` this share of everything goes to class `target` instead."""
    rows = [list(row) for row in chances]
    for source in sources:
        rows[source] = [(1 - share) * chance for chance in rows[source]]
        rows[source][target] += share
    return tuple(map(tuple, rows))


def similar(size: int, accuracy: float, seed: int) -> Chances:
    """Luce's choice model with symmetric likenesses of any kind and no bias to any answer.

    Luce, Detection and recognition, Handbook of Mathematical Psychology I, 1963: the chance of
    answering j to i is the likeness of both over the likenesses of i to all.
    """
    chance = random.Random(seed)  # noqa: S311 - a seeded simulation
    places = [(chance.gauss(0, 1), chance.gauss(0, 1)) for _ in range(size)]
    scale = 1.0
    while True:
        likeness = [
            [2.0 ** (-scale * ((a - c) ** 2 + (b - d) ** 2)) for c, d in places] for a, b in places
        ]
        rows = tuple(tuple(value / sum(row) for value in row) for row in likeness)
        if sum(row[place] for place, row in enumerate(rows)) / size >= accuracy:
            return rows
        scale *= 1.1
