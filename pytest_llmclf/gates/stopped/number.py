"""Numbers that are printed and calculated with, and refuse to be compared."""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_llmclf.gates.gate import GateInconclusive, verdict_on
from pytest_llmclf.metrics.wording import all_of, stopped_after

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from pytest_llmclf.metrics.report import Report


class _NoLength(GateInconclusive, TypeError):
    """How many there are is not known; a `TypeError`, so that ``list(...)`` does without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a number comes from, for the sentence that refuses to compare it.

    Attributes:
        report: Of the run that stopped.
        name: How a test wrote it, such as ``report.recall['3']``.
    """

    report: Report
    name: str

    def of(self, more: str) -> Source:
        """A part of it."""
        return Source(report=self.report, name=f"{self.name}{more}")

    def refusal(
        self, shown: object, sign: str, error: type[GateInconclusive] = GateInconclusive
    ) -> GateInconclusive:
        """What is raised instead of an answer.

        Args:
            shown: The number.
            sign: The comparison, with what it is compared with.
            error: What to raise.
        """
        report = self.report
        these = all_of(report.ledger.collected, report.dataset.cases_in_dataset)
        stopped = stopped_after(report.ledger)
        text = (
            f"{self.name} {sign}: {shown!r} {stopped}; what {these} would "
            "give is not known: declare it as a gate of the evaluation, which then decides when to "
            "stop, or run without --llmclf-stop-early"
        )
        return error(text, [verdict_on(report, "INCONCLUSIVE", text, "sample")])


class Refusing:
    """What refuses to be compared."""

    __slots__ = ()

    def _refuse(self, sign: str, other: object) -> NoReturn:
        raise NotImplementedError

    def __lt__(self, other: object) -> bool:
        self._refuse("<", other)

    def __le__(self, other: object) -> bool:
        self._refuse("<=", other)

    def __gt__(self, other: object) -> bool:
        self._refuse(">", other)

    def __ge__(self, other: object) -> bool:
        self._refuse(">=", other)

    def __eq__(self, other: object) -> bool:
        self._refuse("==", other)

    def __ne__(self, other: object) -> bool:
        self._refuse("!=", other)

    def __hash__(self) -> int:
        raise NotImplementedError


def _of_one(operation: Callable[[Any], Any]) -> Callable[[StoppedNumber], Any]:
    """A method whose result is as little to be compared as the number."""

    def method(self: StoppedNumber) -> Any:
        return self._made(operation(_bare(self)))

    return method


def _of_two(
    operation: Callable[[Any, Any], Any],
) -> tuple[Callable[[StoppedNumber, Any], Any], Callable[[StoppedNumber, Any], Any]]:
    """The methods of a number before and behind the sign of an operation."""

    def before(self: StoppedNumber, other: Any) -> Any:
        return self._made(operation(_bare(self), _bare(other)))

    def behind(self: StoppedNumber, other: Any) -> Any:
        return self._made(operation(_bare(other), _bare(self)))

    return before, behind


class StoppedNumber(Refusing):
    """A number of a report whose run stopped early.

    No `int` or `float`: those would compare themselves with it unasked.

    Args:
        plain: The number.
        source: Where it comes from.
    """

    __slots__ = ("_plain", "_source")
    __array_ufunc__ = None
    """For numpy: leave operators to this class."""

    def __init__(self, plain: float | Fraction, source: Source) -> None:
        self._plain = plain
        self._source = source

    def _refuse(self, sign: str, other: object) -> NoReturn:
        raise self._source.refusal(self._plain, f"{sign} {other!r}")

    def __hash__(self) -> int:
        return hash(self._plain)

    def __bool__(self) -> bool:
        raise self._source.refusal(self._plain, "!= 0")

    def __repr__(self) -> str:
        return repr(self._plain)

    def __str__(self) -> str:
        return str(self._plain)

    def __format__(self, spec: str) -> str:
        return format(self._plain, spec)

    def __float__(self) -> float:
        return float(self._plain)

    def __int__(self) -> int:
        return int(self._plain)

    def __index__(self) -> int:
        return operator.index(self._plain)  # type: ignore[arg-type]

    def __round__(self, digits: int | None = None) -> Any:
        return self._made(round(self._plain, digits))

    __floor__ = _of_one(math.floor)
    __ceil__ = _of_one(math.ceil)
    __trunc__ = _of_one(math.trunc)
    __neg__ = _of_one(operator.neg)
    __abs__ = _of_one(operator.abs)
    __add__, __radd__ = _of_two(operator.add)
    __sub__, __rsub__ = _of_two(operator.sub)
    __mul__, __rmul__ = _of_two(operator.mul)
    __truediv__, __rtruediv__ = _of_two(operator.truediv)
    __floordiv__, __rfloordiv__ = _of_two(operator.floordiv)
    __mod__, __rmod__ = _of_two(operator.mod)
    __pow__, __rpow__ = _of_two(operator.pow)

    def __pos__(self) -> StoppedNumber:
        return self

    def _made(self, result: Any) -> Any:
        return StoppedNumber(result, Source(report=self._source.report, name="a calculation"))


def _bare(value: object) -> object:
    return value._plain if isinstance(value, StoppedNumber) else value  # noqa: SLF001 - its own


class StoppedTuple(tuple[Any, ...]):  # noqa: SLOT001 - a tuple can have none that hold anything
    """Outcomes or mistakes of a run that stopped early: which there are, and not how many.

    Attributes:
        source: Where it comes from.
    """

    source: Source

    def __len__(self) -> int:
        raise self.source.refusal(tuple.__len__(self), "as a number", _NoLength)

    def __bool__(self) -> bool:
        raise self.source.refusal(tuple.__len__(self), "as a number")

    def __eq__(self, other: object) -> bool:
        raise self.source.refusal(tuple.__len__(self), f"== {other!r}")

    def __ne__(self, other: object) -> bool:
        raise self.source.refusal(tuple.__len__(self), f"!= {other!r}")

    __hash__ = tuple.__hash__
