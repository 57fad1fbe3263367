"""Metrics that an evaluation brings: a function of the report, or the mean of one of each image.

Such a function may do anything. What it raises, and what is no number, makes the metric undefined
with the reason: the answers of a run are worth more than one number.
"""

from __future__ import annotations

import math
import re
import traceback
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING, Any

from pytest_llmclf.errors import SettingsError
from pytest_llmclf.metrics.measure import Computed, Measure
from pytest_llmclf.metrics.metric import ImageMean, Metric
from pytest_llmclf.metrics.metric_table import METRICS
from pytest_llmclf.values.text import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome

MetricFunction = Callable[[Any], "float | None"]
"""From a report to a number, or ``None`` where it is undefined."""
_LONGEST = 200


def own_metrics(given: Mapping[str, MetricFunction | ImageMean | Metric]) -> dict[str, Metric]:
    """The metrics of an evaluation, by name.

    Raises:
        SettingsError: A name is none or taken, or there is no function behind it.
    """
    for name, function in given.items():
        if not re.fullmatch(r"[^\W\d]\w*", str(name)):
            raise SettingsError(f"metrics: {name!r} is no name that a gate can write, such as cost")
        if name in METRICS:
            raise SettingsError(f"metrics: {name} is there already; call yours by another name")
        if not callable(function) and not isinstance(function, ImageMean | Metric):
            raise SettingsError(
                f"metrics: {name} is {function!r}; give a function of the report, or "
                "ImageMean(function of an outcome)"
            )
    return {name: _metric(name, function) for name, function in given.items()}


def _metric(name: str, given: MetricFunction | ImageMean | Metric) -> Metric:
    if isinstance(given, Metric):
        return replace(given, name=name)
    if isinstance(given, ImageMean):
        return Metric(
            name=name, whole=partial(_once, name, partial(_mean, name, given)), bound=given
        )
    return Metric(
        name=name,
        whole=partial(_once, name, partial(_of_report, name, given)),
        unsure="nobody knows how a function of the whole report varies (an ImageMean is known)",
        largest=None,
    )


def recorded(name: str, value: float | None, why: str, outcomes: Sequence[Outcome]) -> Metric:
    """A metric of a run that is read back: its function is not there, the number is.

    Args:
        name: As gates write it.
        value: What it came to.
        why: Why it is undefined.
        outcomes: Those that it is of; of a part of them, or of their answers read otherwise, it is
            not known.
    """
    of = _read(outcomes)

    def whole(report: Report) -> Computed:
        if _read(report.outcomes) != of:
            problem = f"{name} was recorded for all images together, as they were read then"
            return Computed(exact=None, problem=problem)
        return Computed(exact=None if value is None else Fraction(value), problem=why)

    return Metric(
        name=name, whole=whole, unsure="its function is not in the run's folder", largest=None
    )


def _read(outcomes: Iterable[Outcome]) -> list[tuple[object, ...]]:
    """What of outcomes a metric rests on, but for their probabilities and tags."""
    return [(one.case, one.expected, one.kind, one.predicted) for one in outcomes]


def rows(report: Report) -> dict[str, Measure]:
    """What reports show in rows of their own, for want of another place, by name."""
    found: dict[str, Measure] = {}
    strangers = any(outcome.stranger for outcome in report.outcomes)
    table = (one for one in METRICS.values() if one.row and (strangers or not one.strangers))
    for metric in (*table, *report.own_metrics):
        if metric.whole is not None:
            found[metric.name] = metric.whole(report)
        elif metric.by_class is not None:
            classes = metric.by_class(report)
            found |= {f"{metric.name}[{label}]": one for label, one in classes.items()}
    return found


def _once(name: str, compute: Callable[[Report], Computed], report: Report) -> Computed:
    """Worked out once a report: gates, tables, page and files ask for it one after the other."""
    known: dict[str, Computed] = report.worked_out.setdefault(__name__, {})
    if name not in known:
        try:
            known[name] = compute(report)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - sys.exit and pytest.skip among them
            text = traceback.format_exception_only(error)[-1].strip()
            known[name] = Computed(exact=None, problem=f"{name} raised {shorten(text, _LONGEST)}")
    return known[name]


def _of_report(name: str, function: MetricFunction, report: Report) -> Computed:
    found: object = function(report)
    if isinstance(found, Measure):
        found = found.value
    if found is None:
        return Computed(exact=None)
    if not isinstance(found, Real) or not math.isfinite(found):
        shown = shorten(repr(found), _LONGEST)
        return Computed(exact=None, problem=f"{name} gave back {shown}, which is no number")
    return Computed(exact=Fraction(float(found)))


def _mean(name: str, mean: ImageMean, report: Report) -> Computed:
    total, count = Fraction(0), 0
    value: object
    for outcome, value in mean.values(report):
        if not isinstance(value, Real) or not 0 <= float(value) <= 1:
            shown = shorten(repr(value), _LONGEST)
            problem = (
                f"{name} gave back {shown} for {outcome.case}, which is not from 0 to 1: divide "
                "by the most that there can be"
            )
            return Computed(exact=None, problem=problem)
        total, count = total + Fraction(float(value)), count + 1
    return Computed(exact=total / count if count else None)
