"""Ratios, matrices and counts of a run that stopped early, whose numbers refuse to be compared."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction
from typing import Any, NoReturn, TypeVar, cast

from pytest_llmclf.gates.stopped.number import Refusing, Source, StoppedNumber
from pytest_llmclf.metrics.case_counts import Ledger
from pytest_llmclf.metrics.confusion import Averages, ClassScores, Confusion
from pytest_llmclf.metrics.measure import Computed, Mean, Measure, Ratio
from pytest_llmclf.metrics.report_facts import Confused
from pytest_llmclf.values.outcome import ANSWERED

_Numbers = TypeVar("_Numbers")


class _Stopped(Refusing):
    """What measures of a run that stopped early have in common."""

    __slots__ = ()
    plain: Measure
    source: Source

    def _refuse(self, sign: str, other: object) -> NoReturn:
        raise self.source.refusal(self.plain, f"{sign} {other!r}")

    def __hash__(self) -> int:
        return hash(self.plain)

    def __repr__(self) -> str:
        return repr(self.plain)

    @property
    def value(self) -> float | None:
        """The value, not to be compared."""
        return guarded_numbers(self.plain.value, self.source.of(".value"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StoppedRatio(_Stopped, Ratio):
    """A ratio of a run that stopped early; hits and total are `StoppedNumber`.

    Attributes:
        plain: The ratio.
        source: Where it comes from.
    """

    plain: Ratio
    source: Source

    def __post_init__(self) -> None:
        """Nothing to check: the ratio was, when it was made."""

    @property
    def exact(self) -> Fraction | None:
        """The value without rounding, not to be compared."""
        return guarded_numbers(self.plain.exact, self.source.of(".exact"))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StoppedMean(_Stopped, Mean):
    """An average of a run that stopped early; `exact` and `classes` are `StoppedNumber`.

    Attributes:
        plain: The average.
        source: Where it comes from.
    """

    plain: Mean
    source: Source


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class StoppedComputed(_Stopped, Computed):
    """What an evaluation's own metric came to in a run that stopped early.

    Attributes:
        plain: The number.
        source: Where it comes from.
    """

    plain: Computed
    source: Source


class _Guarded:
    """What a matrix has under the same name, with its numbers guarded.

    Made when it is asked for, and kept: of a thousand classes the counts are a million numbers.
    """

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    def __get__(self, matrix: StoppedConfusion, _: type | None = None) -> Any:
        found = guarded_numbers(
            getattr(matrix.plain, self._name), matrix.source.of(f".{self._name}")
        )
        matrix.__dict__[self._name] = found
        return found


@dataclass(frozen=True, kw_only=True, eq=False, init=False)
class StoppedConfusion(Refusing, Confusion):
    """A confusion matrix of a run that stopped early; all counts are `StoppedNumber`.

    Attributes:
        plain: The matrix.
        source: Where it comes from.
    """

    plain: Confusion
    source: Source

    def __init__(self, plain: Confusion, source: Source) -> None:
        for name in ("labels", "error", "not_needed", "lost"):
            object.__setattr__(self, name, getattr(plain, name))
        object.__setattr__(self, "plain", plain)
        object.__setattr__(self, "source", source)

    def _refuse(self, sign: str, other: object) -> NoReturn:
        raise self.source.refusal("a matrix", f"{sign} {other!r}")

    def __hash__(self) -> int:
        return hash(self.plain)

    counts = _Guarded()
    unparsed = _Guarded()
    cells = _Guarded()
    sources = _Guarded()
    answered = _Guarded()
    correct = _Guarded()
    accuracy = _Guarded()
    unparsed_rate = _Guarded()
    error_rate = _Guarded()
    micro = _Guarded()
    macro = _Guarded()
    weighted = _Guarded()
    balanced_accuracy = _Guarded()

    @property
    def scores(self) -> tuple[ClassScores, ...]:
        """One entry a class, in the order of `labels`."""
        return tuple(
            replace(
                score,
                precision=self._of_class(score.precision, "precision", score.label),
                recall=self._of_class(score.recall, "recall", score.label),
                f1=self._of_class(score.f1, "f1", score.label),
                support=self._of_class(score.support, "support", score.label),
            )
            for score in self.plain.scores
        )

    def _of_class(self, value: _Numbers, name: str, label: str) -> _Numbers:
        return guarded_numbers(value, self.source.of(f".{name}[{label!r}]"))


@dataclass(frozen=True, slots=True, kw_only=True)
class StoppedLedger(Ledger):
    """The counts of a run that stopped early: those of answers are `StoppedNumber`.

    Attributes:
        plain: The counts.
    """

    plain: Ledger

    @property
    def balanced(self) -> bool:
        """Whether the parts add up to the collected."""
        return self.plain.balanced

    @property
    def unread(self) -> bool:
        """Whether no answer at all could be read."""
        return self.plain.unread

    def why_incomplete(self) -> str | None:
        """Why no gate may say PASS on it; ``None`` where one may."""
        return self.plain.why_incomplete()


def guarded_numbers(value: _Numbers, source: Source) -> _Numbers:
    """The value with every number in it guarded; its type is that of what it stands in for."""
    found: object = value
    match value:
        case bool():
            pass
        case int() | float() | Fraction():
            found = StoppedNumber(value, source)
        case Measure():
            found = _measure(value, source)
        case dict():
            found = {
                key: guarded_numbers(one, source.of(f"[{key!r}]")) for key, one in value.items()
            }
        case tuple():
            found = tuple(
                guarded_numbers(one, source.of(f"[{place}]")) for place, one in enumerate(value)
            )
        case Averages() | ClassScores() | Confused():
            parts = {
                one.name: guarded_numbers(getattr(value, one.name), source.of(f".{one.name}"))
                for one in fields(value)
            }
            found = replace(value, **parts)
    return cast("_Numbers", found)


def _measure(value: Measure, source: Source) -> Measure:
    if isinstance(value, Ratio):
        hits, total = (guarded_numbers(each, source) for each in (value.hits, value.total))
        return StoppedRatio(hits=hits, total=total, plain=value, source=source)
    if isinstance(value, Mean):
        exact, classes = (
            guarded_numbers(value.exact, source),
            guarded_numbers(value.classes, source),
        )
        return StoppedMean(exact=exact, classes=classes, plain=value, source=source)
    if isinstance(value, Computed):
        exact = guarded_numbers(value.exact, source)
        return StoppedComputed(exact=exact, problem=value.problem, plain=value, source=source)
    raise TypeError(f"{type(value).__name__} is not known here")


def guarded_ledger(source: Source) -> Ledger:
    """The counts of a report; what was collected, left out, lost or not answered is a fact."""
    plain = source.report.ledger
    given = {one.name: getattr(plain, one.name) for one in fields(plain)}
    for name in ANSWERED:
        given[name] = guarded_numbers(given[name], source.of(f".{name}"))
    return StoppedLedger(**given, plain=plain)


def guarded_confusion(plain: Confusion, source: Source) -> Confusion:
    """The matrix with its numbers guarded; itself, if no image of it was left out."""
    if not plain.not_needed:
        return plain
    return StoppedConfusion(plain, source)
