"""Which classes stand in a confusion matrix where there is no room for all of them.

Those that are confused, each beside what it is confused with: a class by itself shows that it is
answered wrong, and hides as what.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Final

from pytest_llmclf.reporting import numbers

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from pytest_llmclf.metrics.confusion import Averages, ClassScores, Confusion
    from pytest_llmclf.metrics.report import Report

_AGAIN: Final = 2
"""Mistakes from which on two classes are confused rather than met by chance once."""


def worst_first(confusion: Confusion) -> tuple[int, ...]:
    """All classes by their place among the labels, the clusters with most mistakes first.

    A cluster begins with the two classes that are most often taken for each other, either way, or
    with a class of which as many answers are missing or unread. It grows by the class that is most
    often confused with those that are in it, as long as no other two are confused more often, and
    more than once. Classes that are in no cluster come last, those with most mistakes first.

    Takes about as long as there are filled cells, however many pairs of classes there are.
    """
    links, mistakes = _links(confusion), _mistakes(confusion)
    starts = _starts(confusion, links, mistakes)
    order: dict[int, None] = {}
    near: list[tuple[int, int]] = []
    with_cluster: Counter[int] = Counter()
    next_start = 0

    def take(place: int) -> None:
        order[place] = None
        for other, count in links[place].items():
            if other not in order:
                with_cluster[other] += count
                heappush(near, (-with_cluster[other], other))

    while True:
        while near and (near[0][1] in order or -near[0][0] != with_cluster[near[0][1]]):
            heappop(near)
        while next_start < len(starts) and not order.keys().isdisjoint(starts[next_start][1]):
            next_start += 1
        grown = -near[0][0] if near else 0
        begun, members = starts[next_start] if next_start < len(starts) else (0, ())
        if max(grown, begun) < _AGAIN:
            break
        if grown >= begun:
            take(near[0][1])
            continue
        near.clear()
        with_cluster.clear()
        for place in members:
            take(place)
    rest = (place for place in range(len(confusion.labels)) if place not in order)
    return (*order, *sorted(rest, key=lambda place: (-mistakes[place], place)))


def fitting(confusion: Confusion, most: int) -> tuple[int, ...]:
    """The classes of a matrix of at most so many: all in their order, or the worst first."""
    everything = len(confusion.labels)
    return tuple(range(everything)) if everything <= most else worst_first(confusion)[:most]


def tail_keys(confusion: Confusion, shown: Sequence[int]) -> tuple[str, ...]:
    """The columns behind those of the shown classes; `others` where some are left out."""
    cut = len(shown) < len(confusion.labels)
    return ("others", "unparsed", "error") if cut else ("unparsed", "error")


def row_cells(
    confusion: Confusion, shown: Sequence[int], tails: Sequence[str], index: int
) -> list[int]:
    """One row of a matrix: the answers in the shown classes, then those of the `tails`."""
    row = confusion.cells[index]
    cells = [row.get(column, 0) for column in shown]
    tail = {
        "others": sum(row.values()) - sum(cells),
        "unparsed": confusion.unparsed[index],
        "error": confusion.error[index],
    }
    return cells + [tail[key] for key in tails]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTable:
    """Precision, recall, F1 and support as text; what terminal, Markdown and notebook show.

    Attributes:
        classes: By label, in the order of the labels; of many those with the lowest F1.
        averages: By name.
        rest: What is left out, in a sentence; empty for nothing.
    """

    classes: list[tuple[str, tuple[str, ...]]]
    averages: list[tuple[str, tuple[str, ...]]]
    rest: str


def score_table(report: Report, most: int | None, digits: int = 3) -> ScoreTable:
    """The scores of a report, of at most so many classes (``None``: all)."""
    scores = report.confusion.scores
    worst = sorted(scores, key=lambda one: (not one.occurs, one.f1.value or 0.0))
    listed = set(scores if most is None else worst[:most])
    rest = len(scores) - len(listed)

    def figures(of: ClassScores | Averages) -> tuple[str, ...]:
        ratios = (numbers.score(one, digits) for one in (of.precision, of.recall, of.f1))
        return *ratios, str(of.support)

    return ScoreTable(
        classes=[(one.label, figures(one)) for one in scores if one in listed],
        averages=[
            ("macro avg", figures(report.macro)),
            ("weighted avg", figures(report.weighted)),
        ],
        rest=f"The {len(listed)} classes with the lowest F1-score; {rest} more are not listed."
        if rest
        else "",
    )


def left_out(confusion: Confusion, shown: Collection[int]) -> str:
    """How many classes a matrix of these few leaves out, with how many images and mistakes."""
    rest = set(range(len(confusion.labels))).difference(shown)
    images = sum(confusion.scores[index].support for index in rest)
    right = sum(confusion.cells[index].get(index, 0) for index in rest)
    return (
        f"The {numbers.count(len(shown))} of {numbers.count(len(confusion.labels))} classes with "
        f"most mistakes, beside what they are confused with; left out: "
        f"{numbers.plural(len(rest), 'class', 'classes')} with "
        f"{numbers.plural(images, 'answered image')}, of which "
        f"{numbers.count(images - right)} wrong."
    )


def _links(confusion: Confusion) -> list[Counter[int]]:
    """By class, how often each other one is confused with it, either way."""
    found: list[Counter[int]] = [Counter() for _ in confusion.labels]
    for actual, row in enumerate(confusion.cells):
        for predicted, count in row.items():
            if actual != predicted:
                found[actual][predicted] += count
                found[predicted][actual] += count
    return found


def _mistakes(confusion: Confusion) -> list[int]:
    """Mistakes that each class takes part in, on either side."""
    found = [
        unread + failed for unread, failed in zip(confusion.unparsed, confusion.error, strict=True)
    ]
    for actual, row in enumerate(confusion.cells):
        for predicted, count in row.items():
            if actual != predicted:
                found[actual] += count
                found[predicted] += count
    return found


def _starts(
    confusion: Confusion, links: list[Counter[int]], mistakes: list[int]
) -> list[tuple[int, tuple[int, ...]]]:
    """What a cluster can begin with, most mistakes first; of two classes the worse one first."""

    def pairs() -> Iterator[tuple[int, tuple[int, ...]]]:
        for place, row in enumerate(links):
            for other, count in row.items():
                if place < other and count >= _AGAIN:
                    first, second = sorted((place, other), key=lambda one: (-mistakes[one], one))
                    yield count, (first, second)
        for place, (unread, failed) in enumerate(
            zip(confusion.unparsed, confusion.error, strict=True)
        ):
            if unread + failed >= _AGAIN:
                yield unread + failed, (place,)

    return sorted(pairs(), key=lambda start: (-start[0], start[1]))
