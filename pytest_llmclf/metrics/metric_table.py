"""All metrics, one entry each: a new one is an entry here and a row in ``docs/statistics.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pytest_llmclf.metrics.metric import Average, Metric, Share

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_llmclf.metrics.measure import Measure
    from pytest_llmclf.metrics.report import Report


def _accuracy_at(report: Report, coverage: float) -> Measure:
    from pytest_llmclf.metrics.calibration.coverage import accuracy_at_coverage

    return accuracy_at_coverage(report, coverage)


def _ece(report: Report) -> Measure:
    from pytest_llmclf.metrics.calibration.scores import ece

    return ece(report)


def _brier(report: Report) -> Measure:
    from pytest_llmclf.metrics.calibration.scores import brier

    return brier(report)


def _latency(share: float) -> Callable[[Report], Measure]:
    def whole(report: Report) -> Measure:
        from pytest_llmclf.metrics.cost import latency

        return latency(report, share)

    return whole


def _tokens(report: Report) -> Measure:
    from pytest_llmclf.metrics.cost import tokens_written

    return tokens_written(report)


def _cost(report: Report) -> Measure:
    from pytest_llmclf.metrics.cost import cost_per_1000

    return cost_per_1000(report)


_EVERY_ANSWER: Final = "it is of what every answer took"
_LATENCY: Final = "within how many seconds do {}% of the answers come?"
_COSTS: Final = {
    "latency_p50": (_LATENCY.format(50), "seconds", _latency(0.5)),
    "latency_p95": (_LATENCY.format(95), "seconds", _latency(0.95)),
    "latency_p99": (_LATENCY.format(99), "seconds", _latency(0.99)),
    "tokens_mean": ("how much does it write an image?", "tokens", _tokens),
    "cost_per_1000": ("what do a thousand images cost?", "money", _cost),
}
_ALL: Final = (
    Metric(
        name="accuracy",
        question="how many answers are right?",
        whole=lambda report: report.accuracy,
        at_coverage=_accuracy_at,
        bound=Share(),
    ),
    Metric(
        name="balanced_accuracy",
        question="accuracy, if classes were equally frequent",
        whole=lambda report: report.balanced_accuracy,
        bound=Average(of="recall", over="shown"),
    ),
    Metric(
        name="macro_recall",
        question="recall of the average class",
        whole=lambda report: report.macro.recall,
        bound=Average(of="recall", over="occurring"),
    ),
    Metric(
        name="macro_precision",
        question="precision of the average class",
        whole=lambda report: report.macro.precision,
        bound=Average(of="precision", over="occurring"),
    ),
    Metric(
        name="macro_f1",
        question="F1 of the average class",
        whole=lambda report: report.macro.f1,
        bound=Average(of="f1", over="occurring"),
    ),
    Metric(
        name="weighted_recall",
        question="recall of the average class, large ones counting more",
        whole=lambda report: report.weighted.recall,
        bound=Share(counted=lambda report: report.accuracy),  # an average in name only
    ),
    Metric(
        name="weighted_precision",
        question="precision of the average class, large ones counting more",
        whole=lambda report: report.weighted.precision,
        bound=Average(of="precision", over="support"),
    ),
    Metric(
        name="weighted_f1",
        question="F1 of the average class, large ones counting more",
        whole=lambda report: report.weighted.f1,
        bound=Average(of="f1", over="support"),
    ),
    Metric(
        name="unparsed_rate",
        question="how often is there no label?",
        whole=lambda report: report.unparsed_rate,
        bound=Share(counts="unparsed"),
    ),
    Metric(
        name="false_accept",
        question="how often is an image of no class taken for one?",
        whole=lambda report: report.false_accept,
        bound=Share(counts="misclassified", strangers=True),
        row=True,
    ),
    Metric(
        name="error_rate",
        question="how often is there no answer?",
        whole=lambda report: report.error_rate,
        unsure="any error makes a gate INCONCLUSIVE as it is",
        needs_all="it counts images without an answer, and nothing is decided on a run that has "
        "any",
    ),
    Metric(
        name="ece",
        question="can its confidence be trusted?",
        whole=_ece,
        unsure="its bins bias it by an amount that depends on how many images there are",
        probabilities=True,
    ),
    Metric(
        name="brier",
        question="can its confidence be trusted?",
        whole=_brier,
        unsure="it is not a share of images",
        unit="score",
        largest=2.0,  # it adds up over all classes
        probabilities=True,
    ),
    Metric(
        name="recall",
        question="how many images of the class are seen?",
        by_class=lambda report: report.recall,
        bound=Share(of="recall"),
    ),
    Metric(
        name="precision",
        question="how far can an answer be trusted that names the class?",
        by_class=lambda report: report.precision,
        bound=Share(of="precision"),
    ),
    Metric(
        name="f1",
        question="recall and precision in one number",
        by_class=lambda report: report.f1,
        bound=Share(of="f1"),
    ),
    *(
        Metric(
            name=name,
            question=question,
            unit=unit,
            whole=whole,
            unsure="seconds and tokens are no share of images",
            needs_all=_EVERY_ANSWER,
            largest=None,
            cost=True,
        )
        for name, (question, unit, whole) in _COSTS.items()
    ),
)
METRICS: Final[dict[str, Metric]] = {metric.name: metric for metric in _ALL}
"""Every metric that a gate can name, by its name, in the order in which messages list them."""
