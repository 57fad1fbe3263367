"""What a measurement found, as plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Case:
    """A fixture: its task, its path in the task's folder, its label and its style or view."""

    task: str
    path: str
    label: str
    tag: str


@dataclass(frozen=True)
class Row:
    """A fixture with the free answer and the answer under a JSON schema."""

    case: Case
    text: str
    forced: str


@dataclass(frozen=True)
class Tally:
    """How many of how many."""

    correct: int
    total: int

    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval."""
        z, n = 1.959964, self.total
        if n == 0:
            return 0.0, 1.0
        p = self.correct / n
        middle, width = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
        return (middle - width) / (1 + z * z / n), (middle + width) / (1 + z * z / n)


@dataclass(frozen=True)
class Findings:
    """Everything that was measured.

    Attributes:
        rows: One a fixture.
        unknown: How often the answer was `unknown` where it should be, by situation.
        per_second: Pictures a second with several asked at a time.
    """

    rows: tuple[Row, ...]
    unknown: dict[str, Tally]
    per_second: float


def tally(rows: Iterable[Row], *, forced: bool = False) -> Tally:
    """How many answers are exactly the label."""
    hits = [(row.forced if forced else row.text) == row.case.label for row in rows]
    return Tally(sum(hits), len(hits))
