"""Labels in doubt, as a page shows them beside one evaluation and model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pytest_llmclf.analysis.label_review.truth import accuracy_ranges
from pytest_llmclf.reporting.doubtful_labels import looked_at_texts, range_text
from pytest_llmclf.reporting.html.cases import LONGEST, cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.label_review.review import LabelReview
    from pytest_llmclf.metrics.report import Report

_MOST: Final = 500
"""Most candidates of one dataset that a page holds; ``run.json`` has all."""


def page_doubts(report: Report, reviews: Sequence[LabelReview]) -> dict[str, Any] | None:
    """The review of a report's dataset, as JSON built-ins; ``None`` where there is none.

    Candidates name their image by its place among the report's outcomes.
    """
    review = next((one for one in reviews if report.evaluation in one.evaluations), None)
    if review is None or not review.candidates:
        return None
    places = {one.case: place for place, one in enumerate(report.outcomes)}
    here = [one for one in review.candidates if one.case in places]
    return {
        "texts": [
            cut(text, LONGEST)
            for text in (
                *looked_at_texts(review),
                *map(range_text, accuracy_ranges(review, [report], likely=False)),
            )
        ],
        "more": len(review.candidates) - len(here[:_MOST]),
        "candidates": [
            {
                "place": places[one.case],
                "sha256": one.sha256,
                "given": one.given,
                "proposed": one.proposed,
                "score": one.score,
                "named_by": list(one.named_by),
                "reasons": [cut(reason.text, LONGEST) for reason in one.reasons],
            }
            for one in here[:_MOST]
        ],
    }
