"""Numbers of a report: counted, averaged or computed, perhaps undefined, and compared exactly."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable


class Measure:
    """A number, mostly between 0 and 1, that may be undefined, and compares like a number.

    Where it is undefined every comparison is false, as with NaN: an undefined recall passes no
    ``>= 0.6`` and no ``<= 0.6``. Comparing is exact: 3/5 is ``>= 0.6``.
    """

    __slots__: ClassVar[tuple[str, ...]] = ()

    @property
    def exact(self) -> Fraction | None:
        """The value without rounding; ``None`` where undefined."""
        raise NotImplementedError

    @property
    def value(self) -> float | None:
        """The value as the nearest float; ``None`` where undefined."""
        exact = self.exact
        return None if exact is None else float(exact)

    @property
    def why(self) -> str:
        """Why it is undefined, where that is known of the number alone; mostly empty."""
        return ""

    def _with(self, more: str) -> str:
        """The value as an assert that fails shows it, with more in brackets if there is any."""
        value = "undefined" if self.value is None else repr(self.value)
        return f"{value} ({more})" if more else value

    def _compares(self, sign: Callable[[float, float], bool], other: float | Measure) -> bool:
        mine, theirs = self.value, _value_of(other)
        return mine is not None and theirs is not None and sign(mine, theirs)

    def __ge__(self, other: float | Measure) -> bool:
        """Whether both are defined and this one is not below."""
        return self._compares(operator.ge, other)

    def __gt__(self, other: float | Measure) -> bool:
        """Whether both are defined and this one is above."""
        return self._compares(operator.gt, other)

    def __le__(self, other: float | Measure) -> bool:
        """Whether both are defined and this one is not above."""
        return self._compares(operator.le, other)

    def __lt__(self, other: float | Measure) -> bool:
        """Whether both are defined and this one is below."""
        return self._compares(operator.lt, other)

    def __eq__(self, other: object) -> bool:
        """Whether it is this number; two measures are equal when they also count the same."""
        if isinstance(other, Measure):
            return type(self) is type(other) and all(
                getattr(self, name) == getattr(other, name) for name in self.__slots__
            )
        if isinstance(other, int | float):
            return self.value == other
        return NotImplemented

    def __hash__(self) -> int:
        """As the number's."""
        return hash(self.value)

    def __add__(self, other: float | Measure) -> float:
        """The sum as a number, and NaN where one is undefined; so with the other operations."""
        return _number(self) + _number(other)

    def __radd__(self, other: float) -> float:
        """As `__add__`, which `sum` begins with 0."""
        return other + _number(self)

    def __sub__(self, other: float | Measure) -> float:
        """The difference."""
        return _number(self) - _number(other)

    def __rsub__(self, other: float) -> float:
        """The difference to a number."""
        return other - _number(self)

    def __mul__(self, other: float | Measure) -> float:
        """The product."""
        return _number(self) * _number(other)

    __rmul__ = __mul__

    def __truediv__(self, other: float | Measure) -> float:
        """The quotient."""
        return _number(self) / _number(other)

    def __bool__(self) -> bool:
        """As a number's: false at 0, so that ``assert report.recall["7"]`` can fail."""
        return bool(self.value)


def _number(number: float | Measure) -> float:
    value = _value_of(number)
    return math.nan if value is None else value


def _value_of(number: float | Measure) -> float | None:
    return number.value if isinstance(number, Measure) else number


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Ratio(Measure):
    """So many of so many.

    Attributes:
        hits: Numerator, a count.
        total: Denominator, a count; 0 makes the ratio undefined.
    """

    hits: int
    total: int

    def __post_init__(self) -> None:
        if not 0 <= self.hits <= self.total:
            raise ValueError(f"{self.hits} of {self.total} is no ratio")

    @property
    def exact(self) -> Fraction | None:
        """The value without rounding; ``None`` where the denominator is 0."""
        return Fraction(self.hits, self.total) if self.total else None

    def __repr__(self) -> str:
        """Such as ``0.792 (396/500)``: what pytest shows when an assert fails."""
        return self._with(f"{self.hits}/{self.total}")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Mean(Measure):
    """An average over classes.

    Attributes:
        exact: The average without rounding; ``None`` where there is no class.
        classes: Over how many classes.
    """

    exact: Fraction | None
    classes: int

    def __repr__(self) -> str:
        """Such as ``0.8042 (10 classes)``: what pytest shows when an assert fails."""
        return self._with(f"{self.classes} classes")


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
        return self._with(self.why)
