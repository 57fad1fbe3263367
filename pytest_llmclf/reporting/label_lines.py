"""What people decided about labels, and what that does to the numbers, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.errors import some_of
from pytest_llmclf.gates.evidence import CONFIDENCE
from pytest_llmclf.metrics.corrections import accuracy_before, corrected, followed
from pytest_llmclf.metrics.intervals import clopper_pearson
from pytest_llmclf.metrics.measure import Ratio
from pytest_llmclf.metrics.wording import when_stopped
from pytest_llmclf.reporting import numbers
from pytest_llmclf.values.text import noun

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmclf.metrics.report import Report
    from pytest_llmclf.values.reviewed import DatasetReview


def label_texts(report: Report) -> tuple[str, ...]:
    """One sentence a fact; none where an image has one label and nobody decided about any."""
    review = report.dataset.review
    found = [*_several(report), *_strangers(report)]
    if review is not None:
        found += [*_decided(report, review), *open_texts(review), *_favoured(report, review)]
    return tuple(found)


def _several(report: Report) -> Iterator[str]:
    several = sum(bool(found.also) for found in report.outcomes)
    if several:
        yield (
            f"{numbers.plural(several, 'image has', 'images have')} several right labels: an "
            "answer is right if it is any of them, and the image then counts for that class; the "
            "diagnosis leaves such images out"
        )


def _strangers(report: Report) -> Iterator[str]:
    """Images of no class: how many were taken for one, and which classes were called none."""
    none, share = report.none_label, report.false_accept
    if not share.total:
        return
    found = report.confusions()
    taken = [one for one in found if one.expected == none]
    called = [one for one in found if one.predicted == none]
    text = (
        f"{share.hits} of {numbers.plural(share.total, 'image')} of no class "
        f"{noun(share.hits, 'was', 'were')} taken for one (false accepts)"
    )
    text += _counted(f": {one.predicted} {one.count}" for one in taken)
    rejected = sum(one.count for one in called)
    if rejected:
        text += f"; {numbers.plural(rejected, 'image')} of a class called {none}"
        text += _counted(f": {one.expected} {one.count}" for one in called)
    yield when_stopped(text, report.ledger)


def _counted(parts: Iterable[str]) -> str:
    """The first part with its colon, the others behind commas."""
    listed = list(parts)
    return some_of([*listed[:1], *(part.removeprefix(": ") for part in listed[1:])])


def _decided(report: Report, review: DatasetReview) -> Iterator[str]:
    """What was decided about all images, and what accuracy is without on these."""
    by = f" by {numbers.plural(review.reviewers, 'reviewer')}"
    parts = []
    if review.corrected:
        here = len(corrected(report))
        among = f" ({here} of these images)" if here < review.corrected else ""
        parts.append(f"{numbers.plural(review.corrected, 'label')} corrected{by}{among}")
    if review.left_out:
        parts.append(
            f"{numbers.plural(len(review.left_out), 'image')} left out"
            f"{'' if review.corrected else by}"
        )
    if review.confirmed:
        parts.append(
            f"{numbers.plural(review.confirmed, 'label')} confirmed by "
            f"{numbers.plural(review.confirmers, 'reviewer')}"
        )
    if not parts:
        return
    text, before = ", ".join(parts), accuracy_before(report)
    if before is not None:
        now = numbers.counted(report.accuracy)
        then = f"accuracy with the labels as they were: {numbers.counted(before)}, now {now}"
        text += f"; {when_stopped(then, report.ledger)}"
    yield text


def open_texts(review: DatasetReview) -> Iterator[str]:
    """Images that nothing could be done about, a sentence each reason."""
    for ids, one, several in (
        (
            review.disputed,
            "image has its label as it was, since reviewers disagree",
            "images have their labels as they were, since reviewers disagree",
        ),
        (
            review.unsure,
            "image has a label that no reviewer is sure of",
            "images have labels that no reviewer is sure of",
        ),
        (
            review.gone,
            "image was decided about that the dataset does not have any more",
            "images were decided about that the dataset does not have any more",
        ),
    ):
        if ids:
            yield f"{numbers.plural(len(ids), one, several)}: {some_of(ids)}"


def _favoured(report: Report, review: DatasetReview) -> Iterator[str]:
    """For whom the corrections speak, and how often labels are wrong whatever a model says."""
    total = len(corrected(report))
    for model, count in followed(report).items():
        took = f"{count} of {total} {noun(total, 'correction')} took over"
        if model == report.model:
            yield (
                f"accuracy is biased towards this model: {took} its own answers, from which "
                f"{noun(count, 'it was', 'they were')} proposed"
            )
        else:
            yield f"a comparison with {model} is biased towards it: {took} its answers"
    yield from control_text(review)
    if followed(report) and not review.control:
        yield (
            "no image drawn at random was reviewed, so that nobody knows how many labels are wrong "
            "where the model says the same"
        )


def control_text(review: DatasetReview) -> Iterator[str]:
    """How often labels are wrong whatever a model says, where images were drawn at random."""
    if review.control:
        share = Ratio(hits=review.control_wrong, total=review.control)
        ends = clopper_pearson(share.hits, share.total, confidence=CONFIDENCE)
        yield (
            f"of {numbers.plural(review.control, 'image')} drawn at random for review "
            f"{numbers.plural(review.control_wrong, 'label was', 'labels were')} wrong: "
            f"{numbers.score(share)}, {numbers.stated_interval(ends)}"
        )
