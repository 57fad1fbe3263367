"""Which images a person is asked about, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_llmclf.analysis.label_review.review import review_labels
from pytest_llmclf.analysis.label_review.review_queue import review_queue
from pytest_llmclf.values.reviewed import ImageReview
from tests.unit.test_label_review import herd, report_of

if TYPE_CHECKING:
    from pytest_llmclf.analysis.label_review.review import LabelReview
    from pytest_llmclf.metrics.report import Report

CONFIRMED = ImageReview(status="confirmed", original=("cat",))


def found(review: ImageReview | None = None, case: str = "") -> tuple[LabelReview, list[Report]]:
    """Many images with one odd one; what was decided about a case."""
    outcomes = [
        replace(one, review=review) if one.case == case else one for one in herd(odd=("dog", "c"))
    ]
    reports = [report_of(outcomes)]
    return review_labels(reports)[0], reports


def test_candidates_come_first_then_the_sample_then_the_rest() -> None:
    """Each image once; of what is proposed nothing is in the control sample."""
    review, reports = found()
    queue = review_queue(review, reports, control=5, seed=1, everything=True)
    kinds = ["odd" if one.candidate else "control" if one.control else "" for one in queue.images]
    assert kinds == ["odd", *["control"] * 5, *[""] * (len(kinds) - 6)]
    assert len({one.case for one in queue.images}) == len(reports[0].outcomes)
    short = review_queue(review, reports, control=5, seed=1)
    assert short.images == queue.images[:6]


def test_the_limit_leaves_candidates_out_of_the_sample_too() -> None:
    """They are no images of which nothing is proposed."""
    review, reports = found()
    queue = review_queue(review, reports, control=1000, seed=1, limit=0)
    assert queue.waiting == 1
    assert "odd" not in {one.case for one in queue.images}
    assert len(queue.images) == len(reports[0].outcomes) - 1


def test_the_sample_is_drawn_by_the_seed() -> None:
    """The same again; another seed draws others, and a larger sample contains the smaller one."""
    review, reports = found()

    def drawn(control: int, seed: int) -> list[str]:
        queue = review_queue(review, reports, control=control, seed=seed, limit=0)
        return [one.case for one in queue.images]

    assert drawn(4, 1) == drawn(8, 1)[:4]
    assert any(drawn(4, 1) != drawn(4, seed) for seed in range(2, 6))


def test_what_is_decided_is_not_asked_again_nor_replaced() -> None:
    """The rest of the same sample is asked about, and no further image is drawn."""
    review, reports = found()
    before = [
        one.case for one in review_queue(review, reports, control=5, seed=1).images if one.control
    ]
    review, reports = found(CONFIRMED, before[2])
    after = [
        one.case for one in review_queue(review, reports, control=5, seed=1).images if one.control
    ]
    assert after == [case for case in before if case != before[2]]


def test_decisions_are_held_against_the_label_at_the_source() -> None:
    """What people were unsure about comes again, with the labels that the source gives it."""
    unsure = ImageReview(status="unsure", original=("dog", "cow"))
    review, reports = found(unsure, "odd")
    (odd,) = review_queue(review, reports, control=0, seed=1).images
    assert odd.was == ("dog", "cow")
    assert odd.labels == ("dog",)
