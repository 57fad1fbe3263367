"""One comparison of a gate, such as ``recall[7]{style=photo} >= 0.6``."""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.metrics import Measure
    from pytest_llmclf.report import Report

_COMPARISONS: Final[dict[str, Callable[[float, float], bool]]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
WHOLE: Final[dict[str, Callable[[Report], Measure]]] = {
    "accuracy": lambda report: report.accuracy,
    "balanced_accuracy": lambda report: report.balanced_accuracy,
    "macro_precision": lambda report: report.macro.precision,
    "macro_recall": lambda report: report.macro.recall,
    "macro_f1": lambda report: report.macro.f1,
    "weighted_precision": lambda report: report.weighted.precision,
    "weighted_recall": lambda report: report.weighted.recall,
    "weighted_f1": lambda report: report.weighted.f1,
    "unparsed_rate": lambda report: report.unparsed_rate,
    "error_rate": lambda report: report.error_rate,
}
"""Metrics of all classes together."""
PER_CLASS: Final[dict[str, Callable[[Report, str], Measure]]] = {
    "precision": lambda report, label: report.precision[label],
    "recall": lambda report, label: report.recall[label],
    "f1": lambda report, label: report.f1[label],
}
"""Metrics of one class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """One comparison.

    Attributes:
        metric: What is compared, such as ``accuracy`` or ``recall``.
        sign: ``>=``, ``<=``, ``>`` or ``<``.
        number: The bound, from 0 to 1.
        label: The class, for a metric of one class; else ``None``.
        where: The slice, as (tag, value) pairs that an image must all have; empty: all images.
        coverage: For ``accuracy@coverage0.8``: the share of answers, the most confident ones,
            that the metric is of; else ``None``.
    """

    metric: str
    sign: str
    number: float
    label: str | None = None
    where: tuple[tuple[str, str], ...] = ()
    coverage: float | None = None

    @property
    def subject(self) -> str:
        """What is compared, as written."""
        text = self.metric if self.label is None else f"{self.metric}[{self.label}]"
        if self.coverage is not None:
            text += f"@coverage{self.coverage:g}"
        if self.where:
            text += "{" + ", ".join(f"{tag}={value}" for tag, value in self.where) + "}"
        return text

    def measure(self, report: Report) -> Measure:
        """The measured value in a report."""
        part = report.where(dict(self.where)) if self.where else report
        if self.label is None:
            return WHOLE[self.metric](part)
        return PER_CLASS[self.metric](part, self.label)

    def holds(self, value: float) -> bool:
        """Whether a value satisfies it."""
        return _COMPARISONS[self.sign](value, self.number)
