"""One comparison of a gate, such as ``recall[7]{style=photo} >= 0.6``."""

from __future__ import annotations

import json
import math
import operator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.metrics.population import part_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_llmclf.metrics.measure import Measure
    from pytest_llmclf.metrics.metric import Metric
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.case import Case

EVERY: Final = "*"
"""As a label: each class by itself."""
COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One comparison.

    Attributes:
        metric: What is compared, such as ``accuracy`` or ``recall``.
        sign: ``>=``, ``<=``, ``>`` or ``<``.
        number: The bound, from 0 to the metric's largest value.
        label: The class, for a metric of one class, or ``*`` for each of them; else ``None``.
        where: The slice, as (tag, value) pairs that an image must all have; empty: all images.
        coverage: For ``accuracy@coverage0.8``: the share of answers, the most confident ones,
            that the metric is of; else ``None``.
        confirmed: Whether it is about those images alone whose labels people confirmed or made
            right.
        own: The metric, where it is one of the evaluation's own and in no table.
    """

    metric: str
    sign: str
    number: float
    label: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    coverage: float | None = None
    confirmed: bool = False
    own: Metric | None = field(default=None, repr=False, compare=False)

    @property
    def spec(self) -> Metric:
        """What is known of the metric."""
        return METRICS[self.metric] if self.own is None else self.own

    @property
    def needs_probabilities(self) -> bool:
        """Whether it compares what only the probabilities of answers tell."""
        return self.spec.probabilities or self.coverage is not None

    @property
    def subject(self) -> str:
        """What is compared, as written."""
        text = self.metric
        if self.label is not None:
            text += f"[{_quoted(self.label, '[]')}]"
        if self.coverage is not None:
            text += f"@coverage{plain(self.coverage)}"
        if self.where:
            pairs = (
                f"{_quoted(tag, '{},=')}={_quoted(value, '{},=')}" for tag, value in self.where
            )
            text += "{" + ", ".join(pairs) + "}"
        return text

    @property
    def text(self) -> str:
        """The whole comparison, as written: ``recall[7] >= 0.6``."""
        which = " on confirmed labels" if self.confirmed else ""
        return f"{self.subject} {self.sign} {plain(self.number)}{which}"

    @property
    def upwards(self) -> bool:
        """Whether more is better."""
        return self.sign in (">", ">=")

    @property
    def worst(self) -> float:
        """The worst value that there is."""
        return self._end(largest=not self.upwards)

    @property
    def best(self) -> float:
        """The best value that there is."""
        return self._end(largest=self.upwards)

    def _end(self, *, largest: bool) -> float:
        most = self.spec.largest
        if most is None:
            return math.inf if largest else -math.inf
        return most if largest else 0.0

    def expanded(self, labels: Sequence[str]) -> tuple[Threshold, ...]:
        """One a class for ``*``; else itself."""
        if self.label != EVERY:
            return (self,)
        return tuple(replace(self, label=label) for label in labels)

    def part(self, report: Report) -> Report:
        """The report of the slice that it is about."""
        if not self.where and not self.confirmed:
            return report
        # Each class of `[*]` asks for the same one.
        known = report.worked_out.setdefault(f"{__name__}.part", {})
        key = (self.where, self.confirmed)
        if key not in known:
            known[key] = part_of(report, self.where, confirmed=self.confirmed)
        part: Report = known[key]
        return part

    def is_about(self, case: Case) -> bool:
        """Whether an image is in the slice that it is about."""
        if self.spec.strangers and not case.stranger:
            return False
        return all(case.tags.get(tag) == value for tag, value in self.where) and (
            not self.confirmed or (case.review is not None and case.review.settled)
        )

    def measure(self, report: Report) -> Measure:
        """The measured value in a report.

        Raises:
            ValueError: For ``*``; see `measures`.
            KeyError: The report has no such class.
        """
        if self.label == EVERY:
            raise ValueError(f"{self.subject} is one measure a class")
        return self.measures(report)[0][1]

    def measures(self, report: Report) -> tuple[tuple[Threshold, Measure], ...]:
        """The measured values: for ``*`` one a class, else one, each with its own threshold.

        Raises:
            KeyError: The report has no such class.
        """
        part, spec = self.part(report), self.spec
        if self.coverage is not None and spec.at_coverage is not None:
            return ((self, spec.at_coverage(part, self.coverage)),)
        if spec.whole is not None:
            return ((self, spec.whole(part)),)
        assert spec.by_class is not None  # noqa: S101 - a metric is of all classes or of each
        # All classes are counted at once: a thousand of them would be counted a thousand times.
        found = spec.by_class(part)
        return tuple((one, found[str(one.label)]) for one in self.expanded(tuple(found)))

    def holds(self, value: float) -> bool:
        """Whether a value satisfies it."""
        return COMPARISONS[self.sign](value, self.number)


def _quoted(text: str, special: str) -> str:
    """A label, tag or value as a gate writes it: in double quotes where it must be."""
    needed = text != text.strip() or not text or any(char in text for char in special + '"')
    return json.dumps(text, ensure_ascii=False) if needed else text


def plain(number: float) -> str:
    """A number without idle zeros and without loss: ``0.8``, ``1``."""
    short = f"{number:g}"
    return short if float(short) == number else repr(number)
