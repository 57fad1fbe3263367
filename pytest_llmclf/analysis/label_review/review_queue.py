"""Which images a person is shown to decide about their labels, and in which order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmclf.values.seeded import seeded_sample

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmclf.analysis.label_review.review import Candidate, LabelReview
    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.outcome import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedImage:
    """One image whose label a person is asked about.

    Attributes:
        case: Its id.
        sha256: Digest of its file.
        was: Its right labels at the source, the first one first; what decisions are held against.
        labels: Its right labels now: others where people decided so.
        candidate: Why its label is in doubt; ``None`` where nothing is proposed.
        control: Whether it was drawn at random among those of which nothing is proposed.
    """

    case: str
    sha256: str
    was: tuple[str, ...]
    labels: tuple[str, ...]
    candidate: Candidate | None = None
    control: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewQueue:
    """The images of one dataset that a person is asked about, in order.

    Attributes:
        images: Candidates, the most doubtful first; then the control sample; then all others,
            where they are wanted.
        waiting: Candidates that were left out by the limit.
    """

    images: tuple[QueuedImage, ...]
    waiting: int


def review_queue(
    review: LabelReview,
    reports: Sequence[Report],
    *,
    control: int,
    seed: int,
    limit: int | None = None,
    everything: bool = False,
) -> ReviewQueue:
    """The queue of a dataset.

    Images whose labels people confirmed or corrected are not in it. The control sample is drawn
    from all images of which nothing is proposed, those included: a second review asks about the
    same ones, less what is decided.

    Args:
        review: What was found of the dataset's labels.
        reports: Those of the run; of other datasets nothing is taken.
        control: Images in the control sample, at most.
        seed: Of the sample.
        limit: Most candidates.
        everything: Whether the images that are neither come, too.
    """
    outcomes = images_of(review, reports)
    open_ = {case for case, one in outcomes.items() if not (one.review and one.review.settled)}
    candidates = review.candidates[:limit]
    proposed = {one.case for one in review.candidates}
    others = sorted(outcomes.keys() - proposed)
    sample = seeded_sample(others, control, seed, purpose="control")
    drawn = [case for case in sample if case in open_]
    rest = sorted(open_.intersection(others).difference(sample)) if everything else []
    return ReviewQueue(
        images=(
            *(_queued(outcomes[one.case], candidate=one) for one in candidates),
            *(_queued(outcomes[case], control=True) for case in drawn),
            *(_queued(outcomes[case]) for case in rest),
        ),
        waiting=len(review.candidates) - len(candidates),
    )


def images_of(review: LabelReview, reports: Sequence[Report]) -> dict[str, Outcome]:
    """The images of a review's dataset by id, each as its first report has it."""
    found: dict[str, Outcome] = {}
    for report in reports_of(review, reports):
        for one in report.outcomes:
            found.setdefault(one.case, one)
    return found


def reports_of(review: LabelReview, reports: Sequence[Report]) -> tuple[Report, ...]:
    """The reports that a review is about."""
    return tuple(
        report
        for report in reports
        if report.dataset.name == review.dataset
        and report.dataset.content_hash == review.content_hash
        and report.evaluation in review.evaluations
    )


def _queued(
    outcome: Outcome, *, candidate: Candidate | None = None, control: bool = False
) -> QueuedImage:
    return QueuedImage(
        case=outcome.case,
        sha256=outcome.sha256,
        was=outcome.labels if outcome.review is None else outcome.review.original,
        labels=outcome.labels,
        candidate=candidate,
        control=control,
    )
