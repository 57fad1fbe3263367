"""A number that a function of a report came to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.metrics.confusion import Measure

if TYPE_CHECKING:
    from fractions import Fraction


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Computed(Measure):
    """A number, which may be undefined for a reason.

    Attributes:
        exact: The number; ``None`` where undefined.
        problem: Why it is undefined; may be empty.
    """

    exact: Fraction | None
    problem: str = ""

    @property
    def why(self) -> str:
        """Why it is undefined; may be empty."""
        return self.problem

    def __repr__(self) -> str:
        """Such as ``0.42`` or ``undefined (cost raised ...)``: what a failed assert shows."""
        value = "undefined" if self.value is None else repr(self.value)
        return f"{value} ({self.why})" if self.why else value
