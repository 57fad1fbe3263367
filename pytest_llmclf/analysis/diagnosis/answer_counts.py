"""The counts that a diagnosis tests, so that no test walks over pairs of classes without an image.

A thousand classes have half a million pairs. Ten thousand answers fill at most as many of them:
what is looked at is what is filled, and sums over all others are made once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmclf.metrics.confusion import Confusion


@dataclass(frozen=True, kw_only=True)
class AnswerCounts:
    """Counts of the answers, by class.

    Attributes:
        cells: By actual class, images by predicted class; without zeros.
        sources: By predicted class, images by actual class; without zeros.
        images: Answered images.
        named: Those whose answer names a label.
        wrong: Those whose answer names another label.
        given: Answers that name the class.
    """

    cells: Sequence[Mapping[int, int]]
    sources: Sequence[Mapping[int, int]]
    images: tuple[int, ...]
    named: tuple[int, ...]
    wrong: tuple[int, ...]
    given: tuple[int, ...]

    @classmethod
    def of(cls, confusion: Confusion) -> AnswerCounts:
        """The counts of a confusion matrix."""
        named = tuple(sum(row.values()) for row in confusion.cells)
        return cls(
            cells=confusion.cells,
            sources=confusion.sources,
            images=tuple(map(sum, zip(named, confusion.unparsed, strict=True))),
            named=named,
            wrong=tuple(
                total - row.get(place, 0)
                for place, (total, row) in enumerate(zip(named, confusion.cells, strict=True))
            ),
            given=tuple(sum(column.values()) for column in confusion.sources),
        )

    @property
    def size(self) -> int:
        """How many classes there are."""
        return len(self.cells)

    def count(self, actual: int, predicted: int) -> int:
        """Images of a class that were answered as another, or as itself."""
        return self.cells[actual].get(predicted, 0)

    def right(self, place: int) -> int:
        """Images of a class that were answered as itself."""
        return self.count(place, place)

    def taken(self, place: int) -> int:
        """Images of other classes that were answered as this one."""
        return self.given[place] - self.right(place)

    def partners(self, place: int) -> list[int]:
        """The classes that are confused with this one, either way, in their order."""
        return sorted({*self.cells[place], *self.sources[place]} - {place})

    @cached_property
    def every_named(self) -> int:
        """All answers that name a label."""
        return sum(self.named)

    @cached_property
    def every_wrong(self) -> int:
        """All answers that name another label."""
        return sum(self.wrong)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """Every two classes of which an image of one was answered as the other, in their order."""
        found = {
            (min(actual, predicted), max(actual, predicted))
            for actual, row in enumerate(self.cells)
            for predicted in row
            if actual != predicted
        }
        return tuple(sorted(found))
