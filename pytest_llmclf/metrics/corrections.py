"""What corrected labels do to a report: what accuracy would be without, and whom they favour.

A label that is corrected since a model said otherwise, to what it said, can only make that model
look better: where it is wrong in the way of the label nobody was asked to look. So the share of
corrections that took over a model's answer is told, and how often labels were found wrong among
images that were drawn at random.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.report import once_a_report
from pytest_llmclf.values.outcome import ANSWERED

if TYPE_CHECKING:
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome


@once_a_report
def corrected(report: Report) -> tuple[Outcome, ...]:
    """The images whose right labels people changed, answered or not."""
    return tuple(
        found
        for found in report.outcomes
        if found.review is not None and found.review.status == "corrected"
    )


def accuracy_before(report: Report) -> Ratio | None:
    """Accuracy by the labels as they were; ``None`` where no answered image was corrected.

    Of the same images: those that people left out were not asked about.
    """
    changed = [found for found in corrected(report) if found.kind in ANSWERED]
    if not changed:
        return None
    before = sum(
        found.review is not None and found.predicted in found.review.original for found in changed
    )
    now = sum(found.kind == "correct" for found in changed)
    return Ratio(hits=report.accuracy.hits - now + before, total=report.accuracy.total)


def followed(report: Report) -> dict[str, int]:
    """By model: corrections that were proposed from its answer and took it over, most first."""
    counts = Counter(
        model
        for found in corrected(report)
        if found.review is not None
        for model in found.review.followed
    )
    return dict(sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])))


def label_facts(report: Report) -> dict[str, Any] | None:
    """All of it as JSON built-ins; ``None`` where nobody decided anything about a label."""
    if report.dataset.review is None:
        return None
    before = accuracy_before(report)
    return {
        "corrected": len(corrected(report)),
        "accuracy_before": None if before is None else before.value,
        "followed": followed(report),
    }
