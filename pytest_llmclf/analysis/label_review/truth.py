"""How sure the truth is: what accuracy could be if the labels in doubt were wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.values.outcome import ANSWERED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.label_review.review import LabelReview
    from pytest_llmclf.metrics.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class AccuracyRange:
    """What accuracy is, and between what it lies whichever of some labels are wrong.

    Attributes:
        evaluation: Whose.
        configuration: On which model, and in which variant.
        accuracy: By the labels as they are.
        low: If every one of these labels on which the answer agrees were wrong.
        high: If every one of them were wrong and the answers right that name another label.
        confirmed: Answered images whose labels people confirmed or made right, among all.
    """

    evaluation: str
    configuration: str
    accuracy: Ratio
    low: Ratio
    high: Ratio
    confirmed: Ratio


def accuracy_ranges(
    review: LabelReview, reports: Sequence[Report], *, likely: bool = True
) -> tuple[AccuracyRange, ...]:
    """One a report of the review's dataset that has answers and did not stop early.

    No choice of wrong ones among these labels, and none of the right labels in their place, leads
    out of the range. It says nothing of labels that are not in doubt.

    Args:
        review: Which labels are in doubt.
        reports: Those that were reviewed.
        likely: Of the candidates those alone whose proposed label is at least as likely.
    """
    doubtful = {one.case for one in review.candidates if one.likely or not likely}
    return tuple(
        _range(report, doubtful)
        for report in reports
        if report.evaluation in review.evaluations
        and report.dataset.content_hash == review.content_hash
        and report.ledger.answered
        and not report.ledger.not_needed
    )


def _range(report: Report, doubtful: set[str]) -> AccuracyRange:
    answered = [one for one in report.outcomes if one.kind in ANSWERED]
    open_ = [one for one in answered if one.case in doubtful]
    right, total = report.accuracy.hits, report.accuracy.total
    agreeing = sum(one.kind == "correct" for one in open_)
    naming = sum(one.kind == "misclassified" for one in open_)
    settled = sum(one.review is not None and one.review.settled for one in answered)
    return AccuracyRange(
        evaluation=report.evaluation,
        configuration=report.configuration,
        accuracy=report.accuracy,
        low=Ratio(hits=right - agreeing, total=total),
        high=Ratio(hits=right + naming, total=total),
        confirmed=Ratio(hits=settled, total=len(answered)),
    )
